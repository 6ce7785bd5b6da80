"""Keep variations and the networks under them from funding's events, whatever order they come in."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.batches import write_later
from shared.events import funding

_VARIATION = text(
    """
    INSERT INTO local_variations AS held (variation, name, commissioner, contract_year, duties, sequence)
    VALUES (:variation, :name, :commissioner, :contract_year, CAST(:duties AS jsonb), :sequence)
    ON CONFLICT (variation) DO UPDATE SET
        name = excluded.name, commissioner = excluded.commissioner, contract_year = excluded.contract_year,
        duties = excluded.duties, sequence = excluded.sequence
    WHERE held.sequence < excluded.sequence
    """
)

_NETWORK = text(
    """
    WITH known AS (
        INSERT INTO networks (network, sequence) VALUES (:network, 0) ON CONFLICT DO NOTHING
    )
    INSERT INTO varied_networks AS held (network, spans, sequence)
    VALUES (:network, CAST(:spans AS jsonb), :sequence)
    ON CONFLICT (network) DO UPDATE SET spans = excluded.spans, sequence = excluded.sequence
    WHERE held.sequence < excluded.sequence
    """
)


async def note_variation(session: AsyncSession, event: funding.VariationApproved, sequence: int) -> None:
    values = {
        "variation": event.variation,
        "name": event.variation_name,
        "commissioner": event.commissioner,
        "contract_year": event.contract_year,
        "duties": f"[{', '.join(duty.model_dump_json() for duty in event.duties)}]",
        "sequence": sequence,
    }
    write_later(session, _VARIATION, values)


async def note_network(session: AsyncSession, event: funding.NetworkVaried, sequence: int) -> None:
    """What is said of a network takes the place of all that was said before."""
    spans = f"[{', '.join(span.model_dump_json() for span in event.spans)}]"
    write_later(session, _NETWORK, {"network": event.network, "spans": spans, "sequence": sequence})
