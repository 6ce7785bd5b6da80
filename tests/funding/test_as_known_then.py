"""What was shown on a day is shown again when asked as known then, whatever was corrected later."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from tests.funding.builders import list_sizes
from tests.funding.test_achievement_corrections import CORRECTIONS, an_approved_one, proposed
from tests.funding.test_achievements import ACHIEVEMENTS, commissioner, network
from tests.funding.test_bank_details import NUMBER, PATH, SORT, approved, entered, nan
from tests.funding.test_journey import an_area, paid
from tests.funding.test_queries import QUERIES, a_paid_claim, raised
from tests.funding.test_runs_instructions import file_of, instructions_of, settled
from tests.funding.test_statements import STATEMENTS, statement
from tests.harness import Harness


def moment() -> str:
    return datetime.now(UTC).isoformat()


async def shown(app: Harness, known_at: str, month: str = "2022-04", **more: str) -> dict[str, Any]:
    asked = {"payee": "A00001", "month": month, "known_at": known_at, **more}
    reply = await app.client.get(STATEMENTS, params=asked, headers=nan(app))
    assert reply.status_code == 200, reply.text
    told: dict[str, Any] = reply.json()
    return told


async def test_a_statement_is_shown_as_it_was(funding_app: Harness) -> None:
    """At every step of a payment's life, and a population's restatement paid in May, a query asked and answered."""
    app = funding_app
    before_all = moment()
    line = await a_paid_claim(app)
    steps: list[tuple[str, dict[str, Any]]] = []

    async def step() -> None:
        told = await statement(app)
        steps.append((moment(), {**told, "coming": None}))

    await step()
    asked = await raised(app, line["id"])
    await step()
    await approved(app)
    run = {"id": steps[0][1]["run"]}
    await file_of(app, run)
    await step()
    await settled(app, (await instructions_of(app, run))["A00001"], "confirmation")
    await step()
    answer = {"kind": "explanation", "answer": "The ceiling of the role was reached."}
    assert (await app.put(f"{QUERIES}/{asked['id']}/answer", answer, nan(app))).status_code == 200
    await step()
    await settled(app, (await instructions_of(app, run))["A00001"], "return")
    await step()
    await app.deliver(list_sizes("registered", {"A00001": 30100}, known_from=date(2022, 5, 10)))
    await paid(app, "2022-05")
    states = [told["payment"]["state"] for _, told in steps]
    assert states == ["held", "held", "sent", "confirmed", "confirmed", "returned"]
    assert [[query["state"] for query in told["queries"]] for _, told in steps] == [
        [], ["open"], ["open"], ["open"], ["answered"], ["answered"],
    ]  # fmt: skip
    for known_at, told in steps:
        assert await shown(app, known_at) == told
    of_may = await shown(app, steps[-1][0], "2022-05")
    assert (of_may["run"], of_may["lines"], of_may["payment"]) == (None, [], None), "May had not been paid"
    asked_before = {"payee": "A00001", "month": "2022-04", "known_at": before_all}
    nothing = await app.client.get(STATEMENTS, params=asked_before, headers=nan(app))
    assert (nothing.status_code, nothing.json()["code"]) == (404, "StatementNotFound")


async def test_bank_details_are_shown_as_they_stood(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    before = moment()
    details = await entered(app)
    between = moment()
    numbers = {"sort_code": SORT, "account_number": NUMBER}
    done = await app.put(f"{PATH}/{details['id']}/approval", numbers, nan(app, "bob"))
    own = f"{PATH}/{details['id']}"
    assert (await app.client.get(own, params={"known_at": between}, headers=nan(app))).json() == details
    assert (await app.client.get(own, params={"known_at": moment()}, headers=nan(app))).json() == done.json()
    early = await app.client.get(own, params={"known_at": before}, headers=nan(app))
    assert (early.status_code, early.json()["code"]) == (404, "DetailsNotFound")
    for known_at, status, found in (
        (before, "proposed", 0),
        (between, "proposed", 1),
        (between, "approved", 0),
        (moment(), "approved", 1),
        (moment(), "proposed", 0),
    ):
        listed = await app.client.get(PATH, params={"known_at": known_at, "status": status}, headers=nan(app))
        assert [one["status"] for one in listed.json()["items"]] == [status] * found, (known_at, status)


async def test_an_achievement_and_the_years_standing_are_shown_as_they_stood(funding_app: Harness) -> None:
    app = funding_app
    before = moment()
    achievement = await an_approved_one(app)
    own = f"{ACHIEVEMENTS}/{achievement['id']}"
    standing = {"network": "U12345", "contract_year": "2021-22"}

    async def stood(known_at: str | None = None) -> tuple[Any, Any]:
        then = {} if known_at is None else {"known_at": known_at}
        one = await app.client.get(own, params=then, headers=network(app))
        all_of = await app.client.get(f"{ACHIEVEMENTS}/standing", params={**standing, **then}, headers=network(app))
        assert all_of.status_code == 200, all_of.text
        return one.json(), all_of.json()

    first, between = await stood(), moment()
    correction = await proposed(app, achievement)
    assert (await app.put(f"{CORRECTIONS}/{correction['id']}/approval", None, commissioner(app))).status_code == 200
    corrected = await stood()
    assert corrected[0]["amount"] == "17424.00"
    assert await stood(between) == first
    assert await stood(moment()) == corrected
    early, then = await stood(before)
    assert early["code"] == "AchievementNotFound"
    assert {row["status"] for row in then} == {"not-declared"}
