from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import Date, Enum, ForeignKey, Numeric, inspect
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.applications.form import ApplicationPractice, Form, KnownPractice
from services.registry.applications.history import ApplicationStep, RefusalGround, Step, practice_lines
from services.registry.applications.refusals import (
    AgreementIsNoGround,
    ApplicationNotOpen,
    ApplicationNotSubmitted,
)
from services.registry.base import Base
from services.registry.size_rules.model import SizeRule
from shared.database import Code, Rate, Versioned, Words, text_enum
from shared.errors import Fault, Invalid, Refused
from shared.events.registry import NetworkApplied, NetworkRefused, NetworkReturned

__all__ = [
    "Application",
    "ApplicationPractice",
    "ApplicationStatus",
    "ApplicationStep",
    "LmcOpinion",
    "RefusalGround",
    "Step",
]


class ApplicationStatus(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    APPROVED = "approved"
    REFUSED = "refused"


class LmcOpinion(StrEnum):
    """What the local medical committee says of the network's boundary."""

    AGREES = "agrees"
    OBJECTS = "objects"
    MEDIATING = "mediating"


FORM_FIELDS = (
    *("network_name", "kind", "network", "proposed_code", "reforms", "reform_reason", "reform_explanation"),
    *("clinical_directors", "payee", "bank_details_given", "agreement_signed_by", "area_description", "area"),
    *("localities", "size_waiver_reason"),
)


def _read(kind: Any, value: Any) -> Any:
    """A column's value out of what JSON holds of it."""
    if value is None:
        return None
    if isinstance(kind, Enum) and kind.enum_class is not None:
        return kind.enum_class(value)
    if isinstance(kind, Date):
        return date.fromisoformat(value)
    return Decimal(str(value)) if isinstance(kind, Numeric) else value


class Application(Form, Versioned, Base):
    """Practices apply to be a network: what the registration form asks, and how it was decided."""

    __tablename__ = "applications"

    round: Mapped[Code] = mapped_column(ForeignKey("rounds.id"), index=True)
    contract_year: Mapped[str]
    status: Mapped[ApplicationStatus] = mapped_column(text_enum(ApplicationStatus), default=ApplicationStatus.DRAFT)
    created_by: Mapped[Words]
    what_if: Mapped[Code | None]
    submitted_by: Mapped[Words | None]
    registered_patients: Mapped[Rate | None]
    waived_by: Mapped[Words | None]
    returned_on: Mapped[date | None]
    decision_reason: Mapped[Words | None]
    refusal_ground: Mapped[RefusalGround | None] = mapped_column(text_enum(RefusalGround))
    found_approvable_on: Mapped[date | None]
    found_approvable_by: Mapped[Words | None]
    decided_on: Mapped[date | None]
    decided_by: Mapped[Words | None]
    opinion: Mapped[LmcOpinion | None] = mapped_column(text_enum(LmcOpinion))
    opinion_reason: Mapped[Words | None]
    opinion_by: Mapped[Words | None]

    def concerns(self) -> Iterable[str]:
        return [code for code in (self.commissioner, self.network, self.proposed_code) if code]

    @classmethod
    def remembered(cls, state: Mapping[str, Any]) -> Application:
        """The application as it was kept at some moment: to be read, never stored."""
        lines = state["practices"]
        columns = {a.key: a.columns[0].type for a in inspect(cls).column_attrs}
        made = cls(**{key: _read(kind, state.get(key)) for key, kind in columns.items()})
        made.practices = [
            ApplicationPractice(
                application=made.id,
                practice=line["practice"],
                share=Decimal(line["share"]),
                leaves=line["leaves"],
                patients=_read(Numeric(), line["patients"]),
            )
            for line in lines
        ]
        return made

    @property
    def director_name(self) -> str | None:
        """The first accountable director, who was the only one the form knew at first."""
        return self._first_director("name")

    @property
    def director_practice(self) -> str | None:
        return self._first_director("practice")

    @property
    def director_registration(self) -> str | None:
        return self._first_director("professional_registration")

    def _first_director(self, field: str) -> str | None:
        return self.clinical_directors[0].get(field) if self.clinical_directors else None

    def require_open(self) -> None:
        if self.status not in (ApplicationStatus.DRAFT, ApplicationStatus.RETURNED):
            raise ApplicationNotOpen(f"The application {self.id} is {self.status}.")

    def require_submitted(self) -> None:
        if self.status is not ApplicationStatus.SUBMITTED:
            raise ApplicationNotSubmitted(f"The application {self.id} is {self.status}, not submitted.")

    def submit(
        self,
        known: Mapping[str, KnownPractice],
        others: Sequence[Form],
        rule: SizeRule,
        *,
        on: date,
        by: str,
        apply_by: date,
        of_networks: Sequence[Refused] = (),
        paid: str | None = None,
    ) -> NetworkApplied:
        """Hand the application in, in time or late. A returned one keeps the day it first came in.

        `of_networks` is what stands against the networks it names, `paid` who is paid for the one that goes on.
        Raises `ApplicationNotOpen`; `Invalid` with every missing item; the first refusal, with all of them listed.
        """
        self.require_open()
        missing = [*self.missing(known, paid), *self.localities_asked_for(known, rule)]
        if missing:
            raise Invalid(f"The application lacks {len(missing)} things.", errors=missing)
        refusals = [*of_networks, *self.refusals(known, others, rule)]
        if refusals:
            faults = [Fault("practices", refusal.code, str(refusal)) for refusal in refusals]
            raise type(refusals[0])(str(refusals[0]), errors=faults)
        size = self.size(known) or Decimal(0)
        for line in self.practices:
            line.patients = known[line.practice].patients
        if self.submitted_on is None:
            self.submitted_on, self.late = on, on > apply_by
        self.status, self.submitted_by, self.registered_patients = ApplicationStatus.SUBMITTED, by, size
        self.waived_by = by if size < rule.smallest else None
        self.decision_reason = None
        return NetworkApplied(
            application=self.id,
            round=self.round,
            commissioner=self.commissioner,
            contract_year=self.contract_year,
            network_name=self.network_name,
            practices=self.practice_codes,
            registered_patients=int(size),
            submitted_on=self.submitted_on,
            late=self.late,
        )

    def send_back(self, reason: str, *, on: date) -> NetworkReturned:
        """The commissioner asks the network to put something right."""
        self.require_submitted()
        self.status, self.returned_on, self.decision_reason = ApplicationStatus.RETURNED, on, reason
        self.found_approvable_on = self.found_approvable_by = None
        return NetworkReturned(
            application=self.id,
            round=self.round,
            commissioner=self.commissioner,
            contract_year=self.contract_year,
            returned_on=on,
            reason=reason,
        )

    def refuse(self, reason: str, ground: RefusalGround, *, on: date, by: str) -> NetworkRefused:
        """The commissioner says no, with its ground and its reason.

        Raises `ApplicationNotSubmitted`; `AgreementIsNoGround` where it is the content of the network agreement.
        """
        self.require_submitted()
        if ground is RefusalGround.AGREEMENT_CONTENT:
            raise AgreementIsNoGround(f"{self.network_name} is not refused for what its members agreed.")
        self.status, self.decided_on, self.decided_by = ApplicationStatus.REFUSED, on, by
        self.decision_reason, self.refusal_ground = reason, ground
        return NetworkRefused(
            application=self.id,
            round=self.round,
            commissioner=self.commissioner,
            contract_year=self.contract_year,
            refused_on=on,
            reason=reason,
            ground=ground.value,
        )

    def find_approvable(self, *, on: date, by: str) -> None:
        """The commissioner would approve it when the area is decided together."""
        self.require_submitted()
        self.found_approvable_on, self.found_approvable_by = on, by

    def approve(self, network: str, *, on: date, by: str) -> None:
        """Approved together with the rest of its area."""
        self.require_submitted()
        self.status, self.network, self.decided_on, self.decided_by = ApplicationStatus.APPROVED, network, on, by

    def give_opinion(self, opinion: LmcOpinion, reason: str | None, *, by: str) -> None:
        """Record what the local medical committee says; an objection carries its reason."""
        if opinion is LmcOpinion.OBJECTS and not reason:
            raise Invalid("An objection needs its reason.", errors=[Fault("reason", "missing", "Give the reason.")])
        self.opinion, self.opinion_reason, self.opinion_by = opinion, reason, by

    def step(self, step: Step, *, at: datetime, on: date, by: str, reason: str | None = None) -> ApplicationStep:
        """A line of the application's history, with the form as it stands where it is handed in."""
        form: dict[str, Any] | None = None
        if step is Step.SUBMITTED:
            form = {field: getattr(self, field) for field in FORM_FIELDS}
            form["practices"] = practice_lines(self)
        return ApplicationStep(
            application=self.id,
            step=step,
            taken_at=at,
            taken_on=on,
            taken_by=by,
            reason=reason,
            ground=self.refusal_ground if step is Step.REFUSED else None,
            form=form,
        )
