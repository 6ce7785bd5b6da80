"""Several people at the same moment, on databases that commit for real: one effect, and a clear no for the others."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import pytest

from services.registry.rounds import covering
from shared import database
from shared.events import funding as told_of_money
from shared.events import registry as told
from shared.events import workforce as told_of_people
from shared.identity import Role
from tests.core.test_bad_input import unclear
from tests.funding import builders as area
from tests.funding.test_journey import RUNS, an_area, calculated, paid
from tests.harness import Harness
from tests.registry import builders as registry
from tests.registry.builders import SAMPLE, V1
from tests.registry.squares import square
from tests.workforce import builders as people

CLAIMS = "/funding/v1/claims"
FELLS, HARBOUR, VALE = "Invented Fells PCN", "Invented Harbour PCN", "Invented Vale PCN"


async def at_once(*asked: Awaitable[httpx.Response]) -> list[httpx.Response]:
    """Answers to requests made at the same moment, each of them clear."""
    answers = await asyncio.gather(*asked)
    assert [(a.status_code, a.text) for a in answers if unclear(a)] == []
    return answers


def codes(answers: Sequence[httpx.Response]) -> list[str]:
    """How the requests ended: `ok` or the code of the refusal, in order."""
    return sorted("ok" if a.is_success else a.json()["code"] for a in answers)


async def audit(app: Harness, *, organisation: str | None = None, **by: str) -> list[dict[str, Any]]:
    """What an operator, or an organisation, reads in the audit."""
    headers = app.token(Role.OPERATOR)
    if organisation is not None:
        headers = app.token(Role.PRACTICE, organisations=[organisation])
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        path = f"/{app.service.name}/v1/audit?limit=1000{cursor}"
        page = (await app.client.get(path, headers=headers)).json()
        found += page["items"]
        if page["next"] is None:
            return [entry for entry in found if all(entry[key] == value for key, value in by.items())]
        cursor = f"&cursor={page['next']}"


def changed(entries: Sequence[dict[str, Any]], record: str, column: str) -> list[tuple[str, Any]]:
    """Who gave a column of a record its values, in order."""
    return [
        (entry["subject"], entry["after"][column])
        for entry in entries
        if entry["record"] == record and column in (entry["after"] or {})
    ]


async def a_round(app: Harness, *names: str) -> tuple[str, list[str]]:
    """A round with these applications handed in."""
    await registry.load_sample(app)
    round = await registry.open_round(app)
    return round, [await registry.submitted(app, registry.form(name, round)) for name in names]


async def whole_area(app: Harness) -> tuple[str, list[str]]:
    """A round that covers everybody, ready to be decided."""
    round, ids = await a_round(app, HARBOUR, VALE, FELLS)
    allocated = await registry.allocate(app, application=ids[1], round=round)
    assert allocated.status_code == 201, allocated.text
    return round, ids


async def etag_of(app: Harness, path: str, headers: dict[str, str]) -> dict[str, str]:
    answer = await app.client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return {"If-Match": answer.headers["etag"]}


async def test_two_people_decide_one_round(registry_live: Harness) -> None:
    app = registry_live
    round, _ = await whole_area(app)
    path = f"{V1}/rounds/{round}"
    carl, cora = (registry.commissioner(app, subject=s) for s in ("carl", "cora"))
    match = await etag_of(app, path, carl)
    body = {"decided_on": "2022-03-28"}
    answers = await at_once(
        *(app.client.put(f"{path}/decision", json=body, headers={**who, **match}) for who in (carl, cora))
    )
    assert codes(answers) == ["RoundAlreadyDecided", "ok"]
    decider = next(a.json()["decided_by"] for a in answers if a.is_success)
    assert len([e for e in await app.announced() if isinstance(e, told.RoundDecided)]) == 1
    entries = await audit(app)
    assert changed(entries, f"rounds/{round}", "decided_by")[-1:] == [(decider, decider)]
    assert {e["subject"] for e in entries if e["request"] == f"PUT {path}/decision"} == {decider}
    stranger = await audit(app, organisation="SB2")
    assert [e for e in stranger if round in e["record"] or round in str(e["after"])] == []


@pytest.mark.parametrize("turn", range(3))
async def test_a_submission_races_the_decision(registry_live: Harness, turn: int) -> None:
    """Either it is in, and decided with the others, or it comes too late; never in and left undecided."""
    app = registry_live
    round, _ = await a_round(app, HARBOUR, VALE)
    late = (await registry.draft(app, registry.form(FELLS, round)))["id"]
    nina = registry.national(app)
    path = f"{V1}/rounds/{round}"
    body = {"decided_on": "2022-03-28", "override_reason": "It cannot wait."}
    first = await etag_of(app, path, nina)
    mine = registry.commissioner(app)
    match = await etag_of(app, f"{V1}/applications/{late}", mine)

    async def decide() -> httpx.Response:
        await asyncio.sleep(0.005 * turn)
        return await app.client.put(f"{path}/decision", json=body, headers={**nina, **first})

    submit = app.client.put(
        f"{V1}/applications/{late}/submission", json={"received_on": "2022-02-14"}, headers={**mine, **match}
    )
    decided, submitted = await at_once(decide(), submit)
    assert decided.status_code == 200, decided.text
    state = (await app.client.get(f"{V1}/applications/{late}", headers=nina)).json()["status"]
    if submitted.is_success:
        assert state == "approved"
    else:
        assert (submitted.json()["code"], state) == ("RoundAlreadyDecided", "draft")
    approved = [e.application for e in await app.announced() if isinstance(e, told.NetworkApproved) and e.round]
    assert (late in approved) == submitted.is_success


@pytest.mark.parametrize("turn", range(3))
async def test_an_allocation_races_the_decision(registry_live: Harness, turn: int) -> None:
    """The area is decided with the allocation or refused without it; the allocation stands either way."""
    app = registry_live
    round, ids = await a_round(app, HARBOUR, VALE, FELLS)
    carl = registry.commissioner(app)
    path = f"{V1}/rounds/{round}"
    match = await etag_of(app, path, carl)

    async def decide() -> httpx.Response:
        await asyncio.sleep(0.01 * turn)
        return await app.client.put(f"{path}/decision", json={"decided_on": "2022-03-28"}, headers={**carl, **match})

    decided, allocated = await at_once(decide(), registry.allocate(app, application=ids[1], round=round))
    assert allocated.status_code == 201, allocated.text
    moved = [e for e in await app.announced() if isinstance(e, told.PatientsAllocated) and e.network == "U90012"]
    if decided.is_success:
        assert len(moved) == 1
    else:
        assert (decided.json()["code"], moved) == ("CoverageIncomplete", [])
        assert (await registry.decide(app, round)).status_code == 200


async def test_two_allocate_one_practice(registry_live: Harness) -> None:
    app = registry_live
    await registry.load_sample(app)
    answers = await at_once(*(registry.allocate(app, network=code) for code in ("U90001", "U90002", "U90001")))
    assert codes(answers) == ["PracticeAlreadyAllocated", "PracticeAlreadyAllocated", "ok"]


async def test_two_areas_are_decided_at_once(registry_live: Harness) -> None:
    """Both give out local network codes, and never the same one."""
    app = registry_live
    round, _ = await a_round(app, FELLS)
    other = await registry.open_round(app, commissioner="SB2")
    theirs = registry.form(FELLS, other) | {"network_name": "Invented Quay PCN"}
    theirs |= {
        "practices": [{"practice": "Z80020", "leaves": "U90003"}],
        "payee": "Z80020",
        "agreement_signed_by": ["Z80020"],
        "area": square(0, 0, 10, 10),
    }
    theirs["clinical_director"] |= {"practice": "Z80020"}
    made = await registry.draft(app, theirs, registry.commissioner(app, "SB2"))
    nina = registry.national(app)
    sent = await app.put(f"{V1}/applications/{made['id']}/submission", {"received_on": "2022-02-14"}, nina)
    assert sent.status_code == 200, sent.text
    alone = {"application": made["id"], "finding": "one_practice", "reason": "The quay is a town of its own."}
    agreed = await app.post(f"{V1}/waivers", alone, registry.commissioner(app, "SB2"))
    assert agreed.status_code == 201, agreed.text
    body = {"decided_on": "2022-03-28", "override_reason": "It cannot wait."}
    matches = [await etag_of(app, f"{V1}/rounds/{r}", nina) for r in (round, other)]
    answers = await at_once(
        *(
            app.client.put(f"{V1}/rounds/{r}/decision", json=body, headers={**nina, **match})
            for r, match in zip((round, other), matches, strict=True)
        )
    )
    assert codes(answers) == ["ok", "ok"], [a.text for a in answers]
    approved = [e for e in await app.announced() if isinstance(e, told.NetworkApproved) and e.decided_by == "round"]
    assert len({e.network for e in approved}) == 2


async def test_two_change_one_application(registry_live: Harness) -> None:
    app = registry_live
    await registry.load_sample(app)
    round = await registry.open_round(app)
    path = f"{V1}/applications/{(await registry.draft(app, registry.form(HARBOUR, round)))['id']}"
    people_here = [registry.commissioner(app, subject=s) for s in ("carl", "cora", "pia")]
    match = await etag_of(app, path, people_here[0])
    bodies = [
        {"network_name": "One PCN"},
        {"practices": [{"practice": "Z80001"}, {"practice": "Z80003"}]},
        {"area_description": "The hill.", "practices": [{"practice": "Z80002"}]},
    ]
    answers = await at_once(
        *(
            app.client.patch(path, json=body, headers={**who, **match})
            for who, body in zip(people_here, bodies, strict=True)
        )
    )
    assert codes(answers) == ["PreconditionFailed", "PreconditionFailed", "ok"]
    won = next(a for a in answers if a.is_success)
    seen = await app.client.get(path, headers=people_here[0])
    assert (seen.json(), seen.headers["etag"]) == (won.json(), won.headers["etag"])
    winner = ("carl", "cora", "pia")[answers.index(won)]
    entries = await audit(app)
    assert {e["subject"] for e in entries if e["request"].startswith("PATCH")} == {winner}


async def test_one_file_is_imported_once_however_often_it_is_sent(registry_live: Harness) -> None:
    app = registry_live
    nina, nora = registry.national(app), registry.national(app, "nora")
    data = (SAMPLE / "epraccur.csv").read_bytes()
    answers = await at_once(
        *(
            registry.upload(app, "epraccur", "e.csv", sent, published_on="2021-12-20", headers=who)
            for who, sent in ((nina, data), (nora, data), (nina, gzip.compress(data)))
        )
    )
    assert codes(answers) == ["ok", "ok", "ok"]
    assert sorted(a.json()["loaded"] > 0 for a in answers) == [False, False, True]
    told_once = [e for e in await app.announced() if isinstance(e, told.PracticesPublished)]
    assert len({e.commissioner for e in told_once}) == len(told_once)
    loader = next(a.json()["imported_by"] for a in answers if a.json()["loaded"])
    entries = await audit(app, action="import")
    assert [e["subject"] for e in entries] == [loader] or sorted(e["subject"] for e in entries)[:1] <= [loader]


async def test_an_import_races_a_decision(registry_live: Harness) -> None:
    """Both touch the same networks: each is done wholly or refused clearly, and nobody is in two networks."""
    app = registry_live
    round, _ = await whole_area(app)
    nina = registry.national(app)
    match = await etag_of(app, f"{V1}/rounds/{round}", nina)
    details, partners = ((SAMPLE / f"epcn_{n}.csv").read_bytes() for n in ("details", "core_partners"))
    decision = app.client.put(
        f"{V1}/rounds/{round}/decision", json={"decided_on": "2022-03-28"}, headers={**nina, **match}
    )
    load = registry.upload(app, "epcn", "d.csv", details, published_on="2022-04-30", partners=partners)
    decided, loaded = await at_once(decision, load)
    assert decided.is_success, decided.text
    assert loaded.is_success, loaded.text
    whole = (await app.client.get(f"{V1}/statistics?as_at=2022-05-01", headers=nina)).json()
    assert (whole["networks"], whole["practices"]) == (6, 20)


# --- readers while an area is decided ---


async def test_readers_see_all_of_a_decision_or_nothing(registry_live: Harness) -> None:
    """Each answer is one moment: before the decision or after it, never between."""
    app = registry_live
    round, ids = await whole_area(app)
    carl = registry.commissioner(app)
    day = "as_at=2022-05-01"
    looks: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "networks": (
            f"/networks?{day}&commissioner=SA1",
            lambda a: sorted((n["name"], n["members"]) for n in a["items"]),
        ),
        "members": (f"/networks/U90011/members?{day}", lambda a: [m["practice"] for m in a.get("items", [])]),
        "network": (f"/networks/U90011?{day}", lambda a: (a.get("members"), a.get("payee"))),
        "practices": (f"/practices?{day}&commissioner=SA1", lambda a: [(p["code"], p["networks"]) for p in a["items"]]),
        "statistics": (f"/statistics?{day}", lambda a: {k: a[k] for k in ("networks", "practices_in_no_network")}),
        "coverage": (f"/rounds/{round}/coverage", lambda a: [(c["practice"], c["covered_by"]) for c in a["practices"]]),
        "applications": ("/applications", lambda a: [(x["id"], x["status"], x["network"]) for x in a["items"]]),
        "allocations": ("/allocations", lambda a: [(x["id"], x["network"]) for x in a["items"]]),
    }

    async def look(name: str) -> Any:
        path, seen = looks[name]
        answer = await app.client.get(V1 + path, headers=carl)
        assert answer.status_code in ({200, 404} if "U90011" in path else {200}), answer.text
        return seen(answer.json())

    before = {name: await look(name) for name in looks}
    done = asyncio.Event()
    seen: dict[str, list[Any]] = {name: [] for name in looks}

    async def keep_looking(name: str) -> None:
        while not done.is_set():
            seen[name].append(await look(name))

    async with asyncio.TaskGroup() as readers:
        for name in looks:
            readers.create_task(keep_looking(name))
        await asyncio.sleep(0.1)
        decided = await registry.decide(app, round)
        assert decided.status_code == 200, decided.text
        await asyncio.sleep(0.1)
        done.set()
    after = {name: await look(name) for name in looks}
    for name, answers in seen.items():
        if name != "coverage":
            assert before[name] != after[name], name
        between = [a for a in answers if a not in (before[name], after[name])]
        assert between == [], f"{name}: {len(between)} of {len(answers)} answers saw half a decision: {between[0]}"
        turns = [a == after[name] for a in answers]
        assert turns == sorted(turns) or name == "coverage", f"{name} went back"
    assert ids


async def test_coverage_is_worked_out_from_one_moment(registry_live: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a reader takes between two of its questions, a decision in between is not half in its answer."""
    app = registry_live
    round, _ = await whole_area(app)
    carl = registry.commissioner(app)
    path = f"{V1}/rounds/{round}/coverage"
    before = (await app.client.get(path, headers=carl)).json()
    half_way, go_on = asyncio.Event(), asyncio.Event()
    ask = covering._covered

    async def slowly(*given: Any) -> Any:
        if not half_way.is_set():
            half_way.set()
            await go_on.wait()
        return await ask(*given)

    monkeypatch.setattr(covering, "_covered", slowly)
    monkeypatch.setattr(database, "PING_AFTER_SECONDS", 0.0)  # as after a pause
    reader = asyncio.create_task(app.client.get(path, headers=carl))
    await asyncio.wait_for(half_way.wait(), 120)
    decided = await registry.decide(app, round)
    assert decided.status_code == 200, decided.text
    go_on.set()
    assert (await reader).json() == before
    after = (await app.client.get(path, headers=carl)).json()
    assert after != before


