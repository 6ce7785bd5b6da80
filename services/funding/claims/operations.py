"""Taking in claims, deciding on them one by one or many at once, checking again those that wait."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.budgets.model import Budget
from services.funding.claims.checking import check_claim
from services.funding.claims.decision import ClaimStatus
from services.funding.claims.model import Claim
from services.funding.heirs.operations import must_decide
from services.funding.practice_scheme.hours import lock_person
from services.funding.scope import network_codes_seen
from shared.clock import london_day
from shared.errors import DomainError, NotFound
from shared.events.funding import ClaimApproved, ClaimRejected, ClaimReturned
from shared.events.workforce import ClaimMade
from shared.history import as_known
from shared.http import require_match
from shared.identity import Caller
from shared.messaging import announce


class ClaimNotFound(NotFound):
    """No such claim, or none the caller may see."""


class Decision(StrEnum):
    """What may become of a claim: its state afterwards."""

    APPROVED = "approved"
    RETURNED = "returned"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One decision asked for: `code` and `reason` are needed for all but approvals."""

    claim: str
    version: int
    decision: Decision
    code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one decision of many came to: the claim as it stands, and the refusal if there was one."""

    claim: Claim | None
    repeated: bool
    refusal: DomainError | None


async def submit_claim(session: AsyncSession, event: ClaimMade, position: int, now: datetime) -> Claim | None:
    """A claim comes in, or comes again put right; one already approved or paid stays as it was decided."""
    claim = await session.get(Claim, event.claim, with_for_update=True)
    if claim is not None and (claim.position >= position or claim.status in {ClaimStatus.APPROVED, ClaimStatus.PAID}):
        return None
    if claim is None:
        claim = Claim(id=event.claim, version=1, submitted_at=now, checked={})
        session.add(claim)
    claim.take(event, position)
    claim.note(await check_claim(session, claim, now))
    await session.flush()
    return claim


async def claim_seen(
    session: AsyncSession, claim_id: str, caller: Caller, *, lock: bool = False, known_at: datetime | None = None
) -> Claim:
    """A claim the caller may see, now or as it stood then. Raises `ClaimNotFound`."""
    stood = as_known(Claim, known_at)
    statement = select(stood).where(stood.id == claim_id)
    if not caller.everywhere:
        statement = statement.where(stood.network.in_(network_codes_seen(caller)))
    claim = await session.scalar(statement.with_for_update() if lock else statement)
    if claim is None:
        raise ClaimNotFound(f"No claim {claim_id}.")
    return claim


async def lock_sums(session: AsyncSession, sums: Iterable[tuple[str, str]]) -> None:
    """Let nobody else take of these sums (network and year) until the transaction ends; always in one order."""
    wanted = sorted(set(sums))
    await session.execute(
        select(Budget.network)
        .where(tuple_(Budget.network, Budget.contract_year).in_(wanted))
        .order_by(Budget.network, Budget.contract_year, Budget.scope)
        .with_for_update()
    )


async def approve_claim(
    session: AsyncSession, claim_id: str, if_match: str | None, *, caller: Caller, now: datetime
) -> Claim:
    """The commissioner accepts a claim for what is payable now. Raises `ClaimDecided` and `ClaimNotPayable`."""
    return await _decide(
        session, await claim_seen(session, claim_id, caller), if_match, Decision.APPROVED, caller=caller, now=now
    )


async def close_claim(
    session: AsyncSession,
    claim_id: str,
    if_match: str | None,
    decision: Decision,
    code: str,
    reason: str,
    *,
    caller: Caller,
    now: datetime,
) -> Claim:
    """The commissioner turns a claim down or sends it back. Raises `ClaimDecided`."""
    claim = await claim_seen(session, claim_id, caller)
    return await _decide(session, claim, if_match, decision, code, reason, caller=caller, now=now)


async def _decide(
    session: AsyncSession,
    claim: Claim,
    if_match: str | None,
    decision: Decision,
    code: str = "",
    reason: str = "",
    *,
    caller: Caller,
    now: datetime,
) -> Claim:
    await must_decide(session, caller, claim.network, london_day(now))
    # two claims of one sum decided at once must not both take the same room; whoever sets sums locks them first too
    await lock_sums(session, [(claim.network, claim.contract_year)])
    await session.refresh(claim, with_for_update=True)
    require_match(claim, if_match)
    event: ClaimApproved | ClaimReturned | ClaimRejected
    if decision is Decision.APPROVED:
        if claim.person is not None:
            await lock_person(session, claim.person, claim.month)
        event = claim.approve(await check_claim(session, claim, now), by=caller.subject, at=now)
    elif decision is Decision.RETURNED:
        event = claim.send_back(code, reason, by=caller.subject, at=now)
    else:
        event = claim.reject(code, reason, by=caller.subject, at=now)
    announce(session, event)
    await session.flush()
    return claim


async def decide_claims(
    session: AsyncSession, wanted: Sequence[Wanted], *, caller: Caller, now: datetime
) -> dict[str, Answer]:
    """Decide many claims at once, each with an answer of its own: one that is refused holds no other back.

    They are taken in the order in which their months and claims were made, so that a sum that does not reach for all
    pays the earlier ones. A decision that stands already is answered as repeated and has no second effect.

    Raises `ClaimNotFound` where the caller may see none of them.
    """
    ids = [one.claim for one in wanted]
    statement = select(Claim).where(Claim.id.in_(ids))
    if not caller.everywhere:
        statement = statement.where(Claim.network.in_(network_codes_seen(caller)))
    found = {claim.id: claim for claim in (await session.scalars(statement)).all()}
    if not found:
        raise ClaimNotFound("No such claims.")
    await lock_sums(session, [(claim.network, claim.contract_year) for claim in found.values()])
    asked = {one.claim: one for one in wanted}
    answers: dict[str, Answer] = {
        one.claim: Answer(None, repeated=False, refusal=ClaimNotFound(f"No claim {one.claim}."))
        for one in wanted
        if one.claim not in found
    }
    for claim in sorted(found.values(), key=lambda claim: (claim.month, claim.position, claim.id)):
        one = asked[claim.id]
        await session.refresh(claim, with_for_update=True)
        if claim.status.value == one.decision.value or (
            one.decision is Decision.APPROVED and claim.status is ClaimStatus.PAID
        ):
            answers[claim.id] = Answer(claim, repeated=True, refusal=None)
            continue
        try:
            async with session.begin_nested():
                await _decide(
                    session, claim, f'"{one.version}"', one.decision, one.code, one.reason, caller=caller, now=now
                )
            answers[claim.id] = Answer(claim, repeated=False, refusal=None)
        except DomainError as refusal:
            await session.refresh(claim)
            answers[claim.id] = Answer(claim, repeated=False, refusal=refusal)
    return answers


async def recheck_waiting(
    session: AsyncSession,
    now: datetime,
    *,
    networks: Collection[str] | None = None,
    role: str | None = None,
    contract_year: str | None = None,
) -> None:
    """What waiting claims would be paid, after a sum, ceiling or deadline they depend on was set."""
    statement = select(Claim).where(Claim.status == ClaimStatus.SUBMITTED)
    for column, chosen in ((Claim.role, role), (Claim.contract_year, contract_year)):
        if chosen is not None:
            statement = statement.where(column == chosen)
    if networks is not None:
        statement = statement.where(Claim.network.in_(networks))
    waiting = await session.scalars(statement.order_by(Claim.month, Claim.position).with_for_update())
    for claim in waiting.all():
        claim.note(await check_claim(session, claim, now))
        await session.flush()
