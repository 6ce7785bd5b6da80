"""The inside of a network next door: what exists there, and well-formed requests about it."""

from __future__ import annotations

from typing import Any

from tests.core.surface import doors_of
from tests.harness import Harness
from tests.registry import network_life as life
from tests.registry.builders import V1, national

NETWORK = f"{V1}/networks/{{code}}"
PUBLIC = (
    *("networks/{code}/partners", "networks/{code}/partners/{id}", "networks/{code}/contact"),
    *("networks/{code}/clinical-directors", "networks/{code}/clinical-directors/{id}"),
    *("networks/{code}/services", "networks/{code}/services/{id}", "services", "services/{id}"),
    *("practices/{code}/contact", "systems/{code}/seats", "systems/{code}/seats/{id}"),
)
"""Read by anybody: who stands beside the members, and who speaks for them."""
REASON = {"reason": "It was entered by mistake."}
CONTACT = {
    "name": "The network desk (invented)",
    "position": "Manager",
    "telephone": "+441632960001",
    "email": "desk@market-town.example",
    "valid_from": "2022-04-01",
    "valid_to": None,
}
SERVICE = {
    "service": "care-homes",
    "practice": "Z80011",
    "partner": None,
    "lead": "Sister Sample (invented)",
    "valid_from": "2022-04-01",
    "valid_to": "2023-03-31",
}
ENDING = {"last_day": "2023-03-31", "reason": "It is over."}


INSIDE = ("partners", "agreement", "clinical-directors", "elections", "contact", "services")


async def things(app: Harness) -> dict[str, str]:
    """A thing of every kind in the network, by the path that leads to one."""
    partner = await life.take_partner(app)
    await life.signed_on_paper(app)
    signature = (await life.read(app, f"{life.HOME}/agreement/signatures"))["items"][0]["id"]
    director = await life.appoint(app)
    seat = {"board": "Partnership board", "title": "Primary care", "valid_from": "2022-04-01"}
    made = await app.post(f"{V1}/systems/QZ1/seats", seat, national(app))
    await app.put(f"{life.HOME}/contact", CONTACT, life.network(app))
    taken = await app.post(f"{life.HOME}/services", SERVICE, life.network(app))
    menu = (await life.read(app, f"{V1}/services"))["items"]
    election = await life.called(app, "Z80011")
    await life.vote(app, election, "Z80012", "Z80011")
    await life.counted(app, election)
    app.app.dependency_overrides.clear()
    home = life.HOME
    chosen = f"{home}/elections/{election['id']}"
    candidate = election["candidates"][0]["id"]
    return {
        f"{V1}/systems/{{code}}/seats/{{id}}": f"{V1}/systems/QZ1/seats/{made.json()['id']}",
        f"{V1}/services/{{id}}": f"{V1}/services/{menu[0]['id']}",
        f"{NETWORK}/services/{{id}}": f"{home}/services/{taken.json()['id']}",
        f"{NETWORK}/elections/{{id}}": chosen,
        f"{NETWORK}/elections/{{id}}/candidates/{{candidate}}": f"{chosen}/candidates/{candidate}",
        f"{NETWORK}/clinical-directors/{{id}}": f"{home}/clinical-directors/{director.json()['id']}",
        f"{NETWORK}/partners/{{id}}": f"{home}/partners/{partner.json()['id']}",
        f"{NETWORK}/agreement/versions/{{number}}": f"{home}/agreement/versions/1",
        f"{NETWORK}/agreement/signatures/{{id}}": f"{home}/agreement/signatures/{signature}",
    }


