"""Redirections over HTTP: proposed and decided by national finance, read by the payees and networks they concern."""

from datetime import datetime
from typing import Annotated

from fastapi import Path, Query, Response
from pydantic import Field
from sqlalchemy import select

from services.funding.codes import OrganisationCode
from services.funding.instructions.model import MoreThanIsLeft, NothingToRedirect, StillOnItsWay
from services.funding.instructions.operations import InstructionNotFound
from services.funding.redirections import operations, queries
from services.funding.redirections.model import (
    NotThePayee,
    ProposedByAnother,
    RedirectedToItself,
    Redirection,
    RedirectionDecided,
    RedirectionInProgress,
    RedirectionNotFound,
    RedirectionStatus,
    SamePersonRedirects,
)
from services.funding.redirections.queries import redirections_seen
from shared.errors import PreconditionFailed, PreconditionMissing
from shared.http import (
    Idempotent,
    IfMatch,
    In,
    KnownAt,
    MoneyOut,
    Now,
    Out,
    Page,
    Paging,
    Reading,
    Transaction,
    page,
    refusals,
    service_router,
    tag,
)
from shared.identity import Caller, Role, allow
from shared.years import Month

router = service_router("funding", tags=["redirections"])

RedirectionId = Annotated[str, Path(max_length=64)]
Finance = Annotated[Caller, allow(Role.NATIONAL)]
Sees = Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR, Role.PAYEE, Role.PRACTICE, Role.NETWORK)]


class RedirectionIn(In):
    """Whose part of which instruction goes to whom: the `network`'s own money, or that of one `practice` in it."""

    instruction: Annotated[str, Field(min_length=1, max_length=80)]
    network: OrganisationCode
    practice: OrganisationCode | None = None
    redirected_to: OrganisationCode
    reason: Annotated[str, Field(min_length=3, max_length=1000)]


class RedirectionRefusalIn(In):
    reason: Annotated[str, Field(min_length=3, max_length=1000)]


class RedirectedAmountOut(Out):
    """What of it was paid for one stream and month; `reference` names the claim or other amount, if it is one."""

    contract_year: str
    stream: str
    month: str
    reference: str | None
    amount: MoneyOut


class RedirectionOut(Out):
    """`month` is the instruction's; `amounts` say what was paid for, once two people stand behind it.

    The new payee's instruction that sends the money is `taken_into`.
    """

    id: str
    instruction: str
    month: str
    network: str
    practice: str | None
    payee: str
    redirected_to: str
    amount: MoneyOut
    reason: str
    status: RedirectionStatus
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    refusal: str | None
    taken_into: str | None
    amounts: list[RedirectedAmountOut]


class InstructionPartOut(Out):
    """One part of an instruction: a network's own money, or one practice's in it.

    `left` may still go to another payee, and only to whoever is paid such money today.
    """

    network: str
    practice: str | None
    amount: MoneyOut
    left: MoneyOut
    paid_today: str


class InstructionPartsOut(Out):
    items: list[InstructionPartOut]


async def _out(
    session: Reading, redirections: list[Redirection], known_at: datetime | None = None
) -> list[RedirectionOut]:
    told = [queries.as_then_known(one, known_at) for one in redirections]
    amounts = await queries.amounts_of(session, [str(one["id"]) for one in told])
    return [
        RedirectionOut.model_validate(
            {**one, "amounts": amounts.get(one["id"], []) if one["status"] is RedirectionStatus.APPROVED else []}
        )
        for one in told
    ]


@router.get(
    "/payment-instructions/{instruction_id}/parts",
    responses=refusals(InstructionNotFound),
    summary="Whose money an instruction carries",
)
async def read_parts(
    session: Reading, caller: Sees, now: Now, instruction_id: Annotated[str, Path(max_length=80)]
) -> InstructionPartsOut:
    """Part by part: what of it may still go to another payee, and who is paid such money today."""
    found = await operations.who_is_paid(session, instruction_id, caller=caller, now=now)
    return InstructionPartsOut(items=[InstructionPartOut.model_validate(part) for part in found])


