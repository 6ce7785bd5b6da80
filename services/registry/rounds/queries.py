from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, Text, and_, any_, case, false, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from services.registry.allocations.model import Allocation
from services.registry.applications.form import Form, KnownPractice
from services.registry.applications.history import ApplicationVersion
from services.registry.applications.model import Application, ApplicationStatus
from services.registry.hierarchy.model import Succession
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
from services.registry.rounds.coverage import Cover, Coverage, DecidedCover
from services.registry.rounds.model import NotYoursToDecide, Round, RoundNotFound, RoundStatus
from services.registry.scope import area_of, decides_for, heir_of, held_by
from shared.facts import as_at, believed, currently_known, days, of_key
from shared.identity import Caller, Role
from shared.years import year_end


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


async def _listed_in(session: AsyncSession, round: Round, known_at: datetime | None) -> ColumnElement[bool]:
    """Lists of the area: those published under its commissioner, and, where it came into another's rights or gave a
    part away before the round takes effect, those of the practices that are its own by then.
    """
    published = ListSize.commissioner == round.commissioner
    held = await held_by(session, [round.commissioner], round.starts_on, known_at=known_at)
    links = select(Succession.predecessor, Succession.successor).where(
        or_(Succession.predecessor == round.commissioner, Succession.successor.in_(held)),
        Succession.successor != Succession.predecessor,
        as_at(Succession, round.starts_on, known_at),
    )
    parts = (await session.execute(links)).all()
    if not parts:
        return published
    given_to = {heir for giver, heir in parts if giver == round.commissioner}
    before = {*held, *(giver for giver, _ in parts)} - {round.commissioner}
    by = (
        select(PracticeCommissioner.commissioner)
        .where(
            PracticeCommissioner.practice == ListSize.practice,
            as_at(PracticeCommissioner, round.starts_on, known_at),
        )
        .scalar_subquery()
    )
    gone = await heir_of(session, round.commissioner, round.starts_on, known_at) != round.commissioner
    kept = published if gone else and_(published, func.coalesce(by, round.commissioner).not_in(given_to))
    return or_(kept, and_(ListSize.commissioner.in_(before), by == round.commissioner))


async def coverage_of(
    session: AsyncSession,
    round: Round,
    applications: Sequence[Form],
    *,
    day: date | None = None,
    known_at: datetime | None = None,
) -> Coverage:
    """How every patient of the area is covered if exactly these applications are approved.

    On the day the round takes effect, or on `day`; as known now, or then. Whoever was on the list of a practice that
    has gone over into another since is its successor's patient, and covered as those are.
    """
    names = (
        select(PracticeEntry.name)
        .where(of_key(PracticeEntry.practice, ListSize.practice), believed(PracticeEntry, known_at))
        .order_by(func.lower(PracticeEntry.valid).desc())
        .limit(1)
        .scalar_subquery()
    )
    lists = select(ListSize.practice, ListSize.value, names).where(
        as_at(ListSize, round.snapshot, known_at),
        ListSize.basis == Basis.REGISTERED,
        await _listed_in(session, round, known_at),
        ListSize.value > 0,
    )
    rows = (await session.execute(lists.order_by(ListSize.practice))).all()
    heirs = await went_over(session, day or round.starts_on, known_at)
    codes = [heirs.get(practice, practice) for practice, _, _ in rows]
    covered = await _covered(session, codes, round, applications, day, known_at)
    return Coverage(
        tuple(
            Cover(
                practice,
                name or practice,
                patients,
                sum((share for share, _, _ in covered[heirs.get(practice, practice)]), Decimal(0)),
                tuple((kind, by) for _, kind, by in covered[heirs.get(practice, practice)]),
            )
            for practice, patients, name in rows
        )
    )


async def _covered(
    session: AsyncSession,
    codes: Sequence[str],
    round: Round,
    applications: Sequence[Form],
    day: date | None,
    known_at: datetime | None,
) -> dict[str, list[tuple[Decimal, str, str]]]:
    """Per practice what covers which share of its list: an application, a network that goes on, an allocation."""
    covered: dict[str, list[tuple[Decimal, str, str]]] = defaultdict(list)
    applying = {line.practice for application in applications for line in application.practices}
    again = {application.network for application in applications if application.network}
    leaving = {moved for application in applications for moved in application.leaving()}
    for application in applications:
        for line in application.practices:
            covered[line.practice].append((line.share, "application", application.id))
    wanted = literal(list(codes), ARRAY(Text))
    members = select(Membership.practice, Membership.network, Membership.portion).where(
        as_at(Membership, day or round.starts_on, known_at), Membership.practice == any_(wanted)
    )
    for practice, network, portion in await session.execute(members):
        share = (portion.upper or Decimal(1)) - (portion.lower or Decimal(0))
        goes_on = network not in again and (practice, network) not in leaving
        if goes_on and (practice not in applying or share < 1):
            covered[practice].append((share, "network", network))
    # patients allocated for a day, or a month, are left out for the rest of the year
    spell = days(round.starts_on, year_end(round.contract_year)) if day is None else days(day, day)
    allocations = select(Allocation.practice, Allocation.network, Allocation.application).where(
        believed(Allocation, known_at), Allocation.valid.contains(spell), Allocation.practice == any_(wanted)
    )
    served = {application.id for application in applications}
    for practice, serving, application_id in await session.execute(allocations):
        if serving is not None or application_id in served:
            covered[practice].append((Decimal(1), "allocation", serving or application_id or ""))
    return covered


async def decided_coverage(session: AsyncSession, round: Round) -> Coverage:
    """The coverage the decision of a round was taken on."""
    kept = select(DecidedCover).where(DecidedCover.round == round.id).order_by(DecidedCover.practice)
    return Coverage(tuple(cover.seen() for cover in await session.scalars(kept)))


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
