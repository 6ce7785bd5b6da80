"""Bank details over HTTP: numbers come in and never go out."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Response
from pydantic import AfterValidator, Field
from sqlalchemy import ColumnElement, Select, case, select

from services.funding.bank_details import operations
from services.funding.bank_details.keys import KeyRing
from services.funding.bank_details.model import (
    Account,
    BankDetails,
    ChangeInProgress,
    DetailsDecided,
    DetailsDiffer,
    DetailsStatus,
    PayeeAccount,
)
from services.funding.bank_details.operations import DetailsNotFound, PayeeNotFound, payees_seen
from services.funding.codes import OrganisationCode
from services.funding.dated import Day
from services.funding.payments.model import SamePerson
from services.funding.settings import Settings
from shared.errors import PreconditionFailed, PreconditionMissing
from shared.facts import as_at as held_at
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
from shared.keys import KeysMissing

router = service_router("funding", tags=["bank details"])

DetailsId = Annotated[str, Path(max_length=64)]
Enters = Annotated[Caller, allow(Role.NATIONAL, Role.PAYEE, Role.PRACTICE, Role.NETWORK)]
Sees = Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR, Role.PAYEE, Role.PRACTICE, Role.NETWORK)]
Finance = Annotated[Caller, allow(Role.NATIONAL)]


async def _keys(request: Request) -> KeyRing:
    settings: Settings = request.app.state.service.settings
    return settings.key_ring


Keys = Annotated[KeyRing, Depends(_keys)]


def _some_digit(value: str) -> str:
    if set(value) == {"0"}:
        raise ValueError("all digits are zero")
    return value


SortCode = Annotated[
    str, Field(pattern=r"^[0-9]{6}$", description="Six digits, without hyphens"), AfterValidator(_some_digit)
]
AccountNumber = Annotated[str, Field(pattern=r"^[0-9]{8}$", description="Eight digits"), AfterValidator(_some_digit)]


class DetailsIn(In):
    """Where a payee's money is to go. Only the format is checked, not whether number and sort code belong together."""

    payee: OrganisationCode
    account_name: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9./&' -]*$")]
    sort_code: SortCode
    account_number: AccountNumber
    roll_number: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9./ -]{0,17}$")] = None
    valid_from: Day | None = None


class DetailsApprovalIn(In):
    """The numbers as the second person reads them on the declaration."""

    sort_code: SortCode
    account_number: AccountNumber


class DetailsRefusalIn(In):
    reason: Annotated[str, Field(min_length=1, max_length=1000)]


class DetailsOut(Out):
    """Bank details as they may be shown: name, sort code and number masked."""

    id: str
    payee: str
    status: DetailsStatus
    account_name: str
    sort_code: str
    account_number: str
    valid_from: date
    entered_by: str
    entered_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None


class PayeeAccountOut(Out):
    payee: str
    details: str
    account_name: str
    sort_code: str
    account_number: str
    valid_from: date
    valid_to: date | None


@router.post(
    "/bank-details",
    status_code=201,
    responses=refusals(PayeeNotFound, ChangeInProgress, KeysMissing),
    summary="Enter bank details",
)
async def enter_details(
    details: DetailsIn, session: Transaction, response: Response, caller: Enters, now: Now, keys: Keys, _: Idempotent
) -> DetailsOut:
    """Propose where a payee's money is to go; a second person must approve it."""
    account = Account(details.account_name, details.sort_code, details.account_number, details.roll_number)
    made = await operations.enter_details(
        session, details.payee, account, details.valid_from, keys=keys, caller=caller, now=now
    )
    tag(response, made)
    response.headers["Location"] = f"/funding/v1/bank-details/{made.id}"
    return DetailsOut.model_validate(made)


