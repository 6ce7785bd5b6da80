"""What the registry announces: who is in which network, who decided it, how many patients each practice has."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar, Literal

from pydantic import Field

from shared.events.base import YEAR_PATTERN, Event, Fact, catalogued


class RegistryEvent(Event):
    publisher: ClassVar[str] = "registry"


@catalogued
class CommissionerRegistered(RegistryEvent):
    """A commissioner (CCG, later sub-ICB location) and the system and region it belongs to from a day on."""

    noun: ClassVar[str] = "commissioners"
    name: ClassVar[str] = "commissioner-registered"

    commissioner: str
    commissioner_name: str
    system: str
    system_name: str
    region: str
    region_name: str
    valid_from: date
    valid_to: date | None = None

    def subject(self) -> str:
        return self.commissioner


class Heir(Fact):
    """A commissioner that takes over from another, wholly or in part; who inherits decides what was left open."""

    commissioner: str
    commissioner_name: str
    inherits: bool = True


@catalogued
class CommissionerSucceeded(RegistryEvent):
    """A commissioner's area goes to its successors, which decide what it left open.

    `succeeded_on` is the first day they commission; after an `enlargement` the predecessor is one of them. The newest
    event of a commissioner stands in place of those before it; one naming it alone takes a succession back.
    """

    noun: ClassVar[str] = "commissioners"
    name: ClassVar[str] = "commissioner-succeeded"

    commissioner: str
    kind: Literal["merger", "split", "enlargement"]
    succeeded_on: date
    successors: list[Heir]

    def subject(self) -> str:
        return self.commissioner


class Commissioned(Fact):
    """Who commissioned a practice on which days; `valid_to` is the last."""

    commissioner: str
    valid_from: date
    valid_to: date | None = None


class WentOver(Fact):
    """The days on which the patients of a practice were its successor's; `valid_to` is the last, before it opened anew.

    `None` while it has not.
    """

    successor: str
    valid_from: date
    valid_to: date | None = None


class Dispersed(Fact):
    """The days on which the patients of a closed practice's list are registered elsewhere; `valid_to` is the last."""

    valid_from: date
    valid_to: date | None = None


class PracticeFact(Fact):
    """A practice as the register has it. `valid_to` is the last day; `None` while it is open.

    `commissioned` says who commissioned it through time, as known now, where it is given; `went_over` likewise into
    whom it went over: a succession that is not there any more never was, one with a last day ended. Where it is not
    said, a practice that does not close has gone over into none. `dispersed` says when the patients of a practice that
    closed are registered elsewhere; where it is not said, nothing is known of it.
    """

    practice: str
    practice_name: str
    commissioner: str
    opened_on: date | None = None
    closed_on: date | None = None
    status: Literal["active", "dormant", "closed", "proposed"] = "active"
    commissioned: list[Commissioned] = []
    went_over: list[WentOver] | None = None
    dispersed: list[Dispersed] | None = None


@catalogued
class PracticesPublished(RegistryEvent):
    """Practices of one commissioner as a register file gives them: a bulk fact, cut into pieces."""

    noun: ClassVar[str] = "practices"
    name: ClassVar[str] = "practices-published"

    commissioner: str
    as_at: date
    practices: list[PracticeFact]

    def subject(self) -> str:
        return self.commissioner


@catalogued
class PracticeRegistered(RegistryEvent):
    """One practice entered, or its entry changed, outside a register file."""

    noun: ClassVar[str] = "practices"
    name: ClassVar[str] = "practice-registered"

    practice: PracticeFact

    def subject(self) -> str:
        return self.practice.commissioner


@catalogued
class PracticeClosed(RegistryEvent):
    """A practice ended; `closed_on` is its last day."""

    noun: ClassVar[str] = "practices"
    name: ClassVar[str] = "practice-closed"

    practice: str
    commissioner: str
    closed_on: date

    def subject(self) -> str:
        return self.commissioner


