from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from services.registry.applications.refusals import (
    ApplicationNotOpen,
    ApplicationNotSubmitted,
    NetworkAppliedAlready,
    NetworkTooSmall,
    PracticeAppliesElsewhere,
    PracticeInAnotherNetwork,
    PracticeListAllocated,
)
from services.registry.base import Base
from services.registry.practices.model import CORE_CONTRACTS
from shared.database import Code, Rate, Versioned, Words, text_enum
from shared.errors import Fault, Invalid, Refused
from shared.events.registry import NetworkApplied, NetworkRefused, NetworkReturned

SMALLEST_NETWORK = 30_000
LARGE_NETWORK = 50_000
LOCALITIES_FROM = 100_000


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


@dataclass(frozen=True, slots=True)
class KnownPractice:
    """What the register knows of a practice on the day the round takes effect, and its list on the snapshot day."""

    code: str
    name: str
    open: bool
    commissioner: str | None
    contract: str | None
    patients: Decimal | None
    network: str | None
    allocated_to: str | None


class ApplicationPractice(Base):
    """A practice that applies, with the share of its list it brings, and the network it leaves if it is in one."""

    __tablename__ = "application_practices"
    __table_args__ = (CheckConstraint("share > 0 and share <= 1", name="share_of_one_list"),)

    application: Mapped[Code] = mapped_column(ForeignKey("applications.id", ondelete="CASCADE"), primary_key=True)
    practice: Mapped[Code] = mapped_column(primary_key=True)
    share: Mapped[Rate]
    leaves: Mapped[Code | None]


