"""Windows in which practices may choose: recorded by the national team, put right, withdrawn, and what they allow."""

from __future__ import annotations

from typing import Any

import pytest

from services.registry.windows.model import NoticeTooShort, Window
from shared.facts import days
from shared.identity import ANY_ROLE, Role
from tests.harness import Harness
from tests.registry.builders import V1, codes, commissioner, depart, load_sample, national, open_window
from tests.registry.test_rules import DAY

MEMBER = "U90001/members/Z80011/2019-10-01"
OCTOBER = {
    "contract_year": "2022-23",
    "why": "reissue",
    "opens_on": "2022-10-01",
    "closes_on": "2022-10-31",
    "reason": "The terms were reissued within the year.",
}


async def listed(app: Harness, **asked: str) -> list[dict[str, Any]]:
    answer = await app.client.get(f"{V1}/windows", params=asked, headers=app.token(Role.PRACTICE, organisations=["Z1"]))
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_a_window_of_every_year_and_one_after_a_reissue_stand_side_by_side(registry_app: Harness) -> None:
    await open_window(registry_app)
    await open_window(registry_app, **OCTOBER)
    assert [(w["why"], w["opens_on"], w["closes_on"]) for w in await listed(registry_app)] == [
        ("annual", "2022-04-01", "2022-04-30"),
        ("reissue", "2022-10-01", "2022-10-31"),
    ]
    assert [w["why"] for w in await listed(registry_app, as_at="2022-10-31")] == ["reissue"]
    assert await listed(registry_app, as_at="2022-11-01") == []
    assert [w["why"] for w in await listed(registry_app, why="annual", contract_year="2022-23")] == ["annual"]
    assert await listed(registry_app, contract_year="2023-24") == []


async def test_only_the_national_team_records_windows(registry_app: Harness) -> None:
    for role in set(ANY_ROLE) - {Role.NATIONAL}:
        answer = await registry_app.post(f"{V1}/windows", OCTOBER, registry_app.token(role, organisations=["SB2"]))
        assert (answer.status_code, answer.json()["code"]) == (403, "Forbidden"), role


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"closes_on": "2022-09-30"}, "before_opens_on"),
        ({"contract_year": "2022-24"}, "value_error"),
        ({"notice_months": 13}, "less_than_equal"),
        ({"why": "whim"}, "enum"),
    ],
)
async def test_a_malformed_window_names_its_fault(registry_app: Harness, changes: dict[str, Any], code: str) -> None:
    answer = await registry_app.post(f"{V1}/windows", {**OCTOBER, **changes}, national(registry_app))
    assert (answer.status_code, [f["code"] for f in answer.json()["errors"]]) == (422, [code])


async def test_a_window_is_extended_and_what_was_believed_before_is_kept(registry_app: Harness) -> None:
    made = await open_window(registry_app, opens_on="2026-04-01", closes_on="2026-04-30", contract_year="2026-27")
    path = f"{V1}/windows/{made['id']}"
    first = await registry_app.client.get(path, headers=national(registry_app))
    terms = {"opens_on": "2026-04-01", "closes_on": "2026-05-31", "reason": "The reissue gave until the end of May."}
    right = await registry_app.put(f"{path}/correction", terms, national(registry_app))
    assert (right.status_code, right.json()["closes_on"]) == (200, "2026-05-31")
    stale = await registry_app.put(f"{path}/correction", terms, national(registry_app), match=first.headers["etag"])
    assert stale.status_code == 412
    assert (
        await registry_app.client.put(f"{path}/correction", json=terms, headers=national(registry_app))
    ).status_code == 428
    bad = await registry_app.put(f"{path}/correction", {**terms, "closes_on": "2026-03-31"}, national(registry_app))
    assert bad.status_code == 422


async def test_a_window_recorded_in_error_is_withdrawn(registry_app: Harness) -> None:
    made = await open_window(registry_app)
    path = f"{V1}/windows/{made['id']}"
    match = (await registry_app.client.get(path, headers=national(registry_app))).headers["etag"]
    gone = await registry_app.put(f"{path}/withdrawal", {"reason": "It was last year's."}, national(registry_app))
    assert gone.status_code == 204
    assert (await registry_app.client.get(path, headers=national(registry_app))).status_code == 404
    again = await registry_app.put(f"{path}/withdrawal", {"reason": "Again."}, national(registry_app), match=match)
    assert (again.status_code, again.json()["code"]) == (409, "WindowWithdrawn")
    none = await registry_app.put(
        f"{V1}/windows/win-0/withdrawal", {"reason": "It."}, national(registry_app), match=match
    )
    assert (none.status_code, none.json()["code"]) == (404, "WindowNotFound")


async def test_notice_in_the_window_of_october_2022_is_enough_and_of_november_is_not(registry_app: Harness) -> None:
    await load_sample(registry_app)
    await open_window(registry_app, **OCTOBER)
    late = await depart(registry_app, MEMBER, notified_on="2022-11-01", last_day="2022-11-30")
    assert (late.status_code, late.json()["code"]) == (409, "OutsideWindow")
    assert (await depart(registry_app, MEMBER, notified_on="2022-10-31", last_day="2022-10-31")).status_code == 200


async def test_notice_is_not_recorded_before_it_is_given(registry_app: Harness) -> None:
    await load_sample(registry_app)
    days = {"contract_year": "2098-99", "opens_on": "2098-04-01", "closes_on": "2098-04-30"}
    await open_window(registry_app, **days)
    answer = await depart(registry_app, MEMBER, notified_on="2098-04-10", last_day="2098-06-30")
    assert (answer.status_code, codes(answer)) == (422, ["in_the_future"])


async def test_a_withdrawn_window_allows_nothing(registry_app: Harness) -> None:
    await load_sample(registry_app)
    made = await open_window(registry_app, **OCTOBER)
    await registry_app.put(f"{V1}/windows/{made['id']}/withdrawal", {"reason": "Not so."}, national(registry_app))
    answer = await depart(registry_app, MEMBER, notified_on="2022-10-31", last_day="2022-10-31")
    assert (answer.status_code, answer.json()["code"]) == (409, "OutsideWindow")
    assert (
        await depart(
            registry_app, MEMBER, commissioner(registry_app, "SB2"), last_day="2022-10-31", agreement="Yes, it may."
        )
    ).status_code == 200


@pytest.mark.parametrize(
    ("given", "months", "earliest"),
    [
        ("2020-05-31", 1, "2020-06-30"),
        ("2020-05-15", 1, "2020-06-15"),
        ("2023-01-31", 1, "2023-02-28"),
        ("2025-04-30", 0, "2025-04-30"),
    ],
)
def test_notice_of_some_months_ends_on_the_same_day_of_the_month_or_its_last(
    given: str, months: int, earliest: str
) -> None:
    day = type(DAY).fromisoformat
    window = Window(id="win-1", notice_months=months, valid=days(day("2020-01-01"), day("2025-12-31")))
    assert window.earliest(day(given)) == day(earliest)
    window.require_notice(day(given), day(earliest))
    with pytest.raises(NoticeTooShort):
        window.require_notice(day("2025-12-31"), day("2025-12-30"))
