"""Whatever money depends on is told again as it was known at a moment, after everything about it was corrected."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from shared.clock import london_day
from shared.events.registry import (
    AgreementEnded,
    AgreementSigned,
    FinanceTerms,
    NetworkClosed,
    PracticeJoined,
    PracticeLeft,
)
from shared.http import _now
from shared.identity import Role
from tests.funding.builders import COMMISSIONER, NETWORK, a_claim, a_commissioner, an_approved_network, list_sizes
from tests.funding.checked import CHECKS, sent
from tests.funding.test_achievement_corrections import CORRECTIONS, an_approved_one
from tests.funding.test_achievement_corrections import proposed as correction_proposed
from tests.funding.test_achievements import ACHIEVEMENTS, OVERRIDES
from tests.funding.test_arrears import some_arrears
from tests.funding.test_bank_details import approved, nan
from tests.funding.test_budgets import MOVES, a_move
from tests.funding.test_checks import publication
from tests.funding.test_claims import commissioner
from tests.funding.test_debts import DEBTS
from tests.funding.test_debts import proposed as debt_proposed
from tests.funding.test_distributions import agreed, divided
from tests.funding.test_forecasts import left, recruited
from tests.funding.test_journey import RUNS, an_area, calculated, noted, paid
from tests.funding.test_practice_scheme import CLAIMS as PRACTICE_CLAIMS
from tests.funding.test_practice_scheme import an_area as an_area_of_the_scheme
from tests.funding.test_practice_scheme import drafted, step, submitted
from tests.funding.test_queries import QUERIES, raised
from tests.funding.test_runs import lines_of
from tests.funding.test_runs_instructions import file_of, instructions_of, settled
from tests.funding.test_succession import succeeded
from tests.funding.test_variations import approval, consent
from tests.funding.test_variations import proposed as variation_proposed
from tests.funding.test_what_ifs import WHAT_IFS
from tests.harness import Harness

NOT_OF_MONEY = {
    "/funding/v1/audit",
    "/funding/v1/messages",
    "/funding/v1/messages/parked",
    "/funding/v1/payment-files/{file_id}/content",
    "/funding/v1/payment-instructions/{instruction_id}/parts",
    "/funding/v1/relabellings/{relabelling_id}",
}
"""The trail and the plumbing, which are logs themselves, the bytes of a file and a relabelling published, which never
change, and who might be sent money that came back, which is a question of today."""
OTHER = "U55555"
TODAY = london_day(datetime.now(UTC))
ASKED = {
    "contract_year": "2022-23",
    "month": "2022-04",
    "payee": "A00001",
    "as_at": TODAY.isoformat(),
    "by": "commissioner",
    "snapshot": "2022-01-01",
    "basis": "registered",
    "network": NETWORK,
}


CORRECTED = {
    f"/funding/v1/{what}"
    for what in (
        *("arrears-claims", "budgets", "checks", "claim-deadlines", "claims", "distribution-rules"),
        *("distribution-suggestions", "forecasts", "forecasts/pools", "lines", "payment-instructions", "payment-runs"),
        *("populations", "queries", "redistributions", "statements", "variations"),
    )
}


def reads(app: Harness) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in app.app.openapi()["paths"].items():
        if "get" in operations and path.startswith("/funding/v1/"):
            yield path, {one["name"]: one for one in operations["get"].get("parameters", [])}


def test_every_read_of_money_can_be_asked_for_as_it_was_known(funding_app: Harness) -> None:
    lacking = {path for path, parameters in reads(funding_app) if "known_at" not in parameters}
    assert lacking == NOT_OF_MONEY


def moment() -> str:
    return datetime.now(UTC).isoformat()


async def everything(app: Harness, known_at: str | None = None, **asked: str) -> dict[str, Any]:
    """What every read answers, each resource of every list read by itself too."""
    told: dict[str, Any] = {}
    found: dict[str, list[str]] = {}
    for path, parameters in sorted(reads(app), key=lambda read: read[0].count("{")):
        if "known_at" not in parameters:
            continue
        named = re.findall(r"{(\w+)}", path)
        wanted = {"contract_year", *(("as_at",) if path.endswith("/pools") else ())}
        query = {
            name: value
            for name, value in {**ASKED, **asked}.items()
            if name in parameters and parameters[name]["in"] == "query"
            if parameters[name].get("required") or name in wanted
        }
        if known_at is not None:
            query["known_at"] = known_at
        for one in [{}] if not named else _each(path, named, found):
            where = path.format(**one)
            reply = await app.client.get(where, params=query, headers=everybody(app))
            assert reply.status_code in (200, 404), f"{where}: {reply.text}"
            body: Any = reply.text
            if "json" in reply.headers["content-type"]:
                body = reply.json()
                if "coming" in body:
                    body = {**body, "coming": None}
            told[where] = (reply.status_code, body)
            if isinstance(body, dict) and "items" in body and not named:
                found[path] = [_key(item) for item in body["items"]]
    return told


def _key(item: dict[str, Any]) -> str:
    return str(item.get("id") or item.get("network") or "")


def _each(path: str, named: list[str], found: dict[str, list[str]]) -> list[dict[str, str]]:
    if len(named) > 1:
        return [{"network": NETWORK, "month": "2022-04"}] if "beds" in path else []
    return [{named[0]: key} for key in found.get(path.split("/{")[0], []) if key]


def everybody(app: Harness) -> dict[str, str]:
    """Somebody who may see everything: national, and of the network, a member and a payee."""
    roles = (Role.NATIONAL, Role.NETWORK, Role.PRACTICE, Role.PAYEE)
    return app.token(*roles, organisations=[NETWORK, "A00001", "A00002"], subject="alice")


async def what_if(app: Harness, known_at: str | None = None) -> Any:
    asked = {
        "contract_year": "2022-23",
        "networks": [NETWORK],
        "rates": [{"stream": "core_registered", "value": "2"}],
        **({} if known_at is None else {"known_at": known_at}),
    }
    reply = await app.post(WHAT_IFS, asked, nan(app))
    assert reply.status_code == 200, reply.text
    return reply.json()


async def a_year_in_full(app: Harness) -> dict[str, Any]:
    """One of everything, at the step before its last; gives what the corrections need."""
    await an_area(app)
    await app.deliver(
        an_approved_network(OTHER, members=["A00003"]),
        list_sizes("weighted", {"A00003": 40_000}, network=OTHER),
        list_sizes("registered", {"A00003": 40_000}, network=OTHER),
        recruited("post-1", date(2022, 4, 1)),
        recruited("post-2", date(2022, 6, 1), wte=Decimal("0.5")),
        a_claim("claim-1", salary=Decimal("4500.00")),
        AgreementSigned(
            network=NETWORK,
            commissioner=COMMISSIONER,
            agreement_version=1,
            in_force_from=date(2022, 4, 1),
            finance=FinanceTerms(rule="equal"),
        ),
    )
    assert (await app.put("/funding/v1/claims/claim-1/approval", None, commissioner(app))).status_code == 200
    await approved(app)
    await agreed(app, "registered")
    april = await paid(app, "2022-04")
    await divided(app, april)
    await file_of(app, april)
    (line,) = await lines_of(app, april, stream="arrs")
    query = await raised(app, line["id"])
    await app.deliver(
        a_claim("claim-2", month="2022-05", worked_from=date(2022, 5, 1), worked_to=date(2022, 5, 31)),
        a_claim("claim-3", month="2022-06", worked_from=date(2022, 6, 1), worked_to=date(2022, 6, 30)),
    )
    assert (await app.put("/funding/v1/claims/claim-2/approval", None, commissioner(app))).status_code == 200
    await app.deliver(some_arrears((1, "2022-04", "10.00"), year="2022-23"))
    variation = await variation_proposed(app)
    assert (await consent(app, variation, "A00001")).status_code == 201
    move = (await app.post(MOVES, a_move("100.00", giver=OTHER, receiver=NETWORK, contract_year="2022-23"),
                           app.token(Role.NETWORK, organisations=[OTHER], subject="oscar"))).json()  # fmt: skip
    file = publication(("", "A00001", COMMISSIONER, "", "30000", "31000", "54591"))
    check = (await sent(app, nan(app), file, "2022-23")).json()
    role = {
        "network": NETWORK, "short": "tutor", "name": "Tutor", "ceiling": "40000.00", "valid_from": "2025-04-01",
        "agreed_on": "2025-03-01",
    }  # fmt: skip
    agreed_role = await app.post("/funding/v1/agreed-roles", role, commissioner(app))
    assert agreed_role.status_code == 201, agreed_role.text
    may = await calculated(app, "2022-05")
    return {"april": april, "may": may, "query": query, "variation": variation, "move": move, "check": check}


async def all_corrected(app: Harness, made: dict[str, Any]) -> None:
    """Every one of them taken further, decided, restated, withdrawn or ended."""
    bob = nan(app, "bob")
    assert (await app.put(f"{RUNS}/{made['may']['id']}/approval", noted(made["may"]), bob)).status_code == 200
    assert (await app.put(f"{RUNS}/{made['may']['id']}/issue", None, bob)).status_code == 200
    await settled(app, (await instructions_of(app, made["april"]))["A00001"], "return")
    answer = {"kind": "adjustment", "answer": "Two hours were left out.", "amount_due": "4800.00"}
    assert (await app.put(f"{QUERIES}/{made['query']['id']}/answer", answer, commissioner(app))).status_code == 200
    assert (await app.put(f"{QUERIES}/{made['query']['id']}/approval", None, bob)).status_code == 200
    why = {"code": "no_payslip", "reason": "Missing."}
    assert (await app.put("/funding/v1/claims/claim-3/rejection", why, commissioner(app))).status_code == 200
    assert (await app.put("/funding/v1/arrears-claims/arr-1/rejection", why, commissioner(app))).status_code == 200
    assert (await consent(app, made["variation"], "A00002")).status_code == 201
    assert (await approval(app, made["variation"])).status_code == 200
    move = f"{MOVES}/{made['move']['id']}"
    network = app.token(Role.NETWORK, organisations=[NETWORK], subject="nina")
    assert (await app.put(f"{move}/acceptance", None, network)).status_code == 200
    assert (await app.put(f"{move}/approval", None, commissioner(app))).status_code == 200
    deadline = {"contract_year": "2022-23", "closes_on": "2023-04-30", "note": "Closed after all."}
    assert (await app.post("/funding/v1/claim-deadlines", deadline, bob)).status_code == 201
    await agreed(app, "equal")
    here = {"network": NETWORK, "commissioner": COMMISSIONER}
    await app.deliver(
        left("post-1", date(2022, 12, 31)),
        recruited("post-2", date(2022, 7, 1), wte=Decimal("0.8")),
        recruited("post-3", date(2022, 8, 1)),
        list_sizes("registered", {"A00001": 31_000}, known_from=TODAY),
        list_sizes("weighted", {"A00001": 35_000}, known_from=TODAY),
        list_sizes("adjusted", {"A00001": 29_000}, known_from=TODAY),
        PracticeLeft(valid_from=date(2020, 4, 1), valid_to=date(2022, 9, 30), practice="A00002", **here),
        PracticeJoined(network=OTHER, commissioner=COMMISSIONER, practice="A00002", valid_from=date(2022, 10, 1)),
        AgreementEnded(agreement_version=1, last_day=date(2022, 4, 30), reason="replaced", **here),
        NetworkClosed(network=OTHER, commissioner=COMMISSIONER, closed_on=date(2022, 3, 31)),
        a_commissioner("99X", "QXX"),
        succeeded(COMMISSIONER, "99X", day=date(2022, 7, 1)),
        a_claim("claim-4", month="2022-07", worked_from=date(2022, 7, 1), worked_to=date(2022, 7, 31)),
    )
    assert (await app.put(f"{CHECKS}/{made['check']['id']}/comparison", None, nan(app))).status_code == 200
    await paid(app, "2022-06")


async def test_whatever_was_shown_is_shown_again_as_known_then(funding_app: Harness) -> None:
    app = funding_app
    made = await a_year_in_full(app)
    shown, asked_what_if, then = await everything(app), await what_if(app), moment()
    await all_corrected(app, made)
    now = await everything(app)
    unchanged = {path for path in CORRECTED if shown[path] == now[path]}
    assert not unchanged, "the corrections correct all of it"
    again = await everything(app, then)
    for path, answer in shown.items():
        assert again[path] == answer, path
    assert await what_if(app) != asked_what_if
    assert await what_if(app, then) == asked_what_if


async def test_decisions_on_achievements_are_shown_as_they_stood(funding_app: Harness) -> None:
    app = funding_app
    correction = await correction_proposed(app, achievement := await an_approved_one(app))
    body = {"contract_year": "2021-22", "indicator": "VI-01", "reason": "The extract was at fault."}
    override = (await app.post(OVERRIDES, body, nan(app))).json()
    assert (await app.put(f"{CORRECTIONS}/{correction['id']}/approval", None, nan(app, "carol"))).status_code == 200
    await paid(app, "2022-04")
    second = await correction_proposed(app, achievement, numerator=7203, reason="It had been right.")
    shown, then = await everything(app, contract_year="2021-22"), moment()
    assert (await app.put(f"{CORRECTIONS}/{second['id']}/approval", None, nan(app, "carol"))).status_code == 200
    assert (await app.put(f"{OVERRIDES}/{override['id']}/approval", None, nan(app, "bob"))).status_code == 200
    await paid(app, "2022-05")
    assert (await everything(app, contract_year="2021-22"))[ACHIEVEMENTS] != shown[ACHIEVEMENTS]
    again = await everything(app, then, contract_year="2021-22")
    for path, answer in shown.items():
        assert again[path] == answer, path


async def test_a_practices_claims_and_what_is_left_of_its_ceiling_are_shown_as_they_stood(funding_app: Harness) -> None:
    app = funding_app
    await an_area_of_the_scheme(app)
    first, second = await submitted(app), await submitted(app, "2026-05")
    await step(app, first["id"], "approval")
    draft = await drafted(app, "2026-06")
    asked = {"contract_year": "2026-27", "month": "2026-04", "snapshot": "2026-01-01", "basis": "adjusted"}
    shown, then = await everything(app, **asked), moment()
    assert [one["status"] for one in shown[PRACTICE_CLAIMS][1]["items"]] == ["approved", "submitted", "draft"]
    await step(app, second["id"], "rejection", {"code": "no_contract", "reason": "Not there."})
    await step(app, draft["id"], "withdrawal")
    await app.deliver(list_sizes("adjusted", {"A00001": 9_000}, snapshot=date(2026, 1, 1), known_from=TODAY))
    app.app.dependency_overrides.pop(_now)
    await paid(app, "2026-04")
    again = await everything(app, then, **asked)
    for path, answer in shown.items():
        assert again[path] == answer, path


async def test_what_becomes_of_a_debt_is_shown_as_it_stood(funding_app: Harness) -> None:
    app = funding_app
    await an_area(app)
    await paid(app, "2022-09")
    await app.deliver(list_sizes("weighted", {"A00002": 1000}, known_from=date(2022, 10, 1)))
    debt = (await instructions_of(app, await paid(app, "2022-10")))["A00002"]
    decision = await debt_proposed(app, debt)
    shown, then = await everything(app, payee="A00002"), moment()
    assert (await app.put(f"{DEBTS}/{decision['id']}/approval", None, nan(app, "bob"))).status_code == 200
    assert (await everything(app, payee="A00002"))[DEBTS] != shown[DEBTS]
    again = await everything(app, then, payee="A00002")
    for path, answer in shown.items():
        assert again[path] == answer, path
