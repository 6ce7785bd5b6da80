from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field

from services.registry.codes import Day, NetworkCode, OrganisationCode
from services.registry.networks.model import NetworkNotFound
from services.registry.rounds.model import NotYoursToDecide
from services.registry.withdrawals import operations, queries
from services.registry.withdrawals.model import (
    AppealedAlready,
    AppealOutcome,
    AppealTooLate,
    EntitlementAlreadyRestored,
    EntitlementAlreadyWithdrawn,
    NoAppealWaiting,
    NotYoursToAppeal,
    NotYoursToHear,
    Withdrawal,
    WithdrawalNotFound,
    WithdrawalState,
)
from shared.http import (
    AsAt,
    Idempotent,
    IfMatch,
    In,
    KnownAt,
    Now,
    Out,
    Page,
    Paging,
    Reading,
    Today,
    Transaction,
    page,
    refusals,
    service_router,
    tag,
)
from shared.identity import Caller, Role, allow

router = service_router("registry", tags=["withdrawals"])
Reader = Annotated[
    Caller,
    allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.LMC, Role.NETWORK, Role.PRACTICE),
]
Decider = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER)]
Reason = Annotated[str, Field(min_length=3, max_length=10_000)]
Evidence = Annotated[str, Field(min_length=3, max_length=2_000)]


class NoticeIn(In):
    """Whose right ends from which day, why and on what evidence; `appeal_by` is the last day for an appeal.

    `salaries_stay`: why what a network was paid for its staff before the notice stays paid, though the months count
    without the right. Unless it is said, what was paid for them is taken back.
    """

    network: NetworkCode
    practice: OrganisationCode | None = None
    reason: Reason
    evidence: Annotated[list[Evidence], Field(min_length=1, max_length=50)]
    notified_on: Day
    withdrawn_from: Day
    appeal_by: Day
    salaries_stay: Reason | None = None


class AppealIn(In):
    """`lodged_on`: the day it came in, said only by who takes it in."""

    reason: Reason
    evidence: Annotated[list[Evidence], Field(max_length=50)] = []
    lodged_on: Day | None = None


class OutcomeIn(In):
    outcome: AppealOutcome
    reason: Reason
    decided_on: Day


class RestorationIn(In):
    restored_from: Day
    reason: Reason


class AppealOut(Out):
    lodged_on: date | None
    reason: str | None
    evidence: list[str]
    by: str | None
    outcome: AppealOutcome | None
    outcome_on: date | None
    outcome_reason: str | None
    outcome_by: str | None


class WithdrawalOut(Out):
    id: str
    network: str
    practice: str | None
    commissioner: str
    state: WithdrawalState
    reason: str
    evidence: list[str]
    notified_on: date
    withdrawn_from: date
    appeal_by: date
    salaries_stay: str | None
    given_by: str
    appeal: AppealOut | None
    restored_from: date | None
    restored_reason: str | None
    restored_by: str | None


def _shown(found: Withdrawal, known_at: datetime | None = None) -> WithdrawalOut:
    """A withdrawal with the steps that had been taken when it was known so."""

    def known(at: datetime | None) -> bool:
        return at is not None and (known_at is None or at <= known_at)

    settled = known(found.outcome_at)
    restored = known(found.restored_at)
    upheld = settled and found.outcome is AppealOutcome.UPHELD
    appeal = AppealOut(
        lodged_on=found.appealed_on,
        reason=found.appeal_reason,
        evidence=found.appeal_evidence,
        by=found.appealed_by,
        outcome=found.outcome if settled else None,
        outcome_on=found.outcome_on if settled else None,
        outcome_reason=found.outcome_reason if settled else None,
        outcome_by=found.outcome_by if settled else None,
    )
    back = found.restored_from if restored else None
    return WithdrawalOut(
        id=found.id,
        network=found.network,
        practice=found.practice,
        commissioner=found.commissioner,
        state=found.state(known_at),
        reason=found.reason,
        evidence=found.evidence,
        notified_on=found.notified_on,
        withdrawn_from=found.withdrawn_from,
        appeal_by=found.appeal_by,
        salaries_stay=found.salaries_stay,
        given_by=found.given_by,
        appeal=appeal if known(found.appealed_at) else None,
        restored_from=found.withdrawn_from if upheld else back,
        restored_reason=found.outcome_reason if upheld else found.restored_reason if restored else None,
        restored_by=found.outcome_by if upheld else found.restored_by if restored else None,
    )


