"""Keep people in post and plans from workforce's events."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.batches import write_later, write_now
from shared.events import workforce

_POST = text(
    """
    WITH known AS (
        INSERT INTO networks (network, sequence) VALUES (:network, 0) ON CONFLICT DO NOTHING
    )
    INSERT INTO posts AS held (
        post, network, role, wte, zone, employer, started_on, additional, days_to_hire, sequence
    )
    VALUES (:post, :network, :role, :wte, :zone, :employer, :started_on, :additional, :days_to_hire, :sequence)
    ON CONFLICT (post) DO UPDATE SET
        role = excluded.role, wte = excluded.wte, zone = excluded.zone, employer = excluded.employer,
        started_on = excluded.started_on, additional = excluded.additional, days_to_hire = excluded.days_to_hire,
        sequence = excluded.sequence
    WHERE held.sequence < excluded.sequence
    """
)


async def note_post(session: AsyncSession, event: workforce.RoleRecruited, sequence: int) -> None:
    write_later(session, _POST, {**event.model_dump(), "sequence": sequence})


_END = text("UPDATE posts SET ended_on = :ended_on, sequence = :sequence WHERE post = :post AND sequence < :sequence")


async def note_ending(session: AsyncSession, event: workforce.PostEnded, sequence: int) -> None:
    """The post's own recruitment always comes before: both are of one subject."""
    await write_now(session, _POST)
    await session.execute(_END, {"post": event.post, "ended_on": event.ended_on, "sequence": sequence})


_PLAN = text(
    """
    WITH known AS (
        INSERT INTO networks (network, sequence) VALUES (:network, 0) ON CONFLICT DO NOTHING
    )
    INSERT INTO plans AS held (network, contract_year, planned_cost, submitted_on, sequence)
    VALUES (:network, :contract_year, :planned_cost, :submitted_on, :sequence)
    ON CONFLICT (network, contract_year) DO UPDATE SET
        planned_cost = excluded.planned_cost, submitted_on = excluded.submitted_on, sequence = excluded.sequence
    WHERE held.sequence < excluded.sequence
    RETURNING network
    """
)

_NO_ROLES = text("DELETE FROM planned_roles WHERE network = :network AND contract_year = :contract_year")

_ROLES = text(
    """
    INSERT INTO planned_roles (contract_year, network, role, start_month, wte)
    SELECT :contract_year, :network, new.role, new.start_month, new.wte
    FROM unnest(CAST(:roles AS text[]), CAST(:months AS text[]), CAST(:wtes AS numeric[]))
         AS new (role, start_month, wte)
    """
)


async def note_plan(session: AsyncSession, event: workforce.PlanSubmitted, sequence: int) -> None:
    """A plan handed in anew takes the place of the one before."""
    key = {"network": event.network, "contract_year": event.contract_year}
    rest = {"planned_cost": event.planned_cost, "submitted_on": event.submitted_on, "sequence": sequence}
    if await session.scalar(_PLAN, {**key, **rest}) is None:
        return
    planned: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for line in event.roles:
        planned[line.role, line.start_month] += line.wte
    await session.execute(_NO_ROLES, key)
    await session.execute(
        _ROLES,
        {
            **key,
            "roles": [role for role, _ in planned],
            "months": [month for _, month in planned],
            "wtes": list(planned.values()),
        },
    )
