"""What is sent and answered about groupings nobody has decided."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from services.registry.applications.form import ReformReason
from services.registry.applications.shapes import ApplyingPracticeIn, FindingOut, LocalityIn, WarningOut
from services.registry.codes import Day, NetworkCode, OrganisationCode
from shared.http import In, Out

Name = Annotated[str, Field(min_length=1, max_length=200)]


class GroupIn(In):
    """Practices that would be one network: a new one, or `network` with other members."""

    name: Name
    network: NetworkCode | None = None
    practices: Annotated[list[ApplyingPracticeIn], Field(min_length=1, max_length=200)]
    area: dict[str, Any] | None = None
    area_description: Annotated[str | None, Field(max_length=10_000)] = None
    localities: Annotated[list[LocalityIn], Field(max_length=50)] = []
    size_waiver_reason: Annotated[str | None, Field(max_length=10_000)] = None


class ServedIn(In):
    """The list of a practice outside every group, served by a group of that name or a network on the register."""

    practice: OrganisationCode
    group: Annotated[str | None, Field(max_length=200)] = None
    network: NetworkCode | None = None


class WhatIfIn(In):
    """`starts_on`: from when it would hold; `snapshot`: the day of the list sizes, the latest before it unless given.

    `ends` names networks that would be no more; `history_years` says how far back moves are looked for.
    """

    title: Name
    commissioner: OrganisationCode
    starts_on: Day
    snapshot: Day | None = None
    groups: Annotated[list[GroupIn], Field(min_length=1, max_length=60)]
    allocations: Annotated[list[ServedIn], Field(max_length=200)] = []
    ends: Annotated[list[NetworkCode], Field(max_length=60)] = []
    history_years: Annotated[int, Field(strict=True, ge=0, le=20)] = 5


class ApplyIn(In):
    """The round the groups apply in; the reason where networks are divided and formed anew."""

    round: Annotated[str, Field(max_length=32)]
    reform_reason: ReformReason | None = None
    reform_explanation: Annotated[str | None, Field(max_length=10_000)] = None


class SizeClass(StrEnum):
    UNKNOWN = "unknown"
    SMALL = "small"
    EXPECTED = "expected"
    LARGE = "large"
    VERY_LARGE = "very_large"


class Outcome(StrEnum):
    ENDS = "ends"
    SHRINKS = "shrinks"
    GROWS = "grows"
    CHANGES = "changes"
    GOES_ON = "goes_on"


class Came(Out):
    """A network of today that some of a group's practices come from."""

    network: str
    practices: list[str]


class GroupAnswer(Out):
    """One group: its size, every rule it breaks, what to look at, and what is found of its area."""

    name: str
    network: str | None
    practices: list[str]
    patients: Decimal | None
    size: SizeClass
    breaches: list[WarningOut]
    warnings: list[WarningOut]
    findings: list[FindingOut]
    commissioners: dict[str, Decimal]
    crosses_boundary: bool
    comes_from: list[Came]
    from_no_network: list[str]


class NetworkAnswer(Out):
    """What would become of a network of today."""

    network: str
    name: str
    commissioner: str
    outcome: Outcome
    patients_today: Decimal
    patients_then: Decimal
    falls_under_smallest: bool
    loses: list[str]
    gains: list[str]


class LeftOut(Out):
    practice: str
    name: str
    patients: Decimal
    uncovered: Decimal


class Stay(Out):
    network: str
    valid_from: date
    valid_to: date | None


class Past(Out):
    """Where a practice was in the years looked at; `moves` counts changes of network, the proposed one included."""

    practice: str
    stays: list[Stay]
    moves: int


class Totals(Out):
    networks_today: int
    networks_then: int
    under_smallest_today: int
    under_smallest_then: int
    over_large_today: int
    over_large_then: int


class Answer(Out):
    """`totals` counts the networks touched, today and then."""

    breaks_rules: bool
    groups: list[GroupAnswer]
    networks: list[NetworkAnswer]
    left_out: list[LeftOut]
    patients_left_out: Decimal
    covered_twice: list[LeftOut]
    history: list[Past]
    totals: Totals


class WhatIfOut(Out):
    id: str
    title: str
    commissioner: str
    starts_on: date
    snapshot: date
    asked_by: str
    asked_at: datetime
    round: str | None
    applications: list[str]


class WhatIfAnswered(WhatIfOut):
    proposal: dict[str, Any]
    answer: Answer


class AllocationLeft(Out):
    """A list that was not allocated when the what-if was applied for, with the refusal."""

    practice: str
    code: str
    message: str


class Applied(Out):
    """The draft applications, the allocations made beside them, and those that were refused and are still to make."""

    what_if: str
    round: str
    applications: list[str]
    allocations: list[str] = []
    allocations_left: list[AllocationLeft] = []