@router.post(
    "/withdrawals",
    response_model=WithdrawalOut,
    status_code=201,
    responses=refusals(NetworkNotFound, NotYoursToDecide, EntitlementAlreadyWithdrawn),
)
async def give_notice(
    notice: NoticeIn, session: Transaction, response: Response, caller: Decider, now: Now, _: Idempotent
) -> WithdrawalOut:
    """Give notice that a network, or one practice in it, is not paid from a day on."""
    made = await operations.give_notice(session, caller=caller, now=now, **notice.model_dump())
    response.headers["Location"] = f"/registry/v1/withdrawals/{made.id}"
    tag(response, made)
    return _shown(made)


@router.get("/withdrawals", response_model=Page[WithdrawalOut])
async def list_withdrawals(
    session: Reading,
    caller: Reader,
    paging: Paging,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
    network: Annotated[str | None, Query(max_length=6)] = None,
    practice: Annotated[str | None, Query(max_length=12)] = None,
    commissioner: Annotated[str | None, Query(max_length=12)] = None,
) -> dict[str, Any]:
    """Withdrawals of entitlement known now or then; with `as_at` those by which a right has lapsed on that day."""
    statement = queries.withdrawals_on(as_at, known_at).where(await queries.visible_withdrawals(session, caller, today))
    if network is not None:
        statement = statement.where(Withdrawal.network == network)
    if practice is not None:
        statement = statement.where(Withdrawal.practice == practice)
    if commissioner is not None:
        statement = statement.where(Withdrawal.commissioner == commissioner)
    rows, following = await page(session, statement, [Withdrawal.id], paging)
    return {"items": [_shown(row[0], known_at) for row in rows], "next": following}


@router.get("/withdrawals/{id}", response_model=WithdrawalOut, responses=refusals(WithdrawalNotFound))
async def read_withdrawal(
    id: str, session: Reading, response: Response, caller: Reader, today: Today, known_at: KnownAt = None
) -> WithdrawalOut:
    """One withdrawal: the notice, the appeal and its outcome, as known now or then."""
    found = await queries.find_withdrawal(session, id, caller, today, known_at=known_at)
    tag(response, found)
    return _shown(found, known_at)


@router.put(
    "/withdrawals/{id}/appeal",
    response_model=WithdrawalOut,
    responses=refusals(WithdrawalNotFound, NotYoursToAppeal, AppealedAlready, AppealTooLate),
)
async def lodge_appeal(
    id: str,
    appeal: AppealIn,
    session: Transaction,
    response: Response,
    caller: Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER, Role.NETWORK, Role.PRACTICE)],
    now: Now,
    if_match: IfMatch = None,
) -> WithdrawalOut:
    """Appeal against the notice by its deadline."""
    found = await operations.lodge_appeal(
        session,
        id,
        appeal.reason,
        appeal.evidence,
        lodged_on=appeal.lodged_on,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    tag(response, found)
    return _shown(found)


@router.put(
    "/withdrawals/{id}/outcome",
    response_model=WithdrawalOut,
    responses=refusals(WithdrawalNotFound, NotYoursToAppeal, NotYoursToHear, NoAppealWaiting),
)
async def settle_appeal(
    id: str,
    outcome: OutcomeIn,
    session: Transaction,
    response: Response,
    caller: Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER, Role.NETWORK, Role.PRACTICE)],
    now: Now,
    if_match: IfMatch = None,
) -> WithdrawalOut:
    """Uphold or dismiss the appeal, or take it back; upheld, the right returns from the day it was withdrawn."""
    found = await operations.settle_appeal(
        session,
        id,
        outcome.outcome,
        outcome.reason,
        decided_on=outcome.decided_on,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    tag(response, found)
    return _shown(found)


@router.put(
    "/withdrawals/{id}/restoration",
    response_model=WithdrawalOut,
    responses=refusals(WithdrawalNotFound, NotYoursToDecide, EntitlementAlreadyRestored),
)
async def restore(
    id: str,
    restoration: RestorationIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> WithdrawalOut:
    """Give the right back from a day on; a notice given in error is undone from its own first day."""
    found = await operations.restore_entitlement(
        session,
        id,
        restoration.restored_from,
        restoration.reason,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    tag(response, found)
    return _shown(found)
