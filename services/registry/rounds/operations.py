from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.applications.history import keep
from services.registry.applications.model import Application, ApplicationStatus, RefusalGround, Step
from services.registry.hierarchy.model import Commissioner, CommissionerNotFound
from services.registry.networks.operations import lock_register
from services.registry.rounds.coverage import Coverage, DecidedCover
from services.registry.rounds.covering import coverage_of, decided_coverage
from services.registry.rounds.decision import put_into_effect, settle_allocations
from services.registry.rounds.findings import findings_in, require_accepted
from services.registry.rounds.model import Round, RoundAlreadyOpen
from services.registry.rounds.overtaken import require_still_good
from services.registry.rounds.queries import find_round, require_decider, submitted_applications
from services.registry.scope import acts_for
from shared.clock import london_day
from shared.database import new_id
from shared.errors import Invalid
from shared.http import require_match
from shared.identity import Caller, Role
from shared.messaging import announce


@dataclass(frozen=True, slots=True)
class Assessed:
    """The coverage of an area on a day; `of_decision` where it is the one its round was decided on."""

    coverage: Coverage
    day: date
    of_decision: bool


async def open_round(session: AsyncSession, *, caller: Caller, commissioner: str, now: datetime, **terms: Any) -> Round:
    """Open a registration round of an area.

    Raises `CommissionerNotFound`, `NotYoursToDecide`, `RoundAlreadyOpen`, `Invalid` for days that do not fit.
    """
    today = london_day(now)
    if not caller.has(Role.NATIONAL) and not await acts_for(session, commissioner, caller, today):
        raise CommissionerNotFound(f"No commissioner {commissioner}.")
    if await session.get(Commissioner, commissioner) is None:
        raise CommissionerNotFound(f"No commissioner {commissioner}.")
    await require_decider(session, commissioner, caller, today)
    made = Round(id=new_id("rnd"), commissioner=commissioner, opened_by=caller.subject, opened_at=now, **terms)
    faults = made.faults()
    if faults:
        raise Invalid("The days of the round do not fit together.", errors=faults)
    try:
        async with session.begin_nested():
            session.add(made)
    except IntegrityError as error:
        if "uq_rounds_one_open" in str(error.orig):
            raise RoundAlreadyOpen(f"A round of {commissioner} for {made.contract_year} is open.") from error
        raise
    announce(session, made.opened())
    return made


async def decide_round(
    session: AsyncSession,
    id: str,
    *,
    caller: Caller,
    decided_on: date,
    refusals: dict[str, tuple[RefusalGround, str]],
    override_reason: str | None,
    if_match: str | None,
    now: datetime,
) -> Round:
    """Decide all submitted applications of an area together: approved, unless refused here with a reason."""
    today = london_day(now)
    round = await find_round(session, id, caller, today, lock=True)
    # another area or a file must not name networks or move members between what is assessed here and what is done, nor
    # may the area change hands
    await lock_register(session)
    await require_decider(session, round.commissioner, caller, today)
    round.require_open()
    require_match(round, if_match)
    applications = await submitted_applications(session, id)
    approved = [a for a in applications if a.id not in refusals]
    refused = [a for a in applications if a.id in refusals]
    coverage = await coverage_of(session, round, approved)
    decided = round.decide(
        coverage,
        [a.id for a in applications],
        refusals,
        on=decided_on,
        at=now,
        by=caller.subject,
        today=today,
        national=caller.has(Role.NATIONAL),
        override_reason=override_reason,
    )
    await require_still_good(session, round, approved, approved)
    require_accepted(await findings_in(session, round, approved, approved))
    for application in refused:
        ground, reason = refusals[application.id]
        announce(session, application.refuse(reason, ground, on=decided_on, by=caller.subject))
        session.add(application.step(Step.REFUSED, at=now, on=decided_on, by=caller.subject, reason=reason))
    await put_into_effect(session, round, approved, refused, on=decided_on, by=caller.subject, now=now)
    await keep(session, applications, now)
    await _keep_coverage(session, round, coverage)
    announce(session, decided)
    await session.flush()
    return round


async def abandon_round(
    session: AsyncSession, id: str, reason: str, *, caller: Caller, if_match: str | None, now: datetime
) -> Round:
    """Give up a round that was opened by mistake; patients allocated to its applications are nobody's again."""
    today = london_day(now)
    round = await find_round(session, id, caller, today, lock=True)
    await require_decider(session, round.commissioner, caller, today)
    round.require_open()
    require_match(round, if_match)
    states = (
        await session.execute(
            select(Application.id, Application.status).where(Application.round == id).order_by(Application.id)
        )
    ).all()
    in_use = [made for made, status in states if status in (ApplicationStatus.SUBMITTED, ApplicationStatus.APPROVED)]
    announce(session, round.abandon(reason, in_use, on=today, at=now, by=caller.subject))
    await settle_allocations(session, {}, [made for made, _ in states], now)
    await session.flush()
    return round


async def _keep_coverage(session: AsyncSession, round: Round, coverage: Coverage) -> None:
    """Keep what the decision was taken on; the decision itself is audited with the round."""
    seen = [
        {
            "round": round.id,
            "practice": cover.practice,
            "name": cover.name,
            "patients": cover.patients,
            "share": cover.share,
            "served_by": [list(by) for by in cover.by],
            "merged_into": cover.merged_into,
            "dispersed": cover.dispersed,
            "left_out_from": cover.left_out_from,
        }
        for cover in coverage.practices
    ]
    if seen:
        await session.execute(insert(DecidedCover), seen)


async def assess_coverage(
    session: AsyncSession,
    id: str,
    caller: Caller,
    today: date,
    *,
    as_at: date | None = None,
    known_at: datetime | None = None,
) -> Assessed:
    """Whether every patient of the area is covered, and who is not.

    A decided round answers with what its decision was taken on, unless another day or an earlier moment is asked for.
    """
    round = (await find_round(session, id, caller, today, known_at=known_at)).known_then(known_at)
    day = as_at or round.starts_on
    if as_at is None and round.decided_at is not None:
        kept = await decided_coverage(session, round)
        if kept.practices:
            return Assessed(kept, day, of_decision=True)
        # decided before coverage was kept: as it was known a moment earlier
        known_at = round.decided_at - timedelta(microseconds=1)
    waiting = await submitted_applications(session, id, known_at) if day >= round.starts_on else []
    coverage = await coverage_of(session, round, waiting, day=as_at, known_at=known_at)
    return Assessed(coverage, day, of_decision=as_at is None and round.decided_at is not None)
