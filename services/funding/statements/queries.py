"""Putting a statement together from lines, instructions, queries and the engine, in a few statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic_core import from_json
from sqlalchemy import false, func, or_, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.accounts.model import AppointedPayee
from services.funding.accounts.operations import payees_on
from services.funding.debts.model import DebtDecision, DebtStatus
from services.funding.entitlements.queries import load_year, years_paid
from services.funding.instructions.model import InstructionState, PaymentInstruction
from services.funding.networks.model import Membership
from services.funding.payments.drafting import Drafted
from services.funding.payments.engine import differences
from services.funding.payments.model import PaymentLine, PaymentRun, RunStatus
from services.funding.payments.referenced import draft_payables
from services.funding.payments.repayments import charge_whoever_was_paid
from services.funding.queries.model import OPEN, PaymentQuery
from services.funding.redirections.model import Redirection
from services.funding.redirections.queries import approved_by, as_then_known, redirections_seen
from services.funding.scope import lines_seen, network_codes_seen
from shared.audit import as_it_was
from shared.errors import NotFound
from shared.facts import currently_known
from shared.identity import Caller
from shared.years import first_day, next_month, year_of

NOTHING = Decimal("0.00")


class StatementNotFound(NotFound):
    """No payments to such a payee, or none the caller may see."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where one stream of a contract year stands: paid before the month's run, by it, and altogether."""

    contract_year: str
    stream: str
    before: Decimal
    this_month: Decimal

    @property
    def to_date(self) -> Decimal:
        return self.before + self.this_month


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the next run would pay for a stream if it were calculated now, and what would be held and why."""

    stream: str
    amount: Decimal
    held: tuple[str, ...]


@dataclass
class Statement:
    """All of it; `whole` says that the caller sees everything the payee is paid, and so its instruction's amounts."""

    payee: str
    month: str
    whole: bool
    run: PaymentRun | None = None
    lines: list[Any] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    queries: list[PaymentQuery] = field(default_factory=list)
    instruction: PaymentInstruction | None = None
    debt: DebtDecision | None = None
    redirections: list[Mapping[str, Any]] = field(default_factory=list)
    coming_month: str | None = None
    coming: list[Estimate] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        return sum((line.amount for line in self.lines if line.amount is not None), NOTHING)

    @property
    def carried_forward(self) -> Decimal:
        """What is still owed back, and taken off what is paid next."""
        one = self.instruction
        owes = one is not None and one.state is InstructionState.CARRIED and one.debt is None
        return one.amount if one is not None and owes else NOTHING


async def statement_of(
    session: AsyncSession, payee: str, month: str, *, caller: Caller, now: datetime, known_at: datetime | None = None
) -> Statement:
    """A payee's statement for a month, narrowed to what the caller may see: now, or as it was shown at `known_at`, but
    for what was then estimated to come, which nobody keeps. Raises `StatementNotFound`.
    """
    mine = (PaymentLine.payee == payee, lines_seen(caller, PaymentLine))
    was_issued = PaymentRun.status == RunStatus.ISSUED
    if known_at is not None:
        was_issued &= PaymentRun.issued_at <= known_at
    issued = select(PaymentRun.id).where(was_issued)
    redirected = (Redirection.redirected_to == payee, redirections_seen(caller), approved_by(known_at))
    seen = await session.scalar(
        select(
            or_(
                select(PaymentLine.id).where(*mine, PaymentLine.run.in_(issued)).exists(),
                select(Redirection.id).where(*redirected).exists(),
            )
        )
    )
    if not seen:
        raise StatementNotFound(f"No payments to {payee}.")
    statement = Statement(payee, month, whole=caller.everywhere or payee in caller.organisations)
    statement.run = await session.scalar(select(PaymentRun).where(was_issued, PaymentRun.month == month))
    if statement.run is not None:
        rows = await session.execute(
            select(
                PaymentLine.id,
                PaymentLine.network,
                PaymentLine.practice,
                PaymentLine.stream,
                PaymentLine.month,
                PaymentLine.contract_year,
                PaymentLine.amount,
                PaymentLine.cause,
                PaymentLine.held_code,
                PaymentLine.reference,
                PaymentLine.trace["detail"].astext.label("held_reason"),
            )
            .where(PaymentLine.run == statement.run.id, *mine)
            .order_by(PaymentLine.network, PaymentLine.stream, PaymentLine.month, PaymentLine.id)
        )
        statement.lines = list(rows.all())
        instructions = await session.scalars(
            select(PaymentInstruction).where(
                PaymentInstruction.run == statement.run.id, PaymentInstruction.payee == payee
            )
        )
        statement.instruction = next(iter(await as_it_was(session, instructions.all(), known_at)), None)
        statement.debt = await _debt(session, statement.instruction)
    statement.redirections = await _redirections(session, statement, caller, known_at)
    statement.positions = await _positions(session, statement, mine, was_issued)
    statement.queries = await _queries(session, statement, caller, known_at)
    if known_at is None:
        await _estimate(session, statement, caller, now)
    return statement


async def _debt(session: AsyncSession, instruction: PaymentInstruction | None) -> DebtDecision | None:
    """What two people decided of what the payee owes by this instruction."""
    if instruction is None or instruction.debt is None:
        return None
    decided = (DebtDecision.instruction == instruction.id, DebtDecision.status == DebtStatus.APPROVED)
    return await session.scalar(select(DebtDecision).where(*decided))


