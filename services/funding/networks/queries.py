"""Loading whom networks serve in the months of a year, in a few statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Date, Select, func, literal, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.membership_rules.model import MembershipRule, RuleKind
from services.funding.networks.model import Allocation, Membership, Network, PracticeHeir, Withdrawal
from services.funding.networks.withdrawals import withdrawals_of
from services.funding.payments.heads import Serving
from services.funding.payments.serving import Days, Ground, Span, served_by_month
from shared.facts import Dated, believed, days
from shared.years import first_day, last_day, months_between

Approved = tuple[str, str, date | None, date | None]
Withdrawn = dict[tuple[str, str | None], dict[str, tuple[Mapping[str, Any], ...]]]


class Served:
    """Whom networks serve by month, each network's commissioner, and the withdrawals that touch a month."""

    def __init__(self) -> None:
        self.commissioners: dict[str, str] = {}
        self.by_month: dict[str, dict[str, tuple[Serving, ...]]] = {}
        self.withdrawn: Withdrawn = defaultdict(dict)


async def load_served(
    session: AsyncSession,
    months: tuple[str, ...],
    rules: Mapping[str, MembershipRule],
    scopes: Mapping[str, list[tuple[Days, str]]],
    *,
    networks: Collection[str] | None = None,
    known_at: datetime | None = None,
) -> Served:
    """Whom networks serve in some months, of all networks or of some. `scopes` are local variations by practice."""
    found = Served()
    # a practice counts in one network only where any day counts: then its other networks must be looked at too
    beside = networks if not any(rule.kind is RuleKind.ANY_DAY for rule in rules.values()) else None
    approved = await approved_networks(session, beside)
    found.commissioners = {code: who for code, who, _, _ in approved if networks is None or code in networks}
    if not months:
        return found
    deciding = [rules[month].day_of(month) if month in rules else first_day(month) for month in months]
    window = days(min(deciding[0], first_day(months[0])), max(deciding[-1], last_day(months[-1])))
    withdrawn = await withdrawals_of(session, window, beside, known_at)
    grounds = await load_grounds(session, approved, window, withdrawn, networks=beside, known_at=known_at)
    for network, withdrawals in withdrawn.items():
        if network in grounds and (networks is None or network in networks):
            _tell(found.withdrawn, network, withdrawals, months)
    if scopes:
        for ground in grounds.values():
            ground.scopes = {s.practice: scopes[s.practice] for s in ground.spans if s.practice in scopes}
    served = served_by_month(grounds, months, rules)
    found.by_month = {code: by_month for code, by_month in served.items() if code in found.commissioners}
    return found


async def load_grounds(
    session: AsyncSession,
    approved: Iterable[Approved],
    window: Range[date],
    withdrawn: Mapping[str, Iterable[Withdrawal]],
    *,
    networks: Collection[str] | None = None,
    known_at: datetime | None = None,
) -> dict[str, Ground]:
    """By network, what decides whom it serves on the days of a window."""
    spans = await _spans(session, window, networks, known_at)
    grounds = {
        code: Ground(
            opened,
            date.max if closed is None else closed + timedelta(1),
            sorted(spans.get(code, []), key=lambda span: (span.how != "member", span.practice, span.begin)),
        )
        for code, _, opened, closed in approved
        if opened is not None
    }
    for network, withdrawals in withdrawn.items():
        for fact in withdrawals if network in grounds else ():
            grounds[network].without.setdefault(fact.practice, []).append(fact.span)
    return grounds


def _span_of(valid: Range[date]) -> Days:
    return valid.lower or date.min, valid.upper or date.max


def _tell(withdrawn: Withdrawn, network: str, withdrawals: Iterable[Withdrawal], months: tuple[str, ...]) -> None:
    """Keep for the lines of a month which withdrawals touch it."""
    for fact in withdrawals:
        told = fact.told()
        last = min(fact.valid_to or date.max, last_day(months[-1]))
        touched = set(months_between(max(fact.valid_from, first_day(months[0])), last))
        of_key = withdrawn[network, fact.practice]
        for month in months:
            if month in touched:
                of_key[month] = (*of_key.get(month, ()), told)


async def approved_networks(session: AsyncSession, networks: Collection[str] | None) -> list[Approved]:
    """Networks that may be funded: code, commissioner, first and last day."""
    statement = select(Network.code, Network.commissioner, Network.valid_from, Network.valid_to).where(
        Network.approved_on.is_not(None)
    )
    if networks is not None:
        statement = statement.where(Network.code.in_(networks))
    rows = await session.execute(statement.order_by(Network.code))
    return [(code, commissioner, first, last) for code, commissioner, first, last in rows]


async def _spans(
    session: AsyncSession, window: Range[date], networks: Collection[str] | None, known_at: datetime | None
) -> dict[str, list[Span]]:
    """By network: whom it serves from which day to before which, wherever that touches the days."""
    found: dict[str, list[Span]] = defaultdict(list)
    members: Select[*tuple[Any, ...]] = select(
        Membership.network, Membership.practice, Membership.share, *_first_and_after(Membership)
    ).where(believed(Membership, known_at), Membership.valid.overlaps(window))
    allocated: Select[*tuple[Any, ...]] = select(
        Allocation.network, Allocation.practice, literal(Decimal(1)), *_first_and_after(Allocation)
    ).where(believed(Allocation, known_at), Allocation.valid.overlaps(window))
    if networks is not None:
        members = members.where(Membership.network.in_(networks))
        allocated = allocated.where(Allocation.network.in_(networks))
    for how, statement in (("member", members), ("allocated", allocated)):
        for network, practice, share, begin, end in await session.execute(statement):
            found[network].append(Span(practice, share, how, begin or date.min, end or date.max))
    over = await _went_over(session, known_at)
    for spans in found.values() if over else ():
        spans += [
            Span(practice, held.share, "merged", max(begin, held.begin), min(end, held.end), held.practice)
            for held in spans
            for practice, begin, end in over.get(held.practice, ())
            if max(begin, held.begin) < min(end, held.end)
        ]
    return found


def _first_and_after(model: type[Dated]) -> tuple[Any, Any]:
    """The first day of a fact and the day after its last, as the driver reads them fastest."""
    return func.lower(model.valid, type_=Date), func.upper(model.valid, type_=Date)


async def _went_over(session: AsyncSession, known_at: datetime | None) -> dict[str, list[tuple[str, date, date]]]:
    """By practice those that went over into it, or into one that did: their patients are its from a day to another."""
    links = select(PracticeHeir.practice, PracticeHeir.successor, PracticeHeir.valid).where(
        believed(PracticeHeir, known_at)
    )
    heirs: dict[str, list[tuple[str, date, date]]] = defaultdict(list)
    for practice, successor, valid in await session.execute(links):
        heirs[practice].append((successor, *_span_of(valid)))
    found: dict[str, list[tuple[str, date, date]]] = defaultdict(list)
    for practice in sorted(heirs):
        ahead = [(practice, date.min, date.max, frozenset([practice]))]
        while ahead:
            code, begin, end, seen = ahead.pop()
            for successor, on, until in heirs.get(code, ()):
                first, after = max(begin, on), min(end, until)
                if first < after and successor not in seen:
                    found[successor].append((practice, first, after))
                    ahead.append((successor, first, after, seen | {successor}))
    return found
