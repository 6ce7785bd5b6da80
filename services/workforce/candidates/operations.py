"""Enter and find candidates."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.workforce.candidates.model import Candidate, CandidateAlreadyKnown
from services.workforce.networks.operations import of_caller, own_network
from shared.database import new_id
from shared.errors import NotFound
from shared.identity import Caller


def visible_candidates(caller: Caller) -> Select[Candidate]:
    return select(Candidate).where(of_caller(caller, Candidate.network))


async def enter_candidate(
    session: AsyncSession, *, network: str, reference: str, recruited_from: str | None, caller: Caller, now: datetime
) -> Candidate:
    """A network enters somebody under its own reference, once."""
    await own_network(session, network, caller, lock=True)
    held = await session.scalar(
        select(Candidate.id).where(Candidate.network == network, Candidate.reference == reference)
    )
    if held is not None:
        raise CandidateAlreadyKnown(f"{network} has a candidate under that reference already: {held}.")
    candidate = Candidate(
        id=new_id("cand"), network=network, reference=reference, recruited_from=recruited_from, created_at=now
    )
    session.add(candidate)
    await session.flush()
    return candidate


async def find_candidate(session: AsyncSession, candidate_id: str, *, caller: Caller) -> Candidate:
    candidate = await session.scalar(visible_candidates(caller).where(Candidate.id == candidate_id))
    if candidate is None:
        raise NotFound(f"No candidate {candidate_id}.")
    return candidate
