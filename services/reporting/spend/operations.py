"""Keep money from funding's events. Each statement adds to a sum only what was not there before."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.batches import write_later
from shared.events import funding
from shared.years import year_of

_PAYMENT = text(
    """
    WITH known AS (
        INSERT INTO networks (network, sequence) VALUES (:network, 0) ON CONFLICT DO NOTHING
    ), new AS (
        INSERT INTO spend (
            run, network, practice, stream, month, contract_year, commissioner, run_month, issued_on, amount, lines
        )
        SELECT :run, :network, paid.practice, paid.stream, paid.month, paid.year, :commissioner, :run_month, :issued_on,
               paid.amount, paid.lines
        FROM unnest(CAST(:practices AS text[]), CAST(:streams AS text[]), CAST(:months AS text[]),
                    CAST(:years AS text[]), CAST(:amounts AS numeric[]), CAST(:lines AS int[]))
             AS paid (practice, stream, month, year, amount, lines)
        ON CONFLICT DO NOTHING
        RETURNING *
    )
    INSERT INTO commissioner_spend AS held (contract_year, commissioner, stream, month, amount, lines)
    SELECT contract_year, commissioner, stream, month, sum(amount), sum(lines) FROM new
    GROUP BY contract_year, commissioner, stream, month
    ON CONFLICT (contract_year, commissioner, stream, month)
    DO UPDATE SET amount = held.amount + excluded.amount, lines = held.lines + excluded.lines
    """
)


async def note_payment(session: AsyncSession, event: funding.PaymentIssued) -> None:
    """What a run left for one network and its practices; the same run and network again adds nothing."""
    paid: dict[tuple[str, str, str], tuple[Decimal, int]] = defaultdict(lambda: (Decimal("0.00"), 0))
    for line in event.lines:
        key = (line.practice or "", line.stream, line.month)
        amount, count = paid[key]
        paid[key] = (amount + line.amount, count + 1)
    write_later(
        session,
        _PAYMENT,
        {
            "run": event.run,
            "network": event.network,
            "commissioner": event.commissioner,
            "run_month": event.month,
            "issued_on": event.issued_on,
            "practices": [practice for practice, _, _ in paid],
            "streams": [stream for _, stream, _ in paid],
            "months": [month for _, _, month in paid],
            "years": [year_of(month) for _, _, month in paid],
            "amounts": [amount for amount, _ in paid.values()],
            "lines": [count for _, count in paid.values()],
        },
    )


_SETTLEMENT = text(
    """
    WITH part AS (
        SELECT * FROM unnest(CAST(:networks AS text[]), CAST(:amounts AS numeric[])) AS part (network, amount)
    ), known AS (
        INSERT INTO networks (network, sequence) SELECT network, 0 FROM part ON CONFLICT DO NOTHING
    )
    INSERT INTO settlements AS held (
        instruction, network, contract_year, month, payee, amount, returned, settled_on, sequence
    )
    SELECT :instruction, network, :contract_year, :month, :payee, amount, :returned, :settled_on, :sequence FROM part
    ON CONFLICT (instruction, network) DO UPDATE SET
        returned = excluded.returned, settled_on = excluded.settled_on, sequence = excluded.sequence
    WHERE held.sequence < excluded.sequence
    """
)


_SENT_AGAIN = text(
    "UPDATE settlements SET sent_again = true WHERE instruction = ANY(CAST(:instructions AS text[])) AND NOT sent_again"
)


_REDIRECTION = text(
    """
    INSERT INTO redirections AS held (redirection, instruction, network, amount, sent_again)
    VALUES (:redirection, :instruction, :network, :amount, :sent_again)
    ON CONFLICT (redirection) DO UPDATE SET sent_again = true WHERE excluded.sent_again AND NOT held.sent_again
    """
)


async def note_settlement(
    session: AsyncSession, event: funding.PaymentConfirmed | funding.PaymentReturned, sequence: int
) -> None:
    """What became of an instruction; one that came back after it was confirmed came back.

    Earlier ones it took up are of the same payee, and so were heard of before; what was redirected to it may be heard
    of later.
    """
    returned = isinstance(event, funding.PaymentReturned)
    write_later(
        session,
        _SETTLEMENT,
        {
            "instruction": event.instruction,
            "contract_year": event.contract_year,
            "month": event.month,
            "payee": event.payee,
            "networks": [part.network for part in event.parts],
            "amounts": [part.amount for part in event.parts],
            "returned": returned,
            "settled_on": event.returned_on if isinstance(event, funding.PaymentReturned) else event.confirmed_on,
            "sequence": sequence,
        },
    )
    if event.took_up:
        write_later(session, _SENT_AGAIN, {"instructions": event.took_up})
    for part in event.redirections:
        write_later(session, _REDIRECTION, {**part.model_dump(), "sent_again": True})


async def note_redirection(session: AsyncSession, event: funding.PaymentRedirected) -> None:
    """What came back is another payee's: it counts as come back until that payee's payment is settled."""
    told = {"instruction": event.instruction, "network": event.network, "amount": event.amount}
    write_later(session, _REDIRECTION, {"redirection": event.redirection, **told, "sent_again": False})


_DEBT = text(
    """
    WITH known AS (
        INSERT INTO networks (network, sequence) VALUES (:network, 0) ON CONFLICT DO NOTHING
    )
    INSERT INTO settled_debts (decision, network, contract_year, outcome, amount)
    VALUES (:decision, :network, :contract_year, :outcome, :amount) ON CONFLICT DO NOTHING
    """
)


async def note_debt(session: AsyncSession, event: funding.DebtSettled) -> None:
    """What will not be taken off any payment, network by network."""
    told = {"decision": event.decision, "contract_year": event.contract_year, "outcome": event.outcome}
    for part in event.parts:
        write_later(session, _DEBT, {**told, "network": part.network, "amount": part.amount})


_BUDGET = text(
    """
    WITH known AS (
        INSERT INTO networks (network, sequence) VALUES (:network, 0) ON CONFLICT DO NOTHING
    )
    INSERT INTO budgets AS held (contract_year, network, commissioner, amount, held_reason, sequence)
    VALUES (:contract_year, :network, :commissioner, :amount, :held_reason, :sequence)
    ON CONFLICT (contract_year, network) DO UPDATE SET
        commissioner = excluded.commissioner, amount = excluded.amount, held_reason = excluded.held_reason,
        sequence = excluded.sequence
    WHERE held.sequence < excluded.sequence
    """
)


async def note_budget(session: AsyncSession, event: funding.BudgetSet, sequence: int) -> None:
    write_later(session, _BUDGET, {**event.model_dump(), "sequence": sequence})
