"""Putting a payment into the class of the first test that holds, with the sums that show it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.funding.comparisons.cases import (
    PENNIES,
    Account,
    Case,
    Difference,
    Evidence,
    Published,
    Term,
    due_for,
    per_month,
)
from services.funding.lines.words import pounds
from services.funding.money import plain, to_pence

MOST_PAYMENTS, FEWEST_PAYMENTS = 12, 8
"""Equal payments are looked for between these numbers: of fewer, too many amounts divide by chance."""
FEWEST_PRACTICES = 5
MONTHS_BEYOND = 4
"""A year's file holds at most so many months of the year before."""


@dataclass(frozen=True, slots=True)
class Habit:
    """How many months a commissioner paid most of its practices, and in how many equal payments if that shows."""

    months: int
    fitting: int
    practices: int
    payments: int | None = None
    dividing: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """`months` is how many the payment is for, if it is for whole ones; `said` are the sums a reader can do again."""

    difference: Difference
    evidence: Evidence
    due: Decimal | None
    months: int | None
    said: tuple[str, ...]


def habits_of(cases: Iterable[Case], group: Callable[[Account], str | None]) -> dict[str, Habit]:
    """By commissioner: the whole number of months under which most payments lie on or about a published list.

    Only those count whose membership lasted all year and whose list is known; between equals, the nearest to the year.
    """
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        account, name = case.account, group(case.account)
        if name is not None and account.paid > 0 and account.months == account.year and account.own is not None:
            groups[name].append(case)
    found = {}
    for name, members in groups.items():
        year = members[0].account.year
        counts: Counter[int] = Counter()
        for tried in range(1, year + MONTHS_BEYOND + 1):
            counts[tried] = sum(1 for case in members if case.between(tried) or case.within_movement(tried))
        months = max(counts, key=lambda tried: (counts[tried], -abs(year - tried), tried))
        payments, dividing = _equal_payments(members)
        found[name] = Habit(months, counts[months], len(members), payments, dividing)
    return found


def _equal_payments(members: Sequence[Case]) -> tuple[int | None, int]:
    """The largest number of equal payments of whole pennies that more than half of the amounts divide into."""
    if len(members) >= FEWEST_PRACTICES:
        for payments in range(MOST_PAYMENTS, FEWEST_PAYMENTS - 1, -1):
            dividing = sum(1 for case in members if _divides(case.account, payments))
            if dividing * 2 > len(members):
                return payments, dividing
    return None, 0


def _divides(account: Account, payments: int) -> bool:
    return int(account.paid * 100) % payments == 0


def classify(case: Case, habit: Habit | None, *, other_rates: Sequence[Sequence[Term]] = ()) -> Verdict:
    """The class of one payment by the first test that holds."""
    account = case.account
    due = case.due(account.own, account.months)
    plainly = _by_dates(account, due)
    if plainly is not None:
        return plainly
    if due is None or account.own is None:
        why = account.hold or "A list it rests on was not published."
        return Verdict(Difference.HELD, Evidence.DATES, None, None, (why,))
    if abs(account.paid - due) <= PENNIES:
        sums = (_sum_of(case, account.own, account.months),)
        return Verdict(Difference.AGREES, Evidence.PENNY, due, account.months, sums)
    exact = _to_the_penny(case, account.own, due, other_rates) if account.own.exact else None
    return exact or _by_lists(case, habit, due)


def _by_lists(case: Case, habit: Habit | None, due: Decimal) -> Verdict:
    """Tests on the lists published about the day on which the payer froze one that is not itself known."""
    account = case.account
    expected = max(1, account.months - account.year + (habit.months if habit else account.year))

    def listed(months: int, evidence: Evidence, difference: Difference | None = None) -> Verdict:
        said = tuple(_sums(case, habit, months, evidence))
        return Verdict(difference or _of_months(account, months), evidence, due, months, said)

    for months in dict.fromkeys((expected, account.months)):
        if case.between(months):
            return listed(months, Evidence.BETWEEN_LISTS)
    if habit is not None and habit.payments is not None and _divides(account, habit.payments):
        return listed(expected, Evidence.EQUAL_PAYMENTS)
    if case.within_movement(expected):
        return listed(expected, Evidence.WITHIN_MOVEMENT)
    if case.between_payments(expected):
        return listed(expected, Evidence.BETWEEN_PAYMENTS)
    if case.two_lists(expected):
        return listed(expected, Evidence.TWO_LISTS)
    for months in range(1, 2 * account.year + 1):
        if case.between(months):
            found = Difference.DOUBLE if months == 2 * account.months else Difference.OTHER_MONTHS
            return listed(months, Evidence.BETWEEN_LISTS, found)
    said = [f"Due {pounds(due)}, paid {pounds(account.paid)}."]
    said += [_sum_of(case, published, expected) for published in account.around]
    return Verdict(Difference.UNEXPLAINED, Evidence.NONE, due, None, tuple(said))


