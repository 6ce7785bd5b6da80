"""Members, payees, names and windows of the register: what exists there, and well-formed requests about it."""

from __future__ import annotations

from typing import Any

from shared.identity import Role
from tests.core.surface import doors_of
from tests.harness import Harness
from tests.registry.builders import V1, national, open_window

NETWORK = f"{V1}/networks/{{code}}"
MEMBER = f"{NETWORK}/members/{{practice}}/{{first_day}}"
PRACTICE = f"{V1}/practices/{{code}}"
PUBLIC = (
    "practices/{code}/history",
    "networks/{code}/members/{practice}/{first_day}",
    "networks/{code}/payee",
    "windows",
    "windows/{id}",
    "practices/{code}/split",
)
"""The register itself is read by anybody."""
REASON = {"reason": "It was entered by mistake."}
A_NOTICE = {
    "kind": "leave",
    "network": "U90055",
    "practice": "Z80009",
    "effective_on": "2023-03-31",
    "reason": "We go our own way.",
}
NEXT_DOOR = {**A_NOTICE, "kind": "join", "network": "U90002", "practice": "Z80011"}
HALVES = {
    "parts": [{"network": "U90002", "share": "0.5"}, {"network": "U90003", "share": "0.5"}],
    "valid_from": "2025-01-01",
    "valid_to": None,
    "reason": "Two branches in two towns.",
}
DAYS = {"valid_from": "2022-04-01", "valid_to": "2023-03-31", "reason": "As decided."}


async def things(app: Harness) -> dict[str, str]:
    """A thing of every kind, by the path that leads to one."""
    window = await open_window(app)
    own = await app.post(f"{V1}/notices", A_NOTICE, app.token(Role.PRACTICE, organisations=["Z80009"]))
    assert own.status_code == 201, own.text
    notice = await app.post(f"{V1}/notices", NEXT_DOOR, app.token(Role.PRACTICE, organisations=["Z80011"]))
    assert notice.status_code == 201, notice.text
    halves = await app.put(f"{V1}/practices/Z80001/split", HALVES, national(app))
    assert halves.status_code == 200, halves.text
    return {
        MEMBER: f"{V1}/networks/U90001/members/Z80011/2019-10-01",
        f"{V1}/windows/{{id}}": f"{V1}/windows/{window['id']}",
        f"{V1}/notices/{{id}}": f"{V1}/notices/{notice.json()['id']}",
    }


def bodies() -> dict[str, Any]:
    """A well-formed body for every change."""
    terms = {"opens_on": "2022-10-01", "closes_on": "2022-10-31", "notice_months": 1, "reason": "Terms were reissued."}
    return {
        f"POST {NETWORK}/members": {"practice": "Z80001", "share": "0.5", **DAYS},
        f"PUT {MEMBER}/departure": {
            "last_day": "2022-09-30",
            "notified_on": "2022-04-15",
            "agreement": "Agreed by the board.",
            "reason": "It gave notice.",
        },
        f"PUT {MEMBER}/correction": {**DAYS, "share": "0.5"},
        f"PUT {MEMBER}/withdrawal": REASON,
        f"POST {V1}/practices": {
            "code": "Z80091",
            "name": "NEW QUAY SURGERY (INVENTED)",
            "commissioner": "SA1",
            "opened_on": "2022-04-01",
            "contract": "APMS",
            "proposed": True,
            "reason": "The contract was let.",
        },
        f"PUT {PRACTICE}/closure": {"closed_on": "2023-03-31", "reason": "The partners retire."},
        f"PUT {PRACTICE}/closure/withdrawal": REASON,
        f"PUT {PRACTICE}/succession": {"successor": "Z80002", "succeeded_on": "2023-04-01", "reason": "They merge."},
        f"PUT {PRACTICE}/dispersal": {"dispersed_from": "2023-04-01", "reason": "All have registered elsewhere."},
        f"PUT {PRACTICE}/dispersal/withdrawal": REASON,
        f"PUT {PRACTICE}/dormancy": DAYS,
        f"PUT {PRACTICE}/reopening": {"reopened_on": "2022-09-01", "reason": "The building is ready."},
        f"PUT {PRACTICE}/commissioner": {"commissioner": "SB2", **DAYS},
        f"PUT {PRACTICE}/contract": {"contract": "PMS", **DAYS},
        f"PUT {PRACTICE}/split": HALVES,
        f"PUT {PRACTICE}/split/ending": {"last_day": "2023-09-30", "network": "U90002", "reason": "It is whole again."},
        f"POST {V1}/notices": A_NOTICE,
        f"PUT {V1}/notices/{{id}}/acceptance": REASON,
        f"PUT {V1}/notices/{{id}}/refusal": REASON,
        f"PUT {V1}/notices/{{id}}/withdrawal": REASON,
        f"PUT {NETWORK}/payee/withdrawal": DAYS,
        f"PUT {NETWORK}/closure": {"closed_on": "2023-03-31", "reason": "Its practices went elsewhere."},
        f"PUT {NETWORK}/closure/withdrawal": REASON,
        f"PUT {NETWORK}/name": {"name": "Invented New Town PCN", **DAYS},
        f"PUT {NETWORK}/lead-commissioner": {"commissioner": "SA1", **DAYS},
        f"POST {V1}/windows": {"contract_year": "2022-23", "why": "reissue", **terms},
        f"PUT {V1}/windows/{{id}}/correction": terms,
        f"PUT {V1}/windows/{{id}}/withdrawal": REASON,
    }


def next_door(app: Harness) -> set[str]:
    """The paths about the network next door."""
    inside = tuple(f"{NETWORK}/{noun}" for noun in ("members", "payee", "closure", "name", "lead-commissioner"))
    theirs = (*inside, f"{V1}/notices/{{id}}")
    return {door.path for door in doors_of(app.service) if door.path.startswith(theirs)}
