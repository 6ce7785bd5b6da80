"""Keep rounds and applications from the registry's events, in whatever order they come."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.deadlines.model import ApplicationState, Round
from shared.events import registry

RoundEvent = registry.RoundOpened | registry.RoundDecided | registry.RoundAbandoned

_STATE = text(
    """
    INSERT INTO applications AS held (application, round, state, state_sequence, submitted_sequence)
    VALUES (:application, :round, :state, :sequence, 0)
    ON CONFLICT (application) DO UPDATE SET
        round = coalesce(held.round, excluded.round), state = excluded.state, state_sequence = excluded.state_sequence
    WHERE held.state_sequence < excluded.state_sequence
    """
)

_SUBMITTED = text(
    """
    UPDATE applications SET
        round = :round, name = :name, practices = :practices, patients = :patients, submitted_on = :submitted_on,
        late = :late, submitted_sequence = :sequence
    WHERE application = :application AND submitted_sequence < :sequence
    """
)


async def note_state(
    session: AsyncSession, *, application: str, round_id: str | None, state: ApplicationState, sequence: int
) -> None:
    """The newest state counts; an older one that comes late changes nothing."""
    params = {"application": application, "round": round_id, "state": state.value, "sequence": sequence}
    await session.execute(_STATE, params)


async def note_submission(session: AsyncSession, event: registry.NetworkApplied, sequence: int) -> None:
    await note_state(
        session,
        application=event.application,
        round_id=event.round,
        state=ApplicationState.APPLIED,
        sequence=sequence,
    )
    await session.execute(
        _SUBMITTED,
        {
            "application": event.application,
            "round": event.round,
            "name": event.network_name,
            "practices": event.practices,
            "patients": event.registered_patients,
            "submitted_on": event.submitted_on,
            "late": event.late,
            "sequence": sequence,
        },
    )


async def note_round(session: AsyncSession, event: RoundEvent) -> None:
    values: dict[str, Any] = {"commissioner": event.commissioner, "contract_year": event.contract_year}
    if isinstance(event, registry.RoundOpened):
        values |= {"apply_by": event.apply_by, "decide_by": event.decide_by}
    elif isinstance(event, registry.RoundAbandoned):
        values |= {"abandoned_on": event.abandoned_on}
    else:
        values |= {"decided_on": event.decided_on, "override_reason": event.override_reason}
    statement = insert(Round).values(round=event.round, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["round"], set_=values))
