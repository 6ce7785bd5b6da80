"""Publishing indicators, loading the shipped ones, and finding the one that counts."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.indicators.model import Indicator, IndicatorKind, IndicatorUnknown, standing
from services.funding.tariffs.model import Confidence
from services.funding.tariffs.operations import SHIPPED_BY
from shared.years import year_end, year_start

SHIPPED = Path(__file__).parent / "data" / "indicators.csv"


def _number(text: str) -> Decimal | None:
    return Decimal(text) if text else None


def _shipped() -> Iterator[Indicator]:
    with SHIPPED.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            year = row["contract_year"]
            yield Indicator(
                id=f"{row['code']}.{year}",
                contract_year=year,
                code=row["code"],
                title=row["title"],
                kind=IndicatorKind(row["kind"]),
                stream=row["stream"],
                points=_number(row["points"]),
                point_value=_number(row["point_value"]),
                lower=_number(row["lower"]),
                upper=_number(row["upper"]),
                by_prevalence=row["by_prevalence"] == "yes",
                part=int(row["part"]) if row["part"] else None,
                parts=int(row["parts"]) if row["parts"] else None,
                first_day=date.fromisoformat(row["first_day"]) if row["first_day"] else year_start(year),
                last_day=year_end(year),
                known_from=date.fromisoformat(row["known_from"]) if row["known_from"] else year_start(year),
                confidence=Confidence(row["confidence"]),
                sources=row["sources"].split(),
                note=row["note"],
                published_by=SHIPPED_BY,
            )


async def load_indicators(session: AsyncSession, now: datetime) -> None:
    """Enter the shipped indicators that are not there yet; one already there is left alone."""
    present = set((await session.scalars(select(Indicator.id))).all())
    for indicator in _shipped():
        if indicator.id not in present:
            indicator.published_at = now
            session.add(indicator)


async def publish_indicator(session: AsyncSession, indicator: Indicator, *, by: str, now: datetime) -> Indicator:
    """Publish an indicator. Raises `IndicatorStands` and `SupersededIndicatorUnknown`."""
    same = (Indicator.contract_year == indicator.contract_year, Indicator.code == indicator.code)
    others = (await session.scalars(select(Indicator).where(*same).with_for_update())).all()
    indicator.publish(by, now, others)
    session.add(indicator)
    await session.flush()
    return indicator


async def indicators_of(session: AsyncSession, contract_year: str, known_on: date) -> list[Indicator]:
    """What may be achieved in a year, as known on a day, by code."""
    found = await session.scalars(
        select(Indicator).where(Indicator.contract_year == contract_year).order_by(Indicator.code, Indicator.id)
    )
    return standing(found, known_on)


async def indicator_of(session: AsyncSession, contract_year: str, code: str, known_on: date) -> Indicator:
    """The indicator that counts. Raises `IndicatorUnknown`."""
    for indicator in await indicators_of(session, contract_year, known_on):
        if indicator.code == code:
            return indicator
    raise IndicatorUnknown(f"{code} is no indicator of {contract_year}.")
