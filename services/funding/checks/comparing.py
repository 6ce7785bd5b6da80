"""From the rows of a file and the facts of its year to payments with a class each: no clock, no database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from services.funding.checks.files import FileKind
from services.funding.checks.model import CheckRow
from services.funding.checks.queries import Facts, figures, summed
from services.funding.comparisons.cases import Account, Case, Difference, Evidence, Other, Published, Term
from services.funding.comparisons.verdicts import Habit, Verdict, classify, habits_of
from services.funding.money import EXACT, PENNY
from shared.years import snapshot_of, year_end, year_of_day, year_start


class Payment(NamedTuple):
    """A column of a publication and the streams it holds; `without` are the smaller sets it may hold instead."""

    name: str
    per_practice: bool
    streams: tuple[str, ...]
    without: tuple[tuple[str, ...], ...] = ()


PUBLISHED = (
    Payment("participation", True, ("network_participation",)),
    Payment("extended_hours", False, ("extended_hours",)),
    Payment(
        "leadership",
        False,
        ("clinical_director", "clinical_director_covid_extra", "leadership_management"),
        (("clinical_director",),),
    ),
    Payment("support", False, ("core_registered", "pcn_support"), (("core_registered",),)),
)
"""What the columns hold is found from the amounts: "support" is core funding and, where it was paid, support."""


@dataclass(frozen=True, slots=True)
class Classed:
    """One payment with its verdict."""

    payment: str
    account: Account
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every payment of a file with its class; `habits` by payment and commissioner."""

    lines: list[Classed]
    habits: dict[str, dict[str, Habit]]


def compare(kind: FileKind, rows: Sequence[CheckRow], facts: Facts) -> Comparison:
    """Every payment of a file, and what was due and not paid, each in its class."""
    made = Comparison([], {})
    payments = PUBLISHED if kind is FileKind.PUBLISHED else _streams(rows, facts)
    for payment in payments:
        terms, unknown = facts.terms(payment.streams)
        if not terms and not unknown:
            continue
        build = _publication if kind is FileKind.PUBLISHED else _payee_file
        accounts = list(build(payment, rows, facts, terms, unknown))
        year = max((term.months for term in terms), default=len(facts.months))
        cases = [Case(account, terms) for account in accounts]
        habits = habits_of(cases, lambda account: account.commissioner) if kind is FileKind.PUBLISHED else {}
        made.habits[payment.name] = habits
        smaller = [facts.terms(streams)[0] for streams in payment.without]
        rates = [
            [replace(term, value=value, tariff=tariff) for term in terms] for tariff, value in _others(facts, terms)
        ]
        made.lines.extend(
            Classed(payment.name, case.account, _verdict(case, habits, year, smaller, rates))
            for case in cases
            if case.account.paid != 0 or case.account.months
        )
    return made


def _verdict(
    case: Case,
    habits: Mapping[str, Habit],
    year: int,
    smaller: Sequence[tuple[Term, ...]],
    rates: Sequence[Sequence[Term]],
) -> Verdict:
    habit = habits.get(case.account.commissioner or "")
    verdict = classify(case, habit, other_rates=rates)
    if (verdict.evidence is Evidence.DATES and verdict.difference is not Difference.HELD) or verdict.months == year:
        return verdict
    for terms in smaller:
        fewer = replace(case, terms=terms)
        if len(terms) < len(case.terms) and (fewer.between(year) or fewer.within_movement(year)):
            found = classify(fewer, None)
            said = (f"Without {', '.join(_left_out(case.terms, terms))}.", *found.said)
            return replace(found, difference=Difference.FEWER_STREAMS, due=verdict.due, said=said)
    return verdict


def _left_out(terms: Sequence[Term], kept: Sequence[Term]) -> list[str]:
    return sorted({term.stream for term in terms} - {term.stream for term in kept})


def _others(facts: Facts, terms: Sequence[Term]) -> Iterator[tuple[str, Decimal]]:
    """Rates the same stream has or had in other years."""
    if len(terms) == 1:
        for tariff, value in facts.other_rates.get(terms[0].stream, ()):
            if value != terms[0].value:
                yield tariff, value


