"""Claims approved within a sum that was lowered before they were paid: what it does not reach waits, of the last
approved first."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.payments.heads import Hold

BEYOND_SUM = "beyond-sum"


class Beyond(NamedTuple):
    """What a lowered sum still `reach`es of what a claim has to be paid, and why the rest waits."""

    reach: Decimal
    hold: Hold


# In the order in which they take a sum: what was paid, then the rest of what was approved, the earlier first. What
# answered queries added to lines that paid claims takes of it too; what waits for the right to its month takes nothing
# meanwhile.
_BEYOND = text("""
WITH waiting AS (
    SELECT network, contract_year, scope FROM claims WHERE status = 'approved'
    UNION
    SELECT network, contract_year, scope FROM arrears_claims WHERE status = 'approved'
), taken AS (
    SELECT 'claims/' || id AS reference, network, contract_year, scope, paid - taken_back AS had, decided_at, status,
           CASE WHEN status = 'approved' AND NOT EXISTS (
               SELECT FROM withdrawals AS w
               WHERE w.network = c.network AND w.practice IS NULL AND upper_inf(w.known)
                 AND w.valid @> CAST(c.month || '-01' AS date)
           ) THEN payable - paid ELSE 0 END AS rest
    FROM claims AS c JOIN waiting USING (network, contract_year, scope) WHERE status IN ('approved', 'paid')
    UNION ALL
    SELECT 'arrears/' || id, network, contract_year, scope, paid - taken_back, decided_at, status, payable - paid
    FROM arrears_claims JOIN waiting USING (network, contract_year, scope) WHERE status IN ('approved', 'paid')
), had AS (
    SELECT network, contract_year, scope, sum(had) AS amount FROM taken GROUP BY network, contract_year, scope
), added AS (
    SELECT t.network, t.contract_year, t.scope, sum(q.adjustment) AS amount
    FROM payment_queries AS q
    JOIN payment_lines AS l ON l.id = q.line
    JOIN taken AS t ON t.reference = split_part(l.reference, '~', 1)
    WHERE q.state = 'answered'
    GROUP BY t.network, t.contract_year, t.scope
), so_far AS (
    SELECT t.*, sum(rest) OVER (
        PARTITION BY network, contract_year, scope ORDER BY decided_at, reference ROWS UNBOUNDED PRECEDING
    ) AS ahead FROM taken AS t WHERE status = 'approved'
), reaching AS (
    SELECT s.reference, s.rest, b.amount AS sum, b.held_reason, h.amount + coalesce(a.amount, 0) + s.ahead AS reached
    FROM so_far AS s
    JOIN had AS h USING (network, contract_year, scope)
    LEFT JOIN added AS a USING (network, contract_year, scope)
    LEFT JOIN budgets AS b USING (network, contract_year, scope)
)
SELECT reference, rest, sum, held_reason, reached FROM reaching WHERE rest > 0 AND (sum IS NULL OR reached > sum)
""")


async def beyond_sums(session: AsyncSession) -> dict[str, Beyond]:
    """By reference: approved claims and arrears that their network's sum does not reach, or not whole, as known now."""
    found: dict[str, Beyond] = {}
    for reference, rest, amount, held_reason, reached in await session.execute(_BEYOND):
        reach = Decimal("0.00")
        if amount is None:
            detail = f"The network's sum is held: {held_reason}" if held_reason else "The network has no sum any more."
        else:
            reach = max(amount - (reached - rest), reach)
            detail = f"With this claim £{reached:,.2f} would be taken of the network's sum, now £{amount:,.2f}."
            if reach:
                detail += f" It reaches for £{reach:,.2f}, which is paid; the rest waits."
        found[reference] = Beyond(reach, Hold(BEYOND_SUM, detail))
    return found