class Application(Versioned, Base):
    """Practices apply to be a network: what the registration form asks, and how it was decided."""

    __tablename__ = "applications"

    id: Mapped[Code] = mapped_column(primary_key=True)
    round: Mapped[Code] = mapped_column(ForeignKey("rounds.id"), index=True)
    commissioner: Mapped[Code] = mapped_column(index=True)
    contract_year: Mapped[str]
    status: Mapped[ApplicationStatus] = mapped_column(text_enum(ApplicationStatus), default=ApplicationStatus.DRAFT)
    network_name: Mapped[Words]
    network: Mapped[Code | None]
    proposed_code: Mapped[Code | None]
    director_name: Mapped[Words | None]
    director_practice: Mapped[Code | None]
    director_registration: Mapped[Words | None]
    payee: Mapped[Code | None]
    agreement_signed_by: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    area_description: Mapped[Words | None]
    size_waiver_reason: Mapped[Words | None]
    created_by: Mapped[Words]
    submitted_on: Mapped[date | None]
    submitted_by: Mapped[Words | None]
    late: Mapped[bool] = mapped_column(default=False)
    registered_patients: Mapped[Rate | None]
    waived_by: Mapped[Words | None]
    returned_on: Mapped[date | None]
    decision_reason: Mapped[Words | None]
    found_approvable_on: Mapped[date | None]
    found_approvable_by: Mapped[Words | None]
    decided_on: Mapped[date | None]
    decided_by: Mapped[Words | None]
    opinion: Mapped[LmcOpinion | None] = mapped_column(text_enum(LmcOpinion))
    opinion_reason: Mapped[Words | None]
    opinion_by: Mapped[Words | None]

    practices: Mapped[list[ApplicationPractice]] = relationship(
        lazy="raise", cascade="all, delete-orphan", order_by=ApplicationPractice.practice
    )

    def concerns(self) -> Iterable[str]:
        return [code for code in (self.commissioner, self.network, self.proposed_code) if code]

    @property
    def practice_codes(self) -> list[str]:
        return [line.practice for line in self.practices]

    def require_open(self) -> None:
        if self.status not in (ApplicationStatus.DRAFT, ApplicationStatus.RETURNED):
            raise ApplicationNotOpen(f"The application {self.id} is {self.status}.")

    def require_submitted(self) -> None:
        if self.status is not ApplicationStatus.SUBMITTED:
            raise ApplicationNotSubmitted(f"The application {self.id} is {self.status}, not submitted.")

    def size(self, known: Mapping[str, KnownPractice]) -> Decimal | None:
        """Registered patients on the snapshot day; `None` while the list of a member is not known."""
        total = Decimal(0)
        for line in self.practices:
            practice = known.get(line.practice)
            if practice is None or practice.patients is None:
                return None
            total += practice.patients * line.share
        return total

    def missing(self, known: Mapping[str, KnownPractice]) -> list[Fault]:
        """Everything the registration form asks for and this application lacks, in one list."""
        faults: list[Fault] = []

        def say(field: str, code: str, message: str) -> None:
            faults.append(Fault(field, code, message))

        if not self.practices:
            say("practices", "missing", "Name the member practices.")
        members = set(self.practice_codes)
        for line in self.practices:
            field, practice = f"practices.{line.practice}", known.get(line.practice)
            if practice is None:
                say(field, "unknown_practice", f"{line.practice} is not on the register.")
                continue
            if not practice.open:
                say(field, "practice_not_open", f"{practice.name} is not open on the day the network starts.")
            if practice.contract is not None and practice.contract not in CORE_CONTRACTS:
                say(field, "not_a_core_contract", f"{practice.name} holds no GMS, PMS or APMS contract.")
            if practice.patients is None:
                say(field, "list_size_unknown", f"The list of {practice.name} on the snapshot day is not known.")
        if self.practices and not any(p.commissioner == self.commissioner for p in known.values() if p.code in members):
            say("practices", "outside_the_area", f"No member practice is commissioned by {self.commissioner}.")
        for code in sorted(members - set(self.agreement_signed_by)):
            say("agreement_signed_by", "not_signed", f"{code} has not signed the initial network agreement.")
        for code in sorted(set(self.agreement_signed_by) - members):
            say("agreement_signed_by", "not_a_member", f"{code} signed but is not a member practice.")
        if not self.director_name:
            say("clinical_director", "missing", "Name the accountable clinical director.")
        elif self.director_practice not in members:
            say("clinical_director.practice", "not_a_member", "The clinical director works in a member practice.")
        if not self.payee:
            say("payee", "missing", "Name the practice or provider that will receive the money.")
        if not self.area_description:
            say("area_description", "missing", "Describe the network area.")
        return faults

    def refusals(self, known: Mapping[str, KnownPractice], others: Sequence[Application]) -> list[Refused]:
        """Every rule of the round this application breaks; `others` are the submitted applications beside it."""
        found: list[Refused] = []
        size = self.size(known)
        if size is not None and size < SMALLEST_NETWORK and not self.size_waiver_reason:
            found.append(
                NetworkTooSmall(
                    f"{self.network_name} has {size:.0f} registered patients, fewer than {SMALLEST_NETWORK}."
                )
            )
        for line in self.practices:
            elsewhere = [o for o in others if line.practice in o.practice_codes]
            taken = sum((p.share for o in elsewhere for p in o.practices if p.practice == line.practice), line.share)
            if elsewhere and taken > 1:
                named = ", ".join(o.network_name for o in elsewhere)
                found.append(PracticeAppliesElsewhere(f"{line.practice} is in the application of {named} too."))
            practice = known.get(line.practice)
            held = practice.network if practice else None
            if held is not None and held not in (self.network, line.leaves) and line.share == 1:
                found.append(PracticeInAnotherNetwork(f"{line.practice} is a member of {held} and does not leave it."))
            if practice and practice.allocated_to:
                found.append(
                    PracticeListAllocated(f"The list of {line.practice} is allocated to {practice.allocated_to}.")
                )
        if self.network and any(o.network == self.network for o in others):
            found.append(NetworkAppliedAlready(f"{self.network} is in another application of this round."))
        if self.proposed_code and any(o.proposed_code == self.proposed_code for o in others):
            found.append(
                NetworkAppliedAlready(f"{self.proposed_code} is proposed in another application of this round.")
            )
        return found

    def cautions(self, size: Decimal | None) -> list[Fault]:
        """What the commissioner should look at before deciding."""
        found: list[Fault] = []
        if size is not None and size < SMALLEST_NETWORK:
            found.append(
                Fault("practices", "size_waived", f"Under {SMALLEST_NETWORK} patients: {self.size_waiver_reason}")
            )
        if size is not None and size > LARGE_NETWORK:
            found.append(Fault("practices", "over_50000", f"{size:.0f} registered patients, over {LARGE_NETWORK}."))
        if size is not None and size > LOCALITIES_FROM:
            found.append(
                Fault("practices", "localities_asked_for", "Over 100,000 patients: say how localities are organised.")
            )
        if len(self.practices) == 1:
            found.append(Fault("practices", "one_practice", "One practice alone: the commissioner must agree."))
        if self.late:
            found.append(
                Fault("submission", "late", f"Submitted on {self.submitted_on}, after the deadline of the round.")
            )
        return found

    def submit(
        self, known: Mapping[str, KnownPractice], others: Sequence[Application], *, on: date, by: str, apply_by: date
    ) -> NetworkApplied:
        """Hand the application in, in time or late. A returned one keeps the day it first came in.

        Raises `ApplicationNotOpen`; `Invalid` with every missing item; the first refusal, with all of them listed.
        """
        self.require_open()
        missing = self.missing(known)
        if missing:
            raise Invalid(f"The application lacks {len(missing)} things.", errors=missing)
        refusals = self.refusals(known, others)
        if refusals:
            faults = [Fault("practices", refusal.code, str(refusal)) for refusal in refusals]
            raise type(refusals[0])(str(refusals[0]), errors=faults)
        size = self.size(known) or Decimal(0)
        if self.submitted_on is None:
            self.submitted_on, self.late = on, on > apply_by
        self.status, self.submitted_by, self.registered_patients = ApplicationStatus.SUBMITTED, by, size
        self.waived_by = by if size < SMALLEST_NETWORK else None
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

    def refuse(self, reason: str, *, on: date, by: str) -> NetworkRefused:
        """The commissioner says no, with its reason."""
        self.require_submitted()
        self.status, self.decided_on, self.decided_by = ApplicationStatus.REFUSED, on, by
        self.decision_reason = reason
        return NetworkRefused(
            application=self.id,
            round=self.round,
            commissioner=self.commissioner,
            contract_year=self.contract_year,
            refused_on=on,
            reason=reason,
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