def _streams(rows: Iterable[CheckRow], facts: Facts) -> list[Payment]:
    """The streams a payee's file names, each a payment of its own."""
    per_practice = {rate.stream: rate.payee == "practice" for rates in facts.rates.values() for rate in rates}
    named = sorted({stream for row in rows for stream in row.paid})
    return [Payment(stream, per_practice.get(stream, False), (stream,)) for stream in named]


def _publication(
    payment: Payment, rows: Sequence[CheckRow], facts: Facts, terms: Sequence[Term], unknown: list[str]
) -> Iterator[Account]:
    if not any(payment.name in row.paid for row in rows):
        return
    hold = unknown[0] if unknown else None
    if payment.per_practice:
        by_practice = {row.practice: row for row in rows if row.practice is not None}
        for practice in sorted(by_practice.keys() | facts.members.keys()):
            yield _practice(practice, by_practice.get(practice), facts, terms, hold)
        return
    networks: dict[str, list[CheckRow]] = defaultdict(list)
    for row in rows:
        if row.network is not None:
            networks[row.network].append(row)
    for network, members in sorted(networks.items()):
        paid = sum((Decimal(row.paid.get(payment.name, "0")) for row in members), Decimal("0.00"))
        yield _network(network, members, paid, facts, terms, hold)


def _practice(practice: str, row: CheckRow | None, facts: Facts, terms: Sequence[Term], hold: str | None) -> Account:
    """A practice's participation as a publication has it."""
    year, months = facts.contract_year, facts.months_of_member(practice)
    yearly = _yearly([practice], facts)
    spells = facts.members.get(practice, ())
    partly = 0 < months < len(facts.months)
    first, last = (spells[0].first, spells[-1].last) if spells else (date.min, date.max)
    closed = (row.closed_on if row is not None else None) or facts.closed.get(practice)
    exact = _exact([practice], facts, terms)
    return Account(
        practice=practice,
        network=spells[-1].network if spells else (row.network if row is not None else None),
        commissioner=(row.commissioner if row is not None else None) or facts.commissioners.get(practice),
        paid=Decimal(row.paid.get("participation", "0")) if row is not None else Decimal("0.00"),
        year=len(facts.months),
        months=months,
        own=exact or dict(yearly).get(year),
        around=_around([practice], yearly, facts, exact),
        yearly=_movements(yearly, facts),
        began=first if partly and first > year_start(year) else None,
        ended=last if partly and last < year_end(year) else None,
        closed_on=closed if closed is not None and closed <= year_end(year) else None,
        allocated_to=facts.allocated.get(practice),
        hold=hold,
        before=_other(practice, _beside(year, -1), facts),
        after=_other(practice, _beside(year, 1), facts),
    )


def _network(
    network: str, members: Sequence[CheckRow], paid: Decimal, facts: Facts, terms: Sequence[Term], hold: str | None
) -> Account:
    """What a network's practices were paid for it, as a publication has it."""
    practices = [row.practice for row in members if row.practice is not None and figures(row)]
    yearly = _yearly(practices, facts)
    months = facts.months_of_network(network)
    year = max((term.months for term in terms), default=len(facts.months))
    return Account(
        practice=None,
        network=network,
        commissioner=members[0].commissioner,
        paid=paid,
        year=year,
        months=min(months, year),
        own=dict(yearly).get(facts.contract_year),
        around=_around(practices, yearly, facts, None),
        yearly=_movements(yearly, facts),
        hold=hold,
        elsewhere="None of its practices received it; a payee that is no practice is not in the file.",
    )


def _payee_file(
    payment: Payment, rows: Sequence[CheckRow], facts: Facts, terms: Sequence[Term], unknown: list[str]
) -> Iterator[Account]:
    """A payee's rows added up by practice or network, and the members of its networks that the file leaves out."""
    paid: dict[str, Decimal] = defaultdict(lambda: Decimal("0.00"))
    for row in rows:
        whom = row.practice if payment.per_practice else row.network
        if payment.name in row.paid and whom is not None:
            paid[whom] += Decimal(row.paid[payment.name])
    named = {row.network for row in rows if row.network is not None}
    if payment.per_practice:
        members = {p for p, spells in facts.members.items() if any(spell.network in named for spell in spells)}
    else:
        members = named & facts.networks.keys()
    year = max((term.months for term in terms), default=len(facts.months))
    for whom in sorted(paid.keys() | members):
        spells = facts.members.get(whom, ())
        months = facts.months_of_member(whom) if payment.per_practice else facts.months_of_network(whom)
        practices = [whom] if payment.per_practice else facts.practices_of(whom)
        partly = payment.per_practice and 0 < months < year and bool(spells)
        own = _exact(practices, facts, terms)
        yield Account(
            practice=whom if payment.per_practice else None,
            network=(spells[-1].network if spells else None) if payment.per_practice else whom,
            commissioner=(facts.commissioners if payment.per_practice else facts.network_commissioners).get(whom),
            paid=paid[whom],
            year=year,
            months=min(months, year),
            own=own,
            around=tuple(_beside_snapshot(practices, facts, terms)),
            began=spells[0].first if partly and spells[0].first > year_start(facts.contract_year) else None,
            ended=spells[-1].last if partly and spells[-1].last < year_end(facts.contract_year) else None,
            closed_on=facts.closed.get(whom),
            allocated_to=facts.allocated.get(whom),
            hold=unknown[0] if unknown else None,
        )


