"""Keep claims from workforce's and funding's events. Statements add to the sums only what they changed of a claim."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.batches import write_later
from services.reporting.claims.model import ClaimKind, ClaimState
from shared.events import funding, workforce
from shared.years import year_of


def _counts(row: str) -> tuple[str, str, str, str]:
    """What one version of a claim adds to the sums: claims, claimed, approved, paid."""
    stands = f"{row}.claimed IS NOT NULL AND {row}.state NOT IN ('returned', 'rejected', 'withdrawn')"
    return (
        f"CASE WHEN {stands} THEN 1 ELSE 0 END",
        f"CASE WHEN {stands} THEN {row}.claimed ELSE 0 END",
        f"CASE WHEN {row}.state IN ('approved', 'paid') THEN coalesce({row}.payable, 0) ELSE 0 END",
        f"CASE WHEN {row}.state = 'paid' THEN coalesce({row}.paid, 0) ELSE 0 END",
    )


_ADDED = ", ".join(
    f"({now}) - ({before}) AS {name}"
    for name, now, before in zip(("claims", "claimed", "approved", "paid"), _counts("new"), _counts("old"), strict=True)
)
_SUMS = """
    INSERT INTO network_claims AS held (contract_year, month, network, practice, kind, claimed, claims, approved, paid)
    SELECT contract_year, period, network, practice, kind, claimed, claims, approved, paid
    FROM changed, LATERAL (SELECT DISTINCT unnest(ARRAY[month, '']) AS period) AS periods
    ON CONFLICT (contract_year, month, network, practice, kind) DO UPDATE SET
        claimed = held.claimed + excluded.claimed, claims = held.claims + excluded.claims,
        approved = held.approved + excluded.approved, paid = held.paid + excluded.paid
"""
_KNOWN = """
    INSERT INTO networks (network, sequence)
    SELECT told.network, 0 FROM (SELECT CAST(:network AS varchar) AS network) AS told WHERE told.network <> ''
    ON CONFLICT DO NOTHING
"""

_CLAIM = text(
    f"""
    WITH known AS ({_KNOWN}), changed AS (
        INSERT INTO claims AS held (
            claim, kind, network, practice, post, month, contract_year, role, wte, claimed, made_on, state,
            outcome_sequence
        )
        VALUES (
            :claim, :kind, :network, '', :post, :month, :contract_year, :role, :wte, :claimed, :made_on, 'made', 0
        )
        ON CONFLICT (claim) DO UPDATE SET
            role = excluded.role, wte = excluded.wte, claimed = excluded.claimed, made_on = excluded.made_on,
            post = excluded.post
        WHERE held.made_on IS NULL
        RETURNING new.contract_year, new.month, new.network, new.practice, new.kind, {_ADDED}
    )
    {_SUMS}
    """  # noqa: S608 - constants of this module
)


async def note_claim(session: AsyncSession, event: workforce.ClaimMade) -> None:
    """What a post cost in a month; one made again after it was sent back takes the place of that one."""
    values = {
        "kind": ClaimKind.ROLES,
        "claim": event.claim,
        "network": event.network,
        "post": event.post,
        "month": event.month,
        "contract_year": year_of(event.month),
        "role": event.role,
        "wte": event.wte,
        "claimed": event.salary + event.employer_ni + event.employer_pension + event.supplier_fee,
        "made_on": event.made_on,
    }
    write_later(session, _CLAIM, values)


async def note_arrears(session: AsyncSession, event: workforce.ArrearsClaimed) -> None:
    """What a network claims of a year's arrears."""
    values = {
        "kind": ClaimKind.ARREARS,
        "claim": event.arrears,
        "network": event.network,
        "post": "",
        "month": "",
        "contract_year": event.contract_year,
        "role": None,
        "wte": None,
        "claimed": sum((i.salary + i.employer_ni + i.employer_pension for i in event.items), Decimal("0.00")),
        "made_on": event.made_on,
    }
    write_later(session, _CLAIM, values)


_OUTCOME = text(
    f"""
    WITH known AS ({_KNOWN}), changed AS (
        INSERT INTO claims AS held (
            claim, kind, network, practice, post, month, contract_year, claimed, made_on, state, payable, limited_by,
            code, paid, outcome_sequence
        )
        VALUES (
            :claim, :kind, :network, :practice, :post, :month, :contract_year, :claimed, :made_on, :state, :payable,
            :limited_by, :code, :paid, :sequence
        )
        ON CONFLICT (claim) DO UPDATE SET
            claimed = CASE WHEN held.outcome_sequence < excluded.outcome_sequence
                THEN coalesce(excluded.claimed, held.claimed) ELSE coalesce(held.claimed, excluded.claimed) END,
            made_on = coalesce(held.made_on, excluded.made_on),
            state = CASE WHEN held.outcome_sequence < excluded.outcome_sequence THEN excluded.state ELSE held.state END,
            payable = CASE WHEN excluded.state = 'approved' THEN excluded.payable ELSE held.payable END,
            limited_by = CASE WHEN excluded.state = 'approved' THEN excluded.limited_by ELSE held.limited_by END,
            code = CASE WHEN excluded.state IN ('rejected', 'returned') THEN excluded.code ELSE held.code END,
            paid = CASE
                WHEN excluded.state <> 'paid' THEN held.paid
                WHEN held.paid IS NULL OR held.outcome_sequence < excluded.outcome_sequence THEN excluded.paid
                ELSE held.paid
            END,
            outcome_sequence = greatest(held.outcome_sequence, excluded.outcome_sequence)
        RETURNING new.contract_year, new.month, new.network, new.practice, new.kind, {_ADDED}
    )
    {_SUMS}
    """  # noqa: S608 - constants of this module
)