# --- money ---


def nationals(app: Harness, *subjects: str) -> list[dict[str, str]]:
    return [app.token(Role.NATIONAL, subject=subject) for subject in subjects]


async def test_two_approve_and_one_gives_up_a_run(funding_live: Harness) -> None:
    app = funding_live
    await an_area(app)
    run = await calculated(app, "2022-04")
    path = f"{RUNS}/{run['id']}"
    bob, carol, dan = nationals(app, "bob", "carol", "dan")
    match = await etag_of(app, path, bob)
    answers = await at_once(
        app.client.put(f"{path}/approval", headers={**bob, **match}),
        app.client.put(f"{path}/approval", headers={**carol, **match}),
        app.client.put(f"{path}/abandonment", headers={**dan, **match}),
    )
    assert codes(answers) == ["PreconditionFailed", "PreconditionFailed", "ok"]
    winner = ("bob", "carol", "dan")[[a.is_success for a in answers].index(True)]
    states = changed(await audit(app), f"payment_runs/{run['id']}", "status")
    assert [who for who, _ in states] == ["alice", winner]


async def test_one_issues_and_one_gives_up(funding_live: Harness) -> None:
    app = funding_live
    await an_area(app)
    run = await calculated(app, "2022-04")
    path = f"{RUNS}/{run['id']}"
    bob, carol = nationals(app, "bob", "carol")
    approved = await app.put(f"{path}/approval", None, bob)
    match = {"If-Match": approved.headers["etag"]}
    issued, given_up = await at_once(
        app.client.put(f"{path}/issue", headers={**bob, **match}),
        app.client.put(f"{path}/abandonment", headers={**carol, **match}),
    )
    assert issued.is_success != given_up.is_success
    payments = [e for e in await app.announced() if isinstance(e, told_of_money.PaymentIssued)]
    assert len(payments) == (1 if issued.is_success else 0)


