"""Claiming for a practice, deciding on its claims, taking them back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, false, func, or_, select, true
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.heirs.model import Succession, holders
from services.funding.heirs.operations import NotYoursToDecide
from services.funding.networks.mergers import mergers_on
from services.funding.networks.model import Practice, PracticeHeir
from services.funding.payments.model import PAYMENTS_LOCK, PaymentLine, PaymentRun, RunStatus
from services.funding.practice_scheme.checking import check
from services.funding.practice_scheme.hours import lock_person
from services.funding.practice_scheme.model import (
    Content,
    PracticeClaim,
    Step,
)
from services.funding.practice_scheme.refusals import PracticeClaimExists
from services.funding.scope import commissioned_by
from shared.clock import london_day
from shared.database import new_id
from shared.errors import NotFound
from shared.facts import currently_known
from shared.history import as_known
from shared.http import require_match
from shared.identity import Caller, Role
from shared.messaging import announce
from shared.years import year_of

KIND = "practice-claims"


class PracticeClaimNotFound(NotFound):
    """No such claim of a practice, or none the caller may see."""


class PracticeNotFound(NotFound):
    """No such practice, or none the caller may claim for."""


def practice_codes_seen(caller: Caller) -> Any:
    """A subquery of the practices whose claims a caller may see: its own, or those of its area."""
    ways = commissioned_by(caller, Practice.commissioner)
    if caller.has(Role.PRACTICE):
        ways.append(Practice.code.in_(_own_and_taken_over(caller)))
    return select(Practice.code).where(true() if caller.everywhere else or_(false(), *ways))


def _own_and_taken_over(caller: Caller) -> Any:
    """A subquery of the caller's practices and of those that went over into them, as known now."""
    codes = sorted(caller.organisations)
    taken = (
        select(PracticeHeir.practice.label("code"))
        .where(PracticeHeir.successor.in_(codes), currently_known(PracticeHeir))
        .cte(recursive=True)
    )
    earlier = (
        select(PracticeHeir.practice)
        .join(taken, PracticeHeir.successor == taken.c.code)
        .where(currently_known(PracticeHeir))
    )
    held = select(Practice.code.label("code")).where(Practice.code.in_(codes))
    return select(held.union(select(taken.union(earlier).c.code)).subquery().c.code)


def practice_claims_seen(caller: Caller, claim: Any = PracticeClaim) -> ColumnElement[bool]:
    """True of the claims a caller may see: drafts are their own practice's alone."""
    own: ColumnElement[bool] = claim.practice.in_(_own_and_taken_over(caller))
    seen: ColumnElement[bool] = claim.practice.in_(practice_codes_seen(caller))
    return seen & or_(claim.status != Step.DRAFT, own)


async def practice_claim_seen(
    session: AsyncSession, claim_id: str, caller: Caller, *, lock: bool = False, known_at: datetime | None = None
) -> PracticeClaim:
    """A practice's claim the caller may see, now or as it stood then. Raises `PracticeClaimNotFound`."""
    stood = as_known(PracticeClaim, known_at)
    statement = select(stood).where(stood.id == claim_id, practice_claims_seen(caller, stood))
    claim = await session.scalar(statement.with_for_update() if lock else statement)
    if claim is None:
        raise PracticeClaimNotFound(f"No claim {claim_id}.")
    return claim


async def draft_claim(
    session: AsyncSession, practice: str, content: Content, continues: str | None, *, caller: Caller, now: datetime
) -> PracticeClaim:
    """A practice, or the one it went over into, drafts a claim; `continues` names an earlier one of the same series.

    Raises `PracticeNotFound`, `PracticeClaimNotFound` and `PracticeClaimExists`.
    """
    known = await session.scalar(select(Practice.code).where(Practice.code == practice))
    heir = (await mergers_on(session, london_day(now))).heir_of(practice)
    if known is None or not {practice, heir} & caller.organisations:
        raise PracticeNotFound(f"No practice {practice}.")
    claim = PracticeClaim(id=new_id("pcl"), practice=practice, status=Step.DRAFT, checked={}, created_at=now, version=1)
    claim.series = claim.id
    if continues is not None:
        earlier = await practice_claim_seen(session, continues, caller)
        if (earlier.practice, earlier.person, earlier.kind) != (practice, content.person, content.kind):
            raise PracticeClaimNotFound(f"{continues} is not a claim of {practice} for the same GP and kind.")
        claim.series = earlier.series
    await _written(session, claim, content, now)
    return claim


async def rewrite_claim(
    session: AsyncSession, claim_id: str, if_match: str | None, content: Content, *, caller: Caller, now: datetime
) -> PracticeClaim:
    """A practice changes a draft, or a claim sent back. Raises `PracticeClaimNotEditable`."""
    claim = await _own(session, claim_id, if_match, caller)
    await _written(session, claim, content, now)
    return claim


async def _written(session: AsyncSession, claim: PracticeClaim, content: Content, now: datetime) -> None:
    claim.write(content)
    claim.contract_year = year_of(content.month)
    session.add(claim)
    try:
        async with session.begin_nested():
            await session.flush()
    except IntegrityError as error:
        raise PracticeClaimExists(f"{claim.practice} claims {content.month} of this GP already.") from error
    await check(session, claim, now)
    await session.flush()