@router.get("/bank-details", summary="Bank details entered")
async def list_details(
    session: Reading,
    paging: Paging,
    caller: Sees,
    payee: Annotated[str | None, Query(max_length=32)] = None,
    status: DetailsStatus | None = None,
    known_at: KnownAt = None,
) -> Page[DetailsOut]:
    """Every change of bank details that concerns the caller, masked, the oldest first; now or as known then."""
    statement = select(BankDetails).where(payees_seen(caller, BankDetails.payee))
    stood: ColumnElement[DetailsStatus] = BankDetails.status  # type: ignore[assignment]
    if known_at is not None:
        statement = statement.where(BankDetails.entered_at <= known_at)
        stood = case((BankDetails.decided_at <= known_at, BankDetails.status), else_=DetailsStatus.PROPOSED.value)
    if payee is not None:
        statement = statement.where(BankDetails.payee == payee)
    if status is not None:
        statement = statement.where(stood == status)
    found, following = await page(session, statement, [BankDetails.id], paging)
    items = [operations.as_then_known(row[0], known_at) for row in found]
    return Page(items=[DetailsOut.model_validate(item) for item in items], next=following)


@router.get("/bank-details/{details_id}", responses=refusals(DetailsNotFound), summary="One change of bank details")
async def read_details(
    session: Reading, response: Response, caller: Sees, details_id: DetailsId, known_at: KnownAt = None
) -> DetailsOut:
    """Bank details, masked, as they stand or as they stood at `known_at`; the ETag is of what stands."""
    details = await operations.details_seen(session, details_id, caller, known_at=known_at)
    tag(response, details)
    return DetailsOut.model_validate(operations.as_then_known(details, known_at))


@router.put(
    "/bank-details/{details_id}/approval",
    responses=refusals(
        DetailsNotFound, SamePerson, DetailsDecided, DetailsDiffer, KeysMissing, PreconditionFailed, PreconditionMissing
    ),
    summary="Approve bank details",
)
async def approve_details(
    approval: DetailsApprovalIn,
    session: Transaction,
    response: Response,
    caller: Finance,
    now: Now,
    keys: Keys,
    details_id: DetailsId,
    if_match: IfMatch = None,
) -> DetailsOut:
    """A second person enters the numbers again; if they agree, money goes there from the first day on."""
    details = await operations.approve_details(
        session, details_id, if_match, approval.sort_code, approval.account_number, keys=keys, caller=caller, now=now
    )
    tag(response, details)
    return DetailsOut.model_validate(details)


@router.put(
    "/bank-details/{details_id}/refusal",
    responses=refusals(DetailsNotFound, DetailsDecided, PreconditionFailed, PreconditionMissing),
    summary="Turn bank details down",
)
async def refuse_details(
    refusal: DetailsRefusalIn,
    session: Transaction,
    response: Response,
    caller: Finance,
    now: Now,
    details_id: DetailsId,
    if_match: IfMatch = None,
) -> DetailsOut:
    """The change is turned down with a reason; what was in force stays so."""
    details = await operations.refuse_details(session, details_id, if_match, refusal.reason, caller=caller, now=now)
    tag(response, details)
    return DetailsOut.model_validate(details)


@router.get("/payee-accounts", summary="Accounts in force")
async def list_accounts_in_force(
    session: Reading,
    paging: Paging,
    caller: Sees,
    today: Today,
    payee: Annotated[str | None, Query(max_length=32)] = None,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> Page[PayeeAccountOut]:
    """The approved accounts payees are paid by on the day `as_at`, masked."""
    statement: Select[*tuple[Any, ...]] = (
        select(PayeeAccount, BankDetails)
        .join(BankDetails, BankDetails.id == PayeeAccount.details)
        .where(held_at(PayeeAccount, as_at or today, known_at), payees_seen(caller, PayeeAccount.payee))
    )
    if payee is not None:
        statement = statement.where(PayeeAccount.payee == payee)
    found, following = await page(session, statement, [PayeeAccount.fact_id], paging)
    items = [
        PayeeAccountOut(
            payee=held.payee,
            details=held.details,
            account_name=details.account_name,
            sort_code=details.sort_code,
            account_number=details.account_number,
            valid_from=held.valid_from,
            valid_to=held.valid_to,
        )
        for held, details in (tuple(row)[:2] for row in found)
    ]
    return Page(items=items, next=following)
