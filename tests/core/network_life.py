"""The inside of a network next door: what exists there, and well-formed requests about it."""

from __future__ import annotations

from typing import Any

from tests.core.surface import doors_of
from tests.harness import Harness
from tests.registry import network_life as life
from tests.registry.builders import V1

NETWORK = f"{V1}/networks/{{code}}"
PUBLIC = ("partners", "partners/{id}", "clinical-directors", "clinical-directors/{id}")
"""Read by anybody: who stands beside the members, and who speaks for them."""
REASON = {"reason": "It was entered by mistake."}
ENDING = {"last_day": "2023-03-31", "reason": "It is over."}


async def things(app: Harness) -> dict[str, str]:
    """A thing of every kind in the network, by the path that leads to one."""
    partner = await life.take_partner(app)
    await life.signed_on_paper(app)
    signature = (await life.read(app, f"{life.HOME}/agreement/signatures"))["items"][0]["id"]
    director = await life.appoint(app)
    election = await life.called(app, "Z80011")
    await life.vote(app, election, "Z80012", "Z80011")
    await life.counted(app, election)
    app.app.dependency_overrides.clear()
    home = life.HOME
    chosen = f"{home}/elections/{election['id']}"
    candidate = election["candidates"][0]["id"]
    return {
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
    return {
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
    inside = tuple(f"{NETWORK}/{noun}" for noun in ("partners", "agreement", "clinical-directors", "elections"))
    return {door.path for door in doors_of(app.service) if door.path.startswith(inside)}