async def test_a_month_is_calculated_once(funding_live: Harness) -> None:
    app = funding_live
    await an_area(app)
    who = nationals(app, "alice", "bob", "carol", "dan")
    answers = await at_once(*(app.post(RUNS, {"month": "2022-04"}, headers) for headers in who))
    assert codes(answers) == ["RunInProgress"] * 3 + ["ok"]
    subject = ("alice", "bob", "carol", "dan")[[a.is_success for a in answers].index(True)]
    run = next(a.json() for a in answers if a.is_success)
    assert run["calculated_by"] == subject
    entries = [e for e in await audit(app) if e["record"].startswith("payment_runs/")]
    assert {e["subject"] for e in entries} == {subject}


async def test_a_claim_is_approved_and_rejected_at_once(funding_live: Harness) -> None:
    app = funding_live
    await an_area(app)
    await app.deliver(area.a_claim())
    path = f"{CLAIMS}/claim-1"
    carol, carl = (
        app.token(Role.COMMISSIONER, organisations=[area.COMMISSIONER], subject=s) for s in ("carol", "carl")
    )
    match = await etag_of(app, path, carol)
    why = {"code": "no_evidence", "reason": "The payroll is missing."}
    answers = await at_once(
        app.client.put(f"{path}/approval", headers={**carol, **match}),
        app.client.put(f"{path}/rejection", json=why, headers={**carl, **match}),
        app.client.put(f"{path}/approval", headers={**carol, **match}),
    )
    assert codes(answers)[-1] == "ok"
    assert set(codes(answers)[:2]) <= {"PreconditionFailed", "ClaimDecided"}
    decided = [
        e for e in await app.announced() if isinstance(e, told_of_money.ClaimApproved | told_of_money.ClaimRejected)
    ]
    assert len(decided) == 1
    claim = (await app.client.get(path, headers=carol)).json()
    assert (claim["status"] == "approved") == isinstance(decided[0], told_of_money.ClaimApproved)
    entries = await audit(app)
    states = [(who, state) for who, state in changed(entries, "claims/claim-1", "status") if who in {"carol", "carl"}]
    assert states == [(claim["decided_by"], claim["status"])]
    assert [e for e in await audit(app, organisation="00N") if "claim-1" in e["record"]] == []
    assert [e for e in await audit(app, organisation=area.NETWORK) if e["record"] == "claims/claim-1"]


