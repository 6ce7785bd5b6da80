"""What an instruction holds for whom and for which months, and who is paid such money today."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.accounts.operations import payee_on
from services.funding.bank_details.operations import payees_seen
from services.funding.instructions.model import PaymentInstruction
from services.funding.networks.model import PracticeHeir
from services.funding.redirections.model import RedirectedAmount, Redirection, RedirectionStatus
from services.funding.redirections.parts import For, Had, Part, Whose, parts
from shared.facts import as_at
from shared.identity import Caller

# an instruction is made of its own lines and of those of the earlier ones it took up, but for what went to other payees
# since, and of what was redirected to it and to them
_HELD = text("""
    WITH RECURSIVE chain AS (
        SELECT id, run, payee FROM payment_instructions WHERE id = :instruction
        UNION ALL
        SELECT i.id, i.run, i.payee FROM payment_instructions i JOIN chain c ON i.taken_into = c.id
    ), held AS (
        SELECT l.network, l.practice, l.contract_year, l.month, l.stream, l.reference, l.amount
        FROM payment_lines l JOIN chain c ON c.run = l.run AND c.payee = l.payee WHERE l.amount IS NOT NULL
        UNION ALL
        SELECT r.network, r.practice, a.contract_year, a.month, a.stream, a.reference, -a.amount
        FROM redirections r JOIN chain c ON r.instruction = c.id JOIN redirected_amounts a ON a.redirection = r.id
        UNION ALL
        SELECT r.network, r.practice, a.contract_year, a.month, a.stream, a.reference, a.amount
        FROM redirections r JOIN chain c ON r.taken_into = c.id JOIN redirected_amounts a ON a.redirection = r.id
    )
    SELECT network, practice, contract_year, month, stream, reference, sum(amount) FROM held
    GROUP BY network, practice, contract_year, month, stream, reference HAVING sum(amount) <> 0
""")

# what a run that waits to be issued takes back counts as taken back
_HAD = text("""
    WITH had AS (
        SELECT l.network, l.practice, l.stream, l.month, l.amount
        FROM payment_lines l JOIN payment_runs r ON r.id = l.run
        WHERE l.contract_year = ANY(CAST(:years AS text[])) AND l.network = ANY(CAST(:networks AS text[]))
          AND l.payee = :payee AND l.amount IS NOT NULL
          AND (r.status = 'issued' OR (r.status IN ('calculated', 'approved') AND l.amount < 0))
        UNION ALL
        SELECT r.network, r.practice, a.stream, a.month, CASE r.payee WHEN :payee THEN -a.amount ELSE a.amount END
        FROM redirections r JOIN redirected_amounts a ON a.redirection = r.id
        WHERE r.network = ANY(CAST(:networks AS text[])) AND :payee IN (r.payee, r.redirected_to)
    )
    SELECT network, practice, stream, month, sum(amount) FROM had GROUP BY network, practice, stream, month
""")


async def parts_of_instruction(session: AsyncSession, instruction: PaymentInstruction) -> tuple[list[Part], Had]:
    """What an instruction holds, part by part, and what its payee was paid and has not given back."""
    rows = await session.execute(_HELD, {"instruction": instruction.id})
    held = [
        (Whose(network, practice), For(year, month, stream, reference), amount)
        for network, practice, year, month, stream, reference, amount in rows
    ]
    asked = {
        "years": sorted({paid_for.contract_year for _, paid_for, _ in held}),
        "networks": sorted({whose.network for whose, _, _ in held}),
        "payee": instruction.payee,
    }
    had: dict[tuple[Whose, str, str], Decimal] = {
        (Whose(network, practice), stream, month): amount
        for network, practice, stream, month, amount in await session.execute(_HAD, asked)
    }
    return parts(held, had, instruction.left), had


async def paid_on(session: AsyncSession, whose: Whose, day: date) -> str:
    """Who is paid such money on a day: the network's payee, or the practice that a practice went over into."""
    if whose.practice is None:
        return await payee_on(session, whose.network, day)
    code, seen = whose.practice, {whose.practice}
    while True:
        heir = await session.scalar(
            select(PracticeHeir.successor).where(PracticeHeir.practice == code, as_at(PracticeHeir, day))
        )
        if heir is None or heir in seen:
            return code
        code = heir
        seen.add(heir)


async def moved_by_reference(session: AsyncSession, references: Collection[str]) -> list[tuple[str, str, Decimal]]:
    """Of lines with these references what went from whom (below nothing) to whom: reference, payee, amount."""
    if not references:
        return []
    rows = await session.execute(
        select(RedirectedAmount.reference, Redirection.payee, Redirection.redirected_to, RedirectedAmount.amount)
        .join(Redirection, Redirection.id == RedirectedAmount.redirection)
        .where(RedirectedAmount.reference.in_(references))
    )
    return [
        moved
        for reference, payee, redirected_to, amount in rows
        for moved in ((reference or "", payee, -amount), (reference or "", redirected_to, amount))
    ]


def redirections_seen(caller: Caller) -> ColumnElement[bool]:
    """True of the redirections a caller may see: from and to payees it acts for, and its own networks' money."""
    named = (Redirection.payee, Redirection.redirected_to, Redirection.network, Redirection.practice)
    return or_(*(payees_seen(caller, column) for column in named))


def approved_by(known_at: datetime | None) -> ColumnElement[bool]:
    """True of redirections two people stood behind at a moment, or now."""
    approved = Redirection.status == RedirectionStatus.APPROVED
    return approved if known_at is None else approved & (Redirection.decided_at <= known_at)


async def amounts_of(session: AsyncSession, redirections: Collection[str]) -> dict[str, list[RedirectedAmount]]:
    """By redirection: what it was paid for; nothing of one that two people did not approve."""
    found: dict[str, list[RedirectedAmount]] = {}
    rows = await session.scalars(
        select(RedirectedAmount)
        .where(RedirectedAmount.redirection.in_(redirections))
        .order_by(RedirectedAmount.redirection, RedirectedAmount.number)
    )
    for row in rows:
        found.setdefault(row.redirection, []).append(row)
    return found


def as_then_known(redirection: Redirection, known_at: datetime | None) -> Mapping[str, Any]:
    """A redirection as it is, or as it stood while nobody had decided on it or sent it yet."""
    told = {column.key: getattr(redirection, column.key) for column in Redirection.__table__.columns}
    if known_at is None:
        return told
    if redirection.decided_at is not None and redirection.decided_at > known_at:
        told |= dict.fromkeys(("decided_by", "decided_at", "refusal")) | {"status": RedirectionStatus.PROPOSED}
    if redirection.taken_at is not None and redirection.taken_at > known_at:
        told |= dict.fromkeys(("taken_into", "taken_at"))
    return told


def stood_at(status: RedirectionStatus, known_at: datetime | None) -> ColumnElement[bool]:
    """True of the redirections that had a status at a moment, or have it now."""
    if known_at is None:
        return Redirection.status == status
    if status is RedirectionStatus.PROPOSED:
        return or_(Redirection.decided_at.is_(None), Redirection.decided_at > known_at)
    return (Redirection.status == status) & (Redirection.decided_at <= known_at)
