"""What is sent and answered about elections."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from services.registry.codes import OrganisationCode
from services.registry.elections.count import CountingMethod, TieBreak
from services.registry.elections.model import (
    ElectionStatus,
)
from services.registry.periods import Line, PeriodIn, Portion, RegistrationIn, Text
from shared.http import (
    In,
    Out,
)

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
