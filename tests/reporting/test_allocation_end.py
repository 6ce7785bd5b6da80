"""Coverage follows when an allocation ends or turns out never to have held."""

from __future__ import annotations

from datetime import date

import pytest

from shared.events import registry
from tests.harness import Harness
from tests.reporting.builders import at, by_key, england, report


@pytest.mark.parametrize(("last", "expected"), [(date(2022, 5, 15), ("7000", "0")), (date(2000, 1, 1), ("0", "0"))])
async def test_patients_are_served_up_to_the_last_day(
    reporting_app: Harness, last: date, expected: tuple[str, str]
) -> None:
    app = reporting_app
    at(app, date(2022, 6, 30))
    await app.deliver(*england())
    served = next(e for e in england() if isinstance(e, registry.PatientsAllocated))
    ended = registry.AllocationEnded(
        network=served.network,
        commissioner=served.commissioner,
        practice=served.practice,
        valid_from=served.valid_from,
        valid_to=last,
        until=served.valid_to,
    )
    await app.deliver(ended)
    await app.deliver(ended)
    days = ("2022-05-15", "2022-05-16")
    found = [by_key(await report(app, "coverage", as_at=day))["BB2"]["allocated"] for day in days]
    assert tuple(found) == expected
