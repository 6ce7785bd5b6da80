"""One wave of journeys: files in, rounds decided, people recruited and claimed, the month paid."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.stack import SERVICES
from shared.identity import Role
from tests.chaos.areas import Area, Team, Wave
from tests.chaos.clients import PATIENCE_SECONDS, GaveUp, Ledger, Person

CLIENTS = 3
ROLE, MONTH, YEAR = "clinical_pharmacist", "2022-04", "2022-23"
STAGES = ("advert", "applications", "shortlist", "interview", "offer", "checks")
CHECKS = ("identity", "right_to_work", "dbs", "professional_register")


@dataclass
class Counts:
    """What the journeys came to."""

    waves: int = 0
    rounds: int = 0
    people: int = 0
    months: int = 0


@dataclass
class Flow:
    """The clients of one stack. Between the steps of a wave everything announced has its effect, as people wait too."""

    url: str
    home: Path
    seed: int
    ledger: Ledger = field(default_factory=Ledger)
    counts: Counts = field(default_factory=Counts)

    def person(self, *roles: Role, organisation: str = "", subject: str) -> Person:
        return Person(self.url, self.home, self.ledger, *roles, organisation=organisation, subject=subject)

    def run(self, wave: Wave, *, files_in: Callable[[], None] = lambda: None) -> None:
        """Go through one wave; `files_in` is called when its files are in and nothing of it has been waited for."""
        operator = self.person(Role.OPERATOR, subject="operator-1")
        try:
            for form, name, content in wave.files():
                operator.create("/registry/v1/imports", data=form, files={"file": (name, content)})
            files_in()
            settle(operator)
            self._together(self._hold_round, [(area,) for area in wave.areas])
            settle(operator)
            teams = [(area, team) for area in wave.areas for team in area.teams]
            self._together(self._staff, teams)
            settle(operator)
            self._together(self._decide_claims, [(area,) for area in wave.areas])
            settle(operator)
            self._pay(wave.month)
            settle(operator)
        finally:
            operator.close()
        self.counts.waves += 1
        self.counts.rounds += len(wave.areas)
        self.counts.people += len(teams)
        self.counts.months += 1

    def _together(self, step: Callable[..., None], jobs: list[tuple[Any, ...]]) -> None:
        with ThreadPoolExecutor(CLIENTS) as pool:
            for done in [pool.submit(step, *job) for job in jobs]:
                done.result()

    def _hold_round(self, area: Area) -> None:
        somebody = self.person(Role.COMMISSIONER, organisation=area.code, subject=f"commissioner-{area.code}")
        terms = {
            "commissioner": area.code, "contract_year": YEAR, "opens_on": "2022-01-10", "apply_by": "2022-02-28",
            "decide_by": "2022-03-31", "starts_on": "2022-04-01", "snapshot": "2022-01-01",
        }  # fmt: skip
        opened = somebody.create("/registry/v1/rounds", terms)["id"]
        somebody.create("/registry/v1/rounds", terms | {"apply_by": "2022-03-01"}, expect="RoundAlreadyOpen")
        made = {}
        for place, team in enumerate(area.teams):
            form = {
                "round": opened, "network_name": team.name, "proposed_code": team.code,
                "practices": [{"practice": code} for code in team.practices],
                "clinical_director": {"name": "Dr Sample (invented)", "practice": team.practices[0]},
                "payee": team.practices[-1], "bank_details_given": True, "agreement_signed_by": list(team.practices),
                "area_description": f"The invented quarter of {team.code}", "area": area.ground(place),
                "size_waiver_reason": "A natural community of low density over a large rural area",
            }  # fmt: skip
            made[team.code] = application = somebody.create("/registry/v1/applications", form)["id"]
            here = f"/registry/v1/applications/{application}"
            somebody.change(here, "submission", {"received_on": "2022-02-14"}, done=_is("submitted"))
        here, decided = f"/registry/v1/rounds/{opened}", {"decided_on": "2022-03-28"}
        somebody.change(here, "decision", decided, done=_is("decided"), expect="CoverageIncomplete")
        somebody.create(
            "/registry/v1/allocations",
            {
                "round": opened, "practice": area.left_out, "application": made[area.teams[-1].code],
                "valid_from": "2022-04-01", "reason": "The practice stays out; the neighbour serves its patients.",
            },
        )  # fmt: skip
        somebody.change(here, "decision", decided, done=_is("decided"))
        somebody.close()

    def _staff(self, area: Area, team: Team) -> None:
        manager = self.person(Role.NETWORK, organisation=team.code, subject=f"manager-{team.code}")
        role = {"role": ROLE, "wte": "1", "start_month": MONTH}
        plan = manager.create("/workforce/v1/plans", {"network": team.code, "contract_year": YEAR, "roles": [role]})
        manager.change(
            f"/workforce/v1/plans/{plan['id']}", "submission", {"submitted_on": "2022-04-01"}, done=_is("submitted")
        )
        opening = {"network": team.code, "role": ROLE, "wte": "1", "employer": team.code, "opened_on": "2022-04-01"}
        vacancy = manager.create("/workforce/v1/vacancies", {**opening, "plan": plan["id"]})
        here = f"/workforce/v1/vacancies/{vacancy['id']}"
        for number, stage in enumerate(STAGES, start=2):
            on = f"2022-04-{number:02d}"
            checks = dict.fromkeys(CHECKS if stage == "checks" else (), on)
            manager.change(here, "stage", {"stage": stage, "on": on, "checks": checks}, done=_reached(stage))
        candidate = manager.create("/workforce/v1/candidates", {"network": team.code, "reference": f"CP-{team.code}"})
        appointment = {"candidate": candidate["id"], "started_on": "2022-04-11", "wte": "1"}
        manager.change(here, "appointment", appointment, done=lambda now: now["stage"] == "in_post")
        post = next(manager.items("/workforce/v1/posts", network=team.code))["id"]
        asked = {"network": team.code, "month": MONTH}
        manager.create("/workforce/v1/claims", asked, expect="NothingToClaim")
        costs = {"month": MONTH, "salary": str(team.salary), "employer_ni": "237.65", "employer_pension": "356.62"}
        manager.create(f"/workforce/v1/posts/{post}/costs", costs)
        manager.create("/workforce/v1/claims", asked)
        manager.close()

    def _decide_claims(self, area: Area) -> None:
        somebody = self.person(Role.COMMISSIONER, organisation=area.code, subject=f"commissioner-{area.code}")
        for team in area.teams:
            claim = next(somebody.items("/funding/v1/claims", network=team.code))
            here = f"/funding/v1/claims/{claim['id']}"
            if team.rejected:
                why = {"code": "no_evidence", "reason": "The payroll record is missing."}
                somebody.change(here, "rejection", why, done=_is("rejected"))
            else:
                somebody.change(here, "approval", done=_is("approved"))
        somebody.close()

    def _pay(self, month: str) -> None:
        first = self.person(Role.NATIONAL, subject="finance-1")
        second = self.person(Role.NATIONAL, subject="finance-2")
        run = first.create("/funding/v1/payment-runs", {"month": month})
        here = f"/funding/v1/payment-runs/{run['id']}"
        first.change(here, "approval", done=_is("approved"), expect="SamePerson")
        noted = [{"kind": kind, "reason": "seen beside the month before"} for kind in run["findings"]]
        second.change(here, "approval", {"acknowledgements": noted}, done=_is("approved"))
        first.change(here, "issue", done=_is("issued"))
        first.create("/funding/v1/payment-runs", {"month": month}, expect="RunInProgress")
        first.close()
        second.close()

    def read_on(self, stop: threading.Event) -> None:
        """Somebody who only reads, all the time."""
        reader = self.person(Role.NATIONAL, subject="reader-1")
        paths: tuple[tuple[str, dict[str, str]], ...] = (
            ("/reporting/v1/spend", {"by": "england", "contract_year": YEAR}),
            ("/reporting/v1/coverage", {"by": "commissioner", "as_at": "2022-04-30"}),
            ("/funding/v1/payment-runs", {}),
            ("/registry/v1/networks", {"as_at": "2022-04-30"}),
        )
        while not stop.is_set():
            for path, params in paths:
                try:
                    answer = reader.get(path, **params)
                except GaveUp:
                    continue
                assert answer.status_code == 200, answer.text
            stop.wait(0.5)
        reader.close()


def _is(status: str) -> Callable[[dict[str, Any]], bool]:
    return lambda now: now["status"] == status


def _reached(stage: str) -> Callable[[dict[str, Any]], bool]:
    return lambda now: stage in now["steps"]


def settle(operator: Person) -> None:
    """Wait until every event announced has had its effect wherever it is listened to. Raises `GaveUp`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        states = [operator.get(f"/{name}/v1/messages").json() for name in SERVICES]
        announced: dict[str, int] = {}
        for state in states:
            announced |= state["announced"]
        behind = {
            f"{state['service']}: {kind}": announced.get(kind, 0) - state["received"].get(kind, 0)
            for state in states
            for kind in state["listens_to"]
            if announced.get(kind, 0) != state["received"].get(kind, 0)
        }
        waiting = {state["service"]: (state["waiting"], state["parked"]) for state in states}
        if not behind and not any(map(any, waiting.values())):
            return
        if time.monotonic() > deadline:
            raise GaveUp(f"not settled: {behind}, waiting and parked: {waiting}")
        time.sleep(0.1)
