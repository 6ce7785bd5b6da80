"""Publishing rates, loading the shipped ones, and finding the rate in force."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.payments.engine import Rate
from services.funding.relabellings.operations import relabellings_of
from services.funding.relabellings.rules import Made, relabel
from services.funding.tariffs.model import (
    NATIONAL,
    Basis,
    Confidence,
    Payee,
    RatePeriod,
    Tariff,
    TariffKind,
    in_force,
    rate_from,
)
from services.funding.tariffs.shipped import FILES, rows
from shared.clock import london_day
from shared.messaging import announce, announce_many
from shared.years import first_day, year_of

SHIPPED_BY = "shipped with the service"
LONDON = frozenset({"inner_london", "outer_london"})


def _optional_day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _shipped() -> Iterable[Tariff]:
    for kind, name in FILES.items():
        for row in rows(name):
            yield Tariff(
                id=row["id"],
                kind=kind,
                code=row["code"],
                zone=row["zone"],
                contract_year=row["contract_year"],
                payee=Payee(row["payee"]),
                basis=Basis(row["basis"]),
                value=Decimal(row["value"]) if row["value"] else None,
                rate_period=RatePeriod(row["rate_period"]),
                valid_from=date.fromisoformat(row["valid_from"]),
                valid_to=date.fromisoformat(row["valid_to"]),
                known_from=_optional_day(row["known_from"]),
                supersedes=row["supersedes"] or None,
                confidence=Confidence(row["confidence"]),
                sources=row["sources"].split(),
                note=row["note"],
                published_by=SHIPPED_BY,
            )


async def load_shipped(session: AsyncSession, now: datetime) -> int:
    """Enter the shipped rates that are not there yet and announce them; gives how many.

    A rate already there is left alone even if its file changed: a correction is a new row that supersedes it.
    """
    present = set((await session.scalars(select(Tariff.id))).all())
    added = [tariff for tariff in _shipped() if tariff.id not in present]
    for tariff in added:
        tariff.published_at = now
    session.add_all(added)
    await announce_many(session, [tariff.published() for tariff in added])
    return len(added)


async def publish_tariff(session: AsyncSession, tariff: Tariff, *, by: str, now: datetime) -> Tariff:
    """Publish a new rate. Raises `RateOverlaps` and `SupersededUnknown`."""
    same = (
        Tariff.kind == tariff.kind,
        Tariff.code == tariff.code,
        Tariff.zone == tariff.zone,
        Tariff.scope == NATIONAL,
    )
    others = (await session.scalars(select(Tariff).where(*same).with_for_update())).all()
    event = tariff.publish(by, now, others)
    session.add(tariff)
    announce(session, event)
    return tariff


async def rates_of(session: AsyncSession, months: Iterable[str], known_at: datetime) -> Mapping[str, tuple[Rate, ...]]:
    """The national rate of every stream in force in each month, as known at a moment."""
    return (await scoped_rates_of(session, months, known_at, [NATIONAL])).get(NATIONAL, {})


async def scoped_rates_of(
    session: AsyncSession, months: Iterable[str], known_at: datetime, scopes: Collection[str]
) -> dict[str, dict[str, tuple[Rate, ...]]]:
    """By scope and month: the rate of every stream in force, as known at a moment; `national` is a scope.

    A stream that is relabelled, or in part, is given under its new name; that may have a rate of its own beside it.
    """
    months = tuple(months)
    if not months or not scopes:
        return {}
    found = await session.scalars(
        select(Tariff).where(
            Tariff.kind == TariffKind.STREAM,
            Tariff.zone == "national",
            Tariff.scope.in_(scopes),
            Tariff.valid_from <= first_day(months[-1]),
            Tariff.valid_to >= first_day(months[0]),
        )
    )
    by_scope: dict[str, dict[str, list[Tariff]]] = {}
    for tariff in found:
        by_scope.setdefault(tariff.scope, {}).setdefault(tariff.code, []).append(tariff)
    made: dict[str, Rate] = {}
    rates: dict[str, dict[str, tuple[Rate, ...]]] = {}
    for scope, streams in by_scope.items():
        rates[scope] = {}
        for month in months:
            day = first_day(month)
            chosen = (in_force(streams[code], day, london_day(known_at), known_at) for code in sorted(streams))
            # one object per tariff: the engine tells "nothing changed since last month" by identity
            rates[scope][month] = tuple(made.setdefault(t.id, rate_from(t)) for t in chosen if t is not None)
    relabelled = await relabellings_of(session, sorted({year_of(month) for month in months}), london_day(known_at))
    if not relabelled:
        return rates
    parts: Made = {}
    return {scope: relabel(by_month, relabelled, parts) for scope, by_month in rates.items()}


async def role_maximum(
    session: AsyncSession, role: str, zone: str, day: date, known_on: date, scope: str = NATIONAL
) -> Tariff | None:
    """The ceiling of a role at a place on a day; both parts of London fall back on a figure given for all of London.

    `scope` is the local variation whose ceiling is asked for, where it is not the national one.
    """
    places = [zone, "london"] if zone in LONDON else [zone]
    found = (
        await session.scalars(
            select(Tariff).where(
                Tariff.kind == TariffKind.ROLE_MAXIMUM,
                Tariff.code == role,
                Tariff.zone.in_(places),
                Tariff.scope == scope,
            )
        )
    ).all()
    return ceiling_at(found, zone, day, known_on)


def ceiling_at(tariffs: Iterable[Tariff], zone: str, day: date, known_on: date) -> Tariff | None:
    """Of the ceilings of one role the one that holds at a place."""
    held = list(tariffs)
    for place in [zone, "london"] if zone in LONDON else [zone]:
        tariff = in_force([t for t in held if t.zone == place], day, known_on)
        if tariff is not None:
            return tariff
    return None


async def sums_of(session: AsyncSession, contract_year: str, known_on: date) -> list[Tariff]:
    """The national sums for additional roles of a year, as known on a day."""
    found = await session.scalars(
        select(Tariff).where(
            Tariff.kind == TariffKind.ARRS_SUM, Tariff.contract_year == contract_year, Tariff.scope == NATIONAL
        )
    )
    by_code: dict[str, list[Tariff]] = {}
    for tariff in found:
        by_code.setdefault(tariff.code, []).append(tariff)
    chosen = (in_force(held, held[0].valid_to, known_on) for _, held in sorted(by_code.items()))
    return [tariff for tariff in chosen if tariff is not None]


def end_of_day(day: date) -> datetime:
    return datetime.combine(day, time.max, tzinfo=UTC)
