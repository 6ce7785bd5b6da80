"""Each service with something in it: an area at work, and its neighbour who must see none of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from services.registry.networks.model import WHOLE, Membership, Network, NetworkEntry
from shared.events import registry as registry_events
from shared.facts import days, since
from shared.identity import Role
from tests.core import claims_life, money_life, network_life, register_life
from tests.funding import builders as funding
from tests.funding.test_bank_details import approved
from tests.funding.test_journey import an_area, paid
from tests.funding.test_runs_instructions import file_of, instructions_of
from tests.harness import Harness
from tests.registry import builders as registry
from tests.reporting import builders as reporting
from tests.workforce import builders as workforce

DISMISSAL = {"reason": "It was sent by mistake."}
LOCAL = (Role.SYSTEM, Role.COMMISSIONER, Role.NETWORK, Role.PRACTICE, Role.PAYEE, Role.TRUST, Role.LMC)
"""Roles that see only what is theirs."""


@dataclass(frozen=True)
class World:
    """A service at work. `own` and `strange` give the organisation a role acts for, here and next door."""

    app: Harness
    own: Mapping[Role, str]
    strange: Mapping[Role, str]
    at: Mapping[str, str]
    """Where a thing stands: a path ending in a parameter, and the path of one that exists."""
    bodies: Mapping[str, Any] = field(default_factory=dict)
    """What may be sent: `METHOD path` and a body that is well formed."""
    forms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What is sent as a form with a file: `METHOD path` and its `files` and `data`."""
    asked: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Questions that cannot be asked without these parameters."""
    public: frozenset[str] = frozenset()
    """Paths whose answer is the same for everybody with a token."""
    empty: frozenset[str] = frozenset()
    """Lists in which even the owner of all this finds nothing."""
    next_door: frozenset[str] = frozenset()
    """Paths at which the thing that exists belongs to the neighbour."""

    def body(self, door: str) -> Any:
        """A well-formed body for `METHOD path`, or None."""
        return DISMISSAL if door.endswith("/dismissal") else self.bodies.get(door)

    def caller(self, role: Role, *, strange: bool = False, path: str = "") -> dict[str, str]:
        """Headers of somebody here or next door; which is which depends on whose the thing at `path` is."""
        codes = self.strange if strange != (path in self.next_door) else self.own
        organisations = [codes[role]] if role in codes else []
        return self.app.token(role, organisations=organisations, subject=f"{role.value}-{strange}")

    def path(self, template: str) -> str:
        """The path of something that exists."""
        if "{" not in template:
            return template
        base = template[: template.rindex("}") + 1]
        return self.at[base] + template[len(base) :]


async def a_registry(app: Harness) -> World:
    """A round of SA1 with a draft, a submitted application and an allocation; networks and practices in SB2 too."""
    await registry.load_sample(app)
    await _a_region(app)
    round = await registry.open_round(app)
    draft = await registry.draft(app, registry.form("Invented Harbour PCN", round))
    waiting = await registry.submitted(app, registry.form("Invented Vale PCN", round))
    allocated = await registry.allocate(app, application=waiting, round=round)
    assert allocated.status_code == 201, allocated.text
    withdrawal = await _a_withdrawal(app)
    excepted = await _an_exception(app)
    proposed = await _a_what_if(app)
    await _a_map(app)
    imports = (await app.client.get(f"{registry.V1}/imports", headers=registry.national(app))).json()["items"]
    v1 = registry.V1
    form = registry.form("Invented Fells PCN", round)
    form["proposed_code"] = "U90077"
    form["practices"] = [{"practice": "Z80008", "share": "0.5", "leaves": "U90001"}, {"practice": "Z80009"}]
    form["clinical_director"]["professional_registration"] = "C1234567"
    terms = registry.terms()
    return World(
        app,
        own={
            Role.SYSTEM: "QZ1",
            Role.COMMISSIONER: "SA1",
            Role.LMC: "SA1",
            Role.NETWORK: "U90011",
            Role.PRACTICE: "Z80001",
            Role.PAYEE: "Z80001",
            Role.TRUST: "RX1",
        },
        strange={
            Role.SYSTEM: "QZ2",
            Role.COMMISSIONER: "SB2",
            Role.LMC: "SB2",
            Role.NETWORK: "U90002",
            Role.PRACTICE: "Z80011",
            Role.PAYEE: "Z80014",
            Role.TRUST: "RX2",
        },
        at={
            f"{v1}/rounds/{{id}}": f"{v1}/rounds/{round}",
            f"{v1}/applications/{{id}}": f"{v1}/applications/{draft['id']}",
            f"{v1}/allocations/{{id}}": f"{v1}/allocations/{allocated.json()['id']}",
            f"{v1}/withdrawals/{{id}}": f"{v1}/withdrawals/{withdrawal}",
            f"{v1}/waivers/{{id}}": f"{v1}/waivers/{excepted}",
            f"{v1}/what-ifs/{{id}}": f"{v1}/what-ifs/{proposed}",
            f"{v1}/imports/{{id}}": f"{v1}/imports/{imports[0]['id']}",
            f"{v1}/systems/{{code}}": f"{v1}/systems/QZ1",
            f"{v1}/commissioners/{{code}}": f"{v1}/commissioners/SA1",
            f"{v1}/practices/{{code}}": f"{v1}/practices/Z80001",
            f"{v1}/networks/{{code}}": f"{v1}/networks/U90001",
            **await network_life.things(app),
            **await register_life.things(app),
            **_parked(v1),
        },
        bodies={
            f"POST {v1}/rounds": terms,
            f"PUT {v1}/rounds/{{id}}/decision": {
                "decided_on": "2022-03-28",
                "refusals": [{"application": waiting, "reason": "It leaves people out."}],
                "override_reason": "It cannot wait.",
            },
            f"PUT {v1}/rounds/{{id}}/abandonment": {"reason": "Opened with the days of another year."},
            f"POST {v1}/applications": form,
            f"PATCH {v1}/applications/{{id}}": {k: v for k, v in form.items() if k != "round"},
            f"PUT {v1}/applications/{{id}}/submission": {"received_on": "2022-02-14"},
            f"PUT {v1}/applications/{{id}}/return": {"reason": "The map is missing."},
            f"PUT {v1}/applications/{{id}}/refusal": {"reason": "The map is missing."},
            f"PUT {v1}/applications/{{id}}/opinion": {"opinion": "agrees", "reason": "It is right."},
            f"POST {v1}/allocations": {
                "practice": "Z80010",
                "network": "U90001",
                "application": None,
                "valid_from": "2022-04-01",
                "valid_to": "2023-03-31",
                "reason": "It stays out.",
                "round": round,
            },
            f"PUT {v1}/allocations/{{id}}/correction": {
                "network": "U90002",
                "valid_from": "2022-05-01",
                "valid_to": "2023-03-31",
                "reason": "It was May.",
            },
            f"PUT {v1}/allocations/{{id}}/ending": {"ends_on": "2022-09-30", "reason": "It joins."},
            f"PUT {v1}/allocations/{{id}}/withdrawal": {"reason": "Recorded in error."},
            f"POST {v1}/withdrawals": {**A_WITHDRAWAL, "withdrawn_from": "2022-06-15"},
            f"PUT {v1}/withdrawals/{{id}}/appeal": {
                "reason": "It was delivered.",
                "evidence": ["The rota"],
                "lodged_on": "2022-07-10",
            },
            f"PUT {v1}/withdrawals/{{id}}/outcome": {
                "outcome": "upheld",
                "reason": "It was.",
                "decided_on": "2022-08-01",
            },
            f"PUT {v1}/withdrawals/{{id}}/restoration": {"restored_from": "2022-10-01", "reason": "It delivers."},
            f"PUT {v1}/commissioners/{{code}}/delegation": {
                "delegated": True,
                "reason": "As agreed.",
                "valid_from": "2022-04-01",
                "valid_to": "2023-03-31",
            },
            f"POST {v1}/commissioners": {"code": "S7A1X", **A_PLACE},
            f"PUT {v1}/commissioners/{{code}}/placement": A_PLACE,
            f"PUT {v1}/commissioners/{{code}}/succession": {
                "kind": "enlargement",
                "succeeded_on": "2022-04-01",
                "inherits": "SA1",
                "reason": "It takes in its neighbour.",
                "successors": [{"code": "SA1", "name": "SAMPLE", "practices": [], "networks": []}],
            },
            f"PUT {v1}/systems/{{code}}/succession": {
                "kind": "merger",
                "succeeded_on": "2022-04-01",
                "inherits": "S9Z1X",
                "reason": "Two boards become one.",
                "successors": [{"code": "S9Z1X", "name": "SAMPLE BOARD", "commissioners": [], "region": "Y5Z"}],
            },
            f"POST {v1}/what-ifs": A_WHAT_IF,
            f"POST {v1}/what-ifs/{{id}}/applications": {
                "round": round,
                "reform_reason": "size",
                "reform_explanation": "They are too small alone.",
            },
            f"POST {v1}/waivers": {
                "network": "U90055",
                "finding": "under_smallest",
                "reason": "It is remote.",
                "valid_from": "2022-04-01",
                "valid_to": "2023-03-31",
            },
            f"PUT {v1}/waivers/{{id}}/correction": {
                "valid_from": "2022-04-01",
                "valid_to": "2023-03-31",
                "reason": "For a year.",
            },
            f"PUT {v1}/waivers/{{id}}/withdrawal": {"reason": "Given in error."},
            f"POST {v1}/size-rules": {
                "valid_from": "2022-04-01",
                "valid_to": "2023-03-31",
                "smallest": "30000",
                "large": "50000",
                "localities_from": "100000",
                "locality_smallest": "30000",
                "locality_largest": "50000",
                "sliver": "10000",
                "source": "A specification",
            },
            f"PUT {v1}/networks/{{code}}/area": {
                "area": {"type": "Polygon", "coordinates": [[[-2, 54], [-1.9, 54], [-1.9, 54.1], [-2, 54]]]},
                "valid_from": "2022-04-01",
                "valid_to": "2023-03-31",
                "reason": "Drawn anew.",
            },
            f"PUT {v1}/networks/{{code}}/localities": {
                "valid_from": "2022-04-01",
                "valid_to": "2023-03-31",
                "localities": [{"name": "East", "practices": ["Z80011", "Z80012", "Z80013"]}],
                "reason": "As agreed.",
            },
            f"PUT {v1}/practices/{{code}}/location": {
                "longitude": -1.95,
                "latitude": 54.05,
                "valid_from": "2022-04-01",
                "valid_to": "2023-03-31",
                "source": "Its own word",
            },
            f"PUT {v1}/networks/{{code}}/payee": {
                "payee": "Z80012",
                "valid_from": "2022-04-01",
                "valid_to": "2023-03-31",
            },
            **network_life.bodies(),
            **register_life.bodies(),
        },
        asked={f"{v1}/statistics/changes": {"since": "2021-04-01"}},
        public=frozenset(
            f"{v1}/{path}"
            for path in (
                "systems",
                "systems/{code}",
                "systems/{code}/succession",
                "commissioners",
                "commissioners/{code}",
                "commissioners/{code}/succession",
                "practices",
                "practices/{code}",
                "networks",
                "networks/{code}",
                "networks/{code}/members",
                *network_life.PUBLIC,
                *register_life.PUBLIC,
                "list-sizes",
                "statistics",
                "areas",
                "size-rules",
                "networks/{code}/area",
                "networks/{code}/localities",
                "networks/{code}/size",
                "practices/{code}/location",
                "statistics/changes",
            )
        ),
        next_door=frozenset(
            {
                *(f"{v1}/networks/{{code}}/{noun}" for noun in ("area", "localities")),
                *network_life.next_door(app),
                *register_life.next_door(app),
            }
        ),
    )


A_PLACE = {
    "name": "SAMPLE COMMISSIONER",
    "system": "QZ1",
    "system_name": "SAMPLE SYSTEM",
    "region": "Y5Z",
    "region_name": "SAMPLE REGION",
    "valid_from": "2022-04-01",
    "valid_to": "2030-03-31",
}

A_WITHDRAWAL = {
    "network": "U90055",
    "practice": "Z80009",
    "reason": "Nothing was delivered.",
    "evidence": ["A visit"],
    "notified_on": "2022-06-15",
    "withdrawn_from": "2022-07-01",
    "appeal_by": "2022-07-15",
}


async def _a_withdrawal(app: Harness) -> str:
    """A network of SA1's own, of one practice, which has lost its right."""
    always: dict[str, Any] = {"valid": days(date(2021, 4, 1)), "known": since(datetime(2021, 4, 1, tzinfo=UTC))}
    async with app.session() as session:
        session.add(Network(code="U90055", changed_at=datetime(2021, 4, 1, tzinfo=UTC)))
        session.add(NetworkEntry(network="U90055", name="Invented Quay PCN", commissioner="SA1", **always))
        session.add(Membership(network="U90055", practice="Z80009", portion=WHOLE, **always))
    answer = await app.post(f"{registry.V1}/withdrawals", A_WITHDRAWAL, registry.commissioner(app))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def _an_exception(app: Harness) -> str:
    """That network is of one practice, which its commissioner agreed to."""
    wanted = {"network": "U90055", "finding": "one_practice", "reason": "Agreed.", "valid_from": "2022-04-01"}
    answer = await app.post(f"{registry.V1}/waivers", wanted, registry.commissioner(app))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


