"""The real payment files sent to the service that holds all of England, as a person would send them."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from shared.events.registry import ListSize, ListSizesPublished, PracticeFact, PracticesPublished
from shared.identity import Role
from tests.harness import Harness

CHECKS = "/funding/v1/checks"
YEARS = ("2019-20", "2020-21", "2021-22")
SNAPSHOT = date(2021, 1, 1)


def registered_lists(data: Path) -> Iterator[ListSizesPublished]:
    """The registered lists of 1 January 2021, by commissioner, as the register announces them."""
    sizes: dict[str, list[ListSize]] = defaultdict(list)
    with gzip.open(data / "lists" / "gp-reg-pat-prac-all_2021-01.csv.gz", "rt", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            heads = Decimal(row["NUMBER_OF_PATIENTS"])
            sizes[row["CCG_CODE"]].append(ListSize(practice=row["CODE"], value=heads))
    for commissioner, found in sorted(sizes.items()):
        yield ListSizesPublished(
            commissioner=commissioner,
            basis="registered",
            snapshot=SNAPSHOT,
            known_from=date(2021, 1, 14),
            source="Patients registered at a GP practice, January 2021",
            sizes=found,
        )


def closures(data: Path) -> Iterator[PracticesPublished]:
    """Practices of the register of May 2022 with the day they closed, by commissioner."""
    found: dict[str, list[PracticeFact]] = defaultdict(list)
    with gzip.open(data / "ods" / "epraccur_2022-05.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            code, closed, commissioner = row[0], row[11].strip(), row[14].strip()
            if closed and commissioner and row[25] == "4":
                day = date(int(closed[:4]), int(closed[4:6]), int(closed[6:8]))
                fact = PracticeFact(
                    practice=code, practice_name=row[1], commissioner=commissioner, closed_on=day, status="closed"
                )
                found[commissioner].append(fact)
    for commissioner, practices in sorted(found.items()):
        yield PracticesPublished(commissioner=commissioner, as_at=date(2022, 5, 31), practices=practices)


def payments(data: Path, year: str) -> bytes:
    return (data / "payments" / f"nhs-payments-gp_{year}.csv.gz").read_bytes()


async def sent(app: Harness, headers: dict[str, str], content: bytes, year: str, **more: str) -> Any:
    """The answer to a file sent as a form."""
    return await app.post(
        CHECKS, None, headers, files={"file": ("payments.csv.gz", content)}, data={"contract_year": year, **more}
    )


async def compared(app: Harness, data: Path) -> dict[str, dict[str, Any]]:
    """All three publications received and, once all are there, compared again, the latest first."""
    national = app.token(Role.NATIONAL)
    checks: dict[str, dict[str, Any]] = {}
    for year in YEARS:
        reply = await sent(app, national, payments(data, year), year)
        assert reply.status_code == 201, reply.text
        checks[year] = reply.json()
    for year in reversed(YEARS):
        path = f"{CHECKS}/{checks[year]['id']}/comparison"
        reply = await app.put(path, None, national)
        assert reply.status_code == 200, reply.text
        checks[year] = reply.json()
    return checks
