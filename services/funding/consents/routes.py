"""Consents to local variations over HTTP: each practice for itself, or its commissioner with what it signed."""

from datetime import date, datetime
from typing import Annotated

from fastapi import Path, Response
from pydantic import Field
from sqlalchemy import select

from services.funding.codes import OrganisationCode
from services.funding.consents import operations
from services.funding.consents.model import AnotherVariation, Consent, NotInVariation
from services.funding.consents.operations import ConsentNotFound
from services.funding.dated import Day
from services.funding.networks.model import Practice
from services.funding.scope import practices_seen
from services.funding.variations.model import BelowNationalTotal, NationalTotalUnknown, VariationDecided
from services.funding.variations.operations import VariationNotFound, variation_seen
from shared.errors import Invalid, PreconditionFailed, PreconditionMissing
from shared.facts import believed
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
    Transaction,
    page,
    refusals,
    service_router,
    tag,
)
from shared.identity import Caller, Role, allow

router = service_router("funding", tags=["variations"])

Seen = Annotated[
    Caller, allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.NETWORK, Role.PRACTICE)
]
Agrees = Annotated[Caller, allow(Role.PRACTICE, Role.COMMISSIONER)]
VariationId = Annotated[str, Path(max_length=64)]
PracticeCode = Annotated[str, Path(max_length=32)]


class ConsentIn(In):
    """`valid_from` is the first day of the variation unless given; a month counts by the rule of membership."""

    practice: OrganisationCode
    valid_from: Day | None = None
    signed_by: Annotated[str, Field(min_length=1, max_length=200)]


class ConsentOut(Out):
    variation: str
    practice: str
    valid_from: date
    valid_to: date | None
    signed_by: str
    entered_by: str
    entered_at: datetime


class TakenBackIn(In):
    withdrawn_from: Day


@router.post(
    "/variations/{variation_id}/consents",
    status_code=201,
    responses=refusals(
        VariationNotFound, VariationDecided, NotInVariation, AnotherVariation, BelowNationalTotal, NationalTotalUnknown
    ),
    summary="Agree to a local variation",
)
async def give_consent(
    consent: ConsentIn,
    session: Transaction,
    response: Response,
    caller: Agrees,
    now: Now,
    variation_id: VariationId,
    _: Idempotent,
) -> ConsentOut:
    """From its day on the practice is counted at the variation's rates, once the variation is approved."""
    made = await operations.give_consent(
        session, variation_id, consent.practice, consent.valid_from, consent.signed_by, caller=caller, now=now
    )
    tag(response, made)
    response.headers["Location"] = f"/funding/v1/variations/{variation_id}/consents/{made.practice}"
    return ConsentOut.model_validate(made)


@router.get(
    "/variations/{variation_id}/consents", responses=refusals(VariationNotFound), summary="Who agreed to a variation"
)
async def list_consents(
    session: Reading,
    paging: Paging,
    caller: Seen,
    variation_id: VariationId,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> Page[ConsentOut]:
    """Every consent known now or at `known_at`, or those that hold on a day; of practices the caller may see."""
    await variation_seen(session, variation_id, caller)
    statement = (
        select(Consent)
        .join(Practice, Practice.code == Consent.practice)
        .where(
            Consent.variation == variation_id,
            believed(Consent, known_at),
            practices_seen(caller, Practice.code, Practice.commissioner),
        )
    )
    if as_at is not None:
        statement = statement.where(Consent.valid.contains(as_at))
    found, following = await page(session, statement, [Consent.practice, Consent.fact_id], paging)
    return Page(items=[ConsentOut.model_validate(row[0]) for row in found], next=following)


@router.get(
    "/variations/{variation_id}/consents/{practice}",
    responses=refusals(VariationNotFound, ConsentNotFound),
    summary="One practice's consent",
)
async def read_consent(
    session: Reading,
    response: Response,
    caller: Seen,
    variation_id: VariationId,
    practice: PracticeCode,
    known_at: KnownAt = None,
) -> ConsentOut:
    """The practice's last consent, as known now or at `known_at`."""
    found = await operations.consent_seen(session, variation_id, practice, caller, known_at=known_at)
    tag(response, found)
    return ConsentOut.model_validate(found)


@router.put(
    "/variations/{variation_id}/consents/{practice}/withdrawal",
    status_code=204,
    responses=refusals(
        VariationNotFound,
        ConsentNotFound,
        Invalid,
        BelowNationalTotal,
        NationalTotalUnknown,
        PreconditionFailed,
        PreconditionMissing,
    ),
    summary="Take a consent back",
)
async def take_back_consent(
    taken: TakenBackIn,
    session: Transaction,
    caller: Agrees,
    now: Now,
    variation_id: VariationId,
    practice: PracticeCode,
    if_match: IfMatch = None,
) -> None:
    """From a day on national rates count for the practice again; what was known before stays on record."""
    await operations.take_back_consent(
        session, variation_id, practice, taken.withdrawn_from, if_match, caller=caller, now=now
    )
