"""Taking back what was paid by name, claims and achievements, for months whose right was withdrawn afterwards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.arrears.model import ArrearsClaim
from services.funding.claims.model import Claim
from services.funding.claims.parts import whole_of
from services.funding.lines.words import Trace
from services.funding.membership_rules.operations import rules_of
from services.funding.networks.model import Withdrawal
from services.funding.payments.model import PaymentLine, PaymentRun, RunStatus
from services.funding.payments.payables import PART, Payable, Source, ids_of, kind_of
from services.funding.redirections.queries import moved_by_reference
from services.funding.reversals.line import kept_of
from services.funding.reversals.rights import Rights
from shared.events.base import Event
from shared.facts import currently_known
from shared.years import FIRST_MONTH, first_day, months_between, year_end, year_of

KIND = "reversals"
CAUSE = "withdrawal"
ClaimT = TypeVar("ClaimT", Claim, ArrearsClaim)


class Paid(NamedTuple):
    """A line with a reference that a network's payee was paid by; `issued_at` is null in the run being drafted."""

    id: str
    network: str
    payee: str
    stream: str
    month: str
    amount: Decimal
    reference: str
    trace: Trace
    issued_at: datetime | None


async def rights_of(session: AsyncSession, month: str) -> dict[str, Rights]:
    """By network, only those whose right was ever withdrawn: what is known of it now."""
    found: dict[str, list[Withdrawal]] = defaultdict(list)
    withdrawals = select(Withdrawal).where(currently_known(Withdrawal), Withdrawal.practice.is_(None))
    for fact in await session.scalars(withdrawals.order_by(Withdrawal.withdrawal)):
        found[fact.network].append(fact)
    if not found:
        return {}
    rules = await rules_of(session, months_between(first_day(FIRST_MONTH), year_end(year_of(month))), None)
    return {network: Rights(facts, rules) for network, facts in found.items()}


async def paid_by_name(session: AsyncSession, networks: Collection[str], through: str) -> list[Paid]:
    """What issued runs paid these networks' payees for claims, achievements and the like, the first paid first; then
    what of it went from payees (below nothing) to others.
    """
    if not networks:
        return []
    years = sorted({year_of(month) for month in months_between(first_day(FIRST_MONTH), first_day(through))})
    columns = (
        *(PaymentLine.id, PaymentLine.network, PaymentLine.payee, PaymentLine.stream, PaymentLine.month),
        *(PaymentLine.amount, PaymentLine.reference, PaymentLine.trace, PaymentRun.issued_at),
    )
    rows = await session.execute(
        select(*columns)
        .join(PaymentRun, PaymentRun.id == PaymentLine.run)
        .where(
            PaymentRun.status == RunStatus.ISSUED,
            PaymentLine.contract_year.in_(years),
            PaymentLine.network.in_(networks),
            PaymentLine.practice.is_(None),
            PaymentLine.reference.is_not(None),
            PaymentLine.amount.is_not(None),
            PaymentLine.month <= through,
        )
        .order_by(PaymentRun.issued_at, PaymentLine.id)
    )
    found = [Paid(*row) for row in rows]
    by_reference = {line.reference: line for line in found}
    for reference, payee, amount in await moved_by_reference(session, by_reference):
        line = by_reference[reference]
        found.append(line._replace(id=f"{line.id}{PART}{payee}", payee=payee, amount=amount))
    return found


def root_of(reference: str, trace: Trace, lines: Mapping[str, Paid]) -> str:
    """What an amount was claimed or earned for in the first place, whatever added to it later."""
    if trace["kind"] == "achievement":
        return f"achievements/{trace['achievement']}"
    if trace["kind"] == "adjustment" and trace["line"] in lines:
        adjusted = lines[trace["line"]]
        return root_of(adjusted.reference, adjusted.trace, lines)
    return whole_of(reference)


def part_of(rights: Rights, trace: Trace, lines: Mapping[str, Paid], paid_at: datetime | None) -> Fraction:
    """The part of an amount there is a right to; what adjusts a line goes the way of that line."""
    if trace["kind"] == "adjustment" and trace["line"] in lines:
        adjusted = lines[trace["line"]]
        return rights.part_of(adjusted.trace, adjusted.issued_at)
    return rights.part_of(trace, paid_at)


def reversals_of(rights: Mapping[str, Rights], paid: Sequence[Paid]) -> list[Payable]:
    """What is to be taken back, or paid again, of what each payee was paid for each claim and achievement.

    For whoever was paid: the part of the amounts there is a right to, as known now, less what was paid, less what was
    taken back before.
    """
    lines = {line.id: line for line in paid}
    groups: dict[tuple[str, str, str], list[Paid]] = defaultdict(list)
    before: dict[tuple[str, str, str], list[Decimal]] = defaultdict(list)
    for line in paid:
        if line.trace["kind"] == "reversal":
            before[line.network, line.trace["of"], line.payee].append(line.amount)
        else:
            groups[line.network, root_of(line.reference, line.trace, lines), line.payee].append(line)
    made = []
    for (network, root, payee), of_group in groups.items():
        right = rights[network]
        parts = [part_of(right, line.trace, lines, line.issued_at) for line in of_group]
        gross = sum((line.amount for line in of_group), Decimal("0.00"))
        earlier = before[network, root, payee]
        taken = sum(earlier, Decimal("0.00"))
        amount = kept_of(zip((line.amount for line in of_group), parts, strict=True)) - gross - taken
        if not amount:
            continue
        first = of_group[0]
        made.append(
            Payable(
                reference=f"{KIND}/{first.id}.{len(earlier) + 1}",
                network=network,
                practice=None,
                payee=payee,
                stream=first.stream,
                month=first.month,
                amount=amount,
                cause=CAUSE,
                trace={
                    "kind": "reversal",
                    "of": root,
                    "month": first.month,
                    "paid": [
                        [line.id, str(line.amount), str(part)] for line, part in zip(of_group, parts, strict=True)
                    ],
                    "withdrawals": right.touching(first.trace),
                    "reversed_before": str(taken),
                    "amount": str(amount),
                },
            )
        )
    return made


async def unpaid(_session: AsyncSession, _month: str, _now: datetime) -> list[Payable]:
    """Nothing by itself: what is taken back follows from all else a run pays, and is drafted after it."""
    return []


async def pay(session: AsyncSession, references: Collection[str], run: str, _: datetime) -> list[Event]:
    """The reversals were part of an issued run: the claims they concern know what of them was taken back."""
    rows = await session.execute(
        select(PaymentLine.trace["of"].astext, PaymentLine.amount).where(
            PaymentLine.run == run, PaymentLine.reference.in_(list(references))
        )
    )
    amounts: dict[str, Decimal] = defaultdict(lambda: Decimal("0.00"))
    for root, amount in rows:
        amounts[root] += amount
    return [
        *await _take_back(session, Claim, "claims", amounts, run),
        *await _take_back(session, ArrearsClaim, "arrears", amounts, run),
    ]


async def _take_back(
    session: AsyncSession, model: type[ClaimT], kind: str, amounts: Mapping[str, Decimal], run: str
) -> list[Event]:
    named = [reference for reference in amounts if kind_of(reference) == kind]
    found = await session.scalars(select(model).where(model.id.in_(ids_of(named))).order_by(model.id).with_for_update())
    return [claim.take_back(amounts[f"{kind}/{claim.id}"], run) for claim in found.all()]


REVERSALS = Source(KIND, unpaid, pay)
