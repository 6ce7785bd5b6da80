"""Could this post be claimed? One pure answer, used before a vacancy opens and when it does.

Money is pounds to the penny, rounded half up per post and month. Ceilings are pounds per WTE a year.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from services.workforce.baselines.model import GRACE_MONTHS, grace_ends
from services.workforce.calendar import days_of_month, months_of
from services.workforce.rates.operations import Ceilings
from shared.errors import Fault
from shared.years import first_day, last_day, month_of, year_of_day

PENNY = Decimal("0.01")
NOTHING = Decimal("0.00")
LARGE_NETWORK = Decimal(100_000)


@dataclass(frozen=True, slots=True)
class Terms:
    """The role as the catalogue has it."""

    role: str
    name: str
    claimable_from: date
    claimable_to: date | None = None


@dataclass(frozen=True, slots=True)
class Cap:
    """WTE of the role a network is reimbursed for, by its size; no figures where a local variation says any number."""

    valid_from: date
    valid_to: date
    below: Decimal | None
    large: Decimal | None


@dataclass(frozen=True, slots=True)
class Share:
    valid_from: date
    valid_to: date
    share: Decimal


@dataclass(frozen=True, slots=True)
class Commitment:
    """A post in post or a vacancy still open; `claimed` is what its claims take of the sum, by month."""

    reference: str
    role: str
    zone: str
    wte: Decimal
    first: date
    last: date | None = None
    claimed: Mapping[str, Decimal] = field(default_factory=dict)

    def runs_on(self, day: date) -> bool:
        return self.first <= day and (self.last is None or day <= self.last)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a network stands in one contract year, for one role."""

    network: str
    network_from: date
    network_to: date | None
    terms: Terms | None
    ceilings: Ceilings
    known: date
    budget: Decimal | None
    budget_reason: str | None = None
    caps: Sequence[Cap] = ()
    shares: Sequence[Share] = ()
    patients: Decimal | None = None
    commitments: Sequence[Commitment] = ()
    planned: Decimal | None = None
    vacant_baseline: Sequence[date] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """The post asked about."""

    role: str
    zone: str
    wte: Decimal
    start: date


@dataclass(frozen=True, slots=True)
class Month:
    """The answer for one month; `room` is what the sum leaves before this post is paid for the month."""

    month: str
    share: Decimal
    ceiling: Decimal | None
    most: Decimal | None
    room: Decimal | None
    cap: Decimal | None
    cap_used: Decimal
    reasons: tuple[Fault, ...]

    @property
    def claimable(self) -> bool:
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole answer: reasons about the network, plan and role, then month by month."""

    reasons: tuple[Fault, ...]
    months: tuple[Month, ...]

    def faults(self) -> list[Fault]:
        """Every reason once, at its first month."""
        found: dict[str, Fault] = {}
        for reason in (*self.reasons, *(r for m in self.months for r in m.reasons)):
            found.setdefault(reason.code, reason)
        return list(found.values())


def pennies(amount: Decimal) -> Decimal:
    return amount.quantize(PENNY, ROUND_HALF_UP)


def at_ceiling(ceiling: Decimal, wte: Decimal, days: tuple[int, int] = (1, 1)) -> Decimal:
    """The most one post takes of the sum in a month: a twelfth of the ceiling by WTE and by days worked of all days."""
    worked, of = days
    return pennies(ceiling * wte * worked / (12 * of))


def month_cost(ceilings: Ceilings, known: date, post: Commitment, month: str) -> Decimal | None:
    """What a commitment takes of the sum in a month; `None` when its ceiling is not known."""
    if month in post.claimed:
        return post.claimed[month]
    days = days_of_month(month, post.first, post.last)
    if not days[0]:
        return NOTHING
    day = max(first_day(month), post.first)
    ceiling = ceilings.on(post.role, post.zone, day, known=known)
    return None if ceiling is None else at_ceiling(ceiling, post.wte, days)


def committed(position: Position, year: str) -> tuple[Decimal, list[str]]:
    """What posts and open vacancies take of the year's sum, and the roles and months whose ceiling is not known."""
    total, unknown = NOTHING, []
    for month in months_of(year):
        for post in position.commitments:
            cost = month_cost(position.ceilings, position.known, post, month)
            if cost is None:
                unknown.append(f"{post.role} in {month}")
            else:
                total += cost
    return total, unknown


def assess(position: Position, wish: Wish) -> Answer:
    """Whether the post could be claimed from its start to the end of the contract year, with a reason for every no."""
    year = year_of_day(wish.start)
    general = [*_network_reasons(position, wish), *_plan_reasons(position, wish), *_role_reasons(position, wish)]
    spent, unknown = committed(position, year)
    room = None if position.budget is None or unknown else position.budget - spent
    if position.budget is None:
        because = f": {position.budget_reason}" if position.budget_reason else ""
        general.append(
            Fault("network", "BudgetNotKnown", f"The {year} sum of {position.network} is not known yet{because}.")
        )
    elif unknown:
        general.append(
            Fault("network", "CommitmentsNotKnown", f"The room in the sum cannot be told: no ceiling for {unknown[0]}.")
        )
    months: list[Month] = []
    for month in (m for m in months_of(year) if last_day(m) >= wish.start):
        answer = _month(position, wish, month, room)
        months.append(answer)
        if room is not None and answer.most is not None:
            room -= answer.most
    return Answer(tuple(general), tuple(months))