def bodies() -> dict[str, Any]:
    """A well-formed body for every change."""
    days = {"valid_from": "2022-04-01", "valid_to": "2023-03-31"}
    partner = {"name": "Corner", "kind": "pharmacy", "part": "Blood pressure checks.", "party": True, **days}
    finance = {"pays_on": {"rule": "fixed", "sums": [{"practice": "Z80011", "amount": "10.00"}]}, "costs_first": True}
    version = life.version(terms=life.terms(finance=finance), named_partners={"Z80011": ["Dr Ash (invented)"]})
    turn = {**life.turn(portion="0.25"), **days}
    seat = {"board": "Partnership board", "title": "Primary care", **days}
    item = {
        "name": "Falls prevention",
        "planned_start": "2027-04-01",
        "actual_start": "2027-10-01",
        "actual_year": None,
        "functions": ["Strength classes"],
        "note": "It is new.",
        "confidence": "one_source",
        "valid_from": "2027-04-01",
        "valid_to": "2028-03-31",
    }
    return {
        f"POST {V1}/systems/{{code}}/seats": seat,
        f"PUT {V1}/systems/{{code}}/seats/{{id}}": {**seat, **REASON},
        f"PUT {V1}/systems/{{code}}/seats/{{id}}/holder": {"appointment": "cda-none", **days},
        f"PUT {V1}/systems/{{code}}/seats/{{id}}/vacation": ENDING,
        f"PUT {V1}/systems/{{code}}/seats/{{id}}/ending": ENDING,
        f"POST {V1}/services": {"contract_year": "2027-28", "service": "falls-prevention", **item},
        f"PUT {V1}/services/{{id}}": {**item, **REASON},
        f"PUT {V1}/services/{{id}}/withdrawal": REASON,
        f"PUT {NETWORK}/contact": CONTACT,
        f"PUT {NETWORK}/contact/withdrawal": {**days, **REASON},
        f"POST {NETWORK}/services": SERVICE,
        f"PUT {NETWORK}/services/{{id}}": {**SERVICE, **REASON},
        f"PUT {NETWORK}/services/{{id}}/ending": ENDING,
        f"PUT {NETWORK}/services/{{id}}/withdrawal": REASON,
        f"POST {NETWORK}/elections": {
            "title": "Clinical director",
            "method": "instant_runoff",
            "tie_break": "lot",
            "opens_at": "2031-03-01T09:00:00Z",
            "closes_at": "2031-03-08T17:00:00Z",
        },
        f"POST {NETWORK}/elections/{{id}}/candidates": {
            "name": "Dr Ash (invented)",
            "practice": "Z80011",
            "registration": {"body": "GMC", "number": "A1234567"},
            "statement": "More clinics.",
        },
        f"PUT {NETWORK}/elections/{{id}}/ballot": {"practice": "Z80012", "choices": ["can-1"]},
        f"PUT {NETWORK}/elections/{{id}}/appointment": {**days, "portion": "0.5"},
        f"PUT {NETWORK}/elections/{{id}}/abandonment": REASON,
        f"POST {NETWORK}/clinical-directors": turn,
        f"POST {NETWORK}/clinical-directors/rotation": {"turns": [turn, turn]},
        f"PUT {NETWORK}/clinical-directors/{{id}}": {**turn, "method": "rotating", **REASON},
        f"PUT {NETWORK}/clinical-directors/{{id}}/ending": ENDING,
        f"PUT {NETWORK}/clinical-directors/{{id}}/withdrawal": REASON,
        f"POST {NETWORK}/partners": {"organisation": "RX7", **partner},
        f"PUT {NETWORK}/partners/{{id}}": {**partner, **REASON},
        f"PUT {NETWORK}/partners/{{id}}/ending": ENDING,
        f"PUT {NETWORK}/partners/{{id}}/withdrawal": REASON,
        f"POST {NETWORK}/agreement/versions": version,
        f"PUT {NETWORK}/agreement/versions/{{number}}": version,
        f"PUT {NETWORK}/agreement/versions/{{number}}/ending": ENDING,
        f"PUT {NETWORK}/agreement/versions/{{number}}/abandonment": REASON,
        f"POST {NETWORK}/agreement/signatures": {
            "number": 1,
            "practice": "Z80011",
            "person": "Dr Ash (invented)",
            "partner": None,
            "signatory": "Dr Ash (invented)",
            "signed_on": "2022-03-28",
            "evidence": "In the folder.",
        },
        f"PUT {NETWORK}/agreement/signatures/{{id}}/withdrawal": REASON,
    }


def next_door(app: Harness) -> set[str]:
    """The paths inside the network: whatever stands there is the neighbour's."""
    inside = tuple(f"{NETWORK}/{noun}" for noun in INSIDE)
    return {door.path for door in doors_of(app.service) if door.path.startswith(inside)}
