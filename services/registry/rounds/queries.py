from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, Text, and_, any_, case, false, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from services.registry.allocations.model import Allocation
from services.registry.applications.form import KnownPractice
from services.registry.applications.history import ApplicationVersion
from services.registry.applications.model import Application, ApplicationStatus
from services.registry.list_sizes.model import Basis, ListSize
from services.registry.networks.model import Membership, NetworkEntry
from services.registry.practices.model import (
    Practice,
    PracticeCommissioner,
    PracticeContract,
    PracticeEntry,
    PracticeStatus,
)
from services.registry.practices.queries import went_over
from services.registry.rounds.model import NotYoursToDecide, Round, RoundNotFound, RoundStatus
from services.registry.scope import area_of, decides_for, heir_of
from shared.facts import as_at, currently_known
from shared.identity import Caller, Role


async def visible_rounds(session: AsyncSession, caller: Caller, today: date) -> ColumnElement[bool]:
    """Rounds of the caller's area, and for networks and practices those of the commissioner they belong to."""
    area = await area_of(session, caller, today)
    if area is None:
        return true()
    seen: list[ColumnElement[bool]] = [Round.commissioner.in_(area)] if area else []
    if caller.has(Role.PRACTICE, Role.NETWORK):
        mine = select(PracticeCommissioner.commissioner).where(
            currently_known(PracticeCommissioner), PracticeCommissioner.practice.in_(caller.organisations)
        )
        ours = select(NetworkEntry.commissioner).where(
            currently_known(NetworkEntry), NetworkEntry.network.in_(caller.organisations)
        )
        applied = select(Application.commissioner).where(
            or_(Application.network.in_(caller.organisations), Application.proposed_code.in_(caller.organisations))
        )
        seen += [Round.commissioner.in_(mine), Round.commissioner.in_(ours), Round.commissioner.in_(applied)]
    return or_(*seen) if seen else false()


async def find_round(
    session: AsyncSession,
    id: str,
    caller: Caller,
    today: date,
    *,
    known_at: datetime | None = None,
    lock: bool = False,
) -> Round:
    """A round the caller may see, and that was known then. Raises `RoundNotFound`.

    Locked, it serialises all that decides the area.
    """
    statement = select(Round).where(Round.id == id, await visible_rounds(session, caller, today))
    if known_at is not None:
        statement = statement.where(Round.opened_at <= known_at)
    found = await session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise RoundNotFound(f"No round {id}.")
    return found


def status_then(known_at: datetime | None) -> ColumnElement[RoundStatus]:
    """What became of a round by a moment, or by now."""
    if known_at is None:
        return Round.status.expression
    settled = func.coalesce(Round.decided_at, Round.abandoned_at)
    return case((settled > known_at, RoundStatus.OPEN.value), else_=Round.status)


async def require_decider(session: AsyncSession, commissioner: str, caller: Caller, day: date) -> None:
    """Who decides an area on a day: its commissioner, or whoever came into its rights, where commissioning is delegated
    to it; the national team always may.
    """
    if not await decides_for(session, commissioner, caller, day):
        raise NotYoursToDecide(f"The area of {commissioner} is not yours to decide.")


async def submitted_applications(
    session: AsyncSession, round: str, known_at: datetime | None = None
) -> list[Application]:
    """The applications of a round that wait for its decision, or waited then, in the order in which they were made."""
    if known_at is not None:
        latest = ApplicationVersion.latest(known_at)
        then = select(ApplicationVersion.state).where(
            ApplicationVersion.id == latest, ApplicationVersion.says("status") == ApplicationStatus.SUBMITTED.value
        )
        of_round = then.join(Application, Application.id == ApplicationVersion.application)
        states = await session.scalars(of_round.where(Application.round == round).order_by(Application.id))
        return [Application.remembered(state) for state in states]
    statement = (
        select(Application)
        .where(Application.round == round, Application.status == ApplicationStatus.SUBMITTED)
        .options(selectinload(Application.practices))
        .order_by(Application.id)
        .execution_options(populate_existing=True)
    )
    return list((await session.scalars(statement)).all())


async def known_practices(
    session: AsyncSession, codes: Iterable[str], round: Round, known_at: datetime | None = None
) -> dict[str, KnownPractice]:
    """What the register knows of these practices for a round: lists of the snapshot day, the rest on its first day.

    The list of a practice that has gone over into one of them since is part of its own.
    """
    asked = set(codes)
    wanted = literal(sorted(asked), ARRAY(Text))
    entry = select(PracticeEntry.practice, PracticeEntry.name, PracticeEntry.status).where(
        as_at(PracticeEntry, round.starts_on, known_at), PracticeEntry.practice == any_(wanted)
    )
    open_ones = {code: (name, status) for code, name, status in (await session.execute(entry))}
    over = await went_over(session, round.starts_on, known_at)
    gone = {code: heir for code, heir in over.items() if heir in asked}
    lists = select(ListSize.practice, ListSize.value, ListSize.commissioner).where(
        as_at(ListSize, round.snapshot, known_at),
        ListSize.basis == Basis.REGISTERED,
        ListSize.practice == any_(literal(sorted({*asked, *gone}), ARRAY(Text))),
    )
    listed = {code: (value, by) for code, value, by in (await session.execute(lists))}
    sizes = {code: size for code, size in listed.items() if code in asked}
    for code in sorted(listed.keys() & gone.keys()):
        value, by = sizes.get(gone[code], (Decimal(0), listed[code][1]))
        sizes[gone[code]] = (value + listed[code][0], by)
    contract = select(PracticeContract.contract).where(
        PracticeContract.practice == Practice.code, as_at(PracticeContract, round.starts_on, known_at)
    )
    facts = select(Practice.code, contract.scalar_subquery(), PracticeCommissioner.commissioner).outerjoin(
        PracticeCommissioner,
        and_(PracticeCommissioner.practice == Practice.code, as_at(PracticeCommissioner, round.starts_on, known_at)),
    )
    members = select(Membership.practice, Membership.network, Membership.portion).where(
        as_at(Membership, round.starts_on, known_at), Membership.practice == any_(wanted)
    )
    networks: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for code, network, portion in await session.execute(members.order_by(Membership.network)):
        networks[code][network] = (portion.upper or Decimal(1)) - (portion.lower or Decimal(0))
    allocated = select(Allocation.practice, func.coalesce(Allocation.network, Allocation.application)).where(
        as_at(Allocation, round.starts_on, known_at), Allocation.practice == any_(wanted)
    )
    served = dict((await session.execute(allocated)).all())
    # what an heir commissions on that day is of the area it inherited, whose code the round keeps
    heir = await heir_of(session, round.commissioner, round.starts_on, known_at)
    known = {}
    for code, contract, commissioner in await session.execute(facts.where(Practice.code == any_(wanted))):
        name, status = open_ones.get(code, (code, None))
        known[code] = KnownPractice(
            code=code,
            name=name,
            open=status in (PracticeStatus.ACTIVE, PracticeStatus.DORMANT),
            commissioner=round.commissioner
            if commissioner == heir
            else commissioner or sizes.get(code, (None, None))[1],
            contract=contract,
            patients=sizes.get(code, (None, None))[0],
            networks=tuple(networks[code]),
            allocated_to=served.get(code),
            shares=networks[code],
        )
    return known