A_WHAT_IF: dict[str, Any] = {
    "title": "The quay and the harbour together",
    "commissioner": "SA1",
    "starts_on": "2022-04-01",
    "snapshot": "2022-01-01",
    "history_years": 3,
    "ends": ["U90055"],
    "allocations": [{"practice": "Z80010", "group": "Quay"}],
    "groups": [
        {
            "name": "Quay",
            "practices": [{"practice": "Z80001"}, {"practice": "Z80009"}],
            "area": {"type": "Polygon", "coordinates": [[[-2, 54], [-1.9, 54], [-1.9, 54.1], [-2, 54]]]},
            "size_waiver_reason": "Remote",
        }
    ],
}


async def _a_what_if(app: Harness) -> str:
    answer = await app.post(f"{registry.V1}/what-ifs", A_WHAT_IF, registry.commissioner(app))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def _a_map(app: Harness) -> None:
    """One network's area is drawn, and one practice is on it."""
    triangle = {"type": "Polygon", "coordinates": [[[-2, 54], [-1.9, 54], [-1.9, 54.1], [-2, 54]]]}
    area = {"area": triangle, "valid_from": "2022-04-01", "reason": "As it is."}
    neighbour = registry.commissioner(app, "SB2")
    answer = await app.put(f"{registry.V1}/networks/U90001/area", area, neighbour)
    assert answer.status_code == 200, answer.text
    place = {"longitude": -1.95, "latitude": 54.05, "valid_from": "2022-04-01", "source": "Its own word"}
    answer = await app.put(f"{registry.V1}/practices/Z80001/location", place, registry.commissioner(app))
    assert answer.status_code == 200, answer.text