async def test_two_claims_do_not_share_the_last_pound(funding_live: Harness) -> None:
    """Approved at once, two claims take of the network's sum what is there, and no more."""
    app = funding_live
    await an_area(app)
    await app.deliver(*(area.a_claim(f"claim-{n}", post=f"post-{n}", month="2022-04") for n in range(6)))
    from sqlalchemy import text

    async with app.session() as session:
        await session.execute(text("UPDATE budgets SET amount = 10000 WHERE network = 'U12345'"))
    carol = app.token(Role.COMMISSIONER, organisations=[area.COMMISSIONER], subject="carol")
    matches = [await etag_of(app, f"{CLAIMS}/claim-{n}", carol) for n in range(6)]
    answers = await at_once(
        *(app.client.put(f"{CLAIMS}/claim-{n}/approval", headers={**carol, **match}) for n, match in enumerate(matches))
    )
    taken = sum(Decimal(a.json()["payable"]) for a in answers if a.is_success)
    assert 0 < taken <= 10_000
    assert {a.json()["code"] for a in answers if not a.is_success} <= {"ClaimNotPayable"}
    assert not all(a.is_success for a in answers)


async def test_a_claim_approved_beside_a_run_is_paid_once(funding_live: Harness) -> None:
    app = funding_live
    await an_area(app)
    await app.deliver(area.a_claim())
    carol = app.token(Role.COMMISSIONER, organisations=[area.COMMISSIONER], subject="carol")
    match = await etag_of(app, f"{CLAIMS}/claim-1", carol)
    approved, made = await at_once(
        app.client.put(f"{CLAIMS}/claim-1/approval", headers={**carol, **match}),
        app.post(RUNS, {"month": "2022-04"}, app.token(Role.NATIONAL)),
    )
    assert codes([approved, made]) == ["ok", "ok"]
    bob = app.token(Role.NATIONAL, subject="bob")
    for step in ("approval", "issue"):
        done = await app.put(f"{RUNS}/{made.json()['id']}/{step}", None, bob)
        assert done.status_code == 200, done.text
    await paid(app, "2022-05")
    payments = [e for e in await app.announced() if isinstance(e, told_of_money.ClaimPaid)]
    assert [e.claim for e in payments] == ["claim-1"]


