from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.agreements.model import (
    AgreementInForce,
    AgreementNotFound,
    AgreementVersion,
    NamedPartner,
    Parties,
    Party,
)
from services.registry.networks.model import Membership, Network, Payee
from services.registry.partners.model import PartnerTerm
from services.registry.signatures.model import Signature
from shared.audit import as_it_was
from shared.facts import as_at, believed, of_key
from shared.identity import Caller, Role

Day = date | BindParameter[date]
Known = datetime | BindParameter[datetime] | None


def agreement_on(day: Day, known_at: Known) -> ColumnElement[Any]:
    """The number of a network's agreement on a day; null where none is in force."""
    held = select(AgreementInForce.number).where(
        of_key(AgreementInForce.network, Network.code), as_at(AgreementInForce, day, known_at)
    )
    return held.scalar_subquery()


def live_on(day: Day, known_at: Known) -> ColumnElement[bool]:
    """Whether a network's agreement is in force on a day and signed by every party of that day.

    What stands two levels inside names what it is about: left to itself it would ask about every agreement there is.
    """

    def signed(*party: ColumnElement[bool]) -> ColumnElement[bool]:
        found = select(Signature.fact_id).where(
            of_key(Signature.network, AgreementInForce.network),
            Signature.number == AgreementInForce.number,
            as_at(Signature, day, known_at),
            *party,
        )
        return found.correlate(AgreementInForce, Membership, NamedPartner, PartnerTerm).exists()

    member = (of_key(Membership.network, AgreementInForce.network), as_at(Membership, day, known_at))
    persons_missing = (
        select(NamedPartner.person)
        .where(
            NamedPartner.network == AgreementInForce.network,
            NamedPartner.number == AgreementInForce.number,
            NamedPartner.practice == Membership.practice,
            ~signed(Signature.practice == NamedPartner.practice, Signature.person == NamedPartner.person),
        )
        .correlate(AgreementInForce, Membership)
        .exists()
    )
    unsigned = (
        select(Membership.fact_id)
        .where(*member, or_(~signed(Signature.practice == Membership.practice), persons_missing))
        .correlate(AgreementInForce)
        .exists()
    )
    left_out = (
        select(PartnerTerm.fact_id)
        .where(
            of_key(PartnerTerm.network, AgreementInForce.network),
            PartnerTerm.party,
            as_at(PartnerTerm, day, known_at),
            ~signed(Signature.partner == PartnerTerm.partner),
        )
        .correlate(AgreementInForce)
        .exists()
    )
    return (
        select(AgreementInForce.fact_id)
        .where(
            of_key(AgreementInForce.network, Network.code),
            as_at(AgreementInForce, day, known_at),
            select(Membership.fact_id).where(*member).correlate(AgreementInForce).exists(),
            ~unsigned,
            ~left_out,
        )
        .correlate(Network)
        .exists()
    )


async def find_version(session: AsyncSession, code: str, number: int) -> AgreementVersion:
    """Raises `AgreementNotFound`."""
    found = await session.get(AgreementVersion, (code, number)) if 0 < number < 2**31 else None
    if found is None:
        raise AgreementNotFound(f"No version {number} of the agreement of {code}.")
    return found


async def read_version_then(
    session: AsyncSession, code: str, number: int, known_at: datetime | None
) -> AgreementVersion:
    """A version as it stood at a moment, or as it is. Raises `AgreementNotFound` where it was not drafted yet."""
    stood = await as_it_was(session, [await find_version(session, code, number)], known_at)
    if not stood:
        raise AgreementNotFound(f"No version {number} of the agreement of {code} was known then.")
    return stood[0]


async def in_force_on(session: AsyncSession, code: str, day: date, known_at: datetime | None) -> AgreementInForce:
    """The agreement of a network on a day. Raises `AgreementNotFound`."""
    held = select(AgreementInForce).where(AgreementInForce.network == code, as_at(AgreementInForce, day, known_at))
    found = await session.scalar(held)
    if found is None:
        raise AgreementNotFound(f"No agreement of {code} is in force on {day}.")
    return found


async def parties_of(session: AsyncSession, code: str, number: int, known_at: datetime | None) -> Parties:
    """Everybody who was ever a party, and who has signed this version, as known at an instant."""
    members = select(Membership.practice, Membership.valid).where(
        Membership.network == code, believed(Membership, known_at)
    )
    partners = select(PartnerTerm.partner, PartnerTerm.valid).where(
        PartnerTerm.network == code, PartnerTerm.party, believed(PartnerTerm, known_at)
    )
    named = (
        select(NamedPartner.practice, NamedPartner.person)
        .where(NamedPartner.network == code, NamedPartner.number == number)
        .order_by(NamedPartner.practice, NamedPartner.person)
    )
    persons: dict[str, list[str]] = defaultdict(list)
    for practice, person in await session.execute(named):
        persons[practice].append(person)
    signatures = await session.scalars(
        select(Signature).where(Signature.network == code, Signature.number == number, believed(Signature, known_at))
    )
    return Parties(
        members=[(practice, held) for practice, held in await session.execute(members)],
        partners=[(partner, held) for partner, held in await session.execute(partners)],
        persons=persons,
        signed={Party(s.practice, s.person, s.partner): s.valid_from for s in signatures},
    )


async def sees_as_party(session: AsyncSession, code: str, caller: Caller, day: date) -> bool:
    """The payee acts on the agreement's schedule of money, and a partner that is party to it signs it."""
    if not caller.has(Role.PAYEE, Role.TRUST, Role.PRACTICE):
        return False
    partner = exists().where(
        PartnerTerm.network == code,
        PartnerTerm.party,
        PartnerTerm.organisation.in_(caller.organisations),
        as_at(PartnerTerm, day),
    )
    payee = exists().where(Payee.network == code, Payee.payee.in_(caller.organisations), as_at(Payee, day))
    return bool(await session.scalar(select(or_(partner, payee) if caller.has(Role.PAYEE) else partner)))