async def _a_region(app: Harness) -> None:
    """SB2 at work as well, so that a neighbour is somebody and not nobody."""
    answer = await app.post(
        f"{registry.V1}/rounds", registry.terms(commissioner="SB2"), registry.commissioner(app, "SB2")
    )
    assert answer.status_code == 201, answer.text


def _parked(v1: str) -> dict[str, str]:
    event = "00000000-0000-4000-8000-000000000000"
    return {f"{v1}/messages/parked/{{event_id}}": f"{v1}/messages/parked/{event}"}


async def a_funding(app: Harness) -> World:
    """A month paid, a claim waiting; and a neighbour with a network and a claim of its own."""
    await an_area(app)
    await app.deliver(
        funding.a_commissioner("00N", "QHX"),
        funding.some_practices(["B00001"], "00N"),
        funding.list_sizes("registered", {"B00001": 31000}, commissioner="00N", network="U54321"),
        funding.an_approved_network("U54321", ["B00001"], commissioner="00N", payee="B00001"),
    )
    run = await paid(app, "2022-04")
    await app.deliver(
        funding.a_claim(),
        funding.a_claim("claim-2", network="U54321", post="post-2"),
        funding.a_claim("claim-3", post="post-3"),
        funding.a_claim("claim-4", network="U54321", post="post-4"),
    )
    v1 = "/funding/v1"
    await approved(app)
    details = await app.post(f"{v1}/bank-details", funding.bank_details(), app.token(Role.NATIONAL))
    assert details.status_code == 201, details.text
    await approved(app, "A00002")
    file = await file_of(app, run)
    instructions = await instructions_of(app, run)
    for claim, area in (("claim-3", funding.COMMISSIONER), ("claim-4", "00N")):
        decider = app.token(Role.COMMISSIONER, organisations=[area], subject=f"carol-{area}")
        why = {"code": "no_evidence", "reason": "The payroll is missing."}
        rejected = await app.put(f"{v1}/claims/{claim}/rejection", why, decider)
        assert rejected.status_code == 200, rejected.text
    lines = await app.client.get(
        f"{v1}/payment-runs/{run['id']}/lines?network={funding.NETWORK}", headers=app.token(Role.NATIONAL)
    )
    line = next(item["id"] for item in lines.json()["items"] if item["practice"] == "A00001")
    nina = app.token(Role.NETWORK, organisations=[funding.NETWORK], subject="nina")
    rule = {
        "network": funding.NETWORK,
        "method": "equal",
        "agreed_on": "2022-03-31",
        "valid_from": "2022-04-01",
    }
    agreed = await app.post(f"{v1}/distribution-rules", rule, nina)
    assert agreed.status_code == 201, agreed.text
    terms = registry_events.FinanceTerms(rule="equal")
    for code, area in ((funding.NETWORK, funding.COMMISSIONER), ("U54321", "00N")):
        await app.deliver(
            registry_events.AgreementSigned(
                network=code, commissioner=area, agreement_version=1, in_force_from=date(2022, 4, 1), finance=terms
            )
        )
    divided = await app.post(f"{v1}/distributions", {"run": run["id"], "network": funding.NETWORK}, nina)
    assert divided.status_code == 201, divided.text
    query = await app.post(f"{v1}/queries", {"line": line, "reason": "Why?"}, nina)
    assert query.status_code == 201, query.text
    return World(
        app,
        own={
            Role.SYSTEM: "QHM",
            Role.COMMISSIONER: funding.COMMISSIONER,
            Role.NETWORK: funding.NETWORK,
            Role.PRACTICE: "A00001",
            Role.PAYEE: "A00001",
            Role.TRUST: "RX1",
            Role.LMC: funding.COMMISSIONER,
        },
        strange={
            Role.SYSTEM: "QHX",
            Role.COMMISSIONER: "00N",
            Role.NETWORK: "U54321",
            Role.PRACTICE: "B00001",
            Role.PAYEE: "B00001",
            Role.TRUST: "RX2",
            Role.LMC: "00N",
        },
        at={
            f"{v1}/accounts/{{network}}": f"{v1}/accounts/{funding.NETWORK}",
            f"{v1}/claims/{{claim_id}}": f"{v1}/claims/claim-1",
            f"{v1}/payment-runs/{{run_id}}": f"{v1}/payment-runs/{run['id']}",
            f"{v1}/lines/{{line_id}}": f"{v1}/lines/{line}",
            f"{v1}/distributions/{{distribution_id}}": f"{v1}/distributions/{divided.json()['id']}",
            f"{v1}/queries/{{query_id}}": f"{v1}/queries/{query.json()['id']}",
            f"{v1}/payment-files/{{file_id}}": f"{v1}/payment-files/{file['id']}",
            f"{v1}/payment-instructions/{{instruction_id}}": (
                f"{v1}/payment-instructions/{instructions['A00001']['id']}"
            ),
            f"{v1}/bank-details/{{details_id}}": f"{v1}/bank-details/{details.json()['id']}",
            **await claims_life.things(app),
            **await money_life.things(app),
            **_parked(v1),
        },
        bodies={
            f"POST {v1}/payment-runs": {"month": "2022-05"},
            f"PUT {v1}/payment-runs/{{run_id}}/approval": {
                "acknowledgements": [{"kind": "payee-variance", "reason": "The April run made up for late lists."}]
            },
            f"POST {v1}/bank-details": funding.bank_details("A00002", roll_number="R/123-4", valid_from="2026-12-01"),
            f"PUT {v1}/bank-details/{{details_id}}/approval": {"sort_code": "123456", "account_number": "12345678"},
            f"POST {v1}/queries": {"line": line, "reason": "It is less than last month.", "expected": "5000.00"},
            f"PUT {v1}/queries/{{query_id}}/answer": {"kind": "explanation", "answer": "A practice left in March."},
            f"PUT {v1}/queries/{{query_id}}/refusal": {"reason": "The payroll says otherwise."},
            f"PUT {v1}/queries/{{query_id}}/withdrawal": {"reason": "We had mistaken the month."},
            f"POST {v1}/distribution-rules": {
                "network": funding.NETWORK,
                "method": "custom",
                "parts": {"A00001": "60", "A00002": "30.5"},
                "costs": [{"what": "manager", "amount": "1000.00"}],
                "agreed_on": "2022-03-31",
                "note": "As minuted.",
                "valid_from": "2022-04-01",
                "valid_to": "2023-03-31",
            },
            f"POST {v1}/distributions": {"run": run["id"], "network": funding.NETWORK, "payee": "A00001"},
            f"POST {v1}/query-clocks": {
                "working_days": 15,
                "reason": "As agreed with the LMCs.",
                "valid_from": "2026-12-01",
                "valid_to": "2027-03-31",
            },
            f"POST {v1}/bank-holidays": {"day": "2029-01-01", "name": "New Year's Day"},
            f"POST {v1}/payment-runs/{{run_id}}/files": {"processing_day": "2027-01-05"},
            f"PUT {v1}/payment-instructions/{{instruction_id}}/confirmation": {"confirmed_on": "2026-11-30"},
            f"PUT {v1}/payment-instructions/{{instruction_id}}/return": {
                "returned_on": "2026-11-30",
                "code": "B",
                "reason": "The account was closed.",
            },
            f"PUT {v1}/payment-instructions/{{instruction_id}}/remedy": {"reason": "The branch was mistaken."},
            f"PUT {v1}/bank-details/{{details_id}}/refusal": {"reason": "The signature is missing."},
            f"POST {v1}/variance-thresholds": {
                "kind": "payee-variance",
                "percent": "30",
                "amount": "30000.00",
                "reason": "As agreed with the auditors.",
                "valid_from": "2022-04-01",
                "valid_to": "2023-03-31",
            },
            f"PUT {v1}/claims/{{claim_id}}/rejection": {"code": "no_evidence", "reason": "The payroll is missing."},
            **claims_life.bodies(),
            **money_life.bodies(),
            f"POST {v1}/tariffs": {
                "kind": "stream",
                "code": "core_registered",
                "zone": "national",
                "payee": "network",
                "basis": "registered",
                "value": "1.620",
                "rate_period": "year",
                "valid_from": "2022-04-01",
                "valid_to": "2023-03-31",
                "known_from": "2022-05-01",
                "supersedes": "core_registered.2223.20",
                "confidence": "one_source",
                "sources": ["a circular"],
                "note": "as published",
            },
        },
        asked={
            f"{v1}/entitlements": {"network": funding.NETWORK, "contract_year": "2022-23"},
            f"{v1}/statements": {"payee": "A00001", "month": "2022-04"},
            f"{v1}/populations": {"snapshot": "2022-01-01", "basis": "registered"},
            **claims_life.ASKED,
            **money_life.ASKED,
        },
        forms=money_life.forms(),
        public=claims_life.PUBLIC
        | money_life.PUBLIC
        | frozenset({f"{v1}/tariffs", f"{v1}/bank-holidays", f"{v1}/query-clocks"}),
    )


