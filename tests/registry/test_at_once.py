"""Two people change one area at one time: whatever the order, no list is paid for twice and no decision is halved."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import text

from services.registry.hierarchy.model import Heir, Level, Plan, SuccessionKind
from services.registry.hierarchy.operations import delegate, record_succession
from services.registry.networks.operations import lock_register
from tests.harness import Harness
from tests.registry.builders import (
    MANIFEST,
    SAMPLE,
    V1,
    allocate,
    commissioner,
    decide,
    form,
    join,
    load_sample,
    national,
    open_round,
    submitted,
    upload,
)

NAMES = ("Invented Harbour PCN", "Invented Vale PCN", "Invented Fells PCN")
COAST = tuple(f"Z800{number:02}" for number in range(1, 11))

TWICE = text(
    "SELECT m.practice FROM memberships m JOIN allocations a ON a.practice = m.practice AND a.valid && m.valid "
    "WHERE upper_inf(m.known) AND upper_inf(a.known) AND a.network IS NOT NULL"
)


async def test_a_list_is_not_allocated_while_its_practice_joins(registry_live: Harness) -> None:
    app = registry_live
    await load_sample(app)
    calls = []
    for code in COAST:
        calls += [
            join(app, "U90001", code, valid_from="2022-04-01"),
            allocate(app, practice=code, network="U90002"),
        ]
    answers = await asyncio.gather(*calls)
    pairs = [sorted(a.status_code for a in answers[at : at + 2]) for at in range(0, len(answers), 2)]
    assert pairs == [[201, 409]] * len(COAST), [a.text for a in answers]
    async with app.session() as session:
        assert (await session.scalars(TWICE)).all() == []


async def applied(app: Harness) -> tuple[str, list[str]]:
    """An area ready to be decided: three applications, and the list of the practice outside allocated to one."""
    await load_sample(app)
    round = await open_round(app)
    ids = [await submitted(app, form(name, round)) for name in NAMES]
    assert (await allocate(app, application=ids[1], round=round)).status_code == 201
    return round, ids


async def settled(app: Harness, round: str) -> str:
    """`decided` or `open`: and then wholly, with nobody left out, nothing served twice and no list in two networks."""
    shown = (await app.client.get(f"{V1}/rounds/{round}", headers=national(app))).json()
    async with app.session() as session:
        shares = (
            await session.scalars(
                text(
                    "SELECT sum(upper(portion) - lower(portion)) FROM memberships WHERE upper_inf(known) "
                    "AND valid @> date '2022-04-01' GROUP BY practice"
                )
            )
        ).all()
        assert (await session.scalars(TWICE)).all() == []
        members = await session.scalar(text("SELECT count(*) FROM memberships WHERE round IS NOT NULL"))
    assert all(share <= 1 for share in shares)
    assert bool(members) == (shown["status"] == "decided")
    if shown["status"] == "decided":
        coverage = (await app.client.get(f"{V1}/rounds/{round}/coverage", headers=national(app))).json()
        assert (coverage["complete"], coverage["covered_twice"]) == (True, [])
    return str(shown["status"])


@pytest.mark.parametrize("first", ["decision", "joining"])
async def test_a_member_joins_elsewhere_while_its_area_is_decided(registry_live: Harness, first: str) -> None:
    app = registry_live
    round, _ = await applied(app)
    calls = [decide(app, round), join(app, "U90001", "Z80001", valid_from="2022-04-01")]
    decided, joined = await asyncio.gather(*(calls if first == "decision" else calls[::-1]))
    if first != "decision":
        decided, joined = joined, decided
    assert sorted([decided.status_code, joined.status_code]) in ([200, 409], [201, 409])
    if decided.status_code == 409:
        assert decided.json()["code"] in ("ApplicationOvertaken", "PatientsCoveredTwice")
    assert await settled(app, round) == ("decided" if decided.status_code == 200 else "open")


@pytest.mark.parametrize("first", ["decision", "withdrawal"])
async def test_an_allocation_is_withdrawn_while_its_area_is_decided(registry_live: Harness, first: str) -> None:
    app = registry_live
    round, _ = await applied(app)
    (held,) = (await app.client.get(f"{V1}/allocations", headers=national(app))).json()["items"]
    path, why = f"{V1}/allocations/{held['id']}/withdrawal", {"reason": "It was a slip of the pen."}
    tag = (await app.client.get(f"{V1}/allocations/{held['id']}", headers=national(app))).headers["ETag"]
    calls = [decide(app, round), app.put(path, why, commissioner(app), match=tag)]
    await asyncio.gather(*(calls if first == "decision" else calls[::-1]))
    shown = (await app.client.get(f"{V1}/allocations", headers=national(app))).json()["items"]
    # decided first, the version the withdrawal names is gone; withdrawn first, the area is held
    assert bool(shown) == (await settled(app, round) == "decided")


async def test_a_file_closes_a_practice_while_its_area_is_decided(registry_live: Harness) -> None:
    app = registry_live
    round, _ = await applied(app)
    entry = next(entry for entry in MANIFEST["files"] if entry["kind"] == "epraccur")
    lines = (SAMPLE / entry["path"]).read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith('"Z80003"'))
    cells = lines[at].split(",")
    cells[11], cells[12] = '"20220331"', '"C"'
    lines[at] = ",".join(cells)
    closing = "\n".join(lines).encode()
    decided, taken, again = await asyncio.gather(
        decide(app, round),
        upload(app, "epraccur", "closed.csv", closing, published_on="2022-06-30"),
        decide(app, round, national(app)),
    )
    assert taken.status_code == 201, taken.text
    assert sorted([decided.status_code, again.status_code]) in ([200, 409], [409, 409])
    shown = (await app.client.get(f"{V1}/rounds/{round}", headers=national(app))).json()
    async with app.session() as session:
        after = await session.scalar(
            text(
                "SELECT count(*) FROM memberships WHERE practice = 'Z80003' AND upper_inf(known) "
                "AND valid && '[2022-04-01,)'"
            )
        )
    assert after == 0, "whoever was first, a practice that has closed is no member"
    assert (shown["status"] == "decided") == (200 in (decided.status_code, again.status_code))


WAITING = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = :database")


async def waits(app: Harness) -> None:
    """Until somebody waits for the register's lock."""
    async with app.session() as session:
        database = await session.scalar(text("SELECT oid FROM pg_database WHERE datname = current_database()"))
        while not await session.scalar(WAITING, {"database": database}):  # noqa: ASYNC110 - only the database knows
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("handed_over", ["delegation", "succession"])
async def test_who_loses_the_area_while_its_decision_waits_does_not_decide_it(
    registry_live: Harness, handed_over: str
) -> None:
    """The right to decide is looked at when nobody can change it any more, not when the call came in."""
    app = registry_live
    round, _ = await applied(app)
    now = datetime.now(UTC)
    tag = (await app.client.get(f"{V1}/commissioners/SA1", headers=national(app))).headers["ETag"]
    async with app.session() as session:
        await lock_register(session)
        deciding = asyncio.create_task(decide(app, round))
        await waits(app)
        if handed_over == "delegation":
            why = "The delegation ended."
            await delegate(session, "SA1", False, why, first=date(2019, 4, 1), last=None, if_match=tag, now=now)
        else:
            heir = Heir("S9Z1X", "INVENTED SUCCESSOR")
            plan = Plan(
                Level.COMMISSIONER, "SA1", SuccessionKind.MERGER, date(2022, 7, 1), (heir,), "It was merged.", "S9Z1X"
            )
            await record_succession(session, plan, by="nina", if_match=tag, now=now)
    answer = await deciding
    assert (answer.status_code, answer.json()["code"]) == (403, "NotYoursToDecide")
    assert await settled(app, round) == "open"
