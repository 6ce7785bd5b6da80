"""Checking a claim as things stand: everything it is judged by, loaded and put to the rules."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, func, literal, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.agreed_roles.operations import agreement_of
from services.funding.arrears.model import ArrearsClaim
from services.funding.budgets.model import Budget
from services.funding.claims.decision import TAKES
from services.funding.claims.model import Claim, ClaimStatus
from services.funding.claims.rules import AGREED_LOCALLY, OWN_ROLES, VARIED_LOCALLY, Ceiling, Check, check
from services.funding.claims.standing import standing_faults
from services.funding.claims.terms import RoleCap, cap_of
from services.funding.deadlines.operations import deadline_of
from services.funding.local_terms.queries import variation_of
from services.funding.networks.model import Network
from services.funding.networks.withdrawals import month_without_right
from services.funding.payments.model import PaymentLine
from services.funding.payments.payables import PART
from services.funding.practice_scheme.hours import twice_there
from services.funding.queries.model import PaymentQuery, QueryState
from services.funding.tariffs.operations import role_maximum
from services.funding.variations.model import Variation
from shared.clock import london_day
from shared.errors import Fault
from shared.years import first_day, snapshot_of, year_start

# The registered patients of a network's members of the year's first day (or its own first day, if later); nothing while
# the list of one of them is not known.
_REGISTERED = text("""
SELECT CASE WHEN bool_and(p.value IS NOT NULL) THEN sum(m.share * p.value) END
FROM networks AS n
JOIN memberships AS m
  ON m.network = n.code AND upper_inf(m.known) AND m.valid @> greatest(CAST(:begins AS date), n.valid_from)
LEFT JOIN populations AS p
  ON p.practice = m.practice AND p.basis = 'registered' AND p.snapshot = :snapshot AND upper_inf(p.known)
WHERE n.code = :network
""")


_SCOPE: ColumnElement[str] = func.coalesce(Claim.scope, ArrearsClaim.scope)
_WHOLE = func.split_part(PaymentLine.reference, PART, 1)
_SCOPED = (
    select(_SCOPE)
    .select_from(PaymentLine)
    .outerjoin(Claim, literal("claims/").concat(Claim.id) == _WHOLE)
    .outerjoin(ArrearsClaim, literal("arrears/").concat(ArrearsClaim.id) == _WHOLE)
)


# a month without the right has no part of the sum, so a claim that waits for the right takes nothing of the others'
_WAITS_FOR_RIGHT = (Claim.status == ClaimStatus.APPROVED) & month_without_right(Claim.network, Claim.month)


async def check_claim(session: AsyncSession, claim: Claim, now: datetime) -> Check:
    """Check a claim as things stand: share, ceiling, caps, standing, deadline, and room left in the network's sum.

    Of the sum are taken what approved and paid claims of the year took, and what claims submitted before this one ask.
    """
    variation = await variation_of(session, claim.network, first_day(claim.month))
    ceiling = await _ceiling_under(session, claim, variation, now)
    faults = await _faults(session, claim)
    if ceiling is None and claim.role.startswith(OWN_ROLES):
        faults.append(not_agreed("role", claim))
    room, room_fault = await room_of(session, claim.network, claim.contract_year, claim.scope)
    cap, cap_variation = _cap_under(claim, variation)
    return check(
        claim.cost,
        ceiling,
        room,
        room_fault=room_fault,
        earlier=await taken_of_sum(session, claim),
        cap_days=None if cap is None else await _cap_days(session, claim, cap),
        cap_variation=cap_variation,
        faults=faults,
    )


async def ceiling_of(session: AsyncSession, claim: Claim, now: datetime) -> Ceiling | None:
    """The ceiling of a claim as known now: what the commissioner agreed for a role of its own, that of the variation
    the network stands under, else the national one."""
    variation = await variation_of(session, claim.network, first_day(claim.month))
    return await _ceiling_under(session, claim, variation, now)


async def _ceiling_under(
    session: AsyncSession, claim: Claim, variation: Variation | None, now: datetime
) -> Ceiling | None:
    if claim.role.startswith(AGREED_LOCALLY):
        return await agreement_of(session, claim.network, claim.role, claim.worked_from)
    # a role a variation opens has one ceiling in all of its area
    zone = "national" if claim.role.startswith(VARIED_LOCALLY) else claim.zone
    asked = (session, claim.role, zone, first_day(claim.month), london_day(now))
    own = None if variation is None else await role_maximum(*asked, scope=variation.id)
    return own or await role_maximum(*asked)


def not_agreed(place: str, claim: Claim) -> Fault:
    """What is wrong with a claim for a role of its own that no agreement or variation stands behind."""
    said = f"No commissioner agreed on {claim.role} for that day."
    if claim.role.startswith(VARIED_LOCALLY):
        said = f"The network stands under no local variation that opens {claim.role} in {claim.month}."
    return Fault(place, "role_not_agreed", said)


async def room_of(
    session: AsyncSession, network: str, contract_year: str, scope: str
) -> tuple[Decimal | None, Fault | None]:
    """A network's sum of a year, or why there is none to speak of."""
    budget = (
        await session.execute(
            select(Budget.amount, Budget.held_reason).where(
                Budget.network == network, Budget.contract_year == contract_year, Budget.scope == scope
            )
        )
    ).first()
    if budget is None:
        known = await session.scalar(select(Network.code).where(Network.code == network))
        if known is None:
            return None, Fault("network", "network_unknown", f"{network} is not a network known here yet.")
        return None, Fault("network", "budget_missing", f"{network} has no sum for {contract_year}.")
    if budget.amount is None:
        return None, Fault("network", "budget_held", f"The network's sum is held: {budget.held_reason}")
    return budget.amount, None