@catalogued
class PracticeSucceeded(RegistryEvent):
    """A practice went over into another; `succeeded_on` is the first day on which its patients are the successor's."""

    noun: ClassVar[str] = "practices"
    name: ClassVar[str] = "practice-succeeded"

    practice: str
    successor: str
    commissioner: str
    succeeded_on: date

    def subject(self) -> str:
        return self.commissioner


class Part(Fact):
    """The share of a split practice's list that goes with a network."""

    network: str
    share: Decimal


@catalogued
class PracticeSplit(RegistryEvent):
    """A practice's list is declared to be divided between networks; the memberships are announced beside it."""

    noun: ClassVar[str] = "practices"
    name: ClassVar[str] = "practice-split"

    practice: str
    commissioner: str
    parts: list[Part]
    valid_from: date
    valid_to: date | None = None
    reason: str

    def subject(self) -> str:
        return self.commissioner


class ListSize(Fact):
    """The patients of one practice on the snapshot day. `network` is the one the publication names, if it names one."""

    practice: str
    network: str | None = None
    value: Decimal


@catalogued
class ListSizesPublished(RegistryEvent):
    """Populations of the practices of one commissioner on one day and basis: a bulk fact, cut into pieces.

    `known_from` is the day the source was published; `confidence` is as in the tariffs.
    """

    noun: ClassVar[str] = "list-sizes"
    name: ClassVar[str] = "list-sizes-published"

    commissioner: str
    basis: Literal["registered", "weighted", "adjusted"]
    snapshot: date
    known_from: date
    source: str
    confidence: Literal["confirmed_2", "one_source", "derived", "remembered"] = "one_source"
    sizes: list[ListSize]

    def subject(self) -> str:
        return self.commissioner


class Member(Fact):
    """One core membership. `valid_to` is the last day of it; `share` is under 1 only for a declared split."""

    practice: str
    valid_from: date
    valid_to: date | None = None
    share: Decimal = Decimal(1)


class Entry(Fact):
    """What a network was called and which commissioner led it. `valid_to` is the last day of it."""

    network_name: str
    commissioner: str
    valid_from: date
    valid_to: date | None = None


class Appointment(Fact):
    """Who receives a network's money, by ODS code, on which days."""

    payee: str
    valid_from: date
    valid_to: date | None = None


@catalogued
class NetworkApproved(RegistryEvent):
    """A network may receive funding: decided in a round, or on the register already when it was loaded.

    `members` is the whole membership history as known now and replaces what a reader held of it; `entries` likewise say
    what it was called and who led it on which days, and `payees` who received its money, where they are given: whoever
    keeps days goes by these. `commissioner` and `network_name` are those of the last entry, which may be still to come;
    `payee` is paid from the day it was approved for.
    """

    noun: ClassVar[str] = "networks"
    name: ClassVar[str] = "network-approved"

    network: str
    network_name: str
    commissioner: str
    contract_year: str = Field(pattern=YEAR_PATTERN)
    approved_on: date
    valid_from: date
    valid_to: date | None = None
    payee: str | None = None
    members: list[Member]
    decided_by: Literal["round", "register"]
    round: str | None = None
    application: str | None = None
    entries: list[Entry] = []
    payees: list[Appointment] | None = None

    def subject(self) -> str:
        return self.network


@catalogued
class NetworkRestated(RegistryEvent):
    """What is believed of a network was put right, or its name or lead changed: the whole of it, as now known.

    It replaces what a reader held of the network's entries, members and payees. `network_name` and `commissioner` are
    those of the last entry; `valid_to` is the network's last day.
    """

    noun: ClassVar[str] = "networks"
    name: ClassVar[str] = "network-restated"

    network: str
    network_name: str
    commissioner: str
    valid_from: date
    valid_to: date | None = None
    entries: list[Entry]
    members: list[Member]
    payees: list[Appointment]

    def subject(self) -> str:
        return self.network


@catalogued
class NetworkClosed(RegistryEvent):
    """A network ended; `closed_on` is its last day."""

    noun: ClassVar[str] = "networks"
    name: ClassVar[str] = "network-closed"

    network: str
    commissioner: str
    closed_on: date

    def subject(self) -> str:
        return self.network


