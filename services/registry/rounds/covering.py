"""How the patients of an area are covered, worked out from lists, members, allocations and applications."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, Text, and_, any_, func, literal, or_, select, union
from sqlalchemy.dialects.postgresql import ARRAY, Range
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.allocations.model import Allocation
from services.registry.applications.form import Form
from services.registry.hierarchy.model import Succession
from services.registry.list_sizes.model import Basis, ListSize
from services.registry.networks.model import Membership
from services.registry.practices.model import (
    PracticeCommissioner,
    PracticeDispersal,
    PracticeEntry,
)
from services.registry.practices.queries import went_over
from services.registry.rounds.coverage import Cover, Coverage, DecidedCover
from services.registry.rounds.model import Round
from services.registry.scope import heir_of, held_by
from shared.facts import ONE_DAY, as_at, believed, days, of_key
from shared.years import year_end


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

    All the year from the day the round takes effect, or on `day`; as known now, or then. Whoever was on the list of a
    practice that has gone over into another since is its successor's patient, and covered as those are.
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
    dispersed = await _dispersed(session, codes, round, day, known_at)
    coverage = Coverage(
        tuple(
            Cover(
                practice,
                name or practice,
                patients,
                sum((share for share, _, _ in covered[code]), Decimal(0)),
                tuple((kind, by) for _, kind, by in covered[code]),
                merged_into=heirs.get(practice),
                dispersed=dispersed.get(code),
            )
            for (practice, patients, name), code in zip(rows, codes, strict=True)
        )
    )
    for turn in await _turns(session, codes, round, known_at) if day is None else ():
        then = await coverage_of(session, round, applications, day=turn, known_at=known_at)
        coverage = coverage.until(turn, then)
    return coverage


async def _turns(
    session: AsyncSession, codes: Sequence[str], round: Round, known_at: datetime | None
) -> Sequence[date]:
    """The days of the year, after its first, on which who serves one of these lists is known to do so no more."""
    wanted = any_(literal(list(codes), ARRAY(Text)))
    ends = union(
        *(
            select(func.upper(fact.valid).label("day")).where(
                fact.practice == wanted, believed(fact, known_at), fact.valid.overlaps(_spell(round, None))
            )
            for fact in (Membership, Allocation)
        )
    ).subquery()
    within = ends.c.day.between(round.starts_on + ONE_DAY, year_end(round.contract_year))
    return (await session.scalars(select(ends.c.day).where(within).order_by(ends.c.day))).all()


def _spell(round: Round, day: date | None) -> Range[date]:
    """The days for which patients are to be served; for a day, or a month, they would be left out for the rest."""
    return days(round.starts_on, year_end(round.contract_year)) if day is None else days(day, day)


async def _dispersed(
    session: AsyncSession, codes: Sequence[str], round: Round, day: date | None, known_at: datetime | None
) -> dict[str, str]:
    """Per practice that closed, why the patients it was counted with are nobody's to serve: they went elsewhere."""
    statement = select(PracticeDispersal.practice, func.coalesce(PracticeDispersal.reason, "")).where(
        believed(PracticeDispersal, known_at),
        PracticeDispersal.valid.contains(_spell(round, day)),
        func.lower(PracticeDispersal.valid) > round.snapshot,
        PracticeDispersal.practice == any_(literal(list(codes), ARRAY(Text))),
    )
    return dict((await session.execute(statement)).all())


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

    def stays(held: Membership) -> bool:
        goes_on = held.network not in again and (held.practice, held.network) not in leaving
        return goes_on and (held.practice not in applying or held.share < 1)

    wanted = any_(literal(list(codes), ARRAY(Text)))
    on_the_day = as_at(Membership, day or round.starts_on, known_at)
    for held in await session.scalars(select(Membership).where(on_the_day, Membership.practice == wanted)):
        if stays(held):
            covered[held.practice].append((held.share, "network", held.network))
    allocations = select(Allocation.practice, Allocation.network, Allocation.application).where(
        believed(Allocation, known_at), Allocation.valid.contains(_spell(round, day)), Allocation.practice == wanted
    )
    allocated = (await session.execute(allocations)).all()
    # a network whose every member leaves by these applications ends, and serves nobody's list any more
    serving = {network for _, network, _ in allocated if network is not None} - again
    theirs = (await session.scalars(select(Membership).where(on_the_day, Membership.network.in_(serving)))).all()
    ends = {held.network for held in theirs} - {held.network for held in theirs if stays(held)}
    served = {application.id for application in applications}
    for practice, network, application_id in allocated:
        if application_id in served if network is None else network not in ends:
            covered[practice].append((Decimal(1), "allocation", network or application_id or ""))
    return covered


async def decided_coverage(session: AsyncSession, round: Round) -> Coverage:
    """The coverage the decision of a round was taken on."""
    kept = select(DecidedCover).where(DecidedCover.round == round.id).order_by(DecidedCover.practice)
    return Coverage(tuple(cover.seen() for cover in await session.scalars(kept)))