# --- people ---


async def test_two_candidates_are_not_appointed_to_one_vacancy(workforce_live: Harness) -> None:
    app = workforce_live
    await people.set_up(app)
    await people.a_plan(app)
    vacancy = (await people.open_vacancy(app)).json()["id"]
    checked = await people.up_to_checks(app, vacancy)
    mine = people.network_token(app)
    candidates = [await people.a_candidate(app, f"P-{n}") for n in range(3)]
    match = {"If-Match": checked.headers["etag"]}
    path = f"{people.PREFIX}/vacancies/{vacancy}/appointment"
    answers = await at_once(
        *(
            app.client.put(
                path, json={"candidate": c, "started_on": "2022-06-01", "wte": "1"}, headers={**mine, **match}
            )
            for c in candidates
        )
    )
    assert codes(answers)[-1] == "ok"
    assert set(codes(answers)[:2]) <= {"PreconditionFailed", "VacancyNotOpen"}
    assert len([e for e in await app.announced() if isinstance(e, told_of_people.RoleRecruited)]) == 1


async def test_one_person_is_not_full_time_twice(workforce_live: Harness) -> None:
    """Two vacancies filled with one candidate at once: one of them, or a reason is asked for."""
    app = workforce_live
    await people.set_up(app)
    await people.a_plan(app)
    mine, candidate = people.network_token(app), await people.a_candidate(app)
    ready = []
    for _ in range(2):
        vacancy = (await people.open_vacancy(app)).json()["id"]
        checked = await people.up_to_checks(app, vacancy)
        ready.append((vacancy, checked.headers["etag"]))
    body = {"candidate": candidate, "started_on": "2022-06-01", "wte": "1"}
    answers = await at_once(
        *(
            app.client.put(f"{people.PREFIX}/vacancies/{v}/appointment", json=body, headers={**mine, "If-Match": match})
            for v, match in ready
        )
    )
    assert codes(answers) == ["OverFullTime", "ok"]