@catalogued
class PracticeJoined(RegistryEvent):
    """A practice became a core member of a network from a day on (which may lie in the past)."""

    noun: ClassVar[str] = "networks"
    name: ClassVar[str] = "practice-joined"

    network: str
    commissioner: str
    practice: str
    valid_from: date
    valid_to: date | None = None
    share: Decimal = Decimal(1)

    def subject(self) -> str:
        return self.network


@catalogued
class PracticeLeft(RegistryEvent):
    """A practice stopped being a core member; `valid_to` is its last day, `valid_from` names the membership ended."""

    noun: ClassVar[str] = "networks"
    name: ClassVar[str] = "practice-left"

    network: str
    commissioner: str
    practice: str
    valid_from: date
    valid_to: date

    def subject(self) -> str:
        return self.network


@catalogued
class PatientsAllocated(RegistryEvent):
    """The list of a practice outside every network is served by a network of the area."""

    noun: ClassVar[str] = "networks"
    name: ClassVar[str] = "patients-allocated"

    network: str
    commissioner: str
    practice: str
    valid_from: date
    valid_to: date | None = None

    def subject(self) -> str:
        return self.network


@catalogued
class AllocationEnded(RegistryEvent):
    """A network serves the patients of a practice outside no longer; `valid_to` is the last day on which it did.

    `valid_from` and `until` are the days the allocation had: `valid_to` before `valid_from` says it never held.
    """

    noun: ClassVar[str] = "networks"
    name: ClassVar[str] = "allocation-ended"

    network: str
    commissioner: str
    practice: str
    valid_from: date
    valid_to: date
    until: date | None = None

    def subject(self) -> str:
        return self.network


@catalogued
class EntitlementWithdrawn(RegistryEvent):
    """The commissioner ended a network's right to be paid from a day on, or that of one practice in it.

    `salaries_stay` says why what was paid for staff before the notice stays paid; null where it is taken back.
    """

    noun: ClassVar[str] = "networks"
    name: ClassVar[str] = "entitlement-withdrawn"

    withdrawal: str
    network: str
    commissioner: str
    practice: str | None = None
    withdrawn_from: date
    reason: str
    salaries_stay: str | None = None

    def subject(self) -> str:
        return self.network


@catalogued
class EntitlementRestored(RegistryEvent):
    """A withdrawn right came back; where an appeal was upheld, from the day on which it had been withdrawn."""

    noun: ClassVar[str] = "networks"
    name: ClassVar[str] = "entitlement-restored"

    withdrawal: str
    network: str
    commissioner: str
    practice: str | None = None
    restored_from: date
    reason: str

    def subject(self) -> str:
        return self.network


class MemberShare(Fact):
    """The part of the network's money that goes on to a practice."""

    practice: str
    share: Decimal


class FixedSum(Fact):
    """What goes on to a practice each month."""

    practice: str
    amount: Decimal


class FinanceTerms(Fact):
    """The rule by which the payee pays the network's money on: schedule 4 of the agreement.

    `shares` belong to the rule of that name and add up to 1, `sums` to the rule `fixed`.
    """

    rule: Literal["equal", "registered", "weighted", "fixed", "shares", "points"]
    shares: list[MemberShare] = []
    sums: list[FixedSum] = []
    points_weighted: bool = False
    costs_first: bool = True


@catalogued
class AgreementSigned(RegistryEvent):
    """Every party signed a version of the network agreement; the network is live from the day it is in force.

    It takes the place of versions with lower numbers from that day on, for good: they are not in force again when it
    ends, only if it turns out never to have been in force. `human_resources` says whether it has a schedule of who
    employs the shared staff and by which policies.
    """

    noun: ClassVar[str] = "networks"
    name: ClassVar[str] = "agreement-signed"

    network: str
    commissioner: str
    agreement_version: int
    in_force_from: date
    finance: FinanceTerms | None = None
    human_resources: bool | None = None

    def subject(self) -> str:
        return self.network


