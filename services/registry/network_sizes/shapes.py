from datetime import date
from decimal import Decimal

from services.registry.network_sizes.queries import SizeState
from shared.http import Out


class SizeOut(Out):
    """Registered patients by the lists of `snapshot`, beside the figures of the rule of that day.

    `not_below` is as far down as an exception reaches; `since`: the first day of the state it is in without a break;
    `without_list` are members whose lists are not known, so that `patients` is at least what is said.
    """

    network: str
    as_at: date
    state: SizeState
    since: date
    snapshot: date | None
    patients: Decimal | None
    practices: int
    without_list: list[str]
    smallest: Decimal | None
    large: Decimal | None
    not_below: Decimal | None
