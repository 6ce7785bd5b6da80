from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from services.registry.applications.shapes import ReasonIn
from services.registry.clinical_directors.model import DirectorOutsideNetwork, OfficeTaken
from services.registry.elections import operations
from services.registry.elections.model import (
    CandidateNotFound,
    CandidateNotStanding,
    CandidateOutsideNetwork,
    CountedAlready,
    Election,
    ElectionGivenUp,
    ElectionNotFound,
    NobodyElected,
    NominationsClosed,
    NotCounted,
    NotEntitledToVote,
    VotedAlready,
    VotingNotOpen,
    VotingNotOver,
    WinnerAppointedAlready,
)
from services.registry.elections.shapes import (
    BallotIn,
    ElectionIn,
    ElectionOut,
    MandateIn,
    NominationIn,
    ReceiptOut,
    TallyOut,
)
from services.registry.networks.model import NetworkNotFound
from services.registry.voice import NotYoursToActFor
from shared.http import (
    Idempotent,
    IfMatch,
    Now,
    Page,
    Paging,
    Reading,
    Today,
    Transaction,
    page,
    refusals,
    service_router,
    tag,
)
from shared.identity import Caller, Role, allow

router = service_router("registry", tags=["elections"])
Onlooker = Annotated[
    Caller,
    allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.NETWORK, Role.PRACTICE),
]
Voice = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER, Role.NETWORK)]
Elector = Annotated[Caller, allow(Role.PRACTICE)]
_RUN = refusals(NetworkNotFound, ElectionNotFound, NotYoursToActFor)


async def _all_shown(session: AsyncSession, elections: Sequence[Election], now: datetime) -> list[ElectionOut]:
    """Who may vote, or might when the vote closed; who has voted once it has."""
    ids = [election.id for election in elections]
    electorates = await operations.electorates_of(session, ids, now)
    voters = await operations.voters_of(session, [e.id for e in elections if now >= e.closes_at])
    found = []
    for election in elections:
        shown = ElectionOut.model_validate(election)
        shown.electorate, shown.voted = electorates.get(election.id, []), voters.get(election.id, [])
        found.append(shown)
    return found


async def _shown(session: AsyncSession, election: Election, now: datetime, response: Response) -> ElectionOut:
    tag(response, election)
    (shown,) = await _all_shown(session, [election], now)
    return shown


@router.get("/networks/{code}/elections", response_model=Page[ElectionOut], responses=refusals(ElectionNotFound))
async def list_elections(
    code: str, session: Reading, caller: Onlooker, paging: Paging, now: Now, today: Today
) -> dict[str, Any]:
    """The elections of a network, with who stood and who won."""
    await operations.require_onlooker(session, code, caller, today)
    statement = select(Election).where(Election.network == code).options(selectinload(Election.candidates))
    rows, following = await page(session, statement, [Election.id], paging)
    return {"items": await _all_shown(session, [row[0] for row in rows], now), "next": following}


@router.get("/networks/{code}/elections/{id}", response_model=ElectionOut, responses=refusals(ElectionNotFound))
async def read_election(
    code: str, id: str, session: Reading, response: Response, caller: Onlooker, now: Now, today: Today
) -> ElectionOut:
    """One election."""
    await operations.require_onlooker(session, code, caller, today)
    return await _shown(session, await operations.find_election(session, code, id), now, response)


@router.post(
    "/networks/{code}/elections",
    response_model=ElectionOut,
    status_code=201,
    responses=refusals(NetworkNotFound, NotYoursToActFor),
)
async def call(
    code: str, terms: ElectionIn, session: Transaction, response: Response, caller: Voice, now: Now, _: Idempotent
) -> ElectionOut:
    """Call an election of a clinical director; the fingerprint of the lot is published with it."""
    made = await operations.call_election(session, code, caller=caller, now=now, **terms.model_dump())
    response.headers["Location"] = f"/registry/v1/networks/{code}/elections/{made.id}"
    return await _shown(session, made, now, response)


@router.post(
    "/networks/{code}/elections/{id}/candidates",
    response_model=ElectionOut,
    status_code=201,
    responses=_RUN | refusals(NominationsClosed, CandidateOutsideNetwork, ElectionGivenUp, CountedAlready),
)
async def nominate(
    code: str,
    id: str,
    nomination: NominationIn,
    session: Transaction,
    response: Response,
    caller: Voice,
    now: Now,
    _: Idempotent,
) -> ElectionOut:
    """Enter a candidate before voting opens."""
    register = nomination.registration
    election = await operations.nominate(
        session,
        code,
        id,
        caller=caller,
        now=now,
        name=nomination.name,
        practice=nomination.practice,
        statement=nomination.statement,
        registration_body=register.body if register else None,
        registration_number=register.number if register else None,
    )
    return await _shown(session, election, now, response)


