"""How an approved claim reaches a payment run, and how the line that pays it recomputes and explains itself."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.claims.beyond import beyond_sums
from services.funding.claims.model import Claim, ClaimStatus
from services.funding.claims.parts import in_parts, paid_by_run
from services.funding.lines.words import Trace, doubts, of_variation, paid_before_in_words, pounds
from services.funding.money import to_pence
from services.funding.payments.payables import Payable, Source
from shared.events.base import Event

KIND = "claims"


async def unpaid(session: AsyncSession, month: str, _: datetime) -> list[Payable]:
    """Every approved claim that has not been paid, or not whole, of this month or an earlier one; what a sum lowered
    since does not reach any more waits."""
    approved = (
        select(Claim)
        .where(Claim.status == ClaimStatus.APPROVED, Claim.month <= month)
        .order_by(Claim.network, Claim.month, Claim.id)
    )
    claims = (await session.scalars(approved)).all()
    beyond = await beyond_sums(session) if claims else {}
    return [
        part
        for claim in claims
        if claim.payable is not None
        for part in in_parts(
            Payable(
                reference=f"{KIND}/{claim.id}",
                network=claim.network,
                practice=None,
                payee=None,
                stream="arrs",
                month=claim.month,
                amount=claim.payable,
                cause="due" if claim.month == month else "claim-late",
                trace=claim.trace(),
            ),
            claim.paid,
            beyond.get(f"{KIND}/{claim.id}"),
        )
    ]


async def pay(session: AsyncSession, references: Collection[str], run: str, _: datetime) -> list[Event]:
    """The claims were part of an issued run. Raises `ClaimDecided` where one is no longer approved."""
    amounts = await paid_by_run(session, references, run)
    found = await session.scalars(select(Claim).where(Claim.id.in_(list(amounts))).order_by(Claim.id).with_for_update())
    return [claim.pay(run, amounts[claim.id]) for claim in found.all()]


CLAIMS = Source(KIND, unpaid, pay)


def recompute(trace: Trace) -> Decimal:
    """The least of the share of the cost, the role's ceiling and what was left of the sum."""
    if "counted" not in trace:  # a line written before caps were counted in days
        limits = [Decimal(trace["share_amount"]), Decimal(trace["ceiling"]), Decimal(trace["room"])]
        return min(limits) - Decimal(trace["paid_before"] or 0)
    counted, days = Decimal(trace["counted"]), Decimal(trace["equivalent_days"])
    share = to_pence(Decimal(trace["cost"]) * Decimal(trace["share"]) * counted, days)
    ceiling = to_pence(Decimal(trace["maximum"]) * counted, Decimal(12 * trace["days_in_month"]))
    return min(share, ceiling, Decimal(trace["room"])) - Decimal(trace["paid_before"] or 0)


def arithmetic(trace: Trace) -> tuple[list[str], list[str]]:
    """The claim's cost, each limit on it, and what to be wary of."""
    counted, days = trace.get("counted"), trace.get("equivalent_days")
    part = "" if counted == days else f" × {counted}/{days} days of one WTE that count"
    lines = [
        f"Cost claimed: {pounds(trace['salary'])} salary + {pounds(trace['employer_ni'])} employer NI + "
        f"{pounds(trace['employer_pension'])} employer pension + {pounds(trace['fee_allowed'])} supplier fee = "
        f"{pounds(trace['cost'])}",
        f"Share paid: {trace['share']} × {pounds(trace['cost'])}{part} = {pounds(trace['share_amount'])}",
        f"Role maximum: £{trace['maximum']} a year × {trace['wte']} WTE / 12 × {trace['days_worked']}/"
        f"{trace['days_in_month']} days{part} = {pounds(trace['ceiling'])} (rate {trace['tariff']}"
        f"{of_variation(trace.get('variation'))})",
        f"Left of the network's sum for the year: {pounds(trace['room'])}",
        *paid_before_in_words(trace),
        f"To pay, the least of these: {pounds(trace['amount'])} (limited by: {trace['limited_by']})",
    ]
    if part and trace.get("cap_days") is not None:
        cap = f"The cap on the role{of_variation(trace.get('cap_variation'))}"
        lines.insert(1, f"{cap} leaves {trace['cap_days']} days of one WTE in the month.")
    if Decimal(trace.get("withheld_days") or 0):
        lines.insert(1, f"A baseline post stands empty: {trace['withheld_days']} days of one WTE cannot be claimed.")
    if trace["confidence"] == "agreed":
        lines.append("The role is not of the national list: its ceiling is the one agreed with the commissioner.")
    return lines, doubts(trace["tariff"], trace["confidence"])
