"""The shapes of ODS codes and days.

Codes are text, never numbers: many begin with 0 or look like exponents (`00L`, `01E`).
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

NETWORK_PATTERN = r"^U[0-9]{5}$"
ORGANISATION_PATTERN = r"^[A-Z0-9]{3,12}$"
NETWORK = re.compile(NETWORK_PATTERN)
ORGANISATION = re.compile(ORGANISATION_PATTERN)

NetworkCode = Annotated[str, StringConstraints(pattern=NETWORK_PATTERN)]
OrganisationCode = Annotated[str, StringConstraints(pattern=ORGANISATION_PATTERN)]

FIRST_YEAR, LAST_YEAR = 1800, 2200


def in_range(day: date) -> bool:
    """Whether a day may stand in a register; one outside is a slip of the pen."""
    return FIRST_YEAR <= day.year <= LAST_YEAR


def _sensible(day: date) -> date:
    if not in_range(day):
        raise ValueError(f"the year must lie between {FIRST_YEAR} and {LAST_YEAR}")
    return day


Day = Annotated[date, AfterValidator(_sensible)]

FIRST_LOCAL_NETWORK = 99001
LAST_LOCAL_NETWORK = 99999


def local_network_code(taken: set[str]) -> str | None:
    """The next free code between U99001 and U99999, used until ODS has given the network its own."""
    for number in range(FIRST_LOCAL_NETWORK, LAST_LOCAL_NETWORK + 1):
        code = f"U{number}"
        if code not in taken:
            return code
    return None
