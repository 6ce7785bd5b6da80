"""Paid lines add up: within each run, against what was paid before, and against what was announced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import LiteralString

from deploy.doctor.finding import Finding, Patient, judged

_TOTALS: LiteralString = """
    WITH added AS (
        SELECT run, stream, count(*) AS lines, sum(amount) AS amount
        FROM payment_lines WHERE amount IS NOT NULL GROUP BY run, stream
    ), shown AS (
        SELECT r.id AS run, t.key AS stream, CAST(t.value ->> 'lines' AS bigint) AS lines,
               CAST(t.value ->> 'amount' AS numeric) AS amount
        FROM payment_runs r CROSS JOIN LATERAL jsonb_each(r.totals) AS t WHERE r.status <> 'abandoned'
    ), whole AS (
        SELECT r.id AS run, 'all' AS stream, CAST(r.lines AS bigint) AS lines, r.total AS amount
        FROM payment_runs r WHERE r.status <> 'abandoned'
    ), summed AS (
        SELECT r.id AS run, 'all' AS stream, coalesce(sum(a.lines), 0) AS lines, coalesce(sum(a.amount), 0) AS amount
        FROM payment_runs r LEFT JOIN added a ON a.run = r.id WHERE r.status <> 'abandoned' GROUP BY r.id
    )
    SELECT run, stream, s.lines AS lines_shown, a.lines AS lines_found, s.amount AS shown, a.amount AS found
    FROM (SELECT * FROM shown UNION ALL SELECT * FROM whole) s
    FULL JOIN (
        SELECT added.* FROM added JOIN payment_runs r ON r.id = added.run AND r.status <> 'abandoned'
        UNION ALL SELECT * FROM summed
    ) a USING (run, stream)
    WHERE s.lines IS DISTINCT FROM a.lines OR s.amount IS DISTINCT FROM a.amount
    ORDER BY run, stream
"""

_NEGATIVE: LiteralString = """
    WITH paid AS (
        SELECT l.network, l.practice, l.stream, l.month, l.reference, l.run, l.amount,
               sum(l.amount) OVER (
                   PARTITION BY l.network, l.practice, l.stream, l.month, l.reference IS NULL
                   ORDER BY r.issued_at, l.run
               ) AS paid_so_far
        FROM payment_lines l JOIN payment_runs r ON r.id = l.run AND r.status = 'issued'
        WHERE l.amount IS NOT NULL
    )
    SELECT network, practice, stream, month, reference, run, amount, paid_so_far FROM paid
    WHERE paid_so_far < 0 ORDER BY run, network, stream, month
"""

_ANNOUNCED: LiteralString = """
    WITH said AS (
        SELECT data ->> 'run' AS run, data ->> 'network' AS network, line ->> 'line' AS line, line ->> 'payee' AS payee,
               line ->> 'practice' AS practice, line ->> 'stream' AS stream, line ->> 'month' AS month,
               CAST(line ->> 'amount' AS numeric) AS amount
        FROM outbox CROSS JOIN LATERAL jsonb_array_elements(data -> 'lines') AS line
        WHERE type = 'pcn.funding.payment-issued.v1'
    ), paid AS (
        SELECT l.run, l.network, l.id AS line, l.payee, l.practice, l.stream, l.month, l.amount
        FROM payment_lines l JOIN payment_runs r ON r.id = l.run AND r.status = 'issued'
        WHERE l.amount IS NOT NULL
    )
    SELECT 'paid, not announced' AS fault, p.* FROM (SELECT * FROM paid EXCEPT ALL SELECT * FROM said) p
    UNION ALL SELECT 'announced, not paid', s.* FROM (SELECT * FROM said EXCEPT ALL SELECT * FROM paid) s
"""

_CLAIMS: LiteralString = """
    WITH lines AS (
        SELECT split_part(substr(l.reference, 8), '~', 1) AS claim, sum(l.amount) AS amount, array_agg(l.run) AS runs
        FROM payment_lines l JOIN payment_runs r ON r.id = l.run AND r.status = 'issued'
        WHERE l.reference LIKE 'claims/%' AND l.amount IS NOT NULL GROUP BY 1
    )
    SELECT coalesce(c.id, lines.claim) AS claim, c.status, c.payable, c.paid, lines.amount AS of_lines, c.run
    FROM (SELECT * FROM claims WHERE run IS NOT NULL OR status = 'paid') c FULL JOIN lines ON lines.claim = c.id
    WHERE c.id IS NULL OR lines.claim IS NULL OR lines.amount <> c.paid OR c.paid > c.payable
       OR (c.status = 'paid') <> (c.paid = c.payable) OR NOT c.run = ANY (lines.runs)
    ORDER BY 1
