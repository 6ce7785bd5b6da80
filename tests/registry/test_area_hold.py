"""While one patient of an area is left out no approval passes, by any role or order of calls, but for the override."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.events import registry as events
from shared.identity import Role
from tests.harness import Harness
from tests.registry.builders import (
    V1,
    allocate,
    commissioner,
    decide,
    form,
    load_sample,
    national,
    open_round,
    practice,
    submitted,
)

NAMES = ("Invented Harbour PCN", "Invented Vale PCN", "Invented Fells PCN")
OUTSIDE = "Z80010"

LIVES: dict[str, tuple[str, dict[str, str]]] = {
    "close": ("closure", {"closed_on": "2022-02-28"}),
    "disperse": ("dispersal", {"dispersed_from": "2022-03-10"}),
    "gather": ("dispersal/withdrawal", {}),
    "open again": ("closure/withdrawal", {}),
}

number = st.integers(min_value=0, max_value=len(NAMES) - 1)
step = st.one_of(
    st.tuples(st.just("submit"), number),
    st.tuples(st.sampled_from(["return", "refusal", "approval"]), number),
    st.tuples(st.just("allocate"), number),
    st.tuples(st.sampled_from(["ending", "withdrawal"]), st.just(0)),
    st.tuples(st.sampled_from(["close", "disperse", "gather", "open again"]), st.just(0)),
    st.tuples(st.just("decide"), st.integers(min_value=0, max_value=4)),
)


async def left_out(app: Harness) -> set[str]:
    """Practices of SA1 with patients whom nobody serves on the first day, worked out beside the service's coverage."""

    async def items(path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await app.client.get(f"{V1}/{path}", headers=national(app))).json()["items"]
        return found

    lists = await items("list-sizes?snapshot=2022-01-01&basis=registered&commissioner=SA1")
    people = {one["practice"] for one in lists if Decimal(one["value"]) > 0}
    served = {one["practice"] for one in await items("allocations?as_at=2022-04-01") if one["network"]}
    for code in sorted(people):
        history = (await app.client.get(f"{V1}/practices/{code}/history", headers=national(app))).json()
        gone = [one for one in history["dispersals"] if one["valid_from"] <= "2022-04-01" and not one["valid_to"]]
        served |= {code} if gone else set()
    shares: dict[str, Decimal] = {}
    for network in await items("networks?as_at=2022-04-01"):
        for member in await items(f"networks/{network['code']}/members?as_at=2022-04-01"):
            shares[member["practice"]] = shares.get(member["practice"], Decimal(0)) + Decimal(member["share"])
    return {code for code in people - served if shares.get(code, Decimal(0)) < 1}


async def approvals(app: Harness) -> list[str]:
    told = await app.announced()
    return [e.network for e in told if isinstance(e, events.NetworkApproved) and e.decided_by == "round"]


class Area:
    """One round and whatever is done in it, in any order; each call may be refused."""

    def __init__(self, app: Harness, round: str) -> None:
        self.app, self.round = app, round
        self.applications: dict[int, str] = {}
        self.allocation: str | None = None

    async def take(self, what: str, which: int) -> None:
        headers = commissioner(self.app)
        if what == "submit":
            if which not in self.applications:
                self.applications[which] = await submitted(self.app, form(NAMES[which], self.round))
            else:
                await self.put(f"applications/{self.applications[which]}/submission", {}, headers)
        elif what in ("return", "refusal", "approval") and which in self.applications:
            body = {"reason": "As it happens."} if what != "approval" else None
            await self.put(f"applications/{self.applications[which]}/{what}", body, headers)
        elif what == "allocate" and which in self.applications:
            made = await allocate(self.app, application=self.applications[which], round=self.round)
            self.allocation = made.json()["id"] if made.status_code == 201 else self.allocation
        elif what in ("ending", "withdrawal") and self.allocation:
            body = {"reason": "As it happens.", **({"ends_on": "2022-04-01"} if what == "ending" else {})}
            await self.put(f"allocations/{self.allocation}/{what}", body, headers)
        elif what in LIVES:
            noun, body = LIVES[what]
            known = await self.app.client.get(f"{V1}/practices/{OUTSIDE}", headers=headers)
            why = {"reason": "As it happens.", **body}
            await self.put(f"practices/{OUTSIDE}/{noun}", why, headers, match=known.headers["ETag"])
        elif what == "decide":
            roles = (
                headers,
                national(self.app),
                practice(self.app, "Z80001"),
                commissioner(self.app, "SB2"),
                self.app.token(Role.COMMISSIONER, Role.LMC, organisations=["SA1"]),
            )
            await self.put(f"rounds/{self.round}/decision", {"decided_on": "2022-03-28"}, roles[which])

    async def put(
        self, path: str, body: dict[str, Any] | None, headers: dict[str, str], match: str | None = None
    ) -> None:
        answer = await self.app.put(f"{V1}/{path}", body, headers, match=match)
        assert answer.status_code < 500, answer.text


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


