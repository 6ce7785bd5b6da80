"""What one service owns, others hold copies of: row by row the same once every event has had its effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString

from deploy.doctor.finding import Finding, Patient, Row, judged
from deploy.doctor.messages import under_way, unless_under_way


@dataclass(frozen=True)
class Copy:
    """The same facts as their owner and as another service would list them; column by column, in one order."""

    what: str
    owner: str
    owned: LiteralString
    holder: str
    held: LiteralString


_MEMBERS: LiteralString = (
    "SELECT network, practice, trim_scale(upper(portion) - lower(portion)) AS share, "
    "CAST(lower(valid) AS text) AS first FROM memberships WHERE upper_inf(known)"
)
_MEMBER_COPY: LiteralString = (
    "SELECT network, practice, trim_scale(share) AS share, CAST(valid_from AS text) AS first FROM memberships"
)
# a succession counts on the days on which the practice is not open itself, and is told for those
_WENT_OVER: LiteralString = (
    "SELECT practice, successor, CAST(days AS text) AS valid FROM (SELECT s.practice, s.successor, range_agg(s.valid) "
    "- coalesce((SELECT range_agg(e.valid) FROM practice_entries e WHERE e.practice = s.practice "
    "AND upper_inf(e.known)), datemultirange()) AS days FROM practice_successions s WHERE upper_inf(s.known) "
    "GROUP BY 1, 2) gone WHERE NOT isempty(days)"
)
# likewise a dispersal
_DISPERSED: LiteralString = (
    "SELECT practice, CAST(days AS text) AS valid FROM (SELECT d.practice, range_agg(d.valid) "
    "- coalesce((SELECT range_agg(e.valid) FROM practice_entries e WHERE e.practice = d.practice "
    "AND upper_inf(e.known)), datemultirange()) AS days FROM practice_dispersals d WHERE upper_inf(d.known) "
    "GROUP BY 1) gone WHERE NOT isempty(days)"
)
_CLAIMS: LiteralString = (
    "SELECT id, network, post, month, role, salary + employer_ni + employer_pension + supplier_fee AS total FROM claims"
)

COPIES: tuple[Copy, ...] = (
    Copy(
        "memberships", "registry",
        "SELECT network, practice, trim_scale(upper(portion) - lower(portion)) AS share, "
        "CAST(range_agg(valid) AS text) AS valid FROM memberships WHERE upper_inf(known) GROUP BY 1, 2, 3",
        "funding",
        "SELECT network, practice, trim_scale(share) AS share, CAST(range_agg(valid) AS text) AS valid "
        "FROM memberships WHERE upper_inf(known) GROUP BY 1, 2, 3",
    ),
    Copy("memberships", "registry", _MEMBERS, "workforce", _MEMBER_COPY),
    Copy("memberships", "registry", _MEMBERS, "reporting", _MEMBER_COPY),
    Copy(
        "networks", "registry",
        "SELECT DISTINCT ON (network) network, name, commissioner FROM network_entries WHERE upper_inf(known) "
        "AND network IN (SELECT network FROM memberships) ORDER BY network, valid DESC",
        "funding",
        "SELECT code AS network, name, commissioner FROM networks WHERE approved_on IS NOT NULL "
        "AND code IN (SELECT network FROM memberships)",
    ),
    Copy(
        "allocations", "registry",
        "SELECT network, practice, CAST(range_agg(valid) AS text) AS valid FROM allocations "
        "WHERE upper_inf(known) AND network IS NOT NULL GROUP BY 1, 2",
        "funding",
        "SELECT network, practice, CAST(range_agg(valid) AS text) AS valid FROM allocations "
        "WHERE upper_inf(known) GROUP BY 1, 2",
    ),
    Copy(
        "agreements", "registry",
        "SELECT network, CAST(range_agg(valid) AS text) AS valid FROM agreements_in_force "
        "WHERE upper_inf(known) GROUP BY 1",
        "funding",
        "SELECT network, CAST(range_agg(valid) AS text) AS valid FROM network_agreements "
        "WHERE upper_inf(known) AND NOT isempty(valid) GROUP BY 1",
    ),
    Copy(
        "successions", "registry", _WENT_OVER,
        "funding",
        "SELECT practice, successor, CAST(range_agg(valid) AS text) AS valid FROM practice_heirs "
        "WHERE upper_inf(known) GROUP BY 1, 2",
    ),
    Copy(
        "successions", "registry", _WENT_OVER,
        "reporting",
        "SELECT practice, successor, CAST(range_agg(daterange(succeeded_on, valid_to, '[]')) AS text) AS valid "
        "FROM practice_successions GROUP BY 1, 2",
    ),
    Copy(
        "dispersals", "registry", _DISPERSED,
        "reporting",
        "SELECT practice, CAST(range_agg(daterange(valid_from, valid_to, '[]')) AS text) AS valid "
        "FROM practice_dispersals GROUP BY 1",
    ),
    Copy(
        "commissioners-succeeded", "registry",
        "SELECT predecessor AS commissioner, successor, CAST(lower(valid) AS text) AS day FROM successions "
        "WHERE upper_inf(known) AND level = 'commissioner' AND predecessor <> successor",
        "funding",
        "SELECT commissioner, successor, CAST(succeeded_on AS text) AS day FROM successions "
        "WHERE commissioner <> successor",
    ),
    Copy(
        "commissioners-succeeded", "registry",
        "SELECT predecessor AS commissioner, successor, CAST(lower(valid) AS text) AS day FROM successions "
        "WHERE upper_inf(known) AND level = 'commissioner' AND predecessor <> successor",
        "reporting",
        "SELECT commissioner, successor, CAST(succeeded_on AS text) AS day FROM successions "
        "WHERE commissioner <> successor",
    ),
    Copy(
        "populations", "registry",
        "SELECT practice, basis, CAST(lower(valid) AS text) AS snapshot, trim_scale(value) AS value FROM list_sizes "
        "WHERE upper_inf(known)",
        "funding",
        "SELECT practice, basis, CAST(snapshot AS text) AS snapshot, trim_scale(value) AS value FROM populations "
        "WHERE upper_inf(known)",
    ),
    Copy(
        "populations", "registry",
        "SELECT practice, CAST(lower(valid) AS text) AS snapshot, trim_scale(value) AS value FROM list_sizes "
        "WHERE upper_inf(known) AND basis = 'registered'",
        "reporting",
        "SELECT practice, CAST(snapshot AS text) AS snapshot, trim_scale(patients) AS value FROM list_sizes",
    ),
    Copy(
        "posts", "workforce",
        "SELECT id AS post, network, role, trim_scale(wte) AS wte, employer, CAST(started_on AS text) AS started_on, "
        "additional FROM posts",
        "reporting",
        "SELECT post, network, role, trim_scale(wte) AS wte, employer, CAST(started_on AS text) AS started_on, "
        "additional FROM posts",
    ),
    Copy(
        "claims", "workforce",
        _CLAIMS,
        "funding",
        _CLAIMS,
    ),
    Copy(
        "claims", "workforce",
        _CLAIMS,
        "reporting",
        "SELECT claim AS id, network, post, month, role, claimed AS total FROM claims",
    ),
    Copy(
        "claim-outcomes", "funding",
        "SELECT id, CASE WHEN run IS NULL THEN status ELSE 'paid' END AS status, CASE WHEN run IS NOT NULL "
        "THEN paid - taken_back WHEN status <> 'rejected' THEN payable END AS payable FROM claims "
        "WHERE status <> 'submitted'",
        "workforce",
        "SELECT claim AS id, state AS status, "
        "CASE WHEN state <> 'rejected' THEN coalesce(paid, payable) END AS payable FROM claim_outcomes",
    ),
    Copy(
        "payment-lines", "funding",
        "SELECT l.run, l.network, coalesce(l.practice, '') AS practice, l.stream, l.month, "
        "CAST(sum(l.amount) AS text) AS amount, count(*) AS lines FROM payment_lines l "
        "JOIN payment_runs r ON r.id = l.run AND r.status = 'issued' WHERE l.amount IS NOT NULL GROUP BY 1, 2, 3, 4, 5",
        "reporting",
        "SELECT run, network, practice, stream, month, CAST(sum(amount) AS text) AS amount, "
        "CAST(sum(lines) AS bigint) AS lines FROM spend GROUP BY 1, 2, 3, 4, 5",
    ),
    Copy(
        "local-terms", "funding",
        "SELECT network, variation, CAST(lower(valid) AS text) AS valid_from, CAST(upper(valid) - 1 AS text) AS "
        "valid_to, CAST(every_member AS text) AS every_member FROM local_terms WHERE upper_inf(known)",
        "workforce",
        "SELECT network, s ->> 'variation' AS variation, s ->> 'valid_from' AS valid_from, s ->> 'valid_to' AS "
        "valid_to, s ->> 'every_member' AS every_member FROM network_terms, jsonb_array_elements(spans) AS s",
    ),
    Copy(
        "budgets", "funding",
        "SELECT network, contract_year, CAST(sum(amount) AS text) AS amount FROM budgets GROUP BY 1, 2 "
        "HAVING count(*) = count(amount)",
        "reporting",
        "SELECT network, contract_year, CAST(amount AS text) AS amount FROM budgets WHERE amount IS NOT NULL",
    ),
)  # fmt: skip


def copies_agree(patients: Mapping[str, Patient]) -> list[Finding]:
    """Each kind of fact, between its owner and every service that keeps it."""
    return [_agree(copy, patients) for copy in COPIES]


def _agree(copy: Copy, patients: Mapping[str, Patient]) -> Finding:
    owner, holder = patients[copy.owner], patients[copy.holder]
    owned, held = owner.announced(copy.owned), holder.received(copy.held)
    here, there = {_key(row) for row in owned}, {_key(row) for row in held}
    offending: list[Row] = [
        *({"fault": f"{copy.owner} only", **row} for row in owned if _key(row) not in there),
        *({"fault": f"{copy.holder} only", **row} for row in held if _key(row) not in here),
    ]
    found = judged(f"{copy.what}-{copy.owner}-{copy.holder}", f"{len(owned)} rows", offending)
    # funding's own claims and budgets move with events from others, so both ends must have come to rest
    return unless_under_way(found, under_way(holder, patients) + under_way(owner, patients))


def _key(row: Row) -> tuple[str, ...]:
    return tuple(str(value) for value in row.values())