@router.put(
    "/networks/{code}/elections/{id}/candidates/{candidate}/withdrawal",
    response_model=ElectionOut,
    responses=_RUN
    | refusals(ElectionNotFound, NetworkNotFound, CandidateNotFound, VotingNotOpen, ElectionGivenUp, CountedAlready),
)
async def withdraw(
    code: str,
    id: str,
    candidate: str,
    session: Transaction,
    response: Response,
    caller: Voice,
    now: Now,
    if_match: IfMatch = None,
) -> ElectionOut:
    """A candidate stands no longer."""
    election = await operations.election_to_run(
        session, code, id, caller=caller, if_match=if_match, now=now, candidate=candidate
    )
    await operations.withdraw_candidate(session, election, candidate, now=now)
    return await _shown(session, election, now, response)


@router.put(
    "/networks/{code}/elections/{id}/ballot",
    response_model=ReceiptOut,
    responses=refusals(
        ElectionNotFound,
        NotEntitledToVote,
        VotedAlready,
        VotingNotOpen,
        CandidateNotStanding,
        ElectionGivenUp,
        CountedAlready,
    ),
)
async def vote(
    code: str,
    id: str,
    ballot: BallotIn,
    session: Transaction,
    caller: Elector,
    now: Now,
    if_match: IfMatch = None,
) -> ReceiptOut:
    """Cast the practice's one secret ballot; the answer, kept nowhere, is the only thing that leads back to it."""
    election, receipt = await operations.cast_ballot(
        session, code, id, ballot.practice, ballot.choices, caller=caller, if_match=if_match, now=now
    )
    return ReceiptOut(election=election.id, receipt=receipt)


@router.put(
    "/networks/{code}/elections/{id}/tally",
    response_model=TallyOut,
    responses=_RUN | refusals(VotingNotOver, ElectionGivenUp, CountedAlready),
)
async def count(
    code: str,
    id: str,
    session: Transaction,
    response: Response,
    caller: Voice,
    now: Now,
    if_match: IfMatch = None,
) -> TallyOut:
    """Count the ballots and publish them with every round of counting."""
    election = await operations.election_to_run(session, code, id, caller=caller, if_match=if_match, now=now)
    await operations.count_ballots(session, election, by=caller.subject, now=now)
    tag(response, election)
    return TallyOut.model_validate(election.tally)


@router.get(
    "/networks/{code}/elections/{id}/tally",
    response_model=TallyOut,
    responses=refusals(ElectionNotFound, NotCounted),
)
async def read_tally(
    code: str, id: str, session: Reading, response: Response, caller: Onlooker, today: Today
) -> TallyOut:
    """The published count, from which anybody can count again."""
    await operations.require_onlooker(session, code, caller, today)
    election = await operations.find_election(session, code, id)
    if election.tally is None:
        raise NotCounted(f"The election {id} has not been counted.")
    tag(response, election)
    return TallyOut.model_validate(election.tally)


@router.put(
    "/networks/{code}/elections/{id}/appointment",
    response_model=ElectionOut,
    responses=_RUN | refusals(NotCounted, NobodyElected, WinnerAppointedAlready, DirectorOutsideNetwork, OfficeTaken),
)
async def appoint(
    code: str,
    id: str,
    mandate: MandateIn,
    session: Transaction,
    response: Response,
    caller: Voice,
    now: Now,
    if_match: IfMatch = None,
) -> ElectionOut:
    """Make the winner clinical director."""
    election = await operations.election_to_run(session, code, id, caller=caller, if_match=if_match, now=now)
    await operations.appoint_winner(
        session,
        election,
        portion=mandate.portion,
        first=mandate.valid_from,
        last=mandate.valid_to,
        by=caller.subject,
        now=now,
    )
    return await _shown(session, election, now, response)


@router.put(
    "/networks/{code}/elections/{id}/abandonment",
    response_model=ElectionOut,
    responses=_RUN | refusals(ElectionGivenUp, CountedAlready),
)
async def abandon(
    code: str,
    id: str,
    why: ReasonIn,
    session: Transaction,
    response: Response,
    caller: Voice,
    now: Now,
    if_match: IfMatch = None,
) -> ElectionOut:
    """Give an election up before it is counted; its ballots are destroyed."""
    election = await operations.election_to_run(session, code, id, caller=caller, if_match=if_match, now=now)
    await operations.abandon_election(session, election, why.reason)
    return await _shown(session, election, now, response)