def _month(position: Position, wish: Wish, month: str, room: Decimal | None) -> Month:
    day = max(first_day(month), wish.start)
    ceiling = position.ceilings.on(wish.role, wish.zone, day, known=position.known)
    most = None if ceiling is None else at_ceiling(ceiling, wish.wte, days_of_month(month, wish.start, None))
    used = _peak(position, wish.role, day, last_day(month))
    reasons: list[Fault] = []
    if position.terms is not None and not _claimable(position.terms, day):
        reasons.append(Fault("role", "RoleNotClaimable", _since(position.terms, day)))
    if most is None:
        reasons.append(
            Fault("role", "CeilingUnknown", f"No ceiling is known for {wish.role} ({wish.zone}) in {month}.")
        )
    cap, fault = _cap(position, wish, day, used)
    if fault:
        reasons.append(fault)
    blocked = Decimal(sum(1 for vacant in position.vacant_baseline if day > grace_ends(vacant)))
    if max(used + wish.wte - blocked, Decimal(0)) - max(used - blocked, Decimal(0)) < wish.wte:
        reasons.append(
            Fault(
                "role",
                "BaselinePostVacant",
                f"A {wish.role} post of the 31 March 2019 baseline is vacant for more than {GRACE_MONTHS} months: "
                f"one WTE of the role cannot be claimed in {month} until it is filled.",
            )
        )
    if room is not None and most is not None and most > room:
        reasons.append(
            Fault(
                "wte",
                "SumExceeded",
                f"In {month} the post may cost £{most} at the ceiling and the sum has £{max(room, NOTHING)} left.",
            )
        )
    return Month(month, _share(position, day), ceiling, most, room, cap, used, tuple(reasons))


def _network_reasons(position: Position, wish: Wish) -> Iterable[Fault]:
    if wish.start < position.network_from:
        yield Fault(
            "network", "NetworkNotApproved", f"{position.network} is approved from {position.network_from}, not before."
        )
    if position.network_to is not None and wish.start > position.network_to:
        yield Fault("network", "NetworkEnded", f"{position.network} ended on {position.network_to}.")


def _plan_reasons(position: Position, wish: Wish) -> Iterable[Fault]:
    if position.planned is None:
        yield Fault(
            "plan", "NoSubmittedPlan", f"{position.network} has submitted no plan of {year_of_day(wish.start)}."
        )
        return
    running = sum(
        (c.wte for c in position.commitments if c.role == wish.role and (c.last is None or c.last >= wish.start)),
        Decimal(0),
    )
    if running + wish.wte > position.planned:
        yield Fault(
            "wte",
            "NoRoomInPlan",
            f"The plan has {position.planned} WTE of {wish.role}; {running} are in post or being recruited "
            f"and {wish.wte} more are asked for.",
        )


def _role_reasons(position: Position, wish: Wish) -> Iterable[Fault]:
    if position.terms is None:
        yield Fault("role", "RoleUnknown", f"{wish.role} is not a role that can be claimed.")


def _claimable(terms: Terms, day: date) -> bool:
    return terms.claimable_from <= day and (terms.claimable_to is None or day <= terms.claimable_to)


def _since(terms: Terms, day: date) -> str:
    if day < terms.claimable_from:
        return f"{terms.name} can be claimed from {terms.claimable_from} on, not on {day}."
    return f"{terms.name} could be claimed until {terms.claimable_to}, not on {day}."


def _share(position: Position, day: date) -> Decimal:
    return next((s.share for s in position.shares if s.valid_from <= day <= s.valid_to), Decimal(1))


def _peak(position: Position, role: str, begin: date, end: date) -> Decimal:
    """The most WTE of a role running on one day between two days."""
    posts = [c for c in position.commitments if c.role == role]
    turns = {begin, *(c.first for c in posts if begin <= c.first <= end)}
    return max(sum((c.wte for c in posts if c.runs_on(day)), Decimal(0)) for day in turns)


def _cap(position: Position, wish: Wish, day: date, used: Decimal) -> tuple[Decimal | None, Fault | None]:
    cap = next((c for c in position.caps if c.valid_from <= day <= c.valid_to), None)
    if cap is None or cap.below is None or cap.large is None:
        return None, None
    wanted = used + wish.wte
    if position.patients is None:
        if wanted <= cap.below:
            return cap.below, None
        return cap.below, Fault(
            "network",
            "SizeNotKnown",
            f"More than {cap.below} WTE of {wish.role} need {LARGE_NETWORK} patients, and the lists of the members "
            f"of {position.network} are not all known.",
        )
    limit = cap.large if position.patients >= LARGE_NETWORK else cap.below
    if wanted <= limit:
        return limit, None
    return limit, Fault(
        "wte",
        "CapExceeded",
        f"A network of {position.patients} patients is reimbursed for {limit} WTE of {wish.role} in "
        f"{month_of(day)}; {used} are taken and {wish.wte} more are asked for.",
    )
