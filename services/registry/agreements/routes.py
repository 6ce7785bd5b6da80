from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Response
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.agreements import operations
from services.registry.agreements.model import (
    AgreementGivenUp,
    AgreementInForce,
    AgreementInUse,
    AgreementNotDraft,
    AgreementNotFound,
    AgreementNotInForce,
    AgreementNotSent,
    AgreementVersion,
    Parties,
    SignaturesMissing,
)
from services.registry.agreements.queries import in_force_on, parties_of, read_version_then
from services.registry.agreements.terms import NamedPartners, Terms
from services.registry.applications.shapes import ReasonIn
from services.registry.codes import Day
from services.registry.networks.model import NetworkNotFound
from services.registry.periods import LastDayIn
from services.registry.voice import NotYoursToActFor
from shared.audit import as_it_was
from shared.facts import as_at as true_at
from shared.http import (
    AsAt,
    Idempotent,
    IfMatch,
    In,
    KnownAt,
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

router = service_router("registry", tags=["agreements"])
Reader = Annotated[
    Caller,
    allow(
        *(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER),
        *(Role.NETWORK, Role.PRACTICE, Role.PAYEE, Role.TRUST),
    ),
]
Voice = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER, Role.NETWORK)]


class VersionIn(In):
    """A draft: its terms as far as they are written, the day it is to begin, and the people who sign for themselves."""

    in_force_from: Day
    terms: Terms = Terms()
    named_partners: Annotated[NamedPartners, Field(max_length=200)] = {}


class PartyOut(Out):
    practice: str | None
    person: str | None
    partner: str | None
    signed_on: date | None


class VersionSummary(Out):
    network: str
    number: int
    stage: str
    in_force_from: date
    in_force_since: date | None
    ended_on: date | None
    sent_on: date | None
    fingerprint: str | None
    reason: str | None


class VersionOut(VersionSummary):
    """A version and its parties of a day; `complete` when every one of them has signed by then."""

    terms: Terms
    named_partners: dict[str, list[str]]
    human_resources: bool
    parties: list[PartyOut]
    complete: bool


class AgreementOut(VersionOut):
    """The agreement in force on a day; `live` says that every party of that day has signed it."""

    valid_from: date
    valid_to: date | None
    live: bool


_CHANGE = refusals(NetworkNotFound, AgreementNotFound, NotYoursToActFor)


async def _described(
    session: AsyncSession, version: AgreementVersion, day: date, known_at: datetime | None
) -> dict[str, Any]:
    parties: Parties = await parties_of(session, version.network, version.number, known_at)
    held = await session.scalar(
        select(AgreementInForce.number).where(
            AgreementInForce.network == version.network, true_at(AgreementInForce, day, known_at)
        )
    )
    terms = Terms.model_validate(version.terms)
    signed = {party: on for party, on in parties.signed.items() if on <= day}
    return {
        **_summary(version, day, held),
        "terms": terms,
        "named_partners": parties.persons,
        "human_resources": terms.workforce is not None,
        "parties": [
            PartyOut(practice=p.practice, person=p.person, partner=p.partner, signed_on=signed.get(p))
            for p in parties.on(max(day, version.in_force_from))
        ],
        "complete": bool(parties.on(day)) and not parties.missing(day),
    }


def _summary(version: AgreementVersion, day: date, in_force: int | None) -> dict[str, Any]:
    columns = {name: getattr(version, name) for name in VersionSummary.model_fields if name != "stage"}
    return {**columns, "stage": version.stage(day, in_force)}


async def _version(session: AsyncSession, version: AgreementVersion, today: date, response: Response) -> VersionOut:
    tag(response, version)
    return VersionOut(**await _described(session, version, today, None))


