"""The steps of the journey, each found done or done now: a second journey over the same data changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx

from deploy.issuer import EmbeddedIssuer
from deploy.journey.data import JourneyData, applications_in
from deploy.journey.desk import CallRefused, Desk
from deploy.stack import SERVICES
from shared.identity import Role

ROLE = "clinical_pharmacist"
MONTHS = ("2022-04", "2022-05")
SETTLE_SECONDS = 300.0


class JourneyFailed(RuntimeError):
    """Something is not as it must be; the message says what."""


@dataclass
class Journey:
    """What the journey works with and what it found, in the order of the final table."""

    client: httpx.Client
    issuer: EmbeddedIssuer
    data: JourneyData
    found: dict[str, str] = field(default_factory=dict)
    round: str = ""
    networks: list[str] = field(default_factory=list)
    claim: str = ""
    claimant: str = ""

    def __post_init__(self) -> None:
        self.operator = self.desk(Role.OPERATOR, subject="operator-1")
        self.finance = self.desk(Role.NATIONAL, subject="finance-1")
        self.second = self.desk(Role.NATIONAL, subject="finance-2")
        self.commissioner = self.desk(
            Role.COMMISSIONER, organisation=self.data.area, subject=f"commissioner-{self.data.area}"
        )

    def desk(self, *roles: Role, organisation: str = "", subject: str) -> Desk:
        return Desk(self.client, self.issuer, *roles, organisation=organisation, subject=subject)


Say = Callable[[str], None]


def settle(journey: Journey, say: Say) -> None:
    """Wait until every event announced has had its effect wherever it is listened to."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        states = [journey.operator.get(f"/{name}/v1/messages") for name in SERVICES]
        parked = {state["service"]: state["parked"] for state in states if state["parked"]}
        if parked:
            raise JourneyFailed(f"messages are parked: {parked}; see /<service>/v1/messages/parked")
        announced: dict[str, int] = {}
        for state in states:
            announced |= state["announced"]
        behind = sum(
            announced.get(kind, 0) - state["received"].get(kind, 0) for state in states for kind in state["listens_to"]
        )
        if not behind and not any(state["waiting"] for state in states):
            return
        if time.monotonic() > deadline:
            raise JourneyFailed(f"{behind} events have not had their effect after {SETTLE_SECONDS:.0f} s")
        say(f"{behind} effects of events still to come")
        time.sleep(0.1)


def take_in_files(journey: Journey, say: Say) -> None:
    """Practices, hierarchy, networks and list sizes from the register's files."""
    refused = 0
    for file in journey.data.files:
        say(file.path.name)
        form = {"kind": file.kind, "published_on": file.published_on}
        if file.snapshot:
            form["snapshot"] = file.snapshot
        files = {"file": (file.path.name, file.path.read_bytes())}
        if file.partners:
            files["partners"] = (file.partners.name, file.partners.read_bytes())
        report = journey.operator.create("/registry/v1/imports", data=form, files=files)
        refused += len(report["refused"])
    journey.found["Rows refused on import"] = f"{refused:,}"


def _count_register(journey: Journey) -> None:
    expect = journey.data.expect
    figures = journey.finance.get("/registry/v1/statistics", as_at=expect["as_at"])
    day = _day(expect["as_at"])
    journey.found[f"Practices with a list on {day}"] = f"{figures['practices']:,}"
    journey.found["Registered patients"] = f"{Decimal(figures['registered_patients']):,}"
    journey.found[f"Networks with members on {day}"] = f"{figures['networks']:,}"
    for what in ("networks", "registered_patients"):
        if Decimal(figures[what]) != Decimal(expect[what]):
            raise JourneyFailed(f"{what} on {expect['as_at']}: {figures[what]}, not {expect[what]}")


def _day(iso: str) -> str:
    months = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ]
    year, month, day = iso.split("-")
    return f"{int(day)} {months[int(month) - 1]} {year}"


def hold_a_round(journey: Journey, say: Say) -> None:
    """One area: applications, the hold while anybody is uncovered, allocation, and the decision of all together."""
    data = journey.data
    settle(journey, say)
    there = {"commissioner": data.area, "contract_year": data.contract_year}
    opened = journey.commissioner.first("/registry/v1/rounds", **there) or journey.commissioner.create(
        "/registry/v1/rounds", data.round
    )
    journey.round = opened["id"]
    here = f"/registry/v1/rounds/{journey.round}"
    if opened["status"] != "decided":
        _apply(journey, say)
        uncovered = journey.commissioner.get(f"{here}/coverage")["uncovered"]
        if uncovered:
            say(f"held: {', '.join(left_out['practice'] for left_out in uncovered)} not covered")
            _expect_hold(journey, here)
            _allocate(journey)
        journey.commissioner.change(here, "decision", {"decided_on": data.decided_on})
    _after_the_round(journey, here)


def _apply(journey: Journey, say: Say) -> None:
    there = journey.commissioner.items("/registry/v1/applications", round=journey.round)
    known = {item["network_name"] for item in there}
    for form in applications_in(journey.data.applications, journey.data.areas):
        say(form["network_name"])
        received_on = form.pop("received_on")
        if form["network_name"] not in known:
            made = journey.commissioner.create("/registry/v1/applications", {"round": journey.round, **form})
            journey.commissioner.change(
                f"/registry/v1/applications/{made['id']}", "submission", {"received_on": received_on}
            )


