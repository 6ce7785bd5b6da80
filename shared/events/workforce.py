"""What workforce announces: plans, vacancies, people in post and what their month cost. No names of people."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar

from pydantic import Field

from shared.events.base import MONTH_PATTERN, YEAR_PATTERN, Event, Fact, catalogued


class WorkforceEvent(Event):
    publisher: ClassVar[str] = "workforce"


class PlannedRole(Fact):
    role: str
    wte: Decimal
    start_month: str = Field(pattern=MONTH_PATTERN)


@catalogued
class PlanSubmitted(WorkforceEvent):
    """A network handed in its workforce plan of a year."""

    noun: ClassVar[str] = "plans"
    name: ClassVar[str] = "plan-submitted"

    plan: str
    network: str
    contract_year: str = Field(pattern=YEAR_PATTERN)
    submitted_on: date
    roles: list[PlannedRole]
    planned_cost: Decimal

    def subject(self) -> str:
        return self.network


@catalogued
class VacancyOpened(WorkforceEvent):
    """A network looks for somebody for a role."""

    noun: ClassVar[str] = "vacancies"
    name: ClassVar[str] = "vacancy-opened"

    vacancy: str
    network: str
    role: str
    wte: Decimal
    opened_on: date

    def subject(self) -> str:
        return self.vacancy


@catalogued
class RoleRecruited(WorkforceEvent):
    """Somebody is in post: what a claim, a return and a report start from."""

    noun: ClassVar[str] = "posts"
    name: ClassVar[str] = "role-recruited"

    post: str
    vacancy: str
    network: str
    role: str
    wte: Decimal
    zone: str = "national"
    employer: str
    started_on: date
    additional: bool
    days_to_hire: int

    def subject(self) -> str:
        return self.post


@catalogued
class PostEnded(WorkforceEvent):
    """Somebody left; `ended_on` is the last day in post."""

    noun: ClassVar[str] = "posts"
    name: ClassVar[str] = "post-ended"

    post: str
    network: str
    role: str
    ended_on: date

    def subject(self) -> str:
        return self.post


class Standing(Fact):
    """What decides whether somebody counts as new staff, as the network knew it when they started.

    `qualified_on` is the day a general practitioner's training was certified complete; `employed_here_until` the last
    day on which the network or one of its members employed them in that work before this post (`None`: never).
    """

    qualified_on: date | None = None
    employed_before: bool | None = None
    employed_here_until: date | None = None
    more_senior: bool = False


@catalogued
class ClaimMade(WorkforceEvent):
    """What one post cost in one month, claimed from the record of the person in post.

    `person` is their pseudonym, the same wherever they work. `withheld_days` are days of one whole-time equivalent that
    cannot be claimed because a post of the baseline has stood empty beyond its grace. `resubmits` names the claim this
    one puts right; of such a chain `first_made_on` is when the first was made.
    """

    noun: ClassVar[str] = "claims"
    name: ClassVar[str] = "claim-made"

    claim: str
    network: str
    post: str
    role: str
    zone: str = "national"
    wte: Decimal
    month: str = Field(pattern=MONTH_PATTERN)
    worked_from: date
    worked_to: date
    salary: Decimal
    employer_ni: Decimal
    employer_pension: Decimal
    supplier_fee: Decimal = Decimal("0.00")
    additional: bool
    made_on: date
    person: str | None = None
    employer: str | None = None
    started_on: date | None = None
    standing: Standing | None = None
    withheld_days: Decimal = Decimal(0)
    resubmits: str | None = None
    first_made_on: date | None = None

    def subject(self) -> str:
        return self.claim


class ArrearsItem(Fact):
    """Arrears of pay one post was really paid for one month already claimed."""

    claim: str
    post: str
    month: str = Field(pattern=MONTH_PATTERN)
    salary: Decimal
    employer_ni: Decimal
    employer_pension: Decimal


@catalogued
class ArrearsClaimed(WorkforceEvent):
    """A network claims, once, the arrears it paid its staff after ceilings were raised and backdated."""

    noun: ClassVar[str] = "claims"
    name: ClassVar[str] = "arrears-claimed"

    arrears: str
    network: str
    contract_year: str = Field(pattern=YEAR_PATTERN)
    items: list[ArrearsItem]
    made_on: date

    def subject(self) -> str:
        return self.arrears