Outcome = (
    funding.ClaimApproved
    | funding.ClaimReturned
    | funding.ClaimRejected
    | funding.ClaimPaid
    | funding.ClaimTakenBack
    | funding.ArrearsApproved
    | funding.ArrearsRejected
    | funding.ArrearsPaid
    | funding.ArrearsTakenBack
    | funding.PracticeClaimMade
    | funding.PracticeClaimApproved
    | funding.PracticeClaimReturned
    | funding.PracticeClaimRejected
    | funding.PracticeClaimWithdrawn
    | funding.PracticeClaimPaid
)


_NOTHING = dict.fromkeys(("claimed", "made_on", "payable", "limited_by", "code", "paid"))
ACHIEVED = frozenset({"iif", "caip_max"})
"""Streams in which nothing but achievements is paid."""


async def note_outcome(session: AsyncSession, event: Outcome, sequence: int) -> None:
    """What funding said of a claim; the newest word is its state."""
    values = _of_whom(event) | _NOTHING
    match event:
        case funding.ClaimApproved() | funding.ArrearsApproved() | funding.PracticeClaimApproved():
            values |= {"state": ClaimState.APPROVED, "payable": event.payable, "limited_by": event.limited_by}
        case funding.PracticeClaimPaid():
            values |= {"state": ClaimState.PAID, "paid": event.amount}
        case funding.ClaimPaid() | funding.ArrearsPaid() | funding.ClaimTakenBack() | funding.ArrearsTakenBack():
            values |= {"state": ClaimState.PAID, "paid": event.amount if event.paid is None else event.paid}
        case funding.ClaimReturned() | funding.PracticeClaimReturned():
            values |= {"state": ClaimState.RETURNED, "code": event.code}
        case funding.PracticeClaimMade():
            values |= {"state": ClaimState.MADE, "claimed": event.claimed, "made_on": event.made_on}
        case funding.PracticeClaimWithdrawn():
            values |= {"state": ClaimState.WITHDRAWN}
        case _:
            values |= {"state": ClaimState.REJECTED, "code": event.code}
    if isinstance(event, funding.PracticeClaimApproved):
        # logs hold claims granted before it was told when they are made
        values["claimed"] = event.claimed
    write_later(session, _OUTCOME, {**values, "sequence": sequence})


def _of_whom(event: Outcome) -> dict[str, Any]:
    if isinstance(event, funding.ArrearsEvent):
        told = {"kind": ClaimKind.ARREARS, "claim": event.arrears, "network": event.network, "practice": "", "post": ""}
        return told | {"month": "", "contract_year": event.contract_year}
    month = {"month": event.month, "contract_year": year_of(event.month)}
    if isinstance(event, funding.PracticeClaimEvent):
        told = {"kind": ClaimKind.PRACTICE_SCHEME, "claim": event.claim, "network": "", "practice": event.practice}
        return told | month | {"post": ""}
    told = {"kind": ClaimKind.ROLES, "claim": event.claim, "network": event.network, "practice": "", "post": event.post}
    return told | month


async def note_achievement(session: AsyncSession, event: funding.AchievementApproved, sequence: int) -> None:
    """What an achievement adds to pay or takes back; each word of it is an amount of its own."""
    values = {
        "kind": ClaimKind.ACHIEVEMENTS,
        "claim": f"{event.achievement}/{sequence}",
        "network": event.network,
        "practice": "",
        "post": "",
        "month": "",
        "contract_year": event.contract_year,
        "state": ClaimState.APPROVED,
        "payable": event.amount,
    }
    write_later(session, _OUTCOME, {**_NOTHING, **values, "sequence": sequence})


async def note_paid_achievements(session: AsyncSession, event: funding.PaymentIssued, sequence: int) -> None:
    """What a run paid a network of its achievements, by year: what answered queries about them is told with queries."""
    paid: dict[str, Decimal] = defaultdict(lambda: Decimal("0.00"))
    for line in event.lines:
        if line.stream in ACHIEVED and line.cause != "query":
            paid[year_of(line.month)] += line.amount
    for year, amount in paid.items():
        values = {
            "kind": ClaimKind.ACHIEVEMENTS,
            "claim": f"{event.run}/{event.network}/{year}",
            "network": event.network,
            "practice": "",
            "post": "",
            "month": "",
            "contract_year": year,
            "state": ClaimState.PAID,
            "paid": amount,
        }
        write_later(session, _OUTCOME, {**_NOTHING, **values, "sequence": sequence})
