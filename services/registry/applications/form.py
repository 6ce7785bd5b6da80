"""What the registration form asks of practices that apply to be a network, and the rules it is held to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, declared_attr, mapped_column, relationship

from services.registry.applications.refusals import (
    NetworkAppliedAlready,
    NetworkLedElsewhere,
    NetworkTooSmall,
    PracticeAppliesElsewhere,
    PracticeInAnotherNetwork,
    PracticeListAllocated,
)
from services.registry.base import Base
from services.registry.networks.model import NetworkNotOpen
from services.registry.practices.model import CORE_CONTRACTS
from services.registry.size_rules.model import SizeRule
from shared.database import Code, Headcount, Rate, Words, text_enum
from shared.errors import Fault, Refused


class ApplicationKind(StrEnum):
    """A network not on the register yet; one that goes on, with other members or the same; or one made of others."""

    NEW = "new"
    CHANGE = "change"
    REFORM = "reform"


class ReformReason(StrEnum):
    NEIGHBOURHOODS = "alignment_with_neighbourhoods"
    PRACTICES = "practices_closed_or_merged"
    SIZE = "size"
    AGREEMENT = "members_part_by_agreement"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class KnownPractice:
    """What the register knows of a practice on the day the round takes effect, and its list on the snapshot day."""

    code: str
    name: str
    open: bool
    commissioner: str | None
    contract: str | None
    patients: Decimal | None
    networks: tuple[str, ...]
    allocated_to: str | None
    shares: Mapping[str, Decimal] = field(default_factory=dict)

    def share_in(self, network: str) -> Decimal:
        """The part of its list that goes with a network it is a member of."""
        return self.shares.get(network, Decimal(1))


class ApplicationPractice(Base):
    """A practice that applies, with the share of its list it brings, and the network it leaves if it is in one.

    `patients` is its whole list on the snapshot day, as it was counted when the application came in.
    """

    __tablename__ = "application_practices"
    __table_args__ = (CheckConstraint("share > 0 and share <= 1", name="share_of_one_list"),)

    application: Mapped[Code] = mapped_column(ForeignKey("applications.id", ondelete="CASCADE"), primary_key=True)
    practice: Mapped[Code] = mapped_column(primary_key=True)
    share: Mapped[Rate]
    leaves: Mapped[Code | None]
    patients: Mapped[Headcount | None]


class Form:
    """The columns an applicant fills in, and what may be said of them without looking at how the round went on."""

    id: Mapped[Code] = mapped_column(primary_key=True)
    commissioner: Mapped[Code] = mapped_column(index=True)
    network_name: Mapped[Words]
    kind: Mapped[ApplicationKind] = mapped_column(text_enum(ApplicationKind))
    network: Mapped[Code | None]
    proposed_code: Mapped[Code | None]
    reforms: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    reform_reason: Mapped[ReformReason | None] = mapped_column(text_enum(ReformReason))
    reform_explanation: Mapped[Words | None]
    clinical_directors: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    payee: Mapped[Code | None]
    bank_details_given: Mapped[bool | None]
    agreement_signed_by: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    area_description: Mapped[Words | None]
    area: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    localities: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    size_waiver_reason: Mapped[Words | None]
    submitted_on: Mapped[date | None]
    late: Mapped[bool] = mapped_column(default=False)

    @declared_attr
    def practices(cls) -> Mapped[list[ApplicationPractice]]:
        return relationship(lazy="raise", cascade="all, delete-orphan", order_by=ApplicationPractice.practice)

    @property
    def practice_codes(self) -> list[str]:
        return [line.practice for line in self.practices]

    def leaving(self) -> set[tuple[str, str]]:
        """Which practice leaves which network by this application: as it says, and whatever network it re-forms."""
        said = {(line.practice, line.leaves) for line in self.practices if line.leaves}
        return said | {(line.practice, network) for line in self.practices for network in self.reforms}

    def size(self, known: Mapping[str, KnownPractice]) -> Decimal | None:
        """Registered patients on the snapshot day; `None` while the list of a member is not known."""
        total = Decimal(0)
        for line in self.practices:
            practice = known.get(line.practice)
            if practice is None or practice.patients is None:
                return None
            total += practice.patients * line.share
        return total

    def missing(self, known: Mapping[str, KnownPractice], paid: str | None = None) -> list[Fault]:
        """Everything the registration form asks for and this application lacks, in one list.

        `paid` receives the money of the network that goes on, and goes on to unless the form names another.
        """
        return [
            *self._kind_faults(),
            *self.practice_faults(known),
            *self._signature_faults(),
            *self._director_faults(),
            *self._payee_faults(paid),
            *([] if self.area_description else [Fault("area_description", "missing", "Describe the network area.")]),
            *(
                [Fault("area", "missing", "Draw the network area: a GeoJSON Polygon or MultiPolygon.")]
                if self.makes_network and self.area is None
                else []
            ),
            *self.locality_faults(),
        ]

    @property
    def makes_network(self) -> bool:
        """A network that is not there yet brings its map and its bank details; one that goes on has them already."""
        return self.kind is not ApplicationKind.CHANGE

    def _payee_faults(self, paid: str | None) -> list[Fault]:
        found = [] if self.payee or paid else [Fault("payee", "missing", "Name who will receive the money.")]
        if self.bank_details_given is False:
            message = "Give the bank details to the payment service."
            found.append(Fault("bank_details_given", "not_given", message))
        elif self.bank_details_given is None and self.makes_network:
            message = "Say whether the payment service has the bank details of who will receive the money."
            found.append(Fault("bank_details_given", "missing", message))
        return found

    def _kind_faults(self) -> list[Fault]:
        found = []
        if self.kind is ApplicationKind.CHANGE and not self.network:
            found.append(Fault("network", "missing", "Name the network on the register whose members change."))
        if self.kind is ApplicationKind.NEW and self.network:
            found.append(Fault("network", "not_new", f"{self.network} is on the register: it is no new network."))
        if self.kind is ApplicationKind.REFORM:
            if not self.reforms:
                found.append(Fault("reforms", "missing", "Name the networks that are divided and formed anew."))
            if self.reform_reason is None:
                found.append(Fault("reform_reason", "missing", "Say for which reason the networks are formed anew."))
            if not self.reform_explanation:
                found.append(Fault("reform_explanation", "missing", "Explain why the networks are formed anew."))
        return found

    def practice_faults(self, known: Mapping[str, KnownPractice]) -> list[Fault]:
        found = [] if self.practices else [Fault("practices", "missing", "Name the member practices.")]
        for line in self.practices:
            field, practice = f"practices.{line.practice}", known.get(line.practice)
            if practice is None:
                found.append(Fault(field, "unknown_practice", f"{line.practice} is not on the register."))
                continue
            if not practice.open:
                message = f"{practice.name} is not open on the day the network starts."
                found.append(Fault(field, "practice_not_open", message))
            if practice.contract is not None and practice.contract not in CORE_CONTRACTS:
                message = f"{practice.name} holds no GMS, PMS or APMS contract."
                found.append(Fault(field, "not_a_core_contract", message))
            if practice.patients is None:
                message = f"The list of {practice.name} on the snapshot day is not known."
                found.append(Fault(field, "list_size_unknown", message))
        ours = {known[code].commissioner for code in self.practice_codes if code in known}
        if self.practices and self.commissioner not in ours:
            message = f"No member practice is commissioned by {self.commissioner}."
            found.append(Fault("practices", "outside_the_area", message))
        return found

    def _signature_faults(self) -> list[Fault]:
        members, signed = set(self.practice_codes), set(self.agreement_signed_by)
        return [
            Fault("agreement_signed_by", "not_signed", f"{code} has not signed the initial network agreement.")
            for code in sorted(members - signed)
        ] + [
            Fault("agreement_signed_by", "not_a_member", f"{code} signed but is not a member practice.")
            for code in sorted(signed - members)
        ]

    def _director_faults(self) -> list[Fault]:
        if not self.clinical_directors:
            return [Fault("clinical_director", "missing", "Name the accountable clinical director.")]
        found, members = [], set(self.practice_codes)
        for number, director in enumerate(self.clinical_directors):
            if director["practice"] not in members:
                field = "clinical_director.practice" if number == 0 else f"clinical_directors.{number}.practice"
                message = f"{director['name']} is to work in a member practice."
                found.append(Fault(field, "not_a_member", message))
        shares = [Decimal(str(director["share"])) for director in self.clinical_directors if director.get("share")]
        if sum(shares) > 1:
            found.append(Fault("clinical_directors", "over_one", "The shares of the directors add up to one at most."))
        return found

    def locality_faults(self) -> list[Fault]:
        placed = [code for locality in self.localities for code in locality["practices"]]
        members = set(self.practice_codes)
        found = [
            Fault("localities", "not_a_member", f"{code} is in a locality but is not a member practice.")
            for code in sorted(set(placed) - members)
        ]
        found += [
            Fault("localities", "repeated", f"{code} is in two localities.")
            for code in sorted({code for code in placed if placed.count(code) > 1})
        ]
        if self.localities:
            found += [
                Fault("localities", "no_locality", f"{code} is in no locality.")
                for code in sorted(members - set(placed))
            ]
        return found

    def localities_asked_for(self, known: Mapping[str, KnownPractice], rule: SizeRule) -> list[Fault]:
        """A network this large says how it is organised in localities."""
        size = self.size(known)
        if size is None or size <= rule.localities_from or self.localities:
            return []
        message = f"{size:,.0f} patients, over {rule.localities_from:,f}: say how localities are organised."
        return [Fault("localities", "asked_for", message)]

    def refusals(self, known: Mapping[str, KnownPractice], others: Sequence[Form], rule: SizeRule) -> list[Refused]:
        """Every rule of the round this application breaks; `others` are the submitted applications beside it."""
        found: list[Refused] = []
        size = self.size(known)
        if size is not None and size < rule.smallest and not self.size_waiver_reason:
            message = f"{self.network_name} has {size:.0f} registered patients, fewer than {rule.smallest:f}."
            found.append(NetworkTooSmall(message))
        return [*found, *self.conflicts(known, others)]

    def conflicts(
        self, known: Mapping[str, KnownPractice], others: Sequence[Form], *, complete: bool = False
    ) -> list[Refused]:
        """Where its practices and its network stand in the way of other networks, allocations and applications.

        Once the applications are `complete`, no other will come that leaves a part of a list to this one.
        """
        found: list[Refused] = []
        leaving = self.leaving()
        again = {other.network for other in others}
        for line in self.practices:
            elsewhere = [o for o in others if line.practice in o.practice_codes]
            taken = sum((p.share for o in elsewhere for p in o.practices if p.practice == line.practice), line.share)
            if elsewhere and taken > 1:
                named = ", ".join(o.network_name for o in elsewhere)
                found.append(PracticeAppliesElsewhere(f"{line.practice} is in the application of {named} too."))
            practice = known.get(line.practice)
            held = [n for n in practice.networks if n != self.network] if practice else []
            stays = [network for network in held if (line.practice, network) not in leaving]
            kept = sum(practice.share_in(network) for network in stays if network not in again) if practice else 0
            if stays and (line.share == 1 or (complete and line.share + kept > 1)):
                message = f"{line.practice} is a member of {', '.join(stays)} and does not leave it."
                found.append(PracticeInAnotherNetwork(message))
            if practice and practice.allocated_to:
                message = f"The list of {line.practice} is allocated to {practice.allocated_to}."
                found.append(PracticeListAllocated(message))
        if self.network and any(o.network == self.network for o in others):
            found.append(NetworkAppliedAlready(f"{self.network} is in another application of this round."))
        if self.proposed_code and any(o.proposed_code == self.proposed_code for o in others):
            message = f"{self.proposed_code} is proposed in another application of this round."
            found.append(NetworkAppliedAlready(message))
        return found

    def network_refusals(
        self, leads: Mapping[str, str], area: str, theirs: Collection[tuple[str, str]]
    ) -> list[Refused]:
        """What stands against the networks it names; `leads` are those of the networks open on the day it takes effect.

        `area` is the commissioner, or its heir, whose round this is; `theirs` are neighbours' practices that are
        members of the networks they are to leave.
        """
        found: list[Refused] = []
        for code in dict.fromkeys([*([self.network] if self.network else []), *self.reforms]):
            lead = leads.get(code)
            if lead is None:
                found.append(NetworkNotOpen(f"{code} is not open on the day the round takes effect."))
            elif lead != area:
                message = f"{code} is led by {lead}: it applies there, or {lead} hands the lead over first."
                found.append(NetworkLedElsewhere(message))
        for line in self.practices:
            lead = leads.get(line.leaves) if line.leaves else None
            if lead is not None and lead != area and (line.practice, line.leaves) in theirs:
                message = (
                    f"{line.practice} is to leave {line.leaves}, which {lead} leads: {lead} records that it leaves."
                )
                found.append(NetworkLedElsewhere(message))
        return found

    def cautions(
        self, size: Decimal | None, rule: SizeRule, patients: Mapping[str, Decimal] | None = None
    ) -> list[Fault]:
        """What the commissioner should look at before deciding; `patients` are what each practice brings."""
        found: list[Fault] = []
        if size is not None and size < rule.smallest:
            why = self.size_waiver_reason or "no reason is given yet."
            found.append(Fault("practices", "size_waived", f"Under {rule.smallest:f} patients: {why}"))
        if size is not None and size > rule.large:
            message = f"{size:.0f} registered patients, over {rule.large:f}."
            found.append(Fault("practices", "over_50000", message))
        if size is not None and size > rule.localities_from and not self.localities:
            message = f"Over {rule.localities_from:,f} patients: say how localities are organised."
            found.append(Fault("practices", "localities_asked_for", message))
        if patients is not None:
            found += _odd_localities(self.localities, patients, rule)
        if len(self.practices) == 1:
            found.append(Fault("practices", "one_practice", "One practice alone: the commissioner must agree."))
        if self.late:
            message = f"Submitted on {self.submitted_on}, after the deadline of the round."
            found.append(Fault("submission", "late", message))
        return found


def _odd_localities(
    localities: Sequence[Mapping[str, Any]], patients: Mapping[str, Decimal], rule: SizeRule
) -> list[Fault]:
    """Localities that are smaller or larger than they should be."""
    found = []
    for number, locality in enumerate(localities):
        size = sum((patients.get(code, Decimal(0)) for code in locality["practices"]), Decimal(0))
        if not rule.locality_smallest <= size <= rule.locality_largest:
            expected = f"{rule.locality_smallest:,f} to {rule.locality_largest:,f}"
            message = f"{locality['name']} has {size:,.0f} patients; {expected} are expected."
            found.append(Fault(f"localities.{number}", "locality_size", message))
    return found
