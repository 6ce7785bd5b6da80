"""A vacancy and the dated steps from opening it to somebody in post."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.workforce.base import Base
from services.workforce.posts.model import Post
from shared.database import Code, Headcount, Timestamp, Versioned, Words, text_enum
from shared.errors import Fault, Refused
from shared.events.workforce import RoleRecruited, VacancyOpened


class VacancyRefused(Refused):
    """The vacancy cannot open; every reason is listed."""


class VacancyNotOpen(Refused):
    """The vacancy was filled or withdrawn."""


class StageOutOfOrder(Refused):
    """Recruitment goes through its stages one after the other."""


class StepBeforeTheLast(Refused):
    """A step cannot be dated before the one it follows."""


class ChecksNotDone(Refused):
    """Nobody starts before every check is done."""


class MoreThanTheVacancy(Refused):
    """The appointment is for more than the vacancy offers."""


class NotStartedYet(Refused):
    """A post begins on the first day worked, not before."""


class Stage(StrEnum):
    VACANCY = "vacancy"
    ADVERT = "advert"
    APPLICATIONS = "applications"
    SHORTLIST = "shortlist"
    INTERVIEW = "interview"
    OFFER = "offer"
    CHECKS = "checks"
    IN_POST = "in_post"
    WITHDRAWN = "withdrawn"


ORDER = (
    Stage.VACANCY,
    Stage.ADVERT,
    Stage.APPLICATIONS,
    Stage.SHORTLIST,
    Stage.INTERVIEW,
    Stage.OFFER,
    Stage.CHECKS,
)
CLOSED = (Stage.IN_POST, Stage.WITHDRAWN)


class Check(StrEnum):
    IDENTITY = "identity"
    RIGHT_TO_WORK = "right_to_work"
    DBS = "dbs"
    PROFESSIONAL_REGISTER = "professional_register"


class Vacancy(Versioned, Base):
    """A network looks for somebody: `additional` is false when the post replaces one of the 31 March 2019 baseline."""

    __tablename__ = "vacancies"
    __table_args__ = (Index("ix_vacancies_network", "network", "id"), CheckConstraint("wte > 0", name="wte_positive"))

    id: Mapped[Code] = mapped_column(primary_key=True)
    network: Mapped[Code]
    plan: Mapped[Code | None] = mapped_column(ForeignKey("plans.id"))
    baseline: Mapped[Code | None] = mapped_column(ForeignKey("baselines.id"))
    role: Mapped[Code]
    wte: Mapped[Headcount]
    zone: Mapped[Code]
    employer: Mapped[Code]
    employer_kind: Mapped[Code]
    additional: Mapped[bool]
    opened_on: Mapped[date]
    stage: Mapped[Stage] = mapped_column(text_enum(Stage), default=Stage.VACANCY)
    steps: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict)
    checks: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict)
    withdrawn_reason: Mapped[Words | None]
    created_at: Mapped[Timestamp]

    def concerns(self) -> list[str]:
        return [self.network]

    def open(self) -> VacancyOpened:
        """The vacancy may be advertised."""
        self.stage, self.steps, self.checks = Stage.VACANCY, {Stage.VACANCY: self.opened_on.isoformat()}, {}
        return VacancyOpened(
            vacancy=self.id, network=self.network, role=self.role, wte=self.wte, opened_on=self.opened_on
        )

    @property
    def last_step(self) -> date:
        return max(date.fromisoformat(day) for day in self.steps.values())

    def _must_be_open(self) -> None:
        if self.stage in CLOSED:
            raise VacancyNotOpen(f"{self.id} is {self.stage.value.replace('_', ' ')}.")

    def reach(self, stage: Stage, on: date, checks: Mapping[Check, date]) -> None:
        """The next stage is reached; checks may be reported one by one once the vacancy is at that stage."""
        self._must_be_open()
        here = ORDER.index(self.stage)
        again = stage is Stage.CHECKS and self.stage is Stage.CHECKS
        if not again:
            if stage not in ORDER or ORDER.index(stage) != here + 1:
                following = ORDER[here + 1].value if here + 1 < len(ORDER) else "the appointment"
                raise StageOutOfOrder(f"{self.id} is at {self.stage.value}; next is {following}, not {stage.value}.")
            if on < self.last_step:
                raise StepBeforeTheLast(f"{self.id} reached {self.stage.value} on {self.last_step}; {on} is earlier.")
            self.stage, self.steps = stage, {**self.steps, stage.value: on.isoformat()}
        if checks:
            if stage is not Stage.CHECKS:
                raise StageOutOfOrder("Checks are reported at the stage checks.")
            self.checks = {**self.checks, **{check.value: day.isoformat() for check, day in checks.items()}}

    def withdraw(self, on: date, reason: str) -> None:
        """The network no longer looks for anybody; the room in plan and sum is free again."""
        self._must_be_open()
        if on < self.opened_on:
            raise StepBeforeTheLast(f"{self.id} opened on {self.opened_on}; it cannot be withdrawn on {on}.")
        self.stage, self.withdrawn_reason = Stage.WITHDRAWN, reason
        self.steps = {**self.steps, Stage.WITHDRAWN.value: on.isoformat()}

    def appoint(self, post: Post, *, today: date, registered: bool) -> RoleRecruited:
        """Somebody is in post: all checks are done and the post is no larger than the vacancy."""
        self._must_be_open()
        if self.stage is not Stage.CHECKS:
            raise StageOutOfOrder(f"{self.id} is at {self.stage.value}; an appointment follows the stage checks.")
        needed = [c for c in Check if registered or c is not Check.PROFESSIONAL_REGISTER]
        missing = [
            Fault(f"checks.{c.value}", "CheckMissing", f"The check {c.value.replace('_', ' ')} is not done.")
            for c in needed
            if c.value not in self.checks
        ] + [
            Fault(
                f"checks.{c.value}",
                "CheckAfterStart",
                f"The check {c.value.replace('_', ' ')} is later than the start.",
            )
            for c in needed
            if c.value in self.checks and date.fromisoformat(self.checks[c.value]) > post.started_on
        ]
        if missing:
            raise ChecksNotDone(" ".join(fault.message for fault in missing), errors=missing)
        if post.wte > self.wte:
            raise MoreThanTheVacancy(f"{self.id} offers {self.wte} WTE; the appointment is for {post.wte}.")
        if post.started_on > today:
            raise NotStartedYet(f"The post would begin on {post.started_on}; today is {today}.")
        if post.started_on < self.last_step:
            raise StepBeforeTheLast(f"{self.id} reached checks on {self.last_step}; {post.started_on} is earlier.")
        self.stage = Stage.IN_POST
        self.steps = {**self.steps, Stage.IN_POST.value: post.started_on.isoformat()}
        return RoleRecruited(
            post=post.id,
            vacancy=self.id,
            network=self.network,
            role=self.role,
            wte=post.wte,
            zone=post.zone,
            employer=post.employer,
            started_on=post.started_on,
            additional=post.additional,
            days_to_hire=post.days_to_hire,
        )