"""

_INSTRUCTIONS: LiteralString = """
    WITH lines AS (
        SELECT run, payee, sum(amount) AS amount FROM payment_lines
        WHERE amount IS NOT NULL AND run IN (SELECT run FROM payment_instructions) GROUP BY run, payee
    ), redirected AS (
        SELECT * FROM redirections WHERE status = 'approved'
    ), taken AS (
        SELECT id, sum(amount) AS amount FROM (
            SELECT taken_into AS id, amount - redirected AS amount FROM payment_instructions
            UNION ALL SELECT taken_into, amount FROM redirected
        ) earlier WHERE id IS NOT NULL GROUP BY id
    ), stands AS (
        SELECT payee, sum(amount) AS amount FROM (
            SELECT payee, amount - redirected AS amount, taken_into FROM payment_instructions
            UNION ALL SELECT redirected_to, amount, taken_into FROM redirected
        ) one WHERE taken_into IS NULL GROUP BY payee
    ), has AS (
        SELECT payee, sum(amount) AS amount FROM (
            SELECT payee, amount FROM lines
            UNION ALL SELECT payee, -amount FROM redirected UNION ALL SELECT redirected_to, amount FROM redirected
        ) one GROUP BY payee
    ), sent AS (
        SELECT file AS id, count(*) AS instructions, sum(amount) AS amount FROM payment_instructions
        WHERE file IS NOT NULL GROUP BY file
    )
    SELECT 'lines' AS against, coalesce(i.id, run) AS id, payee, coalesce(i.of_run, 0) AS shown,
           coalesce(l.amount, 0) AS found
    FROM lines l FULL JOIN payment_instructions i USING (run, payee)
    WHERE coalesce(i.of_run, 0) <> coalesce(l.amount, 0)
    UNION ALL
    SELECT 'brought forward', i.id, i.payee, i.brought_forward, coalesce(t.amount, 0)
    FROM payment_instructions i LEFT JOIN taken t USING (id) WHERE i.brought_forward <> coalesce(t.amount, 0)
    UNION ALL
    SELECT 'file', f.id, NULL, f.total, coalesce(s.amount, 0)
    FROM payment_files f LEFT JOIN sent s USING (id)
    WHERE f.total <> coalesce(s.amount, 0) OR f.instructions <> coalesce(s.instructions, 0)
    UNION ALL
    SELECT 'debt', coalesce(i.id, d.instruction), coalesce(i.payee, d.payee), coalesce(-i.amount, 0),
           coalesce(d.amount, 0)
    FROM (SELECT * FROM payment_instructions WHERE debt IS NOT NULL) i
    FULL JOIN (SELECT * FROM debt_decisions WHERE status = 'approved') d ON d.instruction = i.id
    WHERE i.id IS NULL OR d.id IS NULL OR d.amount <> -i.amount OR d.outcome <> i.debt OR d.payee <> i.payee
    UNION ALL
    SELECT 'closing', c.run, NULL, c.confirmed + c.returned + c.carried + c.redirected,
           coalesce(sum(i.amount) FILTER (WHERE i.state IN ('confirmed', 'returned', 'carried', 'redirected')), 0)
    FROM run_confirmations c LEFT JOIN payment_instructions i USING (run) GROUP BY c.run
    -- what had arrived may come back after the run was closed; nothing else moves
    HAVING (c.confirmed + c.returned, c.carried, c.redirected) IS DISTINCT FROM
           (coalesce(sum(i.amount) FILTER (WHERE i.state IN ('confirmed', 'returned')), 0),
            coalesce(sum(i.amount) FILTER (WHERE i.state = 'carried'), 0),
            coalesce(sum(i.amount) FILTER (WHERE i.state = 'redirected'), 0))
    UNION ALL
    SELECT 'redirected', i.id, i.payee, i.redirected, coalesce(r.amount, 0)
    FROM payment_instructions i
    LEFT JOIN (SELECT instruction, sum(amount) AS amount FROM redirected GROUP BY instruction) r ON r.instruction = i.id
    WHERE i.redirected <> coalesce(r.amount, 0)
    UNION ALL
    SELECT 'what a redirection was paid for', d.id, d.payee, coalesce(r.amount, 0), coalesce(a.amount, 0)
    FROM redirections d LEFT JOIN redirected r USING (id)
    LEFT JOIN (
        SELECT redirection AS id, sum(amount) AS amount FROM redirected_amounts GROUP BY redirection
    ) a USING (id)
    WHERE coalesce(r.amount, 0) <> coalesce(a.amount, 0)
    UNION ALL
    SELECT 'payee', payee, payee, coalesce(stands.amount, 0), coalesce(has.amount, 0)
    FROM stands FULL JOIN has USING (payee)
    WHERE coalesce(stands.amount, 0) <> coalesce(has.amount, 0)
    ORDER BY 1, 2
"""


def money_adds_up(patients: Mapping[str, Patient]) -> list[Finding]:
    """Every check of money; all of it lies in funding, and what was announced lies in its log."""
    funding = patients["funding"]
    counted = funding.announced(
        "SELECT (SELECT count(*) FROM payment_runs WHERE status = 'issued') AS runs, count(*) AS lines, "
        "(SELECT count(*) FROM claims) AS claims, "
        "(SELECT count(*) FROM payment_instructions) AS instructions FROM payment_lines l "
        "JOIN payment_runs r ON r.id = l.run AND r.status = 'issued' WHERE amount IS NOT NULL"
    )[0]
    lines = f"{counted['lines']} lines of {counted['runs']} issued runs"
    claims = f"{counted['claims']} claims"
    return [
        judged("run-totals", lines, funding.announced(_TOTALS)),
        judged("never-below-nothing", lines, funding.announced(_NEGATIVE)),
        judged("payments-announced", lines, funding.announced(_ANNOUNCED)),
        judged("claims-paid-once", claims, funding.announced(_CLAIMS)),
        judged("instructions-add-up", f"{counted['instructions']} instructions", funding.announced(_INSTRUCTIONS)),
    ]