def _expect_hold(journey: Journey, here: str) -> None:
    """The decision must be refused while anybody is left out."""
    try:
        journey.commissioner.change(here, "decision", {"decided_on": journey.data.decided_on})
    except CallRefused as refusal:
        if "CoverageIncomplete" in str(refusal):
            return
        raise
    raise JourneyFailed("an area was decided although practices are not covered")


def _allocate(journey: Journey) -> None:
    applications = {
        item["network_name"]: item["id"]
        for item in journey.commissioner.items("/registry/v1/applications", round=journey.round)
    }
    for allocation in journey.data.allocations:
        wanted: dict[str, str] = {**allocation, "round": journey.round}
        if "application" in wanted:
            wanted["application"] = applications[wanted["application"]]
        journey.commissioner.create("/registry/v1/allocations", wanted)


def _after_the_round(journey: Journey, here: str) -> None:
    coverage = journey.commissioner.get(f"{here}/coverage")
    if not coverage["complete"]:
        raise JourneyFailed(f"{journey.data.area} was decided and is not covered")
    decided = list(journey.commissioner.items("/registry/v1/applications", round=journey.round, status="approved"))
    allocated = list(journey.commissioner.items("/registry/v1/allocations", round=journey.round))
    journey.networks = sorted(item["network"] for item in decided)
    _count_register(journey)
    journey.found["Area decided"] = journey.data.area
    journey.found["Networks approved there together"] = f"{len(decided)}"
    journey.found["Practices left out, then allocated"] = f"{len(allocated)}"
    journey.found["Patients of the area, all covered"] = f"{Decimal(coverage['patients']):,}"


def open_accounts(journey: Journey, say: Say) -> None:
    """Funding opens an account and sets a budget for every approved network."""
    settle(journey, say)
    accounts = sum(1 for _ in journey.finance.items("/funding/v1/accounts", as_at="2022-04-01"))
    budgets = list(journey.finance.items("/funding/v1/budgets", contract_year=journey.data.contract_year))
    known = [Decimal(budget["amount"]) for budget in budgets if budget["amount"] is not None]
    journey.found["Accounts opened"] = f"{accounts:,}"
    journey.found["Role budgets set"] = f"{len(known):,} of {len(budgets):,}, £{sum(known, Decimal(0)):,.2f}"
    for basis in ("registered", "adjusted"):
        summed = list(
            journey.finance.items(
                "/funding/v1/populations", snapshot=journey.data.snapshot, basis=basis, level="network"
            )
        )
        total = sum((Decimal(item["value"]) for item in summed), Decimal(0))
        journey.found[f"Networks' {basis} population"] = f"{len(summed):,} networks, {total:,.0f}"


def pay_a_month(journey: Journey, say: Say, month: str) -> None:
    """Calculate, approve by a second person, issue; every line of the area explains itself."""
    runs = "/funding/v1/payment-runs"
    found = [run for run in journey.finance.items(runs, month=month) if run["status"] != "abandoned"]
    run = found[0] if found else journey.finance.create(runs, {"month": month})
    here = f"{runs}/{run['id']}"
    say("calculated")
    if run["status"] == "calculated":
        noted = [{"kind": kind, "reason": "seen beside the month before"} for kind in run["findings"]]
        run = journey.second.change(here, "approval", {"acknowledgements": noted})
    if run["status"] == "approved":
        run = journey.finance.change(here, "issue")
    say("issued")
    explained = 0
    for network in journey.networks:
        for line in journey.finance.items(f"{here}/lines", network=network, held=False):
            said = journey.finance.get(f"/funding/v1/lines/{line['id']}/explanation")
            if Decimal(said["recomputed"]) != Decimal(line["amount"]):
                raise JourneyFailed(f"line {line['id']} does not explain its amount")
            explained += 1
    held = sum(run["held"].values())
    journey.found[f"Paid for {month}"] = f"£{Decimal(run['total']):,.2f} in {run['lines']:,} lines, {held:,} more held"
    for stream, total in sorted(run["totals"].items()):
        journey.found[f"  {stream}"] = f"£{Decimal(total['amount']):,.2f} in {total['lines']:,} lines"
    journey.found["  lines of the area, each recomputed from its explanation"] = f"{explained:,}"


