"""Payment instructions over HTTP."""

from datetime import date
from typing import Annotated

from fastapi import Path, Query, Response
from pydantic import Field
from sqlalchemy import select

from services.funding.bank_details.operations import payees_seen
from services.funding.dated import Day
from services.funding.instructions import operations
from services.funding.instructions.model import (
    DebtOutcome,
    InstructionNotReturned,
    InstructionNotSent,
    InstructionSettled,
    InstructionState,
    PaymentInstruction,
    SettledTooEarly,
)
from services.funding.instructions.operations import InstructionNotFound
from shared.errors import PreconditionFailed, PreconditionMissing
from shared.history import as_known
from shared.http import (
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

router = service_router("funding", tags=["payment instructions"])

InstructionId = Annotated[str, Path(max_length=80)]
Finance = Annotated[Caller, allow(Role.NATIONAL)]
Sees = Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR, Role.PAYEE, Role.PRACTICE, Role.NETWORK)]


class InstructionOut(Out):
    """`amount` is the payee's lines of the run (`of_run`) and what was `brought_forward`; `parts` is it by network.

    One carried forward or returned names in `taken_into` the later instruction that took it up; `redirected` went, or
    goes, to other payees: the redirections of the instruction say to whom and why.
    """

    id: str
    run: str
    payee: str
    month: str
    contract_year: str
    of_run: MoneyOut
    brought_forward: MoneyOut
    amount: MoneyOut
    parts: dict[str, MoneyOut]
    state: InstructionState
    held_code: str | None
    held_reason: str | None
    reference: str
    file: str | None
    settled_on: date | None
    settled_by: str | None
    return_code: str | None
    return_reason: str | None
    remedy: str | None
    taken_into: str | None
    debt: DebtOutcome | None
    redirected: MoneyOut


class InstructionConfirmationIn(In):
    confirmed_on: Day


class InstructionReturnIn(In):
    """`code` is the bank's."""

    returned_on: Day
    code: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    reason: Annotated[str, Field(min_length=1, max_length=1000)]


class RemedyIn(In):
    """How the cause of the return was settled."""

    reason: Annotated[str, Field(min_length=1, max_length=1000)]


@router.get("/payment-instructions", summary="Payment instructions")
async def list_instructions(
    session: Reading,
    paging: Paging,
    caller: Sees,
    run: Annotated[str | None, Query(max_length=64)] = None,
    payee: Annotated[str | None, Query(max_length=32)] = None,
    month: Month | None = None,
    state: InstructionState | None = None,
    known_at: KnownAt = None,
) -> Page[InstructionOut]:
    """What the caller is or was sent, and what became of it."""
    stood = as_known(PaymentInstruction, known_at)
    statement = select(stood).where(payees_seen(caller, stood.payee))
    for column, wanted in (
        (stood.run, run),
        (stood.payee, payee),
        (stood.month, month),
        (stood.state, state),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    found, following = await page(session, statement, [stood.id], paging)
    return Page(items=[InstructionOut.model_validate(row[0]) for row in found], next=following)


@router.get(
    "/payment-instructions/{instruction_id}", responses=refusals(InstructionNotFound), summary="One payment instruction"
)
async def read_instruction(
    session: Reading,
    response: Response,
    caller: Sees,
    instruction_id: InstructionId,
    known_at: KnownAt = None,
) -> InstructionOut:
    """One payee's amount of a run and what became of it."""
    found = await operations.instruction_seen(session, instruction_id, caller, known_at=known_at)
    tag(response, found)
    return InstructionOut.model_validate(found)


_SETTLING = refusals(
    InstructionNotFound,
    InstructionNotSent,
    InstructionSettled,
    SettledTooEarly,
    PreconditionFailed,
    PreconditionMissing,
)


@router.put(
    "/payment-instructions/{instruction_id}/confirmation", responses=_SETTLING, summary="The payee has the money"
)
async def confirm_instruction(
    confirmation: InstructionConfirmationIn,
    session: Transaction,
    response: Response,
    caller: Finance,
    now: Now,
    instruction_id: InstructionId,
    if_match: IfMatch = None,
) -> InstructionOut:
    """The payment arrived. Told again, it answers the same."""
    found = await operations.confirm_instruction(
        session, instruction_id, if_match, confirmation.confirmed_on, caller=caller, now=now
    )
    tag(response, found)
    return InstructionOut.model_validate(found)


@router.put("/payment-instructions/{instruction_id}/return", responses=_SETTLING, summary="The money came back")
async def return_instruction(
    given_back: InstructionReturnIn,
    session: Transaction,
    response: Response,
    caller: Finance,
    now: Now,
    instruction_id: InstructionId,
    if_match: IfMatch = None,
) -> InstructionOut:
    """The bank sent the money back: it is due again, and leaves with the next run once the cause is settled."""
    found = await operations.return_instruction(
        session,
        instruction_id,
        if_match,
        given_back.returned_on,
        given_back.code,
        given_back.reason,
        caller=caller,
        now=now,
    )
    tag(response, found)
    return InstructionOut.model_validate(found)


@router.put(
    "/payment-instructions/{instruction_id}/remedy",
    responses=refusals(InstructionNotFound, InstructionNotReturned, PreconditionFailed, PreconditionMissing),
    summary="The cause of a return is settled",
)
async def settle_cause(
    remedy: RemedyIn,
    session: Transaction,
    response: Response,
    caller: Finance,
    now: Now,
    instruction_id: InstructionId,
    if_match: IfMatch = None,
) -> InstructionOut:
    """The next run sends the money again. Other bank details approved since settle it by themselves."""
    found = await operations.settle_cause(session, instruction_id, if_match, remedy.reason, caller=caller, now=now)
    tag(response, found)
    return InstructionOut.model_validate(found)
