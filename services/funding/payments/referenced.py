"""Writing down what other nouns have to pay: claims, achievements, adjustments, and what of it is taken back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from pydantic_core import from_json
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.agreements.operations import Waiting, lacking_agreement
from services.funding.payments.drafting import Drafted, held_trace
from services.funding.payments.heads import Hold
from services.funding.payments.payables import Payable
from services.funding.payments.sources import SOURCES
from services.funding.reversals.operations import Paid, paid_by_name, part_of, reversals_of, rights_of
from services.funding.reversals.rights import Rights
from shared.years import FIRST_MONTH, first_day, months_between

RIGHT_WITHDRAWN = "right-withdrawn"


async def draft_payables(
    session: AsyncSession, drafted: Drafted, month: str, payees: dict[str, str], now: datetime
) -> None:
    """Write down everything other nouns have to pay for this month or an earlier one.

    What a network would get for months it had no right to be paid for waits, until the right comes back; so does what
    waits for an agreement and what its noun holds. What was paid for months without the right is taken back from
    whoever was paid.
    """
    rights = await rights_of(session, month)
    paid = await paid_by_name(session, rights.keys(), month)
    lines = {line.id: line for line in paid}
    months = months_between(first_day(FIRST_MONTH), first_day(month))
    waiting = await lacking_agreement(session, months, now)
    begin = len(drafted.rows)
    for source in SOURCES:
        for payable in await source.unpaid(session, month, now):
            hold = _right_withdrawn(payable, rights.get(payable.network), lines) or _waits(payable, waiting)
            _add(drafted, payable, payees, hold or payable.hold)
    made = _of_run(drafted, begin, rights) if rights else []
    for reversal in reversals_of(rights, [*paid, *made]):
        _add(drafted, reversal, payees, _waits(reversal, waiting))


def _add(drafted: Drafted, payable: Payable, payees: Mapping[str, str], hold: Hold | None) -> None:
    drafted.add(
        network=payable.network,
        practice=payable.practice,
        payee=payable.payee or payees.get(payable.network, payable.network),
        stream=payable.stream,
        month=payable.month,
        amount=payable.amount if hold is None else None,
        cause=payable.cause if hold is None else "held",
        held_code=None if hold is None else hold.code,
        reference=payable.reference,
        trace=payable.trace if hold is None else held_trace([payable.month], hold.code, hold.detail),
    )
    if hold is None and payable.trace.get("tariff"):
        drafted.doubt(payable.trace["tariff"], payable.trace.get("confidence"))


def _right_withdrawn(payable: Payable, rights: Rights | None, lines: Mapping[str, Paid]) -> Hold | None:
    """Why a network's amount waits: it has a right to no part of it. What a practice claims for itself rests on another
    contract."""
    if payable.practice is not None or rights is None or part_of(rights, payable.trace, lines, None):
        return None
    (fact, *_) = rights.touching(payable.trace)
    detail = f"The network's right to be paid was withdrawn from {fact['withdrawn_from']}: {fact['reason']}"
    return Hold(RIGHT_WITHDRAWN, detail)


def _waits(payable: Payable, waiting: Waiting) -> Hold | None:
    """Why a network's amount waits for its agreement. What is asked back of whoever was paid it never does."""
    if payable.practice is not None or (payable.amount <= 0 and payable.payee is not None):
        return None
    return waiting.get(payable.network, {}).get(payable.month)


def _of_run(drafted: Drafted, begin: int, networks: Collection[str]) -> list[Paid]:
    """What the run itself is to pay these networks' payees for claims, achievements and the like."""
    return [
        Paid(
            id=row["id"],
            network=row["network"],
            payee=row["payee"],
            stream=row["stream"],
            month=row["month"],
            amount=row["amount"],
            reference=row["reference"],
            trace=from_json(row["trace"]),
            issued_at=None,
        )
        for row in drafted.rows_since(begin)
        if row["network"] in networks and row["practice"] is None and row["amount"] is not None
    ]
