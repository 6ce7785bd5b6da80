"""Whatever is sent to any route of any service: a clear refusal, never a crash, and the service goes on."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any, TypeVar
from uuid import uuid4

import httpx

from shared.identity import Role
from tests.core.damage import (
    ASKED_DAYS,
    ASKED_LIMITS,
    ASKED_ODD,
    CURSORS,
    IDS,
    KEYS,
    MATCHES,
    RAW,
    damaged_bodies,
)
from tests.core.surface import Door, doors_of
from tests.core.world import World

PROBLEM = "application/problem+json"
CODE = re.compile(r"^[A-Z][A-Za-z]{3,}$")
NEVER = ("Traceback", "psycopg", "sqlalchemy", "SELECT ", "INSERT ", "outside what can be stored", "database refuses")
BEFORE = (Role.NATIONAL, Role.NETWORK, Role.COMMISSIONER, Role.PRACTICE, Role.LMC, Role.OPERATOR)
EVERY = int(os.environ.get("PCN_EVERY_CASE_IN", "8"))
"""One case in so many is asked; `PCN_EVERY_CASE_IN=1` asks them all, which takes some minutes."""
NO_VERSION = '"999999"'


T = TypeVar("T")


def some(cases: Iterable[T], of: str) -> list[T]:
    """A share of the cases, another one at each door, so that together the doors meet them all."""
    first = sum(of.encode()) % EVERY
    return [case for turn, case in enumerate(cases) if turn % EVERY == first]


class Faults(list[str]):
    """What went wrong in a table of cases, and how many there were."""

    def __init__(self) -> None:
        super().__init__()
        self.cases = 0
        self.seen: Counter[int] = Counter()

    def see(self, what: str, answer: httpx.Response, *, refused: bool | Iterable[int] = True) -> None:
        """Keep what is not a clear answer; with `refused` it must also be a refusal, of these statuses if named."""
        self.cases += 1
        self.seen[answer.status_code] += 1
        why = unclear(answer)
        if refused is not False and answer.status_code < 400:
            why = "taken"
        elif not isinstance(refused, bool) and answer.status_code not in refused:
            why = "another refusal"
        if why:
            self.append(f"{what}: {why}, {answer.status_code} {answer.text[:200]}")

    def settle(self) -> None:
        assert self.cases > 0
        assert not self, f"{len(self)} of {self.cases}:\n" + "\n".join(self[:40])


def unclear(answer: httpx.Response) -> str | None:
    """Why an answer is not clear, if it is not."""
    if answer.status_code < 300:
        return None
    if not 400 <= answer.status_code < 500:
        return "no clear refusal"
    if not answer.headers["content-type"].startswith(PROBLEM):
        return "no problem+json"
    body: dict[str, Any] = answer.json()
    if not CODE.match(body["code"]) or body["code"] == "HttpError" or body["status"] != answer.status_code:
        return "no stable code"
    if not body["detail"] or any(word in answer.text for word in NEVER):
        return "says what is nobody's business"
    if answer.status_code == 422 and not body["errors"] and "NUL" not in body["detail"]:
        return "names no fault"
    return None


def caller(world: World, door: Door) -> dict[str, str]:
    return world.caller(next(role for role in BEFORE if role in door.roles), path=door.path)


async def knock(world: World, door: Door, **more: Any) -> httpx.Response:
    """Ask at a door with all that it needs, but for what `more` says."""
    body = world.body(door.name)
    headers: dict[Any, Any] = {**caller(world, door)}
    if door.method == "POST":
        headers["Idempotency-Key"] = uuid4().hex
    elif door.method != "GET":
        headers["If-Match"] = NO_VERSION
    if body is not None and "content" not in more:
        more["json"] = body
    elif "content" in more:
        headers["Content-Type"] = "application/json"
    elif door.name in world.forms:
        more = {**world.forms[door.name], **more}
    extra = more.pop("headers", {})
    without = more.pop("without", ())
    headers = {k: v for k, v in {**headers, **extra}.items() if k not in without}
    path = more.pop("path", None) or world.path(door.path)
    needed = world.asked.get(door.path, {})
    query = more.pop("query", "")
    asked = "&".join([*(f"{k}={v}" for k, v in needed.items() if f"{k}=" not in query), *([query] if query else [])])
    return await world.app.client.request(door.method, path + (f"?{asked}" if asked else ""), headers=headers, **more)


def doors(world: World) -> list[Door]:
    return doors_of(world.app.service)


async def goes_on(world: World) -> None:
    """A good request still gets a good answer, at every door that only reads."""
    for door in doors(world):
        if door.method == "GET":
            answer = await knock(world, door)
            assert answer.status_code == 200, f"{door.name}: {answer.text}"


async def test_every_route_is_reached_by_these_tables(world: World) -> None:
    for door in doors(world):
        if door.takes_body:
            assert world.body(door.name), door.name
        assert world.path(door.path)
    await goes_on(world)


async def test_a_well_formed_body_is_not_called_malformed(world: World) -> None:
    """Else every other refusal here would prove nothing."""
    for door in doors(world):
        if door.takes_body and door.method != "POST":
            answer = await knock(world, door)
            assert answer.status_code in ({404} if "/messages/" in door.path else {409, 412}), (
                f"{door.name}: {answer.text}"
            )


async def test_damaged_bodies_are_refused(world: World) -> None:
    faults = Faults()
    for door in doors(world):
        if not door.takes_body:
            continue
        for what, content, must in some(damaged_bodies(world.body(door.name)), door.name):
            answer = await knock(world, door, content=content)
            faults.see(f"{door.name} {what}", answer, refused={422} if must else False)
        for what, content in some(RAW.items(), door.name):
            faults.see(f"{door.name} {what}", await knock(world, door, content=content), refused={400, 422})
        for content in (b"", b"null", b"  "):
            faults.see(
                f"{door.name} {content!r}", await knock(world, door, content=content), refused=door.body_required
            )
        for kind in (
            "text/plain",
            "multipart/form-data",
            "application/x-www-form-urlencoded",
            "application/xml",
            "",
            "💥",
        ):
            answer = await knock(world, door, content=b'{"a": 1}', headers={"Content-Type": kind.encode()})
            faults.see(f"{door.name} as {kind!r}", answer, refused={400, 422})
    await goes_on(world)
    if world.bodies:
        faults.settle()


async def test_odd_paths_find_nothing(world: World) -> None:
    faults = Faults()
    for door in doors(world):
        places = re.findall(r"\{\w+\}", door.path)
        good = world.path(door.path).split("/")
        for place in places:
            for odd in some(IDS, door.name):
                parts = list(good)
                parts[door.path.split("/").index(place)] = odd
                answer = await knock(world, door, path="/".join(parts))
                faults.see(f"{door.method} {door.path} {place}={odd[:30]}", answer, refused={404, 405, 422})
    await goes_on(world)
    faults.settle()


async def test_odd_questions_are_refused_or_answered(world: World) -> None:
    faults = Faults()
    for door in doors(world):
        for name in door.asked:
            certain: tuple[str, ...]
            perhaps: tuple[str, ...]
            if name in {"as_at", "known_at", "map_of"}:
                certain, perhaps = ASKED_DAYS, ASKED_ODD
            elif name == "limit":
                certain, perhaps = ASKED_LIMITS, ()
            elif name == "cursor":
                certain, perhaps = CURSORS, ASKED_ODD
            else:
                certain, perhaps = ("%00", "a%00"), (*ASKED_ODD, *ASKED_DAYS)
            for value in some(certain, door.name + name):
                answer = await knock(world, door, query=f"{name}={value}")
                may = name == "cursor" and answer.status_code == 200 and value in {"WyJhIiwtMV0", "WyJhIiwiYiJd"}
                faults.see(f"{door.name}?{name}={value[:30]}", answer, refused=False if may else {422})
            for value in some(perhaps, door.name + name):
                answer = await knock(world, door, query=f"{name}={value}")
                faults.see(f"{door.name}?{name}={value[:30]}", answer, refused=False)
    await goes_on(world)
    faults.settle()


async def test_an_odd_version_changes_nothing(world: World) -> None:
    faults = Faults()
    for door in doors(world):
        if door.method in {"GET", "POST"} or "/messages/" in door.path:
            continue
        if door.name == "PUT /funding/v1/payment-runs/{run_id}/issue":
            continue  # asked again of an issued run it answers what was, whatever is sent: nothing is changed
        for match in MATCHES:
            answer = await knock(world, door, headers={"If-Match": match})
            faults.see(f"{door.name} {match[:20]!r}", answer, refused={409, 412})
        faults.see(f"{door.name} without", await knock(world, door, without=["If-Match"]), refused={409, 428})
    await goes_on(world)
    if world.bodies:
        faults.settle()


async def test_an_odd_key_has_no_effect(world: World) -> None:
    faults = Faults()
    for door in doors(world):
        if door.method != "POST":
            continue
        for key in KEYS:
            odd = {"without": ["Idempotency-Key"]} if key is None else {"headers": {"Idempotency-Key": key}}
            answer = await knock(world, door, **odd)
            faults.see(f"{door.name} {key!r:.20}", answer, refused={422})
            if "Idempotency-Key" not in answer.text:
                faults.append(f"{door.name} {key!r:.20}: does not name the header")
    await goes_on(world)
    if world.bodies:
        faults.settle()


async def test_odd_headers_harm_nobody(world: World) -> None:
    faults = Faults()
    for door in doors(world):
        if door.method != "GET":
            continue
        for odd in (b"x" * 8000, b"\xff\xfe", b"a\x00b", b"'; drop", b"00-0-0-0", b""):
            headers = {"X-Correlation-Id": odd, "traceparent": odd, "Accept": odd, "If-None-Match": odd, "Range": odd}
            answer = await knock(world, door, headers=headers)
            faults.see(f"{door.name} headers {odd[:10]!r}", answer, refused=False)
            if answer.status_code != 200:
                faults.append(f"{door.name} headers {odd[:10]!r}: {answer.status_code}")
        for token in (
            b"",
            b"Bearer",
            b"Bearer x",
            b"Basic eDp5",
            b"Bearer a.b.c",
            b"Bearer \xff\xfe",
            b"Bearer " + b"x" * 9000,
        ):
            answer = await knock(world, door, headers={"Authorization": token})
            faults.see(f"{door.name} {token[:20]!r}", answer, refused={401})
    await goes_on(world)
    faults.settle()


async def test_very_many_faults_are_listed_without_delay(world: World) -> None:
    """Twenty thousand unknown fields fit in a quarter of a megabyte; listing them must not take half a minute."""
    for door in doors(world):
        if door.takes_body:
            started = time.process_time()
            answer = await knock(world, door, content=RAW["many keys"])
            assert answer.status_code == 422, answer.text[:200]
            assert len(answer.json()["errors"]) >= 20_000
            assert time.process_time() - started < 5, door.name
            break
