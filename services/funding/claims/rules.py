"""What of a claim is payable: the least of the share of its cost, the role's ceiling and what is left of the sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol

from services.funding.money import to_pence
from services.funding.tariffs.shipped import Share, share_of, supplier_fees
from shared.errors import Fault
from shared.years import first_day, last_day


@dataclass(frozen=True, slots=True)
class Cost:
    """What a post cost in a month, and how much of the month was worked."""

    role: str
    zone: str
    wte: Decimal
    month: str
    worked_from: date
    worked_to: date
    salary: Decimal
    employer_ni: Decimal
    employer_pension: Decimal
    supplier_fee: Decimal
    additional: bool
    withheld_days: Decimal = Decimal(0)

    @property
    def days_in_month(self) -> int:
        return last_day(self.month).day

    @property
    def days_worked(self) -> int:
        return (self.worked_to - self.worked_from).days + 1

    @property
    def equivalent_days(self) -> Decimal:
        """Days of one whole-time equivalent: hours × days worked, which is what caps and vacant baselines count."""
        return self.wte * self.days_worked

    def pro_rata(self, yearly: Decimal, counted: Decimal | None = None) -> Decimal:
        """A yearly figure for this post's hours and days, or for the equivalent days counted of them, to the penny."""
        return to_pence(
            yearly * (self.equivalent_days if counted is None else counted), Decimal(12 * self.days_in_month)
        )

    def fee_allowed(self) -> Decimal:
        """What of a supplier's charges may be claimed: nothing, but for roles that may be bought from one."""
        allowance = next(
            (
                self.pro_rata(fee.value)
                for fee in supplier_fees()
                if fee.role == self.role and fee.valid_from <= self.worked_to <= fee.valid_to
            ),
            Decimal("0.00"),
        )
        return min(self.supplier_fee, allowance)

    @property
    def total(self) -> Decimal:
        return self.salary + self.employer_ni + self.employer_pension + self.fee_allowed()


AGREED_LOCALLY = "agreed_"
"""How the codes of roles begin that a commissioner agreed with one network."""

VARIED_LOCALLY = "local_"
"""How the codes of roles begin that a local variation opens to networks all of whose members agreed to it."""

OWN_ROLES = (AGREED_LOCALLY, VARIED_LOCALLY)
"""Roles outside the national list."""


class Ceiling(Protocol):
    """The most paid for one whole-time equivalent of a role in a year: a published rate, or one agreed locally.

    `variation` names the local variation it belongs to.
    """

    @property
    def id(self) -> str: ...

    @property
    def value(self) -> Decimal | None: ...

    @property
    def confidence(self) -> str: ...

    @property
    def variation(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of checking a claim: what is payable and which limit bit, or every fault that stands in the way.

    `counted` are the days of one whole-time equivalent that count, after caps and vacant posts of the baseline.
    `variation` and `cap_variation` name the local variation that ceiling or cap belong to.
    """

    payable: Decimal | None
    limited_by: str
    cost: Decimal
    fee_allowed: Decimal
    share: Decimal | None
    share_amount: Decimal | None
    tariff: str | None
    maximum: Decimal | None
    confidence: str | None
    ceiling: Decimal | None
    room: Decimal | None
    counted: Decimal
    cap_days: Decimal | None
    faults: tuple[Fault, ...]
    variation: str | None = None
    cap_variation: str | None = None


def _faults(cost: Cost, share: Share | None, ceiling: Ceiling | None) -> list[Fault]:
    faults = []
    if not cost.additional:
        faults.append(
            Fault("additional", "not_additional", "The post is not additional to the staff of 31 March 2019.")
        )
    if not first_day(cost.month) <= cost.worked_from <= cost.worked_to <= last_day(cost.month):
        faults.append(Fault("worked_from", "outside_month", f"The days worked do not lie in {cost.month}."))
    if not 0 < cost.wte <= 2:
        faults.append(Fault("wte", "out_of_range", "The whole-time equivalent must be above 0 and at most 2."))
    if min(cost.salary, cost.employer_ni, cost.employer_pension, cost.supplier_fee) < 0:
        faults.append(Fault("salary", "negative", "No part of the cost may be negative."))
    if share is None:
        faults.append(Fault("role", "role_not_open", f"{cost.role} is not reimbursed in {cost.month}."))
    elif ceiling is None and cost.role.startswith(OWN_ROLES):
        pass  # whoever looks the agreement up says that there is none
    elif ceiling is None or ceiling.value is None:
        faults.append(
            Fault("role", "rate_unknown", f"The ceiling of {cost.role} ({cost.zone}) in {cost.month} is not known.")
        )
    return faults


def check(
    cost: Cost,
    ceiling: Ceiling | None,
    room: Decimal | None,
    *,
    room_fault: Fault | None = None,
    earlier: Decimal = Decimal(0),
    cap_days: Decimal | None = None,
    cap_variation: str | None = None,
    faults: Sequence[Fault] = (),
) -> Check:
    """Check a claim against the share paid, the role's ceiling and `room`, what is left of the network's sum.

    `earlier` is what claims made before ask of the same sum; `room_fault` says why there is no room to speak of;
    `cap_days` is what a cap on the role leaves of the month, in days of one whole-time equivalent; `faults` are those
    found elsewhere.
    """
    share = share_of(cost.role, first_day(cost.month))
    found = [*_faults(cost, share, ceiling), *faults]
    if room_fault is not None:
        found.append(room_fault)
    left = None if room is None else max(room - earlier, Decimal("0.00"))
    if left == 0:
        found.append(Fault("network", "sum_exhausted", "Nothing is left of the network's sum for the year."))
    unbarred = max(cost.equivalent_days - cost.withheld_days, Decimal(0))
    counted = unbarred if cap_days is None else min(unbarred, cap_days)
    if cost.equivalent_days > 0:
        if unbarred == 0:
            found.append(
                Fault(
                    "role", "baseline_post_vacant", f"A {cost.role} post of the baseline stands empty beyond its grace."
                )
            )
        elif counted == 0:
            found.append(Fault("role", "role_cap_reached", f"The network's number of {cost.role} is taken already."))
    limit = cost.pro_rata(ceiling.value, counted) if ceiling and ceiling.value is not None and not found else None
    share_amount = (
        None
        if share is None or cost.equivalent_days <= 0
        else to_pence(cost.total * share.share * counted, cost.equivalent_days)
    )
    payable, limited_by = None, "none"
    if not found and limit is not None and share_amount is not None and left is not None and share is not None:
        payable = min(share_amount, limit, left)
        if payable < min(share_amount, limit):
            limited_by = "network_sum"
        elif counted < cost.equivalent_days:
            limited_by = "role_cap" if counted < unbarred else "baseline_post_vacant"
        elif payable < share_amount:
            limited_by = "role_maximum"
        elif share.share < 1:
            limited_by = "share"
    return Check(
        payable=payable,
        limited_by=limited_by,
        cost=cost.total,
        fee_allowed=cost.fee_allowed(),
        share=None if share is None else share.share,
        share_amount=share_amount,
        tariff=None if ceiling is None else ceiling.id,
        maximum=None if ceiling is None else ceiling.value,
        confidence=None if ceiling is None else ceiling.confidence,
        ceiling=limit,
        room=left,
        counted=counted,
        cap_days=cap_days,
        faults=tuple(found),
        variation=None if ceiling is None else ceiling.variation,
        cap_variation=cap_variation,
    )
