"""Who gives back what was paid too much: whoever had it, also after the network appointed another payee, or whoever it
was redirected to."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.payments.drafting import COLUMNS, Drafted
from services.funding.payments.payables import give_back

_PAYEE, _AMOUNT, _REFERENCE = (COLUMNS.index(name) for name in ("payee", "amount", "reference"))
_KEY = [COLUMNS.index(name) for name in ("contract_year", "network", "practice", "stream", "month")]


async def charge_whoever_was_paid(session: AsyncSession, drafted: Drafted) -> None:
    """Turn each line that takes money back towards a payee that was paid as much for the same stream and month.

    The line's payee stays where it was paid enough itself; else it is whoever was paid most, and where nobody was paid
    as much the line is divided, so that each gives back no more than it had. What is relabelled stays where it is:
    whoever gives it back under the one name is paid it under the other.
    """
    taking = [
        place
        for place, row in enumerate(drafted.rows)
        if row[_AMOUNT] is not None and row[_AMOUNT] < 0 and row[_REFERENCE] is None
    ]
    if not taking:
        return
    keys = [[drafted.rows[place][column] for place in taking] for column in _KEY]
    found = await session.execute(
        text("""
            WITH wanted AS (
                SELECT * FROM unnest(CAST(:places AS int[]), CAST(:years AS text[]), CAST(:networks AS text[]),
                                     CAST(:practices AS text[]), CAST(:streams AS text[]), CAST(:months AS text[]))
                     AS w (place, contract_year, network, practice, stream, month)
            ), paid AS (
                SELECT w.place, l.payee, l.amount
                FROM wanted AS w
                JOIN payment_lines AS l
                  ON l.contract_year = w.contract_year AND l.network = w.network AND l.stream = w.stream
                 AND l.practice IS NOT DISTINCT FROM w.practice AND l.month = w.month
                 AND l.amount IS NOT NULL AND l.reference IS NULL
                JOIN payment_runs AS r ON r.id = l.run AND r.status = 'issued'
                UNION ALL
                SELECT w.place, moved.payee, moved.amount
                FROM wanted AS w
                JOIN redirections AS d ON d.network = w.network AND d.practice IS NOT DISTINCT FROM w.practice
                JOIN redirected_amounts AS a
                  ON a.redirection = d.id AND a.contract_year = w.contract_year AND a.stream = w.stream
                 AND a.month = w.month AND a.reference IS NULL
                CROSS JOIN LATERAL (VALUES (d.payee, -a.amount), (d.redirected_to, a.amount)) AS moved (payee, amount)
            )
            SELECT place, payee, sum(amount) FROM paid GROUP BY place, payee
        """),
        dict(zip(("places", "years", "networks", "practices", "streams", "months"), [taking, *keys], strict=True)),
    )
    paid: dict[int, dict[str, Decimal]] = defaultdict(dict)
    for place, payee, amount in found:
        paid[place][payee] = amount
    for place in taking:
        row, had = drafted.rows[place], paid[place]
        if had and had.get(row[_PAYEE], Decimal(0)) < -row[_AMOUNT]:
            drafted.charge(place, give_back(-row[_AMOUNT], had))
    _leave_with_its_payee(drafted)


def _leave_with_its_payee(drafted: Drafted) -> None:
    """Pay money that only changed its name to whoever gives it back under the name it had."""
    if not drafted.renamed:
        return
    back: dict[tuple[Any, ...], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in drafted.rows:
        if row[_AMOUNT] is not None and row[_AMOUNT] < 0 and row[_REFERENCE] is None:
            back[tuple(row[column] for column in _KEY)][row[_PAYEE]] -= row[_AMOUNT]
    for place in range(len(drafted.rows)):
        row = drafted.rows[place]
        if row[_AMOUNT] is None or row[_AMOUNT] <= 0 or row[_REFERENCE] is not None:
            continue
        year, network, practice, stream, month = (row[column] for column in _KEY)
        for renamed_in, was, now in sorted(drafted.renamed):
            had = back.get((year, network, practice, was, month))
            if (renamed_in, now) != (month, stream) or not had:
                continue
            parts = [(payee, -part) for payee, part in give_back(row[_AMOUNT], had)]
            for payee, part in parts:
                had[payee] -= part
            rest = row[_AMOUNT] - sum(part for _, part in parts)
            if parts != [(row[_PAYEE], row[_AMOUNT])]:
                drafted.charge(place, [*parts, *([(row[_PAYEE], rest)] if rest else [])])
            break