async def _redirections(
    session: AsyncSession, statement: Statement, caller: Caller, known_at: datetime | None
) -> list[Mapping[str, Any]]:
    """What of the month's payment went to other payees, what of theirs is part of it, and, on the newest statement,
    what was redirected to the payee and is not sent yet."""
    newest = await session.scalar(select(func.max(PaymentRun.month)).where(PaymentRun.status == RunStatus.ISSUED))
    one = None if statement.instruction is None else statement.instruction.id
    of_month = [Redirection.instruction == one, Redirection.taken_into == one] if one is not None else []
    if known_at is None and newest is not None and statement.month >= newest:
        of_month.append((Redirection.redirected_to == statement.payee) & Redirection.taken_into.is_(None))
    found = await session.scalars(
        select(Redirection)
        .where(or_(false(), *of_month), approved_by(known_at), redirections_seen(caller))
        .order_by(Redirection.id)
    )
    return [as_then_known(redirection, known_at) for redirection in found]


async def _queries(
    session: AsyncSession, statement: Statement, caller: Caller, known_at: datetime | None
) -> list[PaymentQuery]:
    """Queries of the month's lines, and of other lines of the payee while they are open."""
    of_month = {line.id for line in statement.lines}
    wanted = select(PaymentQuery).where(PaymentQuery.payee == statement.payee, lines_seen(caller, PaymentQuery))
    if known_at is None:
        wanted = wanted.where(or_(PaymentQuery.line.in_(of_month), PaymentQuery.state.in_(OPEN)))
    else:
        wanted = wanted.where(PaymentQuery.raised_at <= known_at)
    found = (await session.scalars(wanted.order_by(PaymentQuery.id))).all()
    return [
        query for query in await as_it_was(session, found, known_at) if query.line in of_month or query.state in OPEN
    ]


async def _positions(session: AsyncSession, statement: Statement, mine: Any, was_issued: Any) -> list[Position]:
    """Every stream of the month's year, and of earlier years that the month's lines pay for."""
    years = {year_of(statement.month), *(line.contract_year for line in statement.lines)}
    this = func.coalesce(func.sum(PaymentLine.amount).filter(PaymentRun.month == statement.month), 0)
    before = func.coalesce(func.sum(PaymentLine.amount).filter(PaymentRun.month < statement.month), 0)
    rows = await session.execute(
        select(PaymentLine.contract_year, PaymentLine.stream, before, this)
        .join(PaymentRun, PaymentRun.id == PaymentLine.run)
        .where(
            *mine,
            was_issued,
            PaymentRun.month <= statement.month,
            PaymentLine.contract_year.in_(years),
            PaymentLine.amount.is_not(None),
        )
        .group_by(PaymentLine.contract_year, PaymentLine.stream)
        .order_by(PaymentLine.contract_year, PaymentLine.stream)
    )
    return [Position(year, stream, was or NOTHING, now or NOTHING) for year, stream, was, now in rows]


async def _estimate(session: AsyncSession, statement: Statement, caller: Caller, now: datetime) -> None:
    """What the run after the newest one would pay; an earlier month's statement has nothing to come."""
    newest = await session.scalar(select(func.max(PaymentRun.month)).where(PaymentRun.status == RunStatus.ISSUED))
    if newest is None or statement.month < newest:
        return
    coming = statement.coming_month = next_month(newest)
    day = first_day(coming)
    networks = await _networks(session, statement.payee, caller, whole=statement.whole)
    payees = await payees_on(session, day)
    drafted = Drafted("estimate")
    held: dict[str, list[str]] = defaultdict(list)
    for year, through in [*await years_paid(session, year_of(coming)), (year_of(coming), coming)]:
        inputs = await load_year(session, year, through, now, networks=networks)
        dues, helds = differences(inputs)
        for due in dues:
            drafted.rename(due.month, inputs.relabelled.get(due.month, ()))
            drafted.add(
                network=due.key.network,
                practice=due.key.practice,
                payee=due.key.practice or payees.get(due.key.network, due.key.network),
                stream=due.key.stream,
                month=due.month,
                amount=due.amount,
                cause="due",
                trace={},
            )
        for one in helds if through == coming else ():
            if (one.key.practice or payees.get(one.key.network, one.key.network)) == statement.payee:
                held[one.key.stream].append(one.hold.detail)
    await charge_whoever_was_paid(session, drafted)
    await draft_payables(session, drafted, coming, payees, now)
    amounts: dict[str, Decimal] = defaultdict(lambda: NOTHING)
    for row in drafted.rows_of(statement.payee):
        if row["network"] not in networks:
            continue
        if row["amount"] is None:
            held[row["stream"]].append(from_json(row["trace"])["detail"])
        else:
            amounts[row["stream"]] += row["amount"]
    statement.coming = [
        Estimate(stream, amounts.get(stream, NOTHING), tuple(dict.fromkeys(held.get(stream, []))))
        for stream in sorted(amounts.keys() | held.keys())
    ]


async def _networks(session: AsyncSession, payee: str, caller: Caller, *, whole: bool) -> list[str]:
    """The networks a payee may be paid for next: its own, those that appointed it, those it is a member of.

    It may also have to give back what it was paid for a network it turns out never to have had to do with.
    """
    candidates = union(
        select(Membership.network).where(Membership.practice == payee, currently_known(Membership)),
        select(AppointedPayee.network).where(AppointedPayee.payee == payee, currently_known(AppointedPayee)),
        select(PaymentLine.network).where(PaymentLine.payee == payee),
        select(Redirection.network).where(Redirection.redirected_to == payee),
    )
    codes = {payee, *(await session.scalars(candidates)).all()}
    if whole:
        return sorted(codes)
    seen = await session.scalars(network_codes_seen(caller))
    return sorted(codes & set(seen.all()))