async def taken_of_sum(session: AsyncSession, claim: Claim) -> Decimal:
    """What claims decided, and those waiting that were made before this one, take of the sum it comes out of."""
    ahead = _ahead_of(claim) & ~_WAITS_FOR_RIGHT
    claimed = await _claimed(session, claim.network, claim.contract_year, claim.scope, ahead)
    decided = ArrearsClaim.status.in_(TAKES)
    arrears = await _arrears(session, claim.network, claim.contract_year, claim.scope, decided)
    return claimed + arrears + await _adjusted(session, claim.network, claim.contract_year, claim.scope)


async def asked_of_year(session: AsyncSession, network: str, contract_year: str, scope: str) -> Decimal:
    """What claims and arrears decided take of a sum, and those waiting ask of it."""
    alive = (*TAKES, ClaimStatus.SUBMITTED)
    claimed = await _claimed(session, network, contract_year, scope, Claim.status.in_(alive))
    arrears = await _arrears(session, network, contract_year, scope, ArrearsClaim.status.in_(alive))
    return claimed + arrears + await _adjusted(session, network, contract_year, scope)


async def taken_of_year(
    session: AsyncSession, network: str, contract_year: str, scope: str, *, without: str = ""
) -> Decimal:
    """What claims and arrears decided take of a sum, but for one claim of arrears, and what answered queries added."""
    taking = Claim.status.in_(TAKES) & ~_WAITS_FOR_RIGHT
    claimed = await _claimed(session, network, contract_year, scope, taking)
    others = ArrearsClaim.status.in_(TAKES) & (ArrearsClaim.id != without)
    arrears = await _arrears(session, network, contract_year, scope, others)
    return claimed + arrears + await _adjusted(session, network, contract_year, scope)


async def scope_of_line(session: AsyncSession, line: str) -> str | None:
    """The sum that a line's claim comes out of; nothing for a line that pays no claim of a network."""
    found: str | None = await session.scalar(_SCOPED.where(PaymentLine.id == line))
    return found


async def _claimed(
    session: AsyncSession, network: str, contract_year: str, scope: str, which: ColumnElement[bool]
) -> Decimal:
    taken = await session.scalar(
        select(func.coalesce(func.sum(Claim.payable - Claim.taken_back), 0)).where(
            Claim.network == network, Claim.contract_year == contract_year, Claim.scope == scope, which
        )
    )
    return Decimal(taken or 0)