def _by_dates(account: Account, due: Decimal | None) -> Verdict | None:
    """What dates alone decide: no membership, no list, nothing paid, money taken back."""

    def verdict(difference: Difference, said: str, amount: Decimal | None = due) -> Verdict:
        return Verdict(difference, Evidence.DATES, amount, None, (said,))

    nothing = Decimal("0.00")
    if account.paid < 0:
        return verdict(Difference.NEGATIVE, f"{pounds(-account.paid)} more was taken back in the year than paid.")
    if account.months == 0:
        if account.closed_on is not None:
            return verdict(Difference.CLOSED, f"The practice closed on {account.closed_on}.", nothing)
        if account.allocated_to is not None:
            said = f"No member; its patients are served by {account.allocated_to}, and participation is for members."
            return verdict(Difference.ALLOCATED, said, nothing)
        return verdict(Difference.NOT_A_MEMBER, "No membership of the year is known.", nothing)
    if account.own is None and account.hold is None:
        return verdict(Difference.NO_LIST, "No list of patients is published for it.", None)
    if account.paid == 0 and (due is None or due > 0):
        if account.elsewhere is not None:
            return verdict(Difference.PAID_ELSEWHERE, account.elsewhere)
        return verdict(Difference.MISSING, f"A member for {account.months} months, and nothing was paid.")
    return None


def _to_the_penny(case: Case, own: Published, due: Decimal, other_rates: Sequence[Sequence[Term]]) -> Verdict | None:
    """Where the very list the payer had to use is known: other months of it, another rate, twice the amount."""
    account = case.account
    for months in range(1, account.year + MONTHS_BEYOND + 1):
        amount = case.due(own, months)
        if amount is not None and abs(amount - account.paid) <= PENNIES:
            sums = (_sum_of(case, own, months),)
            return Verdict(_of_months(account, months), Evidence.PENNY, due, months, sums)
    for terms in other_rates:
        amount = due_for(terms, own, account.months, account.year)
        if amount is not None and abs(amount - account.paid) <= PENNIES:
            said = (_sum_of(Case(account, terms), own, account.months), f"At the rate in force: {pounds(due)}.")
            return Verdict(Difference.OTHER_RATE, Evidence.PENNY, due, account.months, said)
    if abs(2 * due - account.paid) <= PENNIES:
        return Verdict(Difference.DOUBLE, Evidence.PENNY, due, 2 * account.months, (f"Twice {pounds(due)}.",))
    return None


def _of_months(account: Account, months: int) -> Difference:
    """The class of a payment for so many whole months."""
    if months > account.year and months == 2 * account.months:
        return Difference.DOUBLE
    if account.months < account.year and months <= account.months:
        return Difference.LEFT if account.ended is not None else Difference.JOINED
    if months == account.months:
        return Difference.LIST_MOVED
    if months == account.months - 1:
        return Difference.ARREARS
    return Difference.FEWER_MONTHS if months < account.months else Difference.MORE_MONTHS


def _sums(case: Case, habit: Habit | None, months: int, evidence: Evidence) -> list[str]:
    account = case.account
    said = [_sum_of(case, published, months) for published in account.around]
    if evidence is Evidence.EQUAL_PAYMENTS and habit is not None and habit.payments is not None:
        each = pounds(to_pence(account.paid, Decimal(habit.payments)))
        of = f"{habit.dividing} of the commissioner's {habit.practices} amounts"
        said.append(f"{habit.payments} payments of {each}; {of} divide by {habit.payments} to the penny.")
    elif evidence is Evidence.WITHIN_MOVEMENT:
        moved = to_pence(case.movement(months) or Decimal(0))
        said.append(f"The list moved by up to {pounds(moved)} from one published year to the next.")
    for evident, other in ((Evidence.BETWEEN_PAYMENTS, account.after), (Evidence.TWO_LISTS, account.before)):
        if evidence is evident and other is not None:
            said.append(f"{other.contract_year} paid {pounds(per_month(other, months))} for as many months.")
    if account.began is not None:
        said.append(f"Member from {account.began}.")
    if account.ended is not None:
        said.append(f"Member to {account.ended}.")
    if habit is not None and habit.months != account.year:
        said.append(f"{habit.fitting} of {habit.practices} payments of the commissioner fit {habit.months} months.")
    return said


def _sum_of(case: Case, published: Published, months: int) -> str:
    """One sum in words: months, rate and heads."""
    parts = " + ".join(
        f"£{plain(term.value)} / {term.parts} × {plain(published.heads[term.basis])} {term.basis}"
        for term in case.terms
        if term.basis in published.heads
    )
    due = case.due(published, months)
    return f"{months} months × {parts} ({published.told}) = {'not known' if due is None else pounds(due)}"
