from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.agreements.model import AgreementVersion, Parties, Party
from services.registry.agreements.operations import require_reader, settle, unsettle
from services.registry.agreements.queries import find_version, parties_of
from services.registry.networks.queries import speaks_for
from services.registry.partners.model import Partner
from services.registry.periods import ALWAYS, refused_by
from services.registry.signatures.model import (
    NotAParty,
    NotYoursToSign,
    Signature,
    SignatureNotFound,
    SignatureTakenBack,
    SignedAlready,
)
from services.registry.voice import act_for, lock_network
from shared.clock import london_day
from shared.database import new_id
from shared.errors import Fault, Invalid
from shared.facts import believed, days, since, withdraw
from shared.http import require_match
from shared.identity import Caller, Role


async def sign_version(
    session: AsyncSession,
    code: str,
    number: int,
    party: Party,
    *,
    caller: Caller,
    signatory: str,
    signed_on: date,
    evidence: str | None,
    now: datetime,
) -> Signature:
    """A party signs; when it is the last one, the version comes into force on its day.

    Raises `AgreementNotFound`, `AgreementNotSent`, `AgreementGivenUp`, `NotAParty`, `NotYoursToSign`, `SignedAlready`,
    `Invalid`.
    """
    today = london_day(now)
    await require_reader(session, code, caller, today)
    network = await lock_network(session, code)
    version = await find_version(session, code, number)
    await _require_signer(session, party, caller, code, today, evidence)
    version.require_open_to_sign()
    if signed_on > today:
        raise Invalid("A signature is given before it is recorded.", errors=[_fault("in_the_future", signed_on)])
    if version.sent_on is not None and signed_on < version.sent_on and evidence is None:
        raise Invalid("It was signed before it was sent.", errors=[_fault("before_it_was_sent", signed_on)])
    parties = await parties_of(session, code, number, None)
    signing = [one for day in _turns(parties, version.in_force_from) for one in parties.on(day)]
    if party not in signing:
        people = sorted({one.person for one in signing if one.practice == party.practice and one.person})
        if party.practice and people:
            named = ", ".join(people)
            raise NotAParty(f"{party.practice} signs by its partners: say as `person` which of {named} does.")
        raise NotAParty(f"{party.key} is no party to version {number} of {code}.")
    made = Signature(
        id=new_id("sig"),
        network=code,
        number=number,
        party=party.key,
        practice=party.practice,
        person=party.person,
        partner=party.partner,
        signatory=signatory,
        signed_by=caller.subject,
        evidence=evidence,
        fingerprint=version.fingerprint,
        valid=days(signed_on),
        known=since(now),
    )
    async with refused_by(session, "ex_agreement_signatures_overlap", SignedAlready(f"{party.key} has signed.")):
        session.add(made)
    version.changed_at = network.changed_at = now
    await settle(session, version, now=now)
    await session.flush()
    return made


def _fault(code: str, signed_on: date) -> Fault:
    return Fault("signed_on", code, f"{signed_on} cannot be the day of the signature.")


def _turns(parties: Parties, first: date) -> set[date]:
    """A day of every stretch of days on which the parties are the same, from a first day on."""
    begins = {held.lower for _, held in (*parties.members, *parties.partners) if held.lower is not None}
    return {first, *(day for day in begins if day > first)}


async def _require_signer(
    session: AsyncSession, party: Party, caller: Caller, code: str, today: date, evidence: str | None
) -> None:
    organisation: str | None = party.practice
    if party.partner is not None:
        partner = await session.get(Partner, party.partner)
        organisation = partner.organisation if partner and partner.network == code else None
    if caller.has(Role.PRACTICE, Role.TRUST, Role.PAYEE) and organisation in caller.organisations:
        return
    on_paper = caller.has(Role.NATIONAL, Role.COMMISSIONER) and await speaks_for(session, code, caller, today)
    if not on_paper:
        raise NotYoursToSign(f"{party.key} signs for itself.")
    if evidence is None:
        fault = Fault("evidence", "missing", "Say where the paper signature is to be found.")
        raise Invalid("A signature recorded for another needs its evidence.", errors=[fault])


async def find_signature(
    session: AsyncSession, code: str, id: str, *, day: date | None = None, known_at: datetime | None = None
) -> Signature:
    """One signature, as it held on a day and was known at a moment where those are given.

    Raises `SignatureNotFound`; one that was taken back stays where it was, unless a day is asked about.
    """
    wanted = [Signature.id == id, Signature.network == code]
    if day is not None:
        wanted += [Signature.valid.contains(day), believed(Signature, known_at)]
    elif known_at is not None:
        wanted.append(func.lower(Signature.known) <= known_at)
    found = await session.scalar(select(Signature).where(*wanted).order_by(Signature.fact_id.desc()).limit(1))
    if found is None:
        raise SignatureNotFound(f"No signature {id} under the agreement of {code}.")
    return found


async def take_back_signature(
    session: AsyncSession, code: str, id: str, reason: str, *, caller: Caller, if_match: str | None, now: datetime
) -> tuple[Signature, AgreementVersion]:
    """A signature was recorded by mistake: it never was given, and what stood on it falls."""
    today = london_day(now)
    await require_reader(session, code, caller, today)
    network = await act_for(session, code, caller, today)
    signature = await find_signature(session, code, id)
    version = await find_version(session, code, signature.number)
    require_match(version, if_match)
    if signature.withdrawn_reason is not None:
        raise SignatureTakenBack(f"The signature {id} was taken back: {signature.withdrawn_reason}")
    signature.withdrawn_reason = reason
    version.changed_at = network.changed_at = now
    await session.flush()
    await withdraw(session, Signature, now=now, days=ALWAYS, id=signature.id)
    party = Party(signature.practice, signature.person, signature.partner)
    await unsettle(session, version, party, reason, now=now)
    await session.flush()
    return signature, version