async def _arrears(
    session: AsyncSession, network: str, contract_year: str, scope: str, which: ColumnElement[bool]
) -> Decimal:
    taken = await session.scalar(
        select(func.coalesce(func.sum(ArrearsClaim.payable - ArrearsClaim.taken_back), 0)).where(
            ArrearsClaim.network == network,
            ArrearsClaim.contract_year == contract_year,
            ArrearsClaim.scope == scope,
            which,
        )
    )
    return Decimal(taken or 0)


async def _adjusted(session: AsyncSession, network: str, contract_year: str, scope: str) -> Decimal:
    """What answered queries added to lines that paid claims out of a sum, or took off them."""
    added = await session.scalar(
        _SCOPED.join(PaymentQuery, PaymentQuery.line == PaymentLine.id)
        .where(
            PaymentQuery.network == network,
            PaymentQuery.contract_year == contract_year,
            PaymentQuery.state == QueryState.ANSWERED,
            _SCOPE.in_([scope]),
        )
        .with_only_columns(func.coalesce(func.sum(PaymentQuery.adjustment), 0))
    )
    return Decimal(added or 0)


def _ahead_of(claim: Claim) -> ColumnElement[bool]:
    before = (Claim.status == ClaimStatus.SUBMITTED) & (
        (Claim.month < claim.month) | ((Claim.month == claim.month) & (Claim.position < claim.position))
    )
    return (Claim.id != claim.id) & or_(Claim.status.in_(TAKES), before)


def _cap_under(claim: Claim, variation: Variation | None) -> tuple[RoleCap | None, str | None]:
    """The cap on a role's numbers, and the variation it belongs to; a variation may say that there is none."""
    own = None if variation is None else next((cap for cap in variation.caps if cap["role"] == claim.role), None)
    if variation is None or own is None:
        return cap_of(claim.role, first_day(claim.month)), None
    if own["below_100000"] is None:
        return None, variation.id
    figures = (Decimal(own["below_100000"]), Decimal(own["from_100000"]))
    return RoleCap(claim.role, variation.valid_from, variation.valid_to, *figures, "one_source"), variation.id


async def _cap_days(session: AsyncSession, claim: Claim, cap: RoleCap) -> Decimal:
    """What the cap on the role leaves of the month, in days of one whole-time equivalent."""
    patients = await session.scalar(
        _REGISTERED,
        {
            "network": claim.network,
            "begins": max(year_start(claim.contract_year), first_day("2019-07")),
            "snapshot": snapshot_of(claim.contract_year),
        },
    )
    taken = await session.scalar(
        select(func.coalesce(func.sum(Claim.counted), 0)).where(
            Claim.network == claim.network, Claim.role == claim.role, Claim.month == claim.month, _ahead_of(claim)
        )
    )
    return max(cap.allowed(patients) * claim.cost.days_in_month - Decimal(taken or 0), Decimal(0))


async def _faults(session: AsyncSession, claim: Claim) -> list[Fault]:
    started_on = claim.started_on or claim.worked_from
    faults = standing_faults(claim.role, claim.month, started_on, claim.stated)
    twin = await session.scalar(
        select(Claim.id)
        .where(
            Claim.post == claim.post,
            Claim.month == claim.month,
            Claim.network == claim.network,
            Claim.id != claim.id,
            or_(Claim.status.in_(TAKES), (Claim.status == ClaimStatus.SUBMITTED) & (Claim.position < claim.position)),
        )
        .limit(1)
    )
    if twin is not None:
        faults.append(Fault("post", "claimed_already", f"{claim.post} is claimed for {claim.month} by {twin}."))
    faults += await twice_there(session, claim)
    deadline = await deadline_of(session, claim.month)
    late = None if deadline is None else deadline.missed(claim.month, claim.first_day_made)
    return faults if late is None else [*faults, late]
