"""Claims over HTTP: made here, decided and paid by funding."""

from datetime import date
from typing import Annotated, Any

from fastapi import Response

from services.workforce.claims import operations
from services.workforce.claims.model import (
    Claim,
    ClaimNotReopened,
    MonthNotEnded,
    NothingToClaim,
    Outcome,
    OutcomeState,
)
from services.workforce.networks.model import NetworkNotApproved
from services.workforce.shapes import FaultOut, Month, Number, OrganisationCode
from shared.errors import NotFound
from shared.http import (
    Idempotent,
    In,
    MoneyOut,
    Out,
    Page,
    Paging,
    Reading,
    Today,
    Transaction,
    page,
    refusals,
    service_router,
)
from shared.identity import Caller, Role, allow

router = service_router("workforce", tags=["claims"])

Reader = Annotated[Caller, allow(Role.NETWORK, Role.COMMISSIONER, Role.SYSTEM, Role.NATIONAL, Role.OPERATOR)]


class ClaimsIn(In):
    network: OrganisationCode
    month: Month


class ClaimOut(Out):
    """A claim and what became of it: `made` until funding answers, then `returned`, `approved`, `rejected` or `paid`.

    `resubmits` is the claim it puts right; `withheld_days` are days of one whole-time equivalent it may not count.
    """

    id: str
    network: str
    post: str
    role: str
    month: str
    worked_from: date
    worked_to: date
    salary: MoneyOut
    employer_ni: MoneyOut
    employer_pension: MoneyOut
    supplier_fee: MoneyOut
    total: MoneyOut
    made_on: date
    attempt: int
    resubmits: str | None
    withheld_days: Number
    state: str = "made"
    payable: MoneyOut | None = None
    limited_by: str | None = None
    code: str | None = None
    reason: str | None = None
    paid: MoneyOut | None = None
    run: str | None = None


class MonthClaimedOut(Out):
    """The claims made now, and of every other post the reason why not."""

    network: str
    month: str
    total: MoneyOut
    claims: list[ClaimOut]
    not_claimed: list[FaultOut]


def shown(claim: Claim, outcome: Outcome | None) -> ClaimOut:
    out = ClaimOut.model_validate(claim)
    if outcome is None:
        return out
    return out.model_copy(
        update={
            "state": outcome.state.value,
            "payable": outcome.payable,
            "limited_by": outcome.limited_by,
            "code": outcome.code,
            "reason": outcome.reason,
            "paid": outcome.paid,
            "run": outcome.run,
        }
    )


@router.post(
    "/claims", status_code=201, responses=refusals(NothingToClaim, MonthNotEnded, NetworkNotApproved, NotFound)
)
async def claim_month(
    wanted: ClaimsIn,
    session: Transaction,
    caller: Annotated[Caller, allow(Role.NETWORK)],
    today: Today,
    _: Idempotent,
) -> MonthClaimedOut:
    """Claim a month for every post of the network that has its cost on record."""
    made = await operations.claim_month(session, network=wanted.network, month=wanted.month, caller=caller, today=today)
    return MonthClaimedOut(
        network=made.network,
        month=made.month,
        total=made.total,
        claims=[shown(claim, None) for claim in made.claims],
        not_claimed=[FaultOut.model_validate(reason) for reason in made.not_claimed],
    )


@router.get("/claims")
async def list_claims(
    session: Reading,
    caller: Reader,
    paging: Paging,
    network: str | None = None,
    month: str | None = None,
    post: str | None = None,
    state: OutcomeState | None = None,
) -> Page[ClaimOut]:
    """Claims the caller may see, and what became of each."""
    statement = operations.visible_claims(caller)
    if network is not None:
        statement = statement.where(Claim.network == network)
    if month is not None:
        statement = statement.where(Claim.month == month)
    if post is not None:
        statement = statement.where(Claim.post == post)
    if state is not None:
        statement = statement.where(Outcome.state == state)
    rows, following = await page(session, statement, [Claim.__table__.c.id], paging)
    pairs: list[Any] = list(rows)
    return Page(items=[shown(pair[0], pair[1]) for pair in pairs], next=following)


@router.get("/claims/{claim_id}", responses=refusals(NotFound))
async def read_claim(claim_id: str, session: Reading, caller: Reader) -> ClaimOut:
    """One claim, and what became of it."""
    return shown(*await operations.find_claim(session, claim_id, caller=caller))


@router.post("/claims/{claim_id}/resubmission", status_code=201, responses=refusals(ClaimNotReopened, NotFound))
async def resubmit_claim(
    claim_id: str,
    session: Transaction,
    response: Response,
    caller: Annotated[Caller, allow(Role.NETWORK)],
    today: Today,
    _: Idempotent,
) -> ClaimOut:
    """Claim again what was sent back or turned down, with the cost and standing as they are on record now."""
    claim = await operations.resubmit_claim(session, claim_id, caller=caller, today=today)
    response.headers["Location"] = f"/workforce/v1/claims/{claim.id}"
    return shown(claim, None)
