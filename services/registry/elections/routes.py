from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Response
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from services.registry.applications.shapes import ReasonIn
from services.registry.clinical_directors.model import DirectorOutsideNetwork, OfficeTaken
from services.registry.codes import OrganisationCode
from services.registry.elections import operations
from services.registry.elections.count import CountingMethod, TieBreak
from services.registry.elections.model import (
    CandidateNotFound,
    CandidateNotStanding,
    CandidateOutsideNetwork,
    CountedAlready,
    Election,
    ElectionGivenUp,
    ElectionNotFound,
    ElectionStatus,
    NobodyElected,
    NominationsClosed,
    NotCounted,
    NotEntitledToVote,
    VotedAlready,
    VotingNotOpen,
    VotingNotOver,
    WinnerAppointedAlready,
)
from services.registry.networks.model import NetworkNotFound
from services.registry.periods import Line, PeriodIn, Portion, RegistrationIn, Text
from services.registry.voice import NotYoursToActFor
from shared.http import (
    Idempotent,
    IfMatch,
    In,
    Now,
    Out,
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
Choice = Annotated[str, Field(max_length=32)]


def _as_words(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError('send a time as text, like "2022-03-01T09:00:00Z"')
    return value


def _sensible(moment: datetime) -> datetime:
    if not 2019 <= moment.year <= 2200:
        raise ValueError("the year must lie between 2019 and 2200")
    return moment


Instant = Annotated[AwareDatetime, BeforeValidator(_as_words), AfterValidator(_sensible)]


class ElectionIn(In):
    """What is elected, how it is counted, what breaks a tie, and from when to when votes are cast."""

    title: Line
    method: CountingMethod
    tie_break: TieBreak = TieBreak.EARLIER_ROUNDS
    opens_at: Instant
    closes_at: Instant


class NominationIn(In):
    name: Line
    practice: OrganisationCode
    registration: RegistrationIn | None = None
    statement: Text | None = None


class BallotIn(In):
    """The candidates a practice chooses, in order of preference; one alone where most first choices win."""

    practice: OrganisationCode
    choices: Annotated[list[Choice], Field(min_length=1, max_length=100)]


class MandateIn(PeriodIn):
    """The days of the winner's office, and the part of it that was voted on."""

    portion: Portion = Decimal(1)


class CandidateOut(Out):
    id: str
    name: str
    practice: str
    statement: str | None
    withdrawn_on: date | None


class ElectionOut(Out):
    """An election; who has voted is told when it has closed, what was voted never."""

    id: str
    network: str
    title: str
    method: CountingMethod
    tie_break: TieBreak
    opens_at: datetime
    closes_at: datetime
    status: ElectionStatus
    lot_commitment: str
    candidates: list[CandidateOut]
    winner: str | None
    appointment: str | None
    reason: str | None
    electorate: list[str] = []
    voted: list[str] = []


class ReceiptOut(Out):
    """Kept by the practice: the SHA-256 of the receipt stands beside its ballot in the published tally."""

    election: str
    receipt: str


class PublishedBallot(Out):
    receipt: str
    choices: list[str]


class PublishedRound(Out):
    votes: dict[str, int]
    exhausted: int
    eliminated: str | None
    broken_by: TieBreak | None


class TallyOut(Out):
    """Everything anybody needs to count again: the ballots in the order of their receipts, and each round."""

    method: CountingMethod
    tie_break: TieBreak
    lot_seed: str
    standing: list[str]
    ballots: list[PublishedBallot]
    rounds: list[PublishedRound]
    winner: str | None


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