async def test_the_last_room_goes_to_one(workforce_live: Harness) -> None:
    """Two vacancies race for what is left of the sum; the refusal says what is left."""
    app = workforce_live
    await people.set_up(app, budget="60000.00")
    await people.a_plan(app)
    answers = await at_once(people.open_vacancy(app), people.open_vacancy(app))
    assert codes(answers) == ["VacancyRefused", "ok"]
    refused = next(a.json() for a in answers if not a.is_success)
    assert "SumExceeded" in [fault["code"] for fault in refused["errors"]]
    assert len([e for e in await app.announced() if isinstance(e, told_of_people.VacancyOpened)]) == 1
    opened = [e for e in await audit(app) if e["record"].startswith("vacancies/") and e["action"] == "created"]
    assert [e["subject"] for e in opened] == ["nora"]
    assert [e for e in await audit(app, organisation=people.OTHER) if e["record"].startswith("vacancies/")] == []


async def test_a_plan_is_begun_once_and_changed_by_one(workforce_live: Harness) -> None:
    app = workforce_live
    await people.set_up(app)
    mine = people.network_token(app)
    line = {"role": "clinical_pharmacist", "wte": "1", "start_month": "2022-05"}
    body = {"network": people.NETWORK, "contract_year": "2022-23", "roles": [line]}
    begun = await at_once(*(app.post(f"{people.PREFIX}/plans", body, mine) for _ in range(3)))
    assert codes(begun) == ["PlanAlreadyExists", "PlanAlreadyExists", "ok"]
    plan = next(a for a in begun if a.is_success)
    path, match = f"{people.PREFIX}/plans/{plan.json()['id']}", {"If-Match": plan.headers["etag"]}
    answers = await at_once(
        app.client.patch(path, json={"roles": [line | {"wte": "2"}]}, headers={**mine, **match}),
        app.client.patch(path, json={"roles": [line | {"wte": "3"}]}, headers={**mine, **match}),
        app.client.put(f"{path}/submission", json={}, headers={**mine, **match}),
    )
    assert codes(answers) == ["PreconditionFailed", "PreconditionFailed", "ok"]


