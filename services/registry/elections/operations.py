from __future__ import annotations

import hashlib
import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Date, cast, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from services.registry.clinical_directors.model import Appointment, Method
from services.registry.clinical_directors.operations import Director, appoint_director
from services.registry.elections.model import (
    BallotBox,
    Candidate,
    CandidateNotFound,
    CandidateOutsideNetwork,
    Election,
    ElectionNotFound,
    NotEntitledToVote,
    VotedAlready,
    Voter,
    VotingNotOpen,
)
from services.registry.networks.model import Membership
from services.registry.periods import refused_by
from services.registry.voice import act_for, sees_inside
from shared.clock import LONDON, london_day
from shared.database import new_id
from shared.errors import Invalid
from shared.facts import as_at, currently_known
from shared.http import require_match
from shared.identity import Caller


async def require_onlooker(session: AsyncSession, code: str, caller: Caller, day: date) -> None:
    """An election is private to the network and whose area it is. Raises `ElectionNotFound`."""
    if not await sees_inside(session, code, caller, day):
        raise ElectionNotFound(f"No election of {code}.")


async def find_election(
    session: AsyncSession, code: str, id: str, *, lock: bool = False, kept: bool = False
) -> Election:
    """An election: locked for a change of it, or `kept` as it is while others may use it too.

    Raises `ElectionNotFound`.
    """
    statement = select(Election).where(Election.id == id, Election.network == code)
    statement = statement.options(selectinload(Election.candidates)).execution_options(populate_existing=True)
    if lock or kept:
        statement = statement.with_for_update(read=kept, key_share=kept)
    found = await session.scalar(statement)
    if found is None:
        raise ElectionNotFound(f"No election {id} of {code}.")
    return found


async def election_to_run(
    session: AsyncSession,
    code: str,
    id: str,
    *,
    caller: Caller,
    if_match: str | None,
    now: datetime,
    candidate: str | None = None,
) -> Election:
    """An election, locked, for who may act for the network; with `candidate`, one they are a candidate in.

    Raises `ElectionNotFound`, `NotYoursToActFor`, `CandidateNotFound`.
    """
    await require_onlooker(session, code, caller, london_day(now))
    await act_for(session, code, caller, london_day(now))
    election = await find_election(session, code, id, lock=True)
    if candidate is not None and candidate not in {nominated.id for nominated in election.candidates}:
        raise CandidateNotFound(f"No candidate {candidate} in {election.id}.")
    require_match(election, if_match)
    election.changed_at = now
    return election


async def call_election(session: AsyncSession, code: str, *, caller: Caller, now: datetime, **terms: Any) -> Election:
    """Call an election. Raises `NetworkNotFound`, `NotYoursToActFor`, `Invalid` for times that do not fit."""
    await act_for(session, code, caller, london_day(now))
    made = Election(
        id=new_id("ele"),
        network=code,
        lot_seed=secrets.token_hex(16),
        called_by=caller.subject,
        called_at=now,
        changed_at=now,
        candidates=[],
        **terms,
    )
    faults = made.faults(now)
    if faults:
        raise Invalid("The times of the vote do not fit.", errors=faults)
    session.add(made)
    await session.flush()
    await session.execute(insert(BallotBox).values(election=made.id, ballots=[]))
    return made


async def nominate(
    session: AsyncSession, code: str, id: str, *, caller: Caller, now: datetime, name: str, practice: str, **more: Any
) -> Election:
    """Enter a candidate. Raises `NominationsClosed`, `CandidateOutsideNetwork` and what keeps an election shut."""
    today = london_day(now)
    await require_onlooker(session, code, caller, today)
    await act_for(session, code, caller, today)
    election = await find_election(session, code, id, lock=True)
    election.require_nominations_open(now)
    if not await _is_member(session, code, practice, today):
        raise CandidateOutsideNetwork(f"{practice} is no member of {code}.")
    session.add(Candidate(id=new_id("can"), election=id, network=code, name=name, practice=practice, **more))
    election.changed_at = now
    await session.flush()
    return await find_election(session, code, id)


async def withdraw_candidate(session: AsyncSession, election: Election, candidate: str, *, now: datetime) -> None:
    """Raises `VotingNotOpen` once the vote has closed."""
    standing = next(nominated for nominated in election.candidates if nominated.id == candidate)
    election.withdraw(standing, on=london_day(now), now=now)
    await session.flush()


