"""What of paid arrears is payable: each month within the ceiling now in force, all within what is left of the sum.

Claims already made keep what they were decided at. A month's arrears come to the share of them paid, and no further
than the month's claim would reach under the new ceiling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.funding.money import to_pence
from shared.errors import Fault


@dataclass(frozen=True, slots=True)
class Month:
    """The arrears of one post and month beside the claim it was decided on.

    `counted` of `equivalent_days` are the days of one whole-time equivalent that count; `maximum` is £ a year for one,
    `variation` the local variation it belongs to.
    """

    claim: str
    post: str
    month: str
    arrears: Decimal
    cost: Decimal
    payable: Decimal
    share: Decimal
    tariff: str
    maximum: Decimal
    confidence: str
    counted: Decimal
    equivalent_days: Decimal
    days_in_month: int
    variation: str | None = None

    @property
    def ceiling(self) -> Decimal:
        return to_pence(self.maximum * self.counted, Decimal(12 * self.days_in_month))

    @property
    def of_arrears(self) -> Decimal:
        return to_pence(self.arrears * self.share * self.counted, self.equivalent_days)

    @property
    def due(self) -> Decimal:
        """What the month still reaches: the arrears' share, within the new ceiling, less what was decided before."""
        whole = to_pence((self.cost + self.arrears) * self.share * self.counted, self.equivalent_days)
        return min(self.of_arrears, max(min(whole, self.ceiling) - self.payable, Decimal("0.00")))


@dataclass(frozen=True, slots=True)
class ArrearsCheck:
    """What a check found: the payable part and the limit that bit, or every fault."""

    payable: Decimal | None
    limited_by: str
    claimed: Decimal
    room: Decimal | None
    months: tuple[Month, ...]
    faults: tuple[Fault, ...]


def check_arrears(
    months: Sequence[Month], claimed: Decimal, room: Decimal | None, faults: Sequence[Fault]
) -> ArrearsCheck:
    """Check arrears against the ceilings month by month and `room`, what is left of the network's sum."""
    found = list(faults)
    left = None if room is None else max(room, Decimal("0.00"))
    if left == 0:
        found.append(Fault("network", "sum_exhausted", "Nothing is left of the network's sum for the year."))
    due = sum((month.due for month in months), Decimal("0.00"))
    if not found and due == 0:
        found.append(Fault("items", "nothing_due", "No month reaches further under the ceilings now in force."))
    if found or left is None:
        return ArrearsCheck(None, "none", claimed, left, tuple(months), tuple(found))
    limited_by = "none"
    if left < due:
        limited_by = "network_sum"
    elif any(month.due < month.of_arrears for month in months):
        limited_by = "role_maximum"
    return ArrearsCheck(min(due, left), limited_by, claimed, left, tuple(months), ())
