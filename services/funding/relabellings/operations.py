"""Publishing relabellings, and finding those that count."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.indicators.model import Indicator, IndicatorKind
from services.funding.payments.engine import NEVER_BY_HEAD
from services.funding.relabellings.model import (
    NothingToPayAs,
    NothingToRelabel,
    Relabelling,
    RelabellingNotFound,
    standing,
)
from services.funding.tariffs.model import NATIONAL, Tariff, TariffKind
from shared.messaging import announce
from shared.years import first_day

RELABELLINGS_LOCK = 5_201_941
"""Advisory lock held while a relabelling is published."""


async def relabellings_of(session: AsyncSession, contract_years: Sequence[str], known_on: date) -> list[Relabelling]:
    """The relabellings of some years that count as known on a day."""
    found = await session.scalars(
        select(Relabelling)
        .where(Relabelling.contract_year.in_(contract_years), Relabelling.known_from <= known_on)
        .order_by(Relabelling.id)
    )
    return standing(found.all())


async def publish_relabelling(session: AsyncSession, relabelling: Relabelling, *, by: str, now: datetime) -> None:
    """Let a relabelling count; months already paid are made good by the next run, each stream by its own line.

    Raises `NothingToRelabel`, `NothingToPayAs` and what `Relabelling.publish` does.
    """
    await _refuse_nothing(session, relabelling)
    # two published at once must not both find the months free
    await session.execute(select(func.pg_advisory_xact_lock(RELABELLINGS_LOCK)))
    others = await session.scalars(select(Relabelling).where(Relabelling.contract_year == relabelling.contract_year))
    event = relabelling.publish(by, now, others.all())
    session.add(relabelling)
    announce(session, event)
    await session.flush()


async def _refuse_nothing(session: AsyncSession, relabelling: Relabelling) -> None:
    """There must be something to relabel, and something to pay it at."""
    source, target = relabelling.from_stream, relabelling.to_stream
    if source in NEVER_BY_HEAD or target in NEVER_BY_HEAD:
        raise NothingToRelabel("A maximum is earned or claimed, never paid as it stands.")
    unpaid = await _months_without(session, source, relabelling)
    if not unpaid:
        return
    by_points = await session.scalar(
        select(Indicator.id)
        .where(
            Indicator.stream == source,
            Indicator.contract_year == relabelling.contract_year,
            Indicator.kind != IndicatorKind.PART,
            Indicator.first_day <= relabelling.valid_from,
            Indicator.last_day >= relabelling.valid_to,
        )
        .limit(1)
    )
    if by_points is None:
        raise NothingToRelabel(f"{source} is not paid in {', '.join(unpaid)}.")
    unpayable = await _months_without(session, target, relabelling)
    if unpayable:
        raise NothingToPayAs(f"{target} has no rate in {', '.join(unpayable)}; publish it first.")


async def _months_without(session: AsyncSession, stream: str, relabelling: Relabelling) -> list[str]:
    """The months of a relabelling in which a stream has no national rate."""
    rates = (
        await session.execute(
            select(Tariff.valid_from, Tariff.valid_to).where(
                Tariff.kind == TariffKind.STREAM, Tariff.code == stream, Tariff.scope == NATIONAL
            )
        )
    ).all()
    return [
        month
        for month in relabelling.months
        if not any(rate.valid_from <= first_day(month) <= rate.valid_to for rate in rates)
    ]


async def relabelling_seen(session: AsyncSession, relabelling_id: str) -> Relabelling:
    """A relabelling. Raises `RelabellingNotFound`."""
    found = await session.get(Relabelling, relabelling_id)
    if found is None:
        raise RelabellingNotFound(f"No relabelling {relabelling_id}.")
    return found