async def _own(session: AsyncSession, claim_id: str, if_match: str | None, caller: Caller) -> PracticeClaim:
    claim = await practice_claim_seen(session, claim_id, caller, lock=True)
    require_match(claim, if_match)
    return claim


async def submit_claim(
    session: AsyncSession, claim_id: str, if_match: str | None, *, caller: Caller, now: datetime
) -> PracticeClaim:
    """The practice hands a claim in. Raises `TooLateToClaim`, `TooEarlyToClaim` and `PracticeClaimNotOpen`."""
    claim = await _own(session, claim_id, if_match, caller)
    announce(session, claim.submit(london_day(now)))
    await check(session, claim, now)
    await session.flush()
    return claim


async def withdraw_claims(
    session: AsyncSession, claim_id: str, if_match: str | None, *, caller: Caller, now: datetime
) -> PracticeClaim:
    """The practice takes a claim back, and with an advance claim the later ones of its series.

    Raises `TooLateToWithdraw` and `PracticeClaimNotOpen`.
    """
    # a run being calculated may be about to pay it: whether it does is known when that is over
    await session.execute(select(func.pg_advisory_xact_lock_shared(PAYMENTS_LOCK)))
    claim = await _own(session, claim_id, if_match, caller)
    later: Sequence[PracticeClaim] = ()
    if claim.advance:
        found = await session.scalars(
            select(PracticeClaim)
            .where(
                PracticeClaim.series == claim.series,
                PracticeClaim.month > claim.month,
                PracticeClaim.status.in_((Step.DRAFT, Step.SUBMITTED, Step.RETURNED, Step.APPROVED)),
            )
            .order_by(PracticeClaim.month, PracticeClaim.id)
            .with_for_update()
        )
        later = found.all()
    last_month = max([claim.month, *(one.month for one in later)])
    in_file = await in_payment_file(session, [claim.id, *(one.id for one in later)])
    for one in (claim, *later):
        event = one.withdraw(london_day(now), last_month, in_file=one.id in in_file)
        if event is not None:
            announce(session, event)
    await session.flush()
    return claim


async def in_payment_file(session: AsyncSession, claims: Sequence[str], known_at: datetime | None = None) -> set[str]:
    """Those of the claims that stand, or stood then, in a run calculated or approved and not yet issued."""
    run = as_known(PaymentRun, known_at)
    rows = await session.scalars(
        select(PaymentLine.reference)
        .join(run, run.id == PaymentLine.run)
        .where(
            run.status.in_((RunStatus.CALCULATED, RunStatus.APPROVED)),
            PaymentLine.reference.in_([f"{KIND}/{claim}" for claim in claims]),
        )
    )
    return {reference.partition("/")[2] for reference in rows.all() if reference}


async def must_decide_for_practice(session: AsyncSession, caller: Caller, practice: str, today: date) -> None:
    """Raises `NotYoursToDecide` unless the caller is national or commissions the practice now."""
    if caller.has(Role.NATIONAL):
        return
    held = await session.scalar(select(Practice.commissioner).where(Practice.code == practice))
    successions = (await session.scalars(select(Succession))).all()
    if held is None or not holders(held, successions, today) & caller.organisations:
        raise NotYoursToDecide(f"The commissioner that decides for {practice} now is another.")


async def _to_decide(
    session: AsyncSession, claim_id: str, if_match: str | None, caller: Caller, now: datetime
) -> PracticeClaim:
    claim = await practice_claim_seen(session, claim_id, caller)
    await must_decide_for_practice(session, caller, claim.practice, london_day(now))
    # two claims of one ceiling decided at once must not both take the same room
    family = (await mergers_on(session, london_day(now))).family_of(claim.practice)
    await session.execute(
        select(Practice.code).where(Practice.code.in_(family)).order_by(Practice.code).with_for_update()
    )
    await session.refresh(claim, with_for_update=True)
    require_match(claim, if_match)
    return claim


async def confirm_advance(
    session: AsyncSession, claim_id: str, if_match: str | None, *, caller: Caller, now: datetime
) -> PracticeClaim:
    """The commissioner confirms that a month may be claimed ahead. Raises `PracticeClaimNotOpen`."""
    claim = await _to_decide(session, claim_id, if_match, caller, now)
    claim.confirm_advance(caller.subject)
    await session.flush()
    return claim


async def approve_claim(
    session: AsyncSession, claim_id: str, if_match: str | None, *, caller: Caller, now: datetime
) -> PracticeClaim:
    """The commissioner accepts a claim for what is payable now; whoever is approved first is paid first.

    Raises `PracticeClaimNotOpen`, `AdvanceNotConfirmed` and `PracticeClaimNotPayable`.
    """
    claim = await _to_decide(session, claim_id, if_match, caller, now)
    await lock_person(session, claim.person, claim.month)
    announce(session, claim.approve(await check(session, claim, now), by=caller.subject, at=now))
    await session.flush()
    return claim


async def close_claim(
    session: AsyncSession,
    claim_id: str,
    if_match: str | None,
    step: Step,
    code: str,
    reason: str,
    *,
    caller: Caller,
    now: datetime,
) -> PracticeClaim:
    """The commissioner turns a claim down or sends it back. Raises `PracticeClaimNotOpen`."""
    claim = await _to_decide(session, claim_id, if_match, caller, now)
    close = claim.reject if step is Step.REJECTED else claim.send_back
    announce(session, close(code, reason, by=caller.subject, at=now))
    await session.flush()
    return claim