async def test_costs_are_recorded_once_and_not_changed_while_claimed(workforce_live: Harness) -> None:
    app = workforce_live
    await people.set_up(app)
    await people.a_plan(app)
    post = await people.in_post(app)
    mine = people.network_token(app)
    path = f"{people.PREFIX}/posts/{post['id']}/costs"
    recorded = await at_once(*(app.post(path, people.costs(), mine) for _ in range(3)))
    assert codes(recorded) == ["CostsAlreadyRecorded", "CostsAlreadyRecorded", "ok"]
    cost = next(a for a in recorded if a.is_success)
    amounts = {k: v for k, v in people.costs(salary="3600.00").items() if k != "month"}
    people.at(app, date(2022, 7, 5))
    corrected, claimed = await at_once(
        app.client.put(f"{path}/2022-06", json=amounts, headers={**mine, "If-Match": cost.headers["etag"]}),
        app.post(f"{people.PREFIX}/claims", {"network": people.NETWORK, "month": "2022-06"}, mine),
    )
    assert claimed.status_code == 201, claimed.text
    salary = claimed.json()["claims"][0]["salary"]
    shown = (await app.client.get(f"{path}/2022-06", headers=mine)).json()["salary"]
    assert salary == shown, "what was claimed is what is on record"
    assert corrected.is_success or corrected.json()["code"] == "CostsAlreadyClaimed"
