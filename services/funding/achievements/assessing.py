"""Gathering what an assessment rests on, and the amount it makes a run pay."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.achievements.model import Achievement, AchievementAmount
from services.funding.entitlements.queries import load_year
from services.funding.indicators.model import Indicator, IndicatorKind
from services.funding.payments.engine import Year
from services.funding.payments.model import PaymentLine
from services.funding.payments.payables import PART
from services.funding.queries.model import PaymentQuery, QueryState
from services.funding.relabellings.model import Relabelling
from services.funding.relabellings.rules import kept
from shared.years import month_of, months_between, months_of

KIND = "achievements"
Facts = Mapping[str, Mapping[str, str | None]]
"""By network: registered patients, adjusted patients and the rate of the sum, each null where it is not known."""


async def facts_of(
    session: AsyncSession,
    contract_year: str,
    now: datetime,
    networks: Collection[str] | None,
    known_at: datetime | None = None,
) -> Facts:
    """What an assessment needs of networks: their lists as they stood in the last month they were served."""
    months = months_of(contract_year)
    year = await load_year(session, contract_year, months[-1], now, networks=networks, known_at=known_at)
    rates = [rate for month in months for rate in year.rates.get(month, ()) if rate.stream == "caip_max"]
    rate = str(rates[-1].value) if rates and rates[-1].value is not None else None
    return {
        network: {
            "patients": _heads(year, network, "registered"),
            "adjusted": _heads(year, network, "adjusted"),
            "rate": rate,
        }
        for network in year.served
    }


def _heads(year: Year, network: str, basis: str) -> str | None:
    last = max(year.served[network])
    count = year.populations.count(basis, year.served[network][last], year.commissioners.get(network, ""))
    return None if count.hold is not None or not count.total else str(count.population)


def figures_of(
    achievement: Achievement,
    indicator: Indicator,
    beside: Sequence[Indicator],
    facts: Mapping[str, str | None],
    *,
    deemed: bool,
    relabelled: Sequence[Relabelling] = (),
) -> dict[str, Any]:
    """Everything an assessment rests on, as text; `beside` are the parts of the same sum, in order.

    `relabelled` are the streams of the year that count as others: what is left of this one is `kept`.
    """
    parts = [other for other in beside if other.stream == indicator.stream and other.part and other.parts]
    before = sum((Fraction(o.part or 0, o.parts or 1) for o in parts if o.code < indicator.code), Fraction(0))
    return {
        "kind": indicator.kind.value,
        "title": indicator.title,
        "published_as": indicator.id,
        "confidence": indicator.confidence.value,
        "points": _text(indicator.points),
        "point_value": _text(indicator.point_value),
        "lower": _text(indicator.lower),
        "upper": _text(indicator.upper),
        "by_prevalence": indicator.by_prevalence,
        "prevalence": _text(indicator.prevalence),
        "average_list": _text(indicator.average_list),
        "part": f"{indicator.part}/{indicator.parts}" if indicator.part and indicator.parts else None,
        "parts_before": str(before),
        "numerator": _text(achievement.numerator),
        "denominator": _text(achievement.denominator),
        "adjustments": _text(achievement.adjustments),
        "answer": achievement.answer,
        "earned": _text(achievement.earned),
        "deemed": deemed,
        **_kept(indicator, relabelled),
        **facts,
    }


def _kept(indicator: Indicator, relabelled: Sequence[Relabelling]) -> dict[str, Any]:
    """What is left of the indicator's stream in its days, and by which relabellings; nothing where there is none."""
    mine = [one for one in relabelled if one.from_stream == indicator.stream]
    if not mine or indicator.kind is IndicatorKind.PART:
        return {}
    months = months_between(indicator.first_day, indicator.last_day)
    return {"kept": str(kept(mine, indicator.stream, months)), "relabelled": [one.told() for one in mine]}


def _text(value: Decimal | int | None) -> str | None:
    return None if value is None else str(value)


def facts_about(facts: Facts, network: str) -> Mapping[str, str | None]:
    """What is known of one network; nothing where nobody was served by it."""
    return facts.get(network, {"patients": None, "adjusted": None, "rate": None})


def pays_amount() -> ColumnElement[bool]:
    """True of the lines that pay an amount of an achievement, or a part of it."""
    return (
        (PaymentLine.run == AchievementAmount.run)
        & (PaymentLine.network == AchievementAmount.network)
        & (func.split_part(PaymentLine.reference, PART, 1) == literal(f"{KIND}/").concat(AchievementAmount.id))
    )


async def paid_by_achievement(session: AsyncSession, ids: Collection[str]) -> dict[str, tuple[Decimal, int]]:
    """What achievements were or are to be paid, what queries added to it included, and by how many amounts.

    An adjustment that waits for its second person counts too, or both would be paid.
    """
    rows = await session.execute(
        select(AchievementAmount.achievement, func.sum(AchievementAmount.amount), func.count())
        .where(AchievementAmount.achievement.in_(ids))
        .group_by(AchievementAmount.achievement)
    )
    added = await session.execute(
        select(AchievementAmount.achievement, func.sum(PaymentQuery.adjustment))
        .join(PaymentLine, pays_amount())
        .join(PaymentQuery, PaymentQuery.line == PaymentLine.id)
        .where(
            AchievementAmount.achievement.in_(ids),
            PaymentQuery.state.in_((QueryState.PROPOSED, QueryState.ANSWERED)),
            PaymentQuery.adjustment.is_not(None),
        )
        .group_by(AchievementAmount.achievement)
    )
    adjusted = {achievement: amount or Decimal("0.00") for achievement, amount in added}
    return {
        achievement: ((amount or Decimal("0.00")) + adjusted.get(achievement, Decimal("0.00")), count)
        for achievement, amount, count in rows
    }


def amount_of(
    achievement: Achievement, indicator: Indicator, paid: Decimal, number: int, cause: str, now: datetime
) -> AchievementAmount | None:
    """What is still to pay or take back of what an achievement earns; `None` if nothing is."""
    if achievement.amount is None or achievement.amount == paid:
        return None
    month = month_of(min(indicator.last_day, achievement.accepted_on or indicator.last_day))
    if indicator.kind is not IndicatorKind.PART:
        month = month_of(indicator.last_day)
    difference = achievement.amount - paid
    return AchievementAmount(
        id=f"{achievement.id}-{number + 1}",
        achievement=achievement.id,
        number=number + 1,
        network=achievement.network,
        stream=indicator.stream,
        month=month,
        amount=difference,
        cause=cause,
        decided_at=now,
        trace={
            "kind": "achievement",
            "achievement": achievement.id,
            "indicator": achievement.indicator,
            "contract_year": achievement.contract_year,
            "month": month,
            "counts": [indicator.first_day.isoformat(), indicator.last_day.isoformat()],
            "figures": achievement.figures,
            "paid_before": str(paid),
            "amount": str(difference),
        },
    )
