"""What happens inside a network, brought in through the front door: its agreement, its partners, its people."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import httpx

from shared.clock import london_day
from shared.http import _now, _today
from shared.identity import Role
from tests.harness import Harness
from tests.registry.builders import V1, commissioner, national, practice

HOME = f"{V1}/networks/U90001"
"""A network of SB2 with the members Z80011, Z80012 and Z80013 since October 2019, and Z80021 for its first year."""
MEMBERS = ("Z80011", "Z80012", "Z80013")


def network(app: Harness, code: str = "U90001", subject: str = "nell") -> dict[str, str]:
    return app.token(Role.NETWORK, organisations=[code], subject=subject)


def lead(app: Harness) -> dict[str, str]:
    return commissioner(app, "SB2", "cora")


def terms(**changes: Any) -> dict[str, Any]:
    """Everything a network agreement says, for the three members."""
    return {
        "network_specifics": {
            "area": "The market town and its two villages.",
            "decisions": {"rule": "named_majority", "majority": "0.75"},
            "quorum": "0.5",
            "meetings_a_year": 6,
        },
        "extra_terms": {"joining_notice_months": 3, "leaving_notice_months": 6, "terms": ["The chair rotates."]},
        "activities": {
            "activities": [{"activity": "Enhanced access on Saturdays", "delivered_by": ["Z80011", "Z80012"]}]
        },
        "finance": {
            "pays_on": {
                "rule": "shares",
                "shares": [
                    {"practice": "Z80011", "share": "0.5"},
                    {"practice": "Z80012", "share": "0.3"},
                    {"practice": "Z80013", "share": "0.2"},
                ],
            }
        },
        "workforce": {"employed_by": "lead_practice", "employers": ["Z80011"], "policies": [{"name": "Appraisal"}]},
        "insolvency": {"events": ["A party cannot pay its debts."], "consequence": "Its share is held back."},
        "outside_organisations": {"organisations": [{"name": "The hospice", "terms": "Weekly meetings."}]},
        "data_sharing": {"controllers": "joint", "purposes": ["Direct care"], "signed_on": "2022-03-01"},
        "disputes": {"route": "lmc", "committee": "Hills LMC", "settle_within_days": 28},
        **changes,
    }


def version(**changes: Any) -> dict[str, Any]:
    return {"in_force_from": "2022-04-01", "terms": terms(), "named_partners": {}, **changes}


async def drafted(app: Harness, **changes: Any) -> dict[str, Any]:
    answer = await app.post(f"{HOME}/agreement/versions", version(**changes), network(app))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def circulate(app: Harness, number: int = 1) -> httpx.Response:
    return await app.put(f"{HOME}/agreement/versions/{number}/circulation", None, network(app))


async def sent(app: Harness, **changes: Any) -> int:
    number = int((await drafted(app, **changes))["number"])
    answer = await circulate(app, number)
    assert answer.status_code == 200, answer.text
    return number


async def sign(
    app: Harness, who: str, number: int = 1, headers: dict[str, str] | None = None, **more: Any
) -> httpx.Response:
    body = {"number": number, "practice": who, "signatory": "Dr Pat Sample (invented)", **more}
    return await app.post(f"{HOME}/agreement/signatures", body, headers or practice(app, who))


def on_paper(signed_on: str) -> dict[str, Any]:
    return {"signed_on": signed_on, "evidence": "Scanned, in the network's folder."}


async def signed_on_paper(app: Harness, *, signed_on: str = "2022-03-15", **changes: Any) -> int:
    """A version all three members signed on paper, recorded by the commissioner."""
    number = await sent(app, **changes)
    for who in MEMBERS:
        answer = await sign(app, who, number, lead(app), **on_paper(signed_on))
        assert answer.status_code == 201, answer.text
    return number


async def read(app: Harness, path: str, headers: dict[str, str] | None = None) -> Any:
    answer = await app.client.get(path, headers=headers or national(app))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(app: Harness, path: str, headers: dict[str, str]) -> tuple[int, str]:
    answer = await app.client.get(path, headers=headers)
    return answer.status_code, answer.json()["code"]


def said(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, answer.json()["code"]


async def take_partner(app: Harness, **changes: Any) -> httpx.Response:
    body = {
        "organisation": "FH123",
        "name": "Corner Pharmacy (invented)",
        "kind": "pharmacy",
        "part": "Blood pressure checks for the network.",
        "party": False,
        "valid_from": "2022-04-01",
        **changes,
    }
    return await app.post(f"{HOME}/partners", body, network(app))


def turn(**changes: Any) -> dict[str, Any]:
    """A clinician of a member practice, holding the whole office."""
    return {
        "name": "Dr Jo Sample (invented)",
        "practice": "Z80011",
        "registration": {"body": "GMC", "number": "7654321"},
        "portion": "1",
        "valid_from": "2022-04-01",
        **changes,
    }


async def appoint(app: Harness, headers: dict[str, str] | None = None, **changes: Any) -> httpx.Response:
    return await app.post(f"{HOME}/clinical-directors", turn(**changes), headers or network(app))


def clock(app: Harness, now: str) -> None:
    """From here on every request comes at this instant."""
    instant = datetime.fromisoformat(now)

    async def _at() -> datetime:
        return instant

    async def _on() -> date:
        return london_day(instant)

    app.app.dependency_overrides |= {_now: _at, _today: _on}


ELECTIONS = f"{HOME}/elections"
CALLED, OPEN, CLOSED = "2022-03-01T09:00:00+00:00", "2022-03-10T09:00:00+00:00", "2022-03-20T09:00:00+00:00"


async def call(app: Harness, **changes: Any) -> httpx.Response:
    body = {
        "title": "Clinical director from April",
        "method": "instant_runoff",
        "opens_at": "2022-03-08T08:00:00Z",
        "closes_at": "2022-03-15T17:00:00Z",
        **changes,
    }
    return await app.post(ELECTIONS, body, network(app))


async def called(app: Harness, *practices: str, **changes: Any) -> dict[str, Any]:
    """An election with a candidate from each of these practices, and voting open."""
    clock(app, CALLED)
    answer = await call(app, **changes)
    assert answer.status_code == 201, answer.text
    election: dict[str, Any] = answer.json()
    for who in practices:
        nomination = {"name": f"Dr {who} (invented)", "practice": who}
        answer = await app.post(f"{ELECTIONS}/{election['id']}/candidates", nomination, network(app))
        assert answer.status_code == 201, answer.text
        election = answer.json()
    clock(app, OPEN)
    return election


async def vote(app: Harness, election: dict[str, Any], who: str, *choices: str) -> httpx.Response:
    """A practice's ballot for the candidates of these practices, in order."""
    ids = {candidate["practice"]: candidate["id"] for candidate in election["candidates"]}
    body = {"practice": who, "choices": [ids.get(choice, choice) for choice in choices]}
    return await app.put(f"{ELECTIONS}/{election['id']}/ballot", body, practice(app, who))


async def counted(app: Harness, election: dict[str, Any]) -> dict[str, Any]:
    clock(app, CLOSED)
    answer = await app.put(f"{ELECTIONS}/{election['id']}/tally", None, network(app))
    assert answer.status_code == 200, answer.text
    tally: dict[str, Any] = answer.json()
    return tally
