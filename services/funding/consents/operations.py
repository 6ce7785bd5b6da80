"""Practices agreeing to a variation, and taking it back."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.consents.model import AnotherVariation, Consent, NotInVariation
from services.funding.local_terms.operations import follow_consents
from services.funding.networks.model import Practice
from services.funding.scope import practices_seen
from services.funding.variations.model import Variation, VariationDecided, VariationStatus, refuse_below
from services.funding.variations.operations import consented, totals_of, variation_seen
from shared.errors import Fault, Invalid, NotFound
from shared.facts import believed, currently_known, days, record, withdraw
from shared.http import one_fault, require_match
from shared.identity import Caller, Role


class ConsentNotFound(NotFound):
    """The practice has not agreed to the variation, or the caller may not see that it has."""


async def give_consent(
    session: AsyncSession,
    variation_id: str,
    practice: str,
    first: date | None,
    signed_by: str,
    *,
    caller: Caller,
    now: datetime,
) -> Consent:
    """A practice agrees to a variation, from its first day or a later one.

    Raises `VariationDecided` where it was refused, `NotInVariation`, `AnotherVariation`, and `BelowNationalTotal` where
    those that agreed would then be paid less than nationally.
    """
    variation = await variation_seen(session, variation_id, caller, lock=True)
    if variation.status is VariationStatus.REFUSED:
        raise VariationDecided("The variation was refused.")
    await _refuse_strangers(session, practice, caller)
    if practice not in variation.practices:
        raise NotInVariation(f"{practice} is not one of the variation's practices.")
    first = max(first or variation.valid_from, variation.valid_from)
    if first > variation.valid_to:
        raise one_fault("body.valid_from", "after_variation", f"The variation ends on {variation.valid_to}.")
    valid = days(first, variation.valid_to)
    # two variations agreed to at once must not both count
    await session.execute(select(Practice.code).where(Practice.code == practice).with_for_update())
    other = await session.scalar(
        select(Consent.variation)
        .join(Variation, Variation.id == Consent.variation)
        .where(
            Consent.practice == practice,
            Consent.variation != variation_id,
            currently_known(Consent),
            Consent.valid.overlaps(valid),
            Variation.status != VariationStatus.REFUSED,
        )
        .limit(1)
    )
    if other is not None:
        raise AnotherVariation(f"{practice} agreed to {other} on some of these days.")
    if variation.status is VariationStatus.APPROVED:
        agreed = {*await consented(session, variation_id), practice}
        refuse_below(await totals_of(session, variation, agreed, now), f"for the {len(agreed)} practices that agree")
    fact = Consent(
        variation=variation_id,
        practice=practice,
        signed_by=signed_by,
        entered_by=caller.subject,
        entered_at=now,
        valid=valid,
    )
    await record(session, fact, key=["variation", "practice"], now=now)
    if variation.status is VariationStatus.APPROVED:
        await follow_consents(session, variation, [practice], now)
    return fact


async def _refuse_strangers(session: AsyncSession, practice: str, caller: Caller) -> None:
    """A practice speaks for itself; its commissioner may enter what it signed."""
    own = caller.has(Role.PRACTICE) and practice in caller.organisations
    seen = await session.scalar(
        select(Practice.code).where(
            Practice.code == practice, practices_seen(caller, Practice.code, Practice.commissioner)
        )
    )
    if not own and (seen is None or not caller.has(Role.COMMISSIONER)):
        raise Invalid(
            "The practice is not the caller's to speak for.",
            errors=[Fault("body.practice", "practice_unknown", f"No practice {practice}.")],
        )


async def consent_seen(
    session: AsyncSession,
    variation_id: str,
    practice: str,
    caller: Caller,
    *,
    known_at: datetime | None = None,
    lock: bool = False,
) -> Consent:
    """The last consent of a practice. Raises `VariationNotFound` and `ConsentNotFound`."""
    variation = await variation_seen(session, variation_id, caller)
    own = caller.everywhere or not caller.has(Role.PRACTICE) or caller.has(Role.COMMISSIONER, Role.SYSTEM)
    statement = (
        select(Consent)
        .where(Consent.variation == variation.id, Consent.practice == practice, believed(Consent, known_at))
        .order_by(Consent.valid.desc())
        .limit(1)
    )
    found: Consent | None = None
    if own or practice in caller.organisations:
        found = await session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise ConsentNotFound(f"{practice} has not agreed to {variation_id}.")
    return found


async def take_back_consent(
    session: AsyncSession,
    variation_id: str,
    practice: str,
    first: date,
    if_match: str | None,
    *,
    caller: Caller,
    now: datetime,
) -> None:
    """From a day on the practice agrees no longer; national rates count for it from then on.

    Raises `BelowNationalTotal` where those left in an approved variation would be paid less than nationally.
    """
    variation = await variation_seen(session, variation_id, caller, lock=True)
    held = await consent_seen(session, variation_id, practice, caller, lock=True)
    await _refuse_strangers(session, practice, caller)
    require_match(held, if_match)
    left = set(await consented(session, variation_id)) - {practice}
    if left and variation.status is VariationStatus.APPROVED:
        refuse_below(await totals_of(session, variation, left, now), f"for the {len(left)} practices left")
    await withdraw(session, Consent, now=now, days=days(first), variation=variation_id, practice=practice)
    if variation.status is VariationStatus.APPROVED:
        await follow_consents(session, variation, [practice], now)
