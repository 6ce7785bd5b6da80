"""Publishing rules of membership, loading the shipped ones, and finding the rule of each month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.membership_rules.model import MembershipRule, RuleKind
from services.funding.tariffs.model import Confidence
from services.funding.tariffs.operations import SHIPPED_BY
from services.funding.tariffs.shipped import membership_days
from shared.facts import believed, days, record, since
from shared.years import first_day, last_day


async def load_shipped_rules(session: AsyncSession, now: datetime) -> None:
    """Enter the shipped rules once; those published later stand."""
    if await session.scalar(select(MembershipRule.fact_id).limit(1)) is not None:
        return
    begin = datetime.combine(date(2019, 4, 1), time.min, tzinfo=UTC)
    for rule in membership_days():
        session.add(
            MembershipRule(
                kind=RuleKind.FIRST_DAY,
                counted_on=rule.counted_on,
                paid_from=rule.paid_from,
                confidence=Confidence(rule.confidence),
                sources=list(rule.sources),
                note="",
                published_by=SHIPPED_BY,
                published_at=now,
                valid=days(first_day(rule.first_month), None if rule.open else last_day(rule.last_month)),
                known=since(begin),
            )
        )


async def publish_rule(session: AsyncSession, rule: MembershipRule, *, now: datetime) -> MembershipRule:
    """Let a rule count for its months in place of the one before; months already paid are made good by the next run."""
    await record(session, rule, key=[], now=now)
    return rule


async def rules_of(
    session: AsyncSession, months: Sequence[str], known_at: datetime | None
) -> Mapping[str, MembershipRule]:
    """The rule of each month, as known then or now."""
    if not months:
        return {}
    window = days(first_day(months[0]), last_day(months[-1]))
    found = (
        await session.scalars(
            select(MembershipRule).where(believed(MembershipRule, known_at), MembershipRule.valid.overlaps(window))
        )
    ).all()
    return {month: rule for month in months for rule in found if rule.valid.contains(first_day(month))}
