"""Candidates over HTTP: a reference and where they come from, nothing more."""

from datetime import datetime
from typing import Annotated

from fastapi import Response
from pydantic import Field

from services.workforce.candidates import operations
from services.workforce.candidates.model import Candidate, CandidateAlreadyKnown
from services.workforce.networks.model import NetworkNotApproved
from services.workforce.shapes import OrganisationCode
from shared.errors import NotFound
from shared.http import Idempotent, In, Now, Out, Page, Paging, Reading, Transaction, page, refusals, service_router
from shared.identity import Caller, Role, allow

router = service_router("workforce", tags=["candidates"])

Reader = Annotated[Caller, allow(Role.NETWORK, Role.COMMISSIONER, Role.SYSTEM, Role.NATIONAL)]


class CandidateIn(In):
    """`reference` is the network's own, such as a payroll or applicant number; names are not asked for."""

    network: OrganisationCode
    reference: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._/-]+$")]
    recruited_from: OrganisationCode | None = None


class CandidateOut(Out):
    id: str
    network: str
    reference: str
    recruited_from: str | None
    created_at: datetime


@router.post("/candidates", status_code=201, responses=refusals(CandidateAlreadyKnown, NetworkNotApproved, NotFound))
async def enter_candidate(
    candidate: CandidateIn,
    session: Transaction,
    response: Response,
    caller: Annotated[Caller, allow(Role.NETWORK)],
    now: Now,
    _: Idempotent,
) -> CandidateOut:
    """Enter somebody a network may put in post, under the network's own reference."""
    made = await operations.enter_candidate(
        session,
        network=candidate.network,
        reference=candidate.reference,
        recruited_from=candidate.recruited_from,
        caller=caller,
        now=now,
    )
    response.headers["Location"] = f"/workforce/v1/candidates/{made.id}"
    return CandidateOut.model_validate(made)


@router.get("/candidates")
async def list_candidates(
    session: Reading, caller: Reader, paging: Paging, network: str | None = None
) -> Page[CandidateOut]:
    """Candidates of the caller's networks."""
    statement = operations.visible_candidates(caller)
    if network is not None:
        statement = statement.where(Candidate.network == network)
    rows, following = await page(session, statement, [Candidate.__table__.c.id], paging)
    return Page(items=[CandidateOut.model_validate(row[0]) for row in rows], next=following)


@router.get("/candidates/{candidate_id}", responses=refusals(NotFound))
async def read_candidate(candidate_id: str, session: Reading, caller: Reader) -> CandidateOut:
    """One candidate, under the network's own reference."""
    return CandidateOut.model_validate(await operations.find_candidate(session, candidate_id, caller=caller))