def staff_a_network(journey: Journey, say: Say) -> None:
    """A plan, a vacancy within the sum, a person in post, and the month's cost claimed and approved."""
    settle(journey, say)
    code = journey.claimant = journey.networks[0]
    network = journey.desk(Role.NETWORK, organisation=code, subject=f"manager-{code}")
    year = journey.data.contract_year
    plan = network.first("/workforce/v1/plans", network=code, contract_year=year) or network.create(
        "/workforce/v1/plans",
        {"network": code, "contract_year": year, "roles": [{"role": ROLE, "wte": "1", "start_month": MONTHS[0]}]},
    )
    if plan["status"] == "draft":
        network.change(f"/workforce/v1/plans/{plan['id']}", "submission", {"submitted_on": "2022-04-01"})
    say("plan submitted")
    post = network.first("/workforce/v1/posts", network=code, role=ROLE) or _recruit(network, code, plan["id"])
    say("in post")
    costs = {"month": MONTHS[0], "salary": "2480.00", "employer_ni": "237.65", "employer_pension": "356.62"}
    if not any(True for _ in network.items(f"/workforce/v1/posts/{post['id']}/costs")):
        network.create(f"/workforce/v1/posts/{post['id']}/costs", costs)
    claimed = network.first("/workforce/v1/claims", network=code, month=MONTHS[0])
    if claimed is None:
        claimed = network.create("/workforce/v1/claims", {"network": code, "month": MONTHS[0]})["claims"][0]
    settle(journey, say)
    claim = journey.commissioner.get(f"/funding/v1/claims/{claimed['id']}")
    if claim["status"] == "submitted":
        claim = journey.commissioner.change(f"/funding/v1/claims/{claimed['id']}", "approval")
    journey.claim = claimed["id"]
    journey.found["Person in post"] = f"{ROLE}, {post['wte']} WTE, in {code} from {post['started_on']}"
    limited = f", limited by {claim['limited_by']}" if claim["limited_by"] not in (None, "none") else ""
    journey.found[f"Claim for {MONTHS[0]}"] = (
        f"£{Decimal(claimed['total']):,.2f} claimed, £{Decimal(claim['payable']):,.2f} approved{limited}"
    )


def _recruit(network: Desk, code: str, plan: str) -> dict[str, Any]:
    vacancy = network.first("/workforce/v1/vacancies", network=code, role=ROLE) or network.create(
        "/workforce/v1/vacancies",
        {"network": code, "role": ROLE, "wte": "1", "employer": code, "opened_on": "2022-04-01", "plan": plan},
    )
    here = f"/workforce/v1/vacancies/{vacancy['id']}"
    stages = ("advert", "applications", "shortlist", "interview", "offer", "checks")
    for number, stage in enumerate(stages, start=2):
        if stage not in network.get(here)["steps"]:
            checks = ("identity", "right_to_work", "dbs", "professional_register") if stage == "checks" else ()
            on = f"2022-04-{number:02d}"
            network.change(here, "stage", {"stage": stage, "on": on, "checks": dict.fromkeys(checks, on)})
    candidate = network.first("/workforce/v1/candidates", network=code) or network.create(
        "/workforce/v1/candidates", {"network": code, "reference": "CP-2022-001"}
    )
    appointment = {"candidate": candidate["id"], "started_on": "2022-04-11", "wte": "1"}
    return network.change(here, "appointment", appointment)


def report(journey: Journey, say: Say) -> None:
    """What reporting knows from events alone: coverage, spend and workforce."""
    settle(journey, say)
    national, day = journey.finance, "2022-04-30"
    coverage = next(national.items("/reporting/v1/coverage", by="england", as_at=day))
    spend = next(national.items("/reporting/v1/spend", by="england", contract_year=journey.data.contract_year))
    staff = list(national.items("/reporting/v1/workforce", by="role", as_at=day))
    own = journey.commissioner
    area = next(own.items("/reporting/v1/coverage", by="commissioner", as_at=day))
    claim = journey.operator.get(f"/workforce/v1/claims/{journey.claim}")
    year = journey.data.contract_year
    runs = national.items("/funding/v1/payment-runs", contract_year=year, status="issued")
    issued = sum((Decimal(run["total"]) for run in runs), Decimal(0))
    if Decimal(spend["paid"]) != issued:
        raise JourneyFailed(f"reporting shows £{spend['paid']} paid, the runs come to £{issued}")
    if claim["state"] != "paid" or Decimal(area["not_covered"]):
        raise JourneyFailed(
            f"the claim is {claim['state']}, {area['not_covered']} of {journey.data.area} are not covered"
        )
    journey.found["Claim paid"] = f"£{Decimal(claim['paid']):,.2f} in the run of {MONTHS[1]}"
    journey.found["Reported: patients covered or allocated"] = (
        f"{Decimal(coverage['covered']) + Decimal(coverage['allocated']):,} of {Decimal(coverage['registered']):,}"
    )
    journey.found["Reported: paid, equal to all runs issued"] = f"£{Decimal(spend['paid']):,.2f}"
    wte = sum((Decimal(row["wte"]) for row in staff), Decimal(0))
    journey.found["Reported: people in post"] = f"{sum(row['heads'] for row in staff)} ({wte.normalize()} WTE)"


STEPS: list[tuple[str, Callable[[Journey, Say], None]]] = [
    ("Register files", take_in_files),
    ("Registration round of one area", hold_a_round),
    ("Accounts and budgets", open_accounts),
    (f"Payment for {MONTHS[0]}", lambda journey, say: pay_a_month(journey, say, MONTHS[0])),
    ("Recruitment and claim", staff_a_network),
    (f"Payment for {MONTHS[1]}, with the claim", lambda journey, say: pay_a_month(journey, say, MONTHS[1])),
    ("Reports", report),
]