@router.get("/networks/{code}/agreement", response_model=AgreementOut, responses=refusals(AgreementNotFound))
async def read_agreement(
    code: str,
    session: Reading,
    response: Response,
    caller: Reader,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> AgreementOut:
    """The network agreement in force on a day, as known then or now, with its schedules and who has signed."""
    day = as_at or today
    await operations.require_reader(session, code, caller, day)
    held = await in_force_on(session, code, day, known_at)
    version = await read_version_then(session, code, held.number, known_at)
    tag(response, version)
    described = await _described(session, version, day, known_at)
    return AgreementOut(
        **described, valid_from=held.valid_from, valid_to=held.valid_to, live=bool(described["complete"])
    )


@router.get(
    "/networks/{code}/agreement/versions", response_model=Page[VersionSummary], responses=refusals(AgreementNotFound)
)
async def list_versions(
    code: str,
    session: Reading,
    caller: Reader,
    paging: Paging,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> dict[str, Any]:
    """Every version there has been, and what each was on a day."""
    day = as_at or today
    await operations.require_reader(session, code, caller, day)
    statement = select(AgreementVersion).where(AgreementVersion.network == code)
    if known_at is not None:
        statement = statement.where(AgreementVersion.drafted_at <= known_at)
    held = await session.scalar(
        select(AgreementInForce.number).where(
            AgreementInForce.network == code, true_at(AgreementInForce, day, known_at)
        )
    )
    rows, following = await page(session, statement, [AgreementVersion.number], paging)
    stood = await as_it_was(session, [row[0] for row in rows], known_at)
    return {"items": [_summary(version, day, held) for version in stood], "next": following}


@router.get(
    "/networks/{code}/agreement/versions/{number}", response_model=VersionOut, responses=refusals(AgreementNotFound)
)
async def read_version(
    code: str,
    number: int,
    session: Reading,
    response: Response,
    caller: Reader,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> VersionOut:
    """One version with its terms, its parties of a day and which of them have signed."""
    day = as_at or today
    await operations.require_reader(session, code, caller, day)
    version = await read_version_then(session, code, number, known_at)
    tag(response, version)
    return VersionOut(**await _described(session, version, day, known_at))


@router.post(
    "/networks/{code}/agreement/versions",
    response_model=VersionOut,
    status_code=201,
    responses=refusals(NetworkNotFound, NotYoursToActFor),
)
async def draft(
    code: str,
    wanted: VersionIn,
    session: Transaction,
    response: Response,
    caller: Voice,
    now: Now,
    today: Today,
    _: Idempotent,
) -> VersionOut:
    """Begin the next version of the network agreement; it may be incomplete until it is sent."""
    made = await operations.draft_version(
        session,
        code,
        caller=caller,
        terms=wanted.terms,
        named=wanted.named_partners,
        in_force_from=wanted.in_force_from,
        now=now,
    )
    response.headers["Location"] = f"/registry/v1/networks/{code}/agreement/versions/{made.number}"
    return await _version(session, made, today, response)


@router.put(
    "/networks/{code}/agreement/versions/{number}",
    response_model=VersionOut,
    responses=_CHANGE | refusals(AgreementNotDraft),
)
async def change(
    code: str,
    number: int,
    wanted: VersionIn,
    session: Transaction,
    response: Response,
    caller: Voice,
    now: Now,
    today: Today,
    if_match: IfMatch = None,
) -> VersionOut:
    """Write a draft anew; what was sent for signature never changes."""
    version = await operations.version_to_change(session, code, number, caller=caller, if_match=if_match, now=now)
    await operations.change_draft(
        session, version, terms=wanted.terms, named=wanted.named_partners, in_force_from=wanted.in_force_from
    )
    return await _version(session, version, today, response)


@router.put(
    "/networks/{code}/agreement/versions/{number}/circulation",
    response_model=VersionOut,
    responses=_CHANGE | refusals(AgreementNotDraft),
)
async def send(
    code: str,
    number: int,
    session: Transaction,
    response: Response,
    caller: Voice,
    now: Now,
    today: Today,
    if_match: IfMatch = None,
) -> VersionOut:
    """Send the draft to every party for signature; everything missing is listed at once."""
    version = await operations.version_to_change(session, code, number, caller=caller, if_match=if_match, now=now)
    await operations.send_version(session, version, by=caller.subject, on=today)
    return await _version(session, version, today, response)


@router.put(
    "/networks/{code}/agreement/versions/{number}/force",
    response_model=VersionOut,
    responses=_CHANGE | refusals(AgreementNotSent, AgreementGivenUp, SignaturesMissing),
)
async def bring_into_force(
    code: str,
    number: int,
    session: Transaction,
    response: Response,
    caller: Voice,
    now: Now,
    today: Today,
    if_match: IfMatch = None,
) -> VersionOut:
    """Bring a version into force once those who never signed are no longer parties; else the last signature does."""
    version = await operations.version_to_change(session, code, number, caller=caller, if_match=if_match, now=now)
    await operations.bring_into_force(session, version, now=now)
    return await _version(session, version, today, response)


@router.put(
    "/networks/{code}/agreement/versions/{number}/ending",
    response_model=VersionOut,
    responses=_CHANGE | refusals(AgreementNotInForce),
)
async def end(
    code: str,
    number: int,
    ending: LastDayIn,
    session: Transaction,
    response: Response,
    caller: Voice,
    now: Now,
    today: Today,
    if_match: IfMatch = None,
) -> VersionOut:
    """End an agreement that no other takes the place of."""
    version = await operations.version_to_change(session, code, number, caller=caller, if_match=if_match, now=now)
    await operations.end_version(session, version, ending.last_day, ending.reason, now=now)
    return await _version(session, version, today, response)


@router.put(
    "/networks/{code}/agreement/versions/{number}/abandonment",
    response_model=VersionOut,
    responses=_CHANGE | refusals(AgreementInUse, AgreementGivenUp),
)
async def abandon(
    code: str,
    number: int,
    why: ReasonIn,
    session: Transaction,
    response: Response,
    caller: Voice,
    now: Now,
    today: Today,
    if_match: IfMatch = None,
) -> VersionOut:
    """Give up a version before it comes into force."""
    version = await operations.version_to_change(session, code, number, caller=caller, if_match=if_match, now=now)
    version.abandon(why.reason, on=today)
    await session.flush()
    return await _version(session, version, today, response)
