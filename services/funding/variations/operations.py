"""Proposing variations, agreeing to them, approving them, and finding those that count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.consents.model import Consent
from services.funding.entitlements.queries import populations_of
from services.funding.local_terms.operations import follow_consents
from services.funding.networks.model import Commissioner, Membership, Practice
from services.funding.payments.heads import Serving
from services.funding.relabellings.operations import relabellings_of
from services.funding.tariffs.model import NATIONAL, Tariff, TariffKind, rate_from
from services.funding.tariffs.operations import ceiling_at, rates_of, sums_of
from services.funding.variations.model import (
    BelowNationalTotal,
    NationalTotalUnknown,
    Overtaken,
    Totals,
    Variation,
    VariationStatus,
    refuse_below,
    refuse_iif,
)
from services.funding.variations.published import duties_of
from services.funding.variations.totals import compare, refuse_lower_ceiling, sum_named
from shared.clock import london_day
from shared.errors import Fault, Invalid, NotFound
from shared.facts import currently_known
from shared.history import as_known
from shared.http import require_match
from shared.identity import Caller, Role
from shared.messaging import announce_many
from shared.years import first_day, months_between, snapshot_of


class VariationNotFound(NotFound):
    """No such variation, or none the caller may see."""


class CommissionerNotFound(NotFound):
    """No such commissioner, or none the caller may speak for."""


def variations_seen(caller: Caller, variation: Any = Variation) -> ColumnElement[bool]:
    """True of the variations a caller may see: of its commissioners, or naming its practices; `variation` may be those
    of an earlier moment."""
    if caller.everywhere:
        return true()
    codes = sorted(caller.organisations)
    seen: list[ColumnElement[bool]] = []
    if caller.has(Role.COMMISSIONER):
        seen.append(variation.commissioner.in_(codes))
    if caller.has(Role.SYSTEM):
        seen.append(variation.commissioner.in_(select(Commissioner.code).where(Commissioner.system.in_(codes))))
    if caller.has(Role.NETWORK):
        members = select(Membership.practice).where(Membership.network.in_(codes), currently_known(Membership))
        named = select(Practice.code).where(Practice.code.in_(members), Practice.code == variation.practices.any_())
        seen.append(named.exists())
    if caller.has(Role.PRACTICE):
        seen.append(variation.practices.overlap(codes))
    return or_(*seen) if seen else ~true()


async def propose_variation(session: AsyncSession, variation: Variation, *, caller: Caller, now: datetime) -> Variation:
    """Enter a variation for approval.

    Raises `IifNeverVaries`, `CommissionerNotFound`, `Invalid` naming every practice that is not the commissioner's,
    `NationalTotalUnknown` and `BelowNationalTotal`.
    """
    refuse_iif(
        [
            *(item["stream"] for item in variation.items),
            *(code for one in variation.duties for code in (one["duty"], one["instead_of"]) if code is not None),
        ]
    )
    if not caller.everywhere and variation.commissioner not in caller.organisations:
        raise CommissionerNotFound(f"No commissioner {variation.commissioner}.")
    own = set(
        (
            await session.scalars(
                select(Practice.code).where(
                    Practice.code.in_(variation.practices), Practice.commissioner == variation.commissioner
                )
            )
        ).all()
    )
    faults = [
        Fault(f"body.practices.{number}", "practice_unknown", f"{variation.commissioner} has no practice {code}.")
        for number, code in enumerate(variation.practices)
        if code not in own
    ]
    if faults:
        raise Invalid("Some practices are not the commissioner's.", errors=faults)
    await _refuse_other_payees(session, variation, now)
    await _refuse_unknown_sums(session, variation, now)
    variation.judge(await totals_of(session, variation, variation.practices, now))
    session.add(variation)
    await session.flush()
    return variation


async def _refuse_other_payees(session: AsyncSession, variation: Variation, now: datetime) -> None:
    """A rate that stands in for a national one pays the same payee, or the national one would be paid beside it."""
    months = months_between(variation.valid_from, variation.valid_to)
    national = {rate.stream: rate for rates in (await rates_of(session, months, now)).values() for rate in rates}
    faults = [
        Fault(f"body.items.{number}.payee", "other_payee", f"{item['stream']} is paid to the {held.payee}.")
        for number, item in enumerate(variation.items)
        if (held := national.get(item["stream"])) is not None and held.payee != item["payee"]
    ]
    if faults:
        raise Invalid("A variation pays the payee of the national rate.", errors=faults)


async def _refuse_unknown_sums(session: AsyncSession, variation: Variation, now: datetime) -> None:
    """A sum stands in for one of the year; nobody claims out of another."""
    national = [tariff.code for tariff in await sums_of(session, variation.contract_year, london_day(now))]
    faults = [
        Fault(
            f"body.sums.{number}.code",
            "sum_unknown",
            f"The sums of {variation.contract_year} by head: {', '.join(national) or 'none'}.",
        )
        for number, item in enumerate(variation.sums)
        if item["code"] not in national
    ]
    if faults:
        raise Invalid("A sum stands in for a national one of the year.", errors=faults)


async def totals_of(session: AsyncSession, variation: Variation, practices: Collection[str], now: datetime) -> Totals:
    """What the variation and the national rates come to for some practices, as known now.

    Raises `NationalTotalUnknown`, and `BelowNationalTotal` for a bed rate or ceiling that is lower by itself.
    """
    months = months_between(variation.valid_from, variation.valid_to)
    national = dict(await rates_of(session, months, now))
    if variation.sums:
        sums = await sums_of(session, variation.contract_year, london_day(now))
        for month in months:
            held = [tariff for tariff in sums if tariff.valid_from <= first_day(month) <= tariff.valid_to]
            own = tuple(replace(rate_from(tariff), stream=sum_named(tariff.code)) for tariff in held)
            national[month] = (*national.get(month, ()), *own)
    await _refuse_lower_ceilings(session, variation, months, now)
    whom = {"": {months[0]: tuple(Serving(code, Decimal(1), "member") for code in practices)}}
    populations = await populations_of(
        session, snapshot_of(variation.contract_year), whom, {"": variation.commissioner}, None
    )
    relabelled = await relabellings_of(session, [variation.contract_year], london_day(now))
    return compare(variation, practices, national, populations, relabelled)


async def _refuse_lower_ceilings(
    session: AsyncSession, variation: Variation, months: Collection[str], now: datetime
) -> None:
    if not variation.ceilings:
        return
    named = {item["role"] for item in variation.ceilings}
    found = await session.scalars(
        select(Tariff).where(Tariff.kind == TariffKind.ROLE_MAXIMUM, Tariff.code.in_(named), Tariff.scope == NATIONAL)
    )
    held: dict[str, list[Tariff]] = defaultdict(list)
    for tariff in found:
        held[tariff.code].append(tariff)
    for item in variation.ceilings:
        for month in months:
            national = ceiling_at(held[item["role"]], item["zone"], first_day(month), london_day(now))
            refuse_lower_ceiling(item["role"], item["zone"], month, Decimal(item["value"]), national)


async def variation_seen(
    session: AsyncSession, variation_id: str, caller: Caller, *, lock: bool = False, known_at: datetime | None = None
) -> Variation:
    """A variation the caller may see, now or as it stood then. Raises `VariationNotFound`."""
    stood = as_known(Variation, known_at)
    statement = select(stood).where(stood.id == variation_id, variations_seen(caller, stood))
    found: Variation | None = await session.scalar(statement.with_for_update() if lock else statement)
    if found is None:
        raise VariationNotFound(f"No variation {variation_id}.")
    return found


async def consented(session: AsyncSession, variation_id: str) -> list[str]:
    """The practices that agree to a variation on any of its days, as known now."""
    found = await session.scalars(
        select(Consent.practice).where(Consent.variation == variation_id, currently_known(Consent)).distinct()
    )
    return sorted(found.all())


async def overtaken(session: AsyncSession, contract_years: Collection[str], now: datetime) -> list[Overtaken]:
    """The approved variations of some years that come to less than the national rates as they are known now.

    They did not when they were approved: a national rate was raised since, or a list restated. One that cannot be
    compared any more, because a national rate has no figure now, is among them.
    """
    approved = select(Variation).where(
        Variation.contract_year.in_(contract_years), Variation.status == VariationStatus.APPROVED
    )
    found: list[Overtaken] = []
    for variation in (await session.scalars(approved.order_by(Variation.id))).all():
        agreed = await consented(session, variation.id)
        if not agreed:
            continue
        try:
            refuse_below(
                await totals_of(session, variation, agreed, now), f"for the {len(agreed)} practices that agree"
            )
        except BelowNationalTotal as short:
            found.append(Overtaken(variation.id, short.totals, str(short)))
        except NationalTotalUnknown as unknown:
            found.append(Overtaken(variation.id, None, str(unknown)))
    return found


async def approve_variation(
    session: AsyncSession, variation_id: str, if_match: str | None, *, caller: Caller, now: datetime
) -> Variation:
    """A national user lets a variation count for practices that agreed; its rates are published.

    Raises `VariationDecided`, `SamePersonApproves`, `NobodyConsented`, `BelowNationalTotal` and `NationalTotalUnknown`.
    """
    variation = await variation_seen(session, variation_id, caller, lock=True)
    require_match(variation, if_match)
    agreed = await consented(session, variation_id)
    totals = await totals_of(session, variation, agreed, now)
    rates = variation.approve(agreed, totals, by=caller.subject, at=now, on=london_day(now))
    variation.judge(await totals_of(session, variation, variation.practices, now))
    for rate in rates:
        rate.published_by, rate.published_at = caller.subject, now
    session.add_all([*rates, *duties_of(variation, caller.subject, now)])
    await announce_many(session, [variation.approved(london_day(now)), *(rate.published() for rate in rates)])
    await follow_consents(session, variation, agreed, now)
    return variation


async def refuse_variation(
    session: AsyncSession, variation_id: str, if_match: str | None, reason: str, *, caller: Caller, now: datetime
) -> Variation:
    """A national user turns a variation down. Raises `VariationDecided`."""
    variation = await variation_seen(session, variation_id, caller, lock=True)
    require_match(variation, if_match)
    variation.refuse(reason, by=caller.subject, at=now)
    await session.flush()
    return variation
