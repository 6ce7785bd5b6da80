from datetime import date
from typing import Annotated, Any

from fastapi import Response
from pydantic import Field, ValidationInfo, field_validator

from services.registry.contacts import operations
from services.registry.contacts.model import ContactNotFound
from services.registry.networks.model import NetworkNotFound
from services.registry.periods import Line, PeriodIn, PeriodOut, Text
from services.registry.practices.queries import PracticeNotFound
from services.registry.voice import NotYoursToActFor
from shared.facts import days
from shared.http import (
    AsAt,
    IfMatch,
    KnownAt,
    Now,
    Out,
    Reading,
    Today,
    Transaction,
    refusals,
    service_router,
    tag,
)
from shared.identity import ANY_ROLE, Caller, Role, allow

router = service_router("registry", tags=["contacts"])
Anyone = Annotated[Caller, allow(*ANY_ROLE)]
Voice = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER, Role.NETWORK)]


class ContactIn(PeriodIn):
    """The one contact of the network on these days: by mail, by telephone, or both."""

    name: Line
    position: Line | None = None
    telephone: Annotated[str | None, Field(pattern=r"^\+?[0-9][0-9 ]{6,24}$")] = None
    email: Annotated[
        str | None, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254, validate_default=True)
    ] = None

    @field_validator("email")
    @classmethod
    def _can_be_reached(cls, email: str | None, info: ValidationInfo) -> str | None:
        if email is None and info.data.get("telephone") is None:
            raise ValueError("give an e-mail address or a telephone number")
        return email


class UncontactIn(PeriodIn):
    """Days on which nobody was the contact, and why that is said now."""

    reason: Text


class ContactOut(PeriodOut):
    network: str
    name: str
    position: str | None
    email: str | None
    telephone: str | None


class ServingNetworkOut(Out):
    """A network that serves the practice's patients; `name` and what follows is empty where it named no contact."""

    network: str
    network_name: str | None
    through: str
    name: str | None
    position: str | None
    email: str | None
    telephone: str | None
    valid_from: date | None
    valid_to: date | None


class PracticeContactOut(Out):
    practice: str
    as_at: date
    networks: list[ServingNetworkOut]


_CHANGE = refusals(NetworkNotFound, NotYoursToActFor)


@router.get("/networks/{code}/contact", response_model=ContactOut, responses=refusals(ContactNotFound))
async def read_contact(
    code: str,
    session: Reading,
    response: Response,
    _: Anyone,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> Any:
    """Whom to ask in a network on a day; the version is that of the network."""
    row = (await session.execute(operations.contact_on(code, as_at or today, known_at))).first()
    if row is None:
        raise ContactNotFound(f"{code} has no contact on that day.")
    response.headers["ETag"] = f'"{row.version}"'
    return row


@router.put("/networks/{code}/contact", response_model=ContactOut, responses=_CHANGE)
async def name_contact(
    code: str,
    contact: ContactIn,
    session: Transaction,
    response: Response,
    caller: Voice,
    now: Now,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Name the contact of some days, in place of whoever was named for them."""
    network = await operations.name_contact(
        session,
        code,
        caller=caller,
        held=days(contact.valid_from, contact.valid_to),
        if_match=if_match,
        now=now,
        **contact.model_dump(exclude={"valid_from", "valid_to"}),
    )
    tag(response, network)
    return {"network": code, **contact.model_dump()}


@router.put(
    "/networks/{code}/contact/withdrawal",
    status_code=204,
    responses=refusals(NetworkNotFound, ContactNotFound, NotYoursToActFor),
)
async def withdraw_contact(
    code: str, mistake: UncontactIn, session: Transaction, caller: Voice, now: Now, if_match: IfMatch = None
) -> None:
    """Take back the contact of some days."""
    held = days(mistake.valid_from, mistake.valid_to)
    await operations.withdraw_contact(session, code, held, caller=caller, if_match=if_match, now=now)


@router.get(
    "/practices/{code}/contact",
    response_model=PracticeContactOut,
    responses=refusals(PracticeNotFound),
)
async def contact_for_practice(
    code: str, session: Reading, _: Anyone, today: Today, as_at: AsAt = None, known_at: KnownAt = None
) -> dict[str, Any]:
    """Whom a trust asks about the patients of a practice: the contact of each network that serves them on a day."""
    day = as_at or today
    rows = await operations.contacts_for(session, code, day, known_at)
    return {"practice": code, "as_at": day, "networks": [ServingNetworkOut.model_validate(row) for row in rows]}
