"""Keep queries from funding's events, whichever comes first."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.batches import write_later
from shared.events import funding
from shared.years import year_of

_RAISED = text(
    """
    WITH known AS (
        INSERT INTO networks (network, sequence) VALUES (:network, 0) ON CONFLICT DO NOTHING
    )
    INSERT INTO line_queries AS held (
        query, network, payee, stream, month, contract_year, raised_on, answer_by, sequence
    )
    VALUES (:query, :network, :payee, :stream, :month, :contract_year, :raised_on, :answer_by, 0)
    ON CONFLICT (query) DO UPDATE SET
        stream = excluded.stream, month = excluded.month, contract_year = excluded.contract_year,
        raised_on = excluded.raised_on, answer_by = excluded.answer_by
    """
)

_ENDED = text(
    """
    WITH known AS (
        INSERT INTO networks (network, sequence) VALUES (:network, 0) ON CONFLICT DO NOTHING
    )
    INSERT INTO line_queries AS held (query, network, payee, ended_on, answer, adjustment, sequence)
    VALUES (:query, :network, :payee, :ended_on, :answer, :adjustment, :sequence)
    ON CONFLICT (query) DO UPDATE SET
        ended_on = excluded.ended_on, answer = excluded.answer, adjustment = excluded.adjustment,
        sequence = excluded.sequence
    WHERE held.sequence < excluded.sequence
    """
)


async def note_query(session: AsyncSession, event: funding.LineQueried) -> None:
    """Somebody a line pays asked about it."""
    names = {"query", "network", "payee", "stream", "month", "raised_on", "answer_by"}
    write_later(session, _RAISED, {**event.model_dump(include=names), "contract_year": year_of(event.month)})


async def note_end(session: AsyncSession, event: funding.QueryAnswered | funding.QueryWithdrawn, sequence: int) -> None:
    """The query was answered, or whoever asked is content."""
    ended: dict[str, Any]
    if isinstance(event, funding.QueryAnswered):
        ended = {"ended_on": event.answered_on, "answer": event.kind, "adjustment": event.adjustment}
    else:
        ended = {"ended_on": event.withdrawn_on, "answer": "withdrawn", "adjustment": None}
    where = {"query": event.query, "network": event.network, "payee": event.payee}
    write_later(session, _ENDED, {**where, **ended, "sequence": sequence})
