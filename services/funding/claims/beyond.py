"""Claims approved within a sum that was lowered before they were paid: they wait, the last approved first."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.payments.heads import Hold

BEYOND_SUM = "beyond-sum"

# In the order in which they take a sum: what was paid, then what was approved, the earlier first. What answered queries
# added to lines that paid claims takes of it too; what waits for the right to its month takes nothing meanwhile.
_BEYOND = text("""
WITH waiting AS (
    SELECT network, contract_year, scope FROM claims WHERE status = 'approved'
    UNION
    SELECT network, contract_year, scope FROM arrears_claims WHERE status = 'approved'
), taken AS (
    SELECT 'claims/' || id AS reference, network, contract_year, scope, payable - taken_back AS payable, status,
           decided_at
    FROM claims AS c JOIN waiting USING (network, contract_year, scope)
    WHERE status = 'paid' OR status = 'approved' AND NOT EXISTS (
        SELECT FROM withdrawals AS w WHERE w.network = c.network AND w.practice IS NULL AND upper_inf(w.known)
        AND w.valid @> CAST(c.month || '-01' AS date)
    )
    UNION ALL
    SELECT 'arrears/' || id, network, contract_year, scope, payable - taken_back, status, decided_at
    FROM arrears_claims JOIN waiting USING (network, contract_year, scope) WHERE status IN ('approved', 'paid')
), added AS (
    SELECT t.network, t.contract_year, t.scope, sum(q.adjustment) AS amount
    FROM taken AS t
    JOIN payment_lines AS l ON l.reference = t.reference
    JOIN payment_queries AS q ON q.line = l.id AND q.state = 'answered'
    WHERE t.status = 'paid'
    GROUP BY t.network, t.contract_year, t.scope
), so_far AS (
    SELECT t.*, sum(t.payable) OVER (
        PARTITION BY t.network, t.contract_year, t.scope
        ORDER BY (t.status = 'approved'), t.decided_at, t.reference ROWS UNBOUNDED PRECEDING
    ) AS amount FROM taken AS t
)
SELECT s.reference, b.amount AS sum, b.held_reason, s.amount + coalesce(a.amount, 0) AS reached
FROM so_far AS s
LEFT JOIN added AS a USING (network, contract_year, scope)
LEFT JOIN budgets AS b USING (network, contract_year, scope)
WHERE s.status = 'approved' AND (b.amount IS NULL OR s.amount + coalesce(a.amount, 0) > b.amount)
""")


async def beyond_sums(session: AsyncSession) -> dict[str, Hold]:
    """By reference: approved claims and arrears, not yet paid, that their network's sum does not reach as known now."""
    holds: dict[str, Hold] = {}
    for reference, amount, held_reason, reached in await session.execute(_BEYOND):
        if amount is None:
            detail = f"The network's sum is held: {held_reason}" if held_reason else "The network has no sum any more."
        else:
            detail = f"With this claim £{reached:,.2f} would be taken of the network's sum, now £{amount:,.2f}."
        holds[reference] = Hold(BEYOND_SUM, detail)
    return holds