def _yearly(practices: Sequence[str], facts: Facts) -> list[tuple[str, Published]]:
    """The lists publications give, added up, in the order of their years."""
    found = []
    for year in sorted(facts.files):
        heads = summed([figures(facts.files[year].get(practice)) for practice in practices])
        if heads:
            found.append((year, Published(f"average of {year}", heads)))
    return found


def _movements(yearly: Sequence[tuple[str, Published]], facts: Facts) -> tuple[Published, ...]:
    """The published years whose difference says how much a list moves: those either side of the snapshot day, or all
    where none was published before it."""
    either_side = [found for year, found in yearly if year in (_beside(facts.contract_year, -1), facts.contract_year)]
    return tuple(either_side if len(either_side) == 2 else [published for _, published in yearly])


def _around(
    practices: Sequence[str], yearly: Sequence[tuple[str, Published]], facts: Facts, exact: Published | None
) -> tuple[Published, ...]:
    """The lists published either side of the day the year's lists were frozen: the years before and after it, and
    that day's registered list at what a patient weighed in those years."""
    before, year = _beside(facts.contract_year, -1), facts.contract_year
    near = [published for name, published in yearly if name in (before, year)]
    snapshot = snapshot_of(year)
    registered = [facts.populations[snapshot].get("registered", {}).get(practice) for practice in practices]
    if None not in registered:
        total = sum((heads for heads in registered if heads is not None), Decimal(0))
        for published in list(near):
            weighted, counted = published.heads.get("weighted"), published.heads.get("registered")
            if weighted and counted:
                heads = EXACT.divide(EXACT.multiply(total, weighted), counted).quantize(PENNY, context=EXACT)
                told = f"registered on {snapshot}, weighed as in the {published.told}"
                near.append(Published(told, {"registered": total, "weighted": heads}))
    return (*([exact] if exact is not None else []), *near)


def _exact(practices: Sequence[str], facts: Facts, terms: Sequence[Term], day: date | None = None) -> Published | None:
    """The lists of the snapshot day itself, where they are known on every basis that counts."""
    held = facts.populations[day or snapshot_of(facts.contract_year)]
    heads = summed([{basis: by[p] for basis, by in held.items() if p in by} for p in practices])
    if not {term.basis for term in terms} <= heads.keys():
        return None
    return Published(f"list of {day or snapshot_of(facts.contract_year)}", heads, exact=True)


def _beside_snapshot(practices: Sequence[str], facts: Facts, terms: Sequence[Term]) -> Iterator[Published]:
    """The snapshots of the year and of the years beside it."""
    for day in sorted(facts.populations):
        published = _exact(practices, facts, terms, day)
        if published is not None and abs(day.year - snapshot_of(facts.contract_year).year) <= 1:
            yield published


def _other(practice: str, year: str, facts: Facts) -> Other | None:
    """Another year's participation of a practice, for the months its commissioner then paid."""
    row = facts.files.get(year, {}).get(practice)
    if row is None:
        return None
    paid = Decimal(row.paid.get("participation", "0"))
    habit = facts.habits.get(year, {}).get("participation", {}).get(row.commissioner or "")
    return Other(year, paid, int(habit["months"])) if habit and paid > 0 else None


def _beside(year: str, step: int) -> str:
    """The contract year before or after another."""
    day = year_start(year) - timedelta(days=1) if step < 0 else year_end(year) + timedelta(days=1)
    return year_of_day(day)