async def a_workforce(app: Harness) -> World:
    """A network with a plan, somebody in post, a vacancy, a baseline and a claim; and a neighbour beside it."""
    await workforce.set_up(app)
    await app.deliver(
        workforce.a_commissioner("SB2", "QZ2"),
        workforce.some_practices("Z80014", commissioner="SB2"),
        workforce.lists({"Z80014": 30_000}, commissioner="SB2"),
        workforce.a_network(workforce.OTHER, commissioner="SB2", practices=("Z80014",)),
        workforce.a_budget(network=workforce.OTHER).model_copy(update={"commissioner": "SB2"}),
    )
    v1, mine = workforce.PREFIX, workforce.network_token(app)
    plan = await workforce.a_plan(app)
    post = await workforce.in_post(app)
    vacancy = (await workforce.open_vacancy(app)).json()
    baseline = await app.post(
        f"{v1}/baselines",
        {"practice": "Z80001", "role": "clinical_pharmacist", "wte": "0.5"},
        app.token(Role.PRACTICE, organisations=["Z80001"]),
    )
    assert baseline.status_code == 201, baseline.text
    for month in ("2022-06", "2022-07"):
        workforce.at(app, date(2022, 8, 10))
        cost = await app.post(f"{v1}/posts/{post['id']}/costs", workforce.costs(month), mine)
        assert cost.status_code == 201, cost.text
    claimed = await app.post(f"{v1}/claims", {"network": workforce.NETWORK, "month": "2022-06"}, mine)
    assert claimed.status_code == 201, claimed.text
    claim = claimed.json()["claims"][0]["id"]
    return World(
        app,
        own={
            Role.SYSTEM: "QZ1",
            Role.COMMISSIONER: "SA1",
            Role.NETWORK: workforce.NETWORK,
            Role.PRACTICE: "Z80001",
            Role.PAYEE: "Z80001",
            Role.TRUST: "RX1",
            Role.LMC: "SA1",
        },
        strange={
            Role.SYSTEM: "QZ2",
            Role.COMMISSIONER: "SB2",
            Role.NETWORK: workforce.OTHER,
            Role.PRACTICE: "Z80011",
            Role.PAYEE: "Z80014",
            Role.TRUST: "RX2",
            Role.LMC: "SB2",
        },
        at={
            f"{v1}/plans/{{plan_id}}": f"{v1}/plans/{plan['id']}",
            f"{v1}/vacancies/{{vacancy_id}}": f"{v1}/vacancies/{vacancy['id']}",
            f"{v1}/posts/{{post_id}}": f"{v1}/posts/{post['id']}",
            f"{v1}/posts/{{post_id}}/costs/{{month}}": f"{v1}/posts/{post['id']}/costs/2022-07",
            f"{v1}/baselines/{{baseline_id}}": f"{v1}/baselines/{baseline.json()['id']}",
            f"{v1}/candidates/{{candidate_id}}": f"{v1}/candidates/{post['candidate']}",
            f"{v1}/claims/{{claim_id}}": f"{v1}/claims/{claim}",
            **await claims_life.arrears_at(app, claim),
            **_parked(v1),
        },
        bodies={
            f"POST {v1}/plans": {
                "network": workforce.NETWORK,
                "contract_year": "2023-24",
                "roles": [{"role": "clinical_pharmacist", "wte": "1", "start_month": "2023-05", "zone": "national"}],
            },
            f"PATCH {v1}/plans/{{plan_id}}": {
                "roles": [{"role": "clinical_pharmacist", "wte": "1", "start_month": "2022-05", "zone": "national"}]
            },
            f"PUT {v1}/plans/{{plan_id}}/submission": {"submitted_on": "2022-07-01"},
            f"POST {v1}/vacancies": {
                **workforce.vacancy(),
                "zone": "national",
                "employer_kind": "practice",
                "plan": plan["id"],
                "baseline": baseline.json()["id"],
            },
            f"PUT {v1}/vacancies/{{vacancy_id}}/stage": {
                "stage": "advert",
                "on": "2022-05-02",
                "checks": {"identity": "2022-05-20"},
            },
            f"PUT {v1}/vacancies/{{vacancy_id}}/withdrawal": {"on": "2022-05-02", "reason": "Nobody came."},
            f"PUT {v1}/vacancies/{{vacancy_id}}/appointment": {
                "candidate": post["candidate"],
                "started_on": "2022-06-01",
                "wte": "1",
                "zone": "national",
                "salary_basis": "band 7",
                "over_full_time_reason": "Two part weeks.",
            },
            f"POST {v1}/candidates": {
                "network": workforce.NETWORK,
                "reference": "P-77",
                "recruited_from": "RX1",
            },
            f"PUT {v1}/posts/{{post_id}}/ending": {"ended_on": "2022-09-30", "reason": "Moved."},
            f"POST {v1}/posts/{{post_id}}/costs": {**workforce.costs("2022-08"), "supplier_fee": "0.00"},
            f"PUT {v1}/posts/{{post_id}}/costs/{{month}}": {
                **{k: v for k, v in workforce.costs().items() if k != "month"},
                "supplier_fee": "0.00",
            },
            f"POST {v1}/baselines": {
                "practice": "Z80002",
                "role": "clinical_pharmacist",
                "wte": "0.5",
                "source": "the survey",
            },
            f"PUT {v1}/baselines/{{baseline_id}}/vacancy": {"vacant_from": "2022-05-01", "filled_on": "2022-06-01"},
            f"POST {v1}/claims": {"network": workforce.NETWORK, "month": "2022-07"},
            **claims_life.bodies_of_workforce(claim),
        },
        asked={
            f"{v1}/claimability": {
                "network": workforce.NETWORK,
                "role": "clinical_pharmacist",
                "wte": "1",
                "month": "2022-07",
            }
        },
        public=frozenset({f"{v1}/roles"}),
    )


async def a_reporting(app: Harness) -> World:
    """The invented England of the reports: areas AA1 and BB2, each in a system of its own."""
    reporting.at(app, date(2022, 6, 30))
    await app.deliver(*reporting.england(), *reporting.claims_and_queries(), *reporting.variations())
    return World(
        app,
        own={Role.SYSTEM: "QA1", Role.COMMISSIONER: "AA1", Role.NETWORK: "U00001"},
        strange={Role.SYSTEM: "QB2", Role.COMMISSIONER: "BB2", Role.NETWORK: "U00002"},
        at=_parked("/reporting/v1"),
        asked={"/reporting/v1/coverage/practices": {"state": "covered"}},
        empty=frozenset({"/reporting/v1/audit"}),
    )


MAKERS: dict[str, Callable[[Harness], Awaitable[World]]] = {
    "registry": a_registry,
    "funding": a_funding,
    "workforce": a_workforce,
    "reporting": a_reporting,
}