@settings(max_examples=12)
@example([*(("submit", n) for n in range(3)), ("allocate", 1), ("ending", 0), ("decide", 0)])
@example(
    [
        *(("submit", n) for n in range(3)),
        ("allocate", 1),
        ("withdrawal", 0),
        ("decide", 1),
        ("allocate", 2),
        ("decide", 0),
    ]
)
@example([("close", 0), *(("submit", n) for n in range(3)), ("disperse", 0), ("open again", 0), ("decide", 0)])
@example([("close", 0), *(("submit", n) for n in range(3)), ("disperse", 0), ("gather", 0), ("decide", 1)])
@example([("close", 0), *(("submit", n) for n in range(3)), ("allocate", 1), ("open again", 0), ("decide", 0)])
@example([("close", 0), *(("submit", n) for n in range(3)), ("disperse", 0), ("decide", 0)])
@given(st.lists(step, min_size=4, max_size=10))
async def test_no_order_of_calls_approves_an_area_that_leaves_anybody_out(
    app: Harness, steps: list[tuple[str, int]]
) -> None:
    connection = app.runtime.sessions.kw["bind"]
    undone = await connection.begin_nested()
    try:
        area = Area(app, await open_round(app))
        for what, which in steps:
            before = await approvals(app)
            await area.take(what, which)
            if await approvals(app) != before:
                assert await left_out(app) == set(), f"approved after {what}"
    finally:
        await undone.rollback()


async def test_patients_allocated_for_less_than_the_year_are_left_out(app: Harness) -> None:
    round = await open_round(app)
    for name in NAMES:
        await submitted(app, form(name, round))
    assert (await allocate(app, network="U90001", valid_from="2022-04-01", valid_to="2022-04-01")).status_code == 201
    answer = await decide(app, round)
    assert (answer.status_code, answer.json()["code"]) == (409, "CoverageIncomplete")
    assert [error["field"] for error in answer.json()["errors"]] == [OUTSIDE]


async def test_the_property_is_seen_to_fail_where_the_override_is_used(app: Harness) -> None:
    round = await open_round(app)
    for name in NAMES:
        await submitted(app, form(name, round))
    assert await approvals(app) == []
    decided = await decide(app, round, national(app), override_reason="It cannot wait.")
    assert decided.status_code == 200, decided.text
    assert len(await approvals(app)) == 3
    assert await left_out(app) == {OUTSIDE}
    told = [e for e in await app.announced() if isinstance(e, events.RoundDecided)]
    assert [e.override_reason for e in told] == ["It cannot wait."]


async def test_the_hold_is_kept_when_everything_happens_at_once(registry_live: Harness) -> None:
    app = registry_live
    await load_sample(app)
    round = await open_round(app)
    ids = [await submitted(app, form(name, round)) for name in NAMES]
    why = {"reason": "It happens at once."}
    held = await asyncio.gather(
        *(decide(app, round) for _ in range(3)),
        *(decide(app, round, national(app)) for _ in range(2)),
        *(app.put(f"{V1}/applications/{id}/approval", None, commissioner(app)) for id in ids),
    )
    assert {answer.status_code for answer in held} == {409}
    assert await approvals(app) == []
    await asyncio.gather(
        *(decide(app, round) for _ in range(3)),
        allocate(app, application=ids[1], round=round),
        app.put(f"{V1}/applications/{ids[2]}/return", why, commissioner(app)),
        *(decide(app, round, national(app)) for _ in range(2)),
    )
    shown = (await app.client.get(f"{V1}/rounds/{round}", headers=commissioner(app))).json()
    decided = shown["status"] == "decided"
    assert bool(await approvals(app)) == decided
    assert not decided or await left_out(app) == set()


async def test_the_practices_of_an_area_come_page_by_page_and_by_how_they_are_covered(app: Harness) -> None:
    round = await open_round(app)
    await submitted(app, form(NAMES[0], round))
    path = f"{V1}/rounds/{round}/coverage/practices"
    whole = (await app.client.get(f"{V1}/rounds/{round}/coverage", headers=commissioner(app))).json()
    seen: list[str] = []
    cursor: str | None = None
    while True:
        asked = {"limit": "2", "state": "uncovered", **({"cursor": cursor} if cursor else {})}
        found = (await app.client.get(path, params=asked, headers=commissioner(app))).json()
        seen += [cover["practice"] for cover in found["items"]]
        cursor = found["next"]
        if cursor is None:
            break
    assert seen == [cover["practice"] for cover in whole["uncovered"]]
    covered = (await app.client.get(path, params={"state": "covered"}, headers=commissioner(app))).json()["items"]
    assert [cover["practice"] for cover in covered] == ["Z80001", "Z80002", "Z80003"]
    odd = await app.client.get(path, params={"cursor": "x"}, headers=commissioner(app))
    assert (odd.status_code, odd.json()["errors"][0]["code"]) == (422, "invalid_cursor")
    stranger = await app.client.get(path, headers=commissioner(app, "SB2"))
    assert (stranger.status_code, stranger.json()["code"]) == (404, "RoundNotFound")
