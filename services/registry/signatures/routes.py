from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field, ValidationInfo, field_validator
from sqlalchemy import func, select

from services.registry.agreements.model import AgreementGivenUp, AgreementNotFound, AgreementNotSent, Party
from services.registry.agreements.operations import require_reader
from services.registry.agreements.queries import find_version
from services.registry.agreements.routes import Reader, Voice
from services.registry.applications.shapes import ReasonIn
from services.registry.codes import Day, OrganisationCode
from services.registry.networks.model import NetworkNotFound
from services.registry.periods import Line, Text
from services.registry.signatures import operations
from services.registry.signatures.model import (
    NotAParty,
    NotYoursToSign,
    Signature,
    SignatureNotFound,
    SignatureTakenBack,
    SignedAlready,
)
from services.registry.voice import NotYoursToActFor
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
    Today,
    Transaction,
    page,
    refusals,
    service_router,
    tag,
)
from shared.identity import Caller, Role, allow

router = service_router("registry", tags=["agreements"])
Signer = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER, Role.PRACTICE, Role.PAYEE, Role.TRUST)]


class SignatureIn(In):
    """Who signs what; with `evidence` a commissioner records what was signed on paper."""

    number: Annotated[int, Field(strict=True, ge=1, le=10_000)]
    practice: OrganisationCode | None = None
    person: Line | None = None
    partner: Annotated[str | None, Field(max_length=32, validate_default=True)] = None
    signatory: Line
    signed_on: Day | None = None
    evidence: Text | None = None

    @field_validator("partner")
    @classmethod
    def _one_party(cls, partner: str | None, info: ValidationInfo) -> str | None:
        if (partner is None) == (info.data.get("practice") is None):
            raise ValueError("name a practice or a partner, one of the two")
        return partner


class SignatureOut(Out):
    id: str
    network: str
    number: int
    practice: str | None
    person: str | None
    partner: str | None
    signatory: str
    signed_on: date
    signed_by: str
    evidence: str | None
    fingerprint: str
    withdrawn_reason: str | None


COLUMNS = [getattr(Signature, name) for name in SignatureOut.model_fields if name != "signed_on"] + [
    func.lower(Signature.valid).label("signed_on")
]


def _shown(signature: Signature, known_at: datetime | None = None) -> SignatureOut:
    held = {name: getattr(signature, name) for name in SignatureOut.model_fields if name != "signed_on"}
    held["withdrawn_reason"] = signature.taken_back(known_at)
    return SignatureOut(**held, signed_on=signature.valid_from)


@router.get(
    "/networks/{code}/agreement/signatures", response_model=Page[SignatureOut], responses=refusals(AgreementNotFound)
)
async def list_signatures(
    code: str,
    session: Reading,
    caller: Reader,
    paging: Paging,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
    number: Annotated[int | None, Query(ge=1, le=10_000)] = None,
) -> dict[str, Any]:
    """Who had signed which version by a day, as known then or now."""
    day = as_at or today
    await require_reader(session, code, caller, day)
    statement = select(*COLUMNS).where(
        Signature.network == code, believed(Signature, known_at), Signature.valid.contains(day)
    )
    if number is not None:
        statement = statement.where(Signature.number == number)
    rows, following = await page(session, statement, [Signature.number, Signature.party], paging)
    # what was believed then had not been taken back, whatever was said of it later
    given = [{**row._mapping, "withdrawn_reason": None} for row in rows]
    return {"items": [SignatureOut.model_validate(one) for one in given], "next": following}


@router.post(
    "/networks/{code}/agreement/signatures",
    response_model=SignatureOut,
    status_code=201,
    responses=refusals(
        AgreementNotFound,
        NetworkNotFound,
        AgreementNotSent,
        AgreementGivenUp,
        NotAParty,
        NotYoursToSign,
        SignedAlready,
    ),
)
async def sign(
    code: str,
    signature: SignatureIn,
    session: Transaction,
    response: Response,
    caller: Signer,
    now: Now,
    today: Today,
    _: Idempotent,
) -> SignatureOut:
    """Sign for a practice or a partner, or record what one of them signed on paper."""
    made = await operations.sign_version(
        session,
        code,
        signature.number,
        Party(signature.practice, signature.person, signature.partner),
        caller=caller,
        signatory=signature.signatory,
        signed_on=signature.signed_on or today,
        evidence=signature.evidence,
        now=now,
    )
    tag(response, await find_version(session, code, made.number))
    response.headers["Location"] = f"/registry/v1/networks/{code}/agreement/signatures/{made.id}"
    return _shown(made)


@router.get(
    "/networks/{code}/agreement/signatures/{id}",
    response_model=SignatureOut,
    responses=refusals(AgreementNotFound, SignatureNotFound),
)
async def read_signature(
    code: str,
    id: str,
    session: Reading,
    response: Response,
    caller: Reader,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> SignatureOut:
    """One signature, as it held on a day and was known then; its ETag is that of the version it stands under."""
    await require_reader(session, code, caller, as_at or today)
    found = await operations.find_signature(session, code, id, day=as_at, known_at=known_at)
    tag(response, await find_version(session, code, found.number))
    return _shown(found, known_at)


@router.put(
    "/networks/{code}/agreement/signatures/{id}/withdrawal",
    response_model=SignatureOut,
    responses=refusals(AgreementNotFound, SignatureNotFound, NetworkNotFound, NotYoursToActFor, SignatureTakenBack),
)
async def take_back(
    code: str,
    id: str,
    why: ReasonIn,
    session: Transaction,
    response: Response,
    caller: Voice,
    now: Now,
    if_match: IfMatch = None,
) -> SignatureOut:
    """Take back a signature recorded by mistake; a version that needed it is not in force any more."""
    signature, version = await operations.take_back_signature(
        session, code, id, why.reason, caller=caller, if_match=if_match, now=now
    )
    tag(response, version)
    return _shown(signature)