@catalogued
class AgreementEnded(RegistryEvent):
    """A version of the network agreement is not in force after `last_day`.

    Where a signature turned out never to have been given, `last_day` is the day before it was in force.
    """

    noun: ClassVar[str] = "networks"
    name: ClassVar[str] = "agreement-ended"

    network: str
    commissioner: str
    agreement_version: int
    last_day: date
    reason: str

    def subject(self) -> str:
        return self.network


@catalogued
class ClinicalDirectorAppointed(RegistryEvent):
    """A network has a clinical director from a day on, for all of the office or the part they share.

    It replaces what was told of the same appointment. Who it is stays in the registry.
    """

    noun: ClassVar[str] = "networks"
    name: ClassVar[str] = "clinical-director-appointed"

    network: str
    commissioner: str
    appointment: str
    practice: str
    method: Literal["appointed", "elected", "rotating"]
    portion: Decimal
    valid_from: date
    valid_to: date | None = None

    def subject(self) -> str:
        return self.network


@catalogued
class ClinicalDirectorLeft(RegistryEvent):
    """A clinical director's appointment ended; `valid_to` is its last day, before `valid_from` where it never was."""

    noun: ClassVar[str] = "networks"
    name: ClassVar[str] = "clinical-director-left"

    network: str
    commissioner: str
    appointment: str
    practice: str
    valid_from: date
    valid_to: date

    def subject(self) -> str:
        return self.network


@catalogued
class RoundOpened(RegistryEvent):
    """A registration round of one commissioner's area began."""

    noun: ClassVar[str] = "rounds"
    name: ClassVar[str] = "round-opened"

    round: str
    commissioner: str
    contract_year: str = Field(pattern=YEAR_PATTERN)
    apply_by: date
    decide_by: date

    def subject(self) -> str:
        return self.round


@catalogued
class RoundDecided(RegistryEvent):
    """Every application of an area was decided together. `override_reason` is set when cover was incomplete."""

    noun: ClassVar[str] = "rounds"
    name: ClassVar[str] = "round-decided"

    round: str
    commissioner: str
    contract_year: str = Field(pattern=YEAR_PATTERN)
    decided_on: date
    approved: int
    refused: int
    override_reason: str | None = None

    def subject(self) -> str:
        return self.round


@catalogued
class RoundAbandoned(RegistryEvent):
    """A round was given up undecided; its area may open another for the same contract year."""

    noun: ClassVar[str] = "rounds"
    name: ClassVar[str] = "round-abandoned"

    round: str
    commissioner: str
    contract_year: str = Field(pattern=YEAR_PATTERN)
    abandoned_on: date
    reason: str

    def subject(self) -> str:
        return self.round


class ApplicationEvent(RegistryEvent):
    noun: ClassVar[str] = "applications"

    application: str
    round: str
    commissioner: str
    contract_year: str = Field(pattern=YEAR_PATTERN)

    def subject(self) -> str:
        return self.application


@catalogued
class NetworkApplied(ApplicationEvent):
    """An application was submitted, in time or late."""

    name: ClassVar[str] = "network-applied"

    network_name: str
    practices: list[str]
    registered_patients: int
    submitted_on: date
    late: bool


@catalogued
class NetworkReturned(ApplicationEvent):
    """An application went back to its network to be put right."""

    name: ClassVar[str] = "network-returned"

    returned_on: date
    reason: str


@catalogued
class NetworkRefused(ApplicationEvent):
    """An application was refused; `ground` is the rule it failed, from a list."""

    name: ClassVar[str] = "network-refused"

    refused_on: date
    reason: str
    ground: str | None = None


@catalogued
class PayeeAppointed(RegistryEvent):
    """Who receives a network's money from a day on: an ODS code, never bank details."""

    noun: ClassVar[str] = "networks"
    name: ClassVar[str] = "payee-appointed"

    network: str
    payee: str
    valid_from: date
    valid_to: date | None = None

    def subject(self) -> str:
        return self.network