async def cast_ballot(
    session: AsyncSession,
    code: str,
    id: str,
    practice: str,
    choices: Sequence[str],
    *,
    caller: Caller,
    if_match: str | None,
    now: datetime,
) -> tuple[Election, str]:
    """Put a practice's ballot into the box; gives the receipt by which it finds it in the published tally.

    Who voted is written in one table, what was voted in another, and nothing that could link them. Raises
    `ElectionNotFound`, `NotEntitledToVote`, `VotedAlready` and what `Election.require_ballot` raises.
    """
    await require_onlooker(session, code, caller, london_day(now))
    # whoever gives up or counts the election waits for this ballot, and not the two for each other
    election = await find_election(session, code, id, kept=True)
    require_match(election, if_match)
    if practice not in caller.organisations:
        raise NotEntitledToVote(f"The ballot of {practice} is not yours to cast.")
    if not await _is_member(session, code, practice, london_day(now)):
        raise NotEntitledToVote(f"{practice} is no member of {code} today.")
    election.require_ballot(choices, now)
    # the boxes before the roll: those who vote at once wait for each other here
    boxes = await _take_out(session)
    if id not in boxes:
        raise VotingNotOpen("The ballots are being counted.")
    async with refused_by(session, "pk_election_voters", VotedAlready(f"{practice} has voted.")):
        session.add(Voter(election=id, practice=practice, network=code))
    receipt = secrets.token_urlsafe(24)
    cast = {"receipt": hashlib.sha256(receipt.encode()).hexdigest(), "choices": list(choices)}
    boxes[id] = sorted([*boxes[id], cast], key=lambda ballot: str(ballot["receipt"]))
    await _put_back(session, boxes)
    return election, receipt


async def _take_out(session: AsyncSession) -> dict[str, list[dict[str, Any]]]:
    """The ballots of every open box, by election; nobody else puts one in until this transaction ends."""
    await session.execute(text("LOCK TABLE ballot_boxes IN ACCESS EXCLUSIVE MODE"))
    return dict((await session.execute(select(BallotBox.election, BallotBox.ballots))).all())


async def _put_back(session: AsyncSession, boxes: Mapping[str, Sequence[dict[str, Any]]]) -> None:
    """Write the boxes into a new file of the table.

    An update would leave the box as it was before in the old one, with its transaction, and so whose ballot came next.
    """
    await session.execute(text("TRUNCATE ballot_boxes"))
    # not through the ORM: the audit trail would say who put in what
    if boxes:
        rows = [{"election": election, "ballots": ballots} for election, ballots in sorted(boxes.items())]
        await session.execute(insert(BallotBox), rows)


async def count_ballots(session: AsyncSession, election: Election, *, by: str, now: datetime) -> None:
    """Open the box, count, publish, and throw the box away: all that was in it stands in the tally."""
    boxes = await _take_out(session)
    election.count(boxes.pop(election.id, []), by=by, now=now)
    await _put_back(session, boxes)
    await session.flush()


async def abandon_election(session: AsyncSession, election: Election, reason: str) -> None:
    """Raises `ElectionGivenUp`, `CountedAlready`."""
    election.abandon(reason)
    boxes = await _take_out(session)
    boxes.pop(election.id, None)
    await _put_back(session, boxes)
    await session.flush()


async def appoint_winner(
    session: AsyncSession,
    election: Election,
    *,
    portion: Decimal,
    first: date,
    last: date | None,
    by: str,
    now: datetime,
) -> Appointment:
    """Give the office to whoever was elected. Raises what `Election.require_winner` and the appointment raise."""
    winner = election.require_winner()
    director = Director(
        name=winner.name,
        practice=winner.practice,
        registration_body=winner.registration_body,
        registration_number=winner.registration_number,
        method=Method.ELECTED,
        portion=portion,
        valid_from=first,
        valid_to=last,
    )
    made = await appoint_director(session, election.network, director, by=by, now=now, election=election.id)
    election.appointment = made.id
    await session.flush()
    return made


async def voters_of(session: AsyncSession, elections: Sequence[str]) -> dict[str, list[str]]:
    """By election the practices that have voted."""
    statement = select(Voter.election, Voter.practice).where(Voter.election.in_(elections)).order_by(Voter.practice)
    found: dict[str, list[str]] = defaultdict(list)
    for election, practice in await session.execute(statement):
        found[election].append(practice)
    return found


async def electorates_of(session: AsyncSession, elections: Sequence[str], now: datetime) -> dict[str, list[str]]:
    """By election the practices with a ballot now, or when its vote closed."""
    day = cast(func.timezone(LONDON.key, func.least(Election.closes_at, now)), Date)
    statement = (
        select(Election.id, Membership.practice)
        .join(Membership, Membership.network == Election.network)
        .where(Election.id.in_(elections), currently_known(Membership), Membership.valid.contains(day))
    )
    found: dict[str, list[str]] = defaultdict(list)
    for election, practice in await session.execute(statement.distinct().order_by(Membership.practice)):
        found[election].append(practice)
    return found


async def electorate_of(session: AsyncSession, code: str, day: date) -> Sequence[str]:
    """The practices with a ballot on a day."""
    statement = select(Membership.practice).where(Membership.network == code, as_at(Membership, day))
    return (await session.scalars(statement.distinct().order_by(Membership.practice))).all()


async def _is_member(session: AsyncSession, code: str, practice: str, day: date) -> bool:
    return practice in await electorate_of(session, code, day)
