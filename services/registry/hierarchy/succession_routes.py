from datetime import date
from typing import Annotated, Any

from fastapi import Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.codes import Day, NetworkCode, OrganisationCode
from services.registry.hierarchy import operations
from services.registry.hierarchy.model import (
    CommissionerNotFound,
    CommissionerNotPlaced,
    Heir,
    Level,
    Plan,
    SuccessionKind,
    SuccessionNotPossible,
    SystemNotFound,
)
from services.registry.hierarchy.queries import links_of, names_of
from services.registry.hierarchy.routes import Anyone, Name, National
from services.registry.scope import heirs_of
from shared.http import (
    AsAt,
    IfMatch,
    In,
    KnownAt,
    Now,
    Out,
    Reading,
    Today,
    Transaction,
    refusals,
    service_router,
    tag,
)

router = service_router("registry", tags=["hierarchy"])
Words = Annotated[str, Field(min_length=3, max_length=2000)]
Many = Field(max_length=5000)


class LinkOut(Out):
    """What went from one to the other. `inherits`: the successor decides what the predecessor left open."""

    code: str
    name: str
    kind: SuccessionKind
    succeeded_on: date
    inherits: bool
    reason: str


class SuccessionOut(Out):
    """`decided_by` is who decides on the day what this one left open: itself while it is there."""

    code: str
    name: str
    predecessors: list[LinkOut]
    successors: list[LinkOut]
    decided_by: str | None


class SuccessorIn(In):
    code: OrganisationCode
    name: Name | None = None


class CommissionerHeirIn(SuccessorIn):
    """An heir, with the practices that go to it where the area is divided, and the networks it is to lead."""

    practices: Annotated[list[OrganisationCode], Many] = []
    networks: Annotated[list[NetworkCode], Many] = []
    system: OrganisationCode | None = None
    system_name: Name | None = None
    region: OrganisationCode | None = None
    region_name: Name | None = None


class SystemHeirIn(SuccessorIn):
    """An heir, with the commissioners that go to it where the system is divided."""

    commissioners: Annotated[list[OrganisationCode], Many] = []
    region: OrganisationCode | None = None
    region_name: Name | None = None


class SuccessionIn(In):
    """`inherits`: the heir that decides what was left open; needed where the predecessor is split."""

    kind: SuccessionKind
    succeeded_on: Day
    inherits: OrganisationCode | None = None
    reason: Words


class CommissionerSuccessionIn(SuccessionIn):
    successors: Annotated[list[CommissionerHeirIn], Field(min_length=1, max_length=50)]


class SystemSuccessionIn(SuccessionIn):
    successors: Annotated[list[SystemHeirIn], Field(min_length=1, max_length=50)]


async def _shown(
    session: AsyncSession, level: Level, code: str, today: date, as_at: date | None, known_at: Any
) -> dict[str, Any]:
    links = [
        link for link in await links_of(session, level, [code], known_at) if as_at is None or link.valid_from <= as_at
    ]
    named = sorted({code, *(link.predecessor for link in links), *(link.successor for link in links)})
    names = await names_of(session, level, named, known_at)

    def link_out(link: Any, other: str) -> LinkOut:
        return LinkOut(
            code=other,
            name=names.get(other, other),
            kind=link.kind,
            succeeded_on=link.valid_from,
            inherits=link.inherits,
            reason=link.reason,
        )

    return {
        "code": code,
        "name": names.get(code, code),
        "predecessors": [link_out(link, link.predecessor) for link in links if link.successor == code],
        "successors": [link_out(link, link.successor) for link in links if link.predecessor == code],
        "decided_by": (await heirs_of(session, [code], as_at or today, level, known_at)).get(code),
    }


@router.get("/commissioners/{code}/succession", response_model=SuccessionOut, responses=refusals(CommissionerNotFound))
async def read_commissioner_succession(
    code: str,
    session: Reading,
    response: Response,
    _: Anyone,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> dict[str, Any]:
    """Whom a commissioner succeeded and who succeeded it; with `as_at`, by that day only."""
    tag(response, await operations.look_up(session, Level.COMMISSIONER, code, known_at))
    return await _shown(session, Level.COMMISSIONER, code, today, as_at, known_at)


@router.put(
    "/commissioners/{code}/succession",
    response_model=SuccessionOut,
    responses=refusals(CommissionerNotFound, CommissionerNotPlaced, SuccessionNotPossible),
)
async def succeed_commissioner(
    code: str,
    succession: CommissionerSuccessionIn,
    session: Transaction,
    response: Response,
    caller: National,
    now: Now,
    today: Today,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Record who succeeds a commissioner from a day on, or put right what was recorded.

    Its practices and the networks it leads change hands that day, and what it left open is decided by its heir.
    """
    heirs = []
    for heir in succession.successors:
        stands = None
        if heir.system is not None:
            where = heir.model_dump(include={"system", "system_name", "region", "region_name"})
            stands = (heir.system, *await operations.described(session, succession.succeeded_on, **where))
        heirs.append(Heir(heir.code, heir.name, tuple(heir.practices), tuple(heir.networks), stands))
    plan = _plan(Level.COMMISSIONER, code, succession, tuple(heirs))
    changed = await operations.record_succession(session, plan, by=caller.subject, if_match=if_match, now=now)
    tag(response, changed)
    return await _shown(session, Level.COMMISSIONER, code, today, None, None)


@router.get("/systems/{code}/succession", response_model=SuccessionOut, responses=refusals(SystemNotFound))
async def read_system_succession(
    code: str,
    session: Reading,
    response: Response,
    _: Anyone,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> dict[str, Any]:
    """Whom a system succeeded and who succeeded it; with `as_at`, by that day only."""
    tag(response, await operations.look_up(session, Level.SYSTEM, code, known_at))
    return await _shown(session, Level.SYSTEM, code, today, as_at, known_at)


@router.put(
    "/systems/{code}/succession",
    response_model=SuccessionOut,
    responses=refusals(SystemNotFound, SuccessionNotPossible),
)
async def succeed_system(
    code: str,
    succession: SystemSuccessionIn,
    session: Transaction,
    response: Response,
    caller: National,
    now: Now,
    today: Today,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Record who succeeds a system from a day on, or put right what was recorded; its commissioners go with it."""
    heirs = tuple(
        Heir(
            heir.code,
            heir.name,
            tuple(heir.commissioners),
            (),
            (heir.region, heir.region_name or heir.region) if heir.region else None,
        )
        for heir in succession.successors
    )
    plan = _plan(Level.SYSTEM, code, succession, heirs)
    changed = await operations.record_succession(session, plan, by=caller.subject, if_match=if_match, now=now)
    tag(response, changed)
    return await _shown(session, Level.SYSTEM, code, today, None, None)


def _plan(level: Level, code: str, asked: SuccessionIn, heirs: tuple[Heir, ...]) -> Plan:
    return Plan(level, code, asked.kind, asked.succeeded_on, heirs, asked.reason, asked.inherits)