@router.post(
    "/payment-redirections",
    status_code=201,
    responses=refusals(
        InstructionNotFound,
        StillOnItsWay,
        NothingToRedirect,
        RedirectedToItself,
        NotThePayee,
        RedirectionInProgress,
    ),
    summary="Propose a redirection",
)
async def propose(
    given: RedirectionIn, session: Transaction, response: Response, caller: Finance, now: Now, _: Idempotent
) -> RedirectionOut:
    """For money that came back, or is held, because its payee is gone; a second person decides."""
    made = await operations.propose_redirection(
        session, operations.Proposal(**given.model_dump()), caller=caller, now=now
    )
    response.headers["Location"] = f"/funding/v1/payment-redirections/{made.id}"
    tag(response, made)
    return (await _out(session, [made]))[0]


@router.get("/payment-redirections", summary="Redirections")
async def list_redirections(
    session: Reading,
    paging: Paging,
    caller: Sees,
    instruction: Annotated[str | None, Query(max_length=80)] = None,
    network: Annotated[str | None, Query(max_length=32)] = None,
    payee: Annotated[str | None, Query(max_length=32)] = None,
    redirected_to: Annotated[str | None, Query(max_length=32)] = None,
    month: Month | None = None,
    status: RedirectionStatus | None = None,
    known_at: KnownAt = None,
) -> Page[RedirectionOut]:
    """What was proposed and decided, the oldest first; with `known_at` those proposed by then, as they stood then."""
    statement = select(Redirection).where(redirections_seen(caller))
    if known_at is not None:
        statement = statement.where(Redirection.proposed_at <= known_at)
    if status is not None:
        statement = statement.where(queries.stood_at(status, known_at))
    for column, wanted in (
        (Redirection.instruction, instruction),
        (Redirection.network, network),
        (Redirection.payee, payee),
        (Redirection.redirected_to, redirected_to),
        (Redirection.month, month),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    found, following = await page(session, statement, [Redirection.id], paging)
    return Page(items=await _out(session, [row[0] for row in found], known_at), next=following)


@router.get(
    "/payment-redirections/{redirection_id}", responses=refusals(RedirectionNotFound), summary="One redirection"
)
async def read_redirection(
    session: Reading, response: Response, caller: Sees, redirection_id: RedirectionId, known_at: KnownAt = None
) -> RedirectionOut:
    """Who proposed and decided it, why, and what the money was paid for."""
    found = await operations.redirection_seen(session, redirection_id, caller, known_at=known_at)
    tag(response, found)
    return (await _out(session, [found], known_at))[0]


_DECIDING = (RedirectionNotFound, RedirectionDecided, PreconditionFailed, PreconditionMissing)


@router.put(
    "/payment-redirections/{redirection_id}/approval",
    responses=refusals(
        *_DECIDING,
        SamePersonRedirects,
        NotThePayee,
        InstructionNotFound,
        StillOnItsWay,
        NothingToRedirect,
        MoreThanIsLeft,
    ),
    summary="Approve a redirection",
)
async def approve(
    session: Transaction,
    response: Response,
    caller: Finance,
    now: Now,
    redirection_id: RedirectionId,
    if_match: IfMatch = None,
) -> RedirectionOut:
    """The next run that pays the new payee sends the money, and the new payee stands for it from now on."""
    done = await operations.approve_redirection(session, redirection_id, if_match, caller=caller, now=now)
    tag(response, done)
    return (await _out(session, [done]))[0]


@router.put(
    "/payment-redirections/{redirection_id}/refusal",
    responses=refusals(*_DECIDING),
    summary="Turn a redirection down",
)
async def refuse(
    why: RedirectionRefusalIn,
    session: Transaction,
    response: Response,
    caller: Finance,
    now: Now,
    redirection_id: RedirectionId,
    if_match: IfMatch = None,
) -> RedirectionOut:
    """With a reason; the money stays where it is."""
    done = await operations.refuse_redirection(session, redirection_id, if_match, why.reason, caller=caller, now=now)
    tag(response, done)
    return (await _out(session, [done]))[0]


@router.put(
    "/payment-redirections/{redirection_id}/withdrawal",
    responses=refusals(*_DECIDING, ProposedByAnother),
    summary="Withdraw a proposed redirection",
)
async def withdraw(
    why: RedirectionRefusalIn,
    session: Transaction,
    response: Response,
    caller: Finance,
    now: Now,
    redirection_id: RedirectionId,
    if_match: IfMatch = None,
) -> RedirectionOut:
    """By whoever proposed it, with a reason; the money stays where it is."""
    done = await operations.withdraw_redirection(session, redirection_id, if_match, why.reason, caller=caller, now=now)
    tag(response, done)
    return (await _out(session, [done]))[0]
