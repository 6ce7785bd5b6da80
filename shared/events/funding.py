"""What funding announces: rates, budgets, payments and the outcome of claims."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar, Literal

from pydantic import Field

from shared.events.base import MONTH_PATTERN, YEAR_PATTERN, Event, Fact, catalogued


class FundingEvent(Event):
    publisher: ClassVar[str] = "funding"


@catalogued
class TariffPublished(FundingEvent):
    """A rate, sum or ceiling and the days it holds. `value` is `None` where its figure is not known.

    `kind` tells them apart: `stream` is £ per head or bed, `arrs_sum` £ per weighted head, `role_maximum` £ per WTE
    a year. `code` is the stream, the scope of the sum, or the role. `scope` is the local variation a rate belongs to.
    """

    noun: ClassVar[str] = "tariffs"
    name: ClassVar[str] = "tariff-published"

    tariff: str
    kind: Literal["stream", "arrs_sum", "role_maximum"]
    code: str
    zone: str = "national"
    scope: str = "national"
    contract_year: str = Field(pattern=YEAR_PATTERN)
    payee: Literal["network", "practice"] = "network"
    basis: Literal["registered", "weighted", "adjusted", "beds", "wte"]
    value: Decimal | None
    rate_period: Literal["year", "window", "month"]
    valid_from: date
    valid_to: date
    known_from: date | None
    supersedes: str | None = None
    confidence: Literal["confirmed_2", "one_source", "derived", "remembered"]

    def subject(self) -> str:
        return f"{self.kind}.{self.code}.{self.zone}"


@catalogued
class StreamRelabelled(FundingEvent):
    """From a day to another a share of one stream counts as another; what was paid stays, and is made good by a run."""

    noun: ClassVar[str] = "tariffs"
    name: ClassVar[str] = "stream-relabelled"

    relabelling: str
    from_stream: str
    to_stream: str
    share: Decimal
    contract_year: str = Field(pattern=YEAR_PATTERN)
    valid_from: date
    valid_to: date
    known_from: date
    supersedes: str | None = None

    def subject(self) -> str:
        return self.from_stream


@catalogued
class BudgetSet(FundingEvent):
    """The most a network may be reimbursed for additional roles in a year; `None` while it cannot be computed.

    With neither an amount nor a reason the network has no budget of that year any more: it never lived in it.
    """

    noun: ClassVar[str] = "budgets"
    name: ClassVar[str] = "budget-set"

    network: str
    commissioner: str
    contract_year: str = Field(pattern=YEAR_PATTERN)
    amount: Decimal | None
    held_reason: str | None = None

    def subject(self) -> str:
        return self.network


class PaidLine(Fact):
    """One line of an issued payment. `month` is what it pays for, which may be earlier than the run's month."""

    line: str
    payee: str
    practice: str | None = None
    stream: str
    month: str = Field(pattern=MONTH_PATTERN)
    amount: Decimal
    cause: str


@catalogued
class PaymentIssued(FundingEvent):
    """All lines of one run for one network and its practices left for payment."""

    noun: ClassVar[str] = "payments"
    name: ClassVar[str] = "payment-issued"

    run: str
    month: str = Field(pattern=MONTH_PATTERN)
    contract_year: str = Field(pattern=YEAR_PATTERN)
    network: str
    commissioner: str
    issued_on: date
    lines: list[PaidLine]

    def subject(self) -> str:
        return self.network


@catalogued
class LineQueried(FundingEvent):
    """Somebody a line pays asked about it; it is to be answered by `answer_by`."""

    noun: ClassVar[str] = "queries"
    name: ClassVar[str] = "line-queried"

    query: str
    line: str
    run: str
    network: str
    practice: str | None = None
    payee: str
    stream: str
    month: str = Field(pattern=MONTH_PATTERN)
    raised_on: date
    answer_by: date

    def subject(self) -> str:
        return self.query


@catalogued
class QueryAnswered(FundingEvent):
    """A query was answered in words, by a correction, or by an adjustment of what the line paid."""

    noun: ClassVar[str] = "queries"
    name: ClassVar[str] = "query-answered"

    query: str
    line: str
    network: str
    payee: str
    kind: Literal["explanation", "correction", "adjustment"]
    adjustment: Decimal | None = None
    answered_on: date
    answer_by: date

    def subject(self) -> str:
        return self.query


@catalogued
class QueryWithdrawn(FundingEvent):
    """Whoever raised a query is content: it is answered no more."""

    noun: ClassVar[str] = "queries"
    name: ClassVar[str] = "query-withdrawn"

    query: str
    line: str
    network: str
    payee: str
    withdrawn_on: date

    def subject(self) -> str:
        return self.query


class SettledPart(Fact):
    """The part of an instruction that stands for one network."""

    network: str
    amount: Decimal


class RedirectedPart(Fact):
    """Money of another payee's `instruction`, redirected to this one."""

    redirection: str
    instruction: str
    network: str
    amount: Decimal


class PaymentSettled(FundingEvent):
    """What became of one payee's payment instruction of a run; `parts` add up to its amount.

    `took_up` names earlier instructions of the payee whose amounts, come back or carried forward, are part of it;
    `redirections` what was meant for other payees and is part of it.
    """

    noun: ClassVar[str] = "payments"

    instruction: str
    run: str
    month: str = Field(pattern=MONTH_PATTERN)
    contract_year: str = Field(pattern=YEAR_PATTERN)
    payee: str
    amount: Decimal
    parts: list[SettledPart]
    took_up: list[str] = []
    redirections: list[RedirectedPart] = []

    def subject(self) -> str:
        return self.payee


@catalogued
class PaymentConfirmed(PaymentSettled):
    """The payee has the money."""

    name: ClassVar[str] = "payment-confirmed"

    confirmed_on: date


@catalogued
class PaymentReturned(PaymentSettled):
    """The bank sent the money back: it is due again. `code` is the bank's."""

    name: ClassVar[str] = "payment-returned"

    returned_on: date
    code: str
    reason: str


@catalogued
class PaymentRedirected(FundingEvent):
    """Two people decided that money of an instruction that came back, or was held, goes to whoever is paid the
    network's money today, or to the practice that `practice` went over into. It leaves with what that payee is sent
    next. `month` is the instruction's."""

    noun: ClassVar[str] = "payments"
    name: ClassVar[str] = "payment-redirected"

    redirection: str
    instruction: str
    run: str
    month: str = Field(pattern=MONTH_PATTERN)
    contract_year: str = Field(pattern=YEAR_PATTERN)
    network: str
    practice: str | None = None
    payee: str
    redirected_to: str
    amount: Decimal
    decided_on: date

    def subject(self) -> str:
        return self.payee


@catalogued
class DebtSettled(FundingEvent):
    """Two people decided that what a payee owes will not be taken off its payments: `written-off`, or `recovered` some
    other way. `amount` and `parts` are what was owed, above nothing where it was owed back."""

    noun: ClassVar[str] = "payments"
    name: ClassVar[str] = "debt-settled"

    decision: str
    instruction: str
    run: str
    month: str = Field(pattern=MONTH_PATTERN)
    contract_year: str
    payee: str
    amount: Decimal
    outcome: str
    parts: list[SettledPart]
    settled_on: date
    decided_on: date

    def subject(self) -> str:
        return self.payee


class ClaimEvent(FundingEvent):
    noun: ClassVar[str] = "claims"

    claim: str
    network: str
    post: str
    month: str = Field(pattern=MONTH_PATTERN)

    def subject(self) -> str:
        return self.claim


@catalogued
class ClaimApproved(ClaimEvent):
    """The commissioner accepted a claim; `payable` says what of it, `limited_by` which limit bit."""

    name: ClassVar[str] = "claim-approved"

    claimed: Decimal
    payable: Decimal
    limited_by: str | None = None


@catalogued
class AchievementApproved(FundingEvent):
    """What a network achieved of an indicator was approved, or assessed again; `amount` is what that adds to pay.

    `points` is null for a part of a sum per head; `cause` is `due`, `override` where a national decision gave everybody
    all points, or what else was restated.
    """

    noun: ClassVar[str] = "achievements"
    name: ClassVar[str] = "achievement-approved"

    achievement: str
    network: str
    contract_year: str = Field(pattern=YEAR_PATTERN)
    indicator: str
    points: Decimal | None = None
    amount: Decimal
    cause: str
    approved_on: date

    def subject(self) -> str:
        return self.network


@catalogued
class ClaimRejected(ClaimEvent):
    """A claim was turned down; `code` is stable, `reason` is for people."""

    name: ClassVar[str] = "claim-rejected"

    code: str
    reason: str


@catalogued
class ClaimReturned(ClaimEvent):
    """A claim went back to its network to be put right and claimed again; `code` is stable, `reason` is for people."""

    name: ClassVar[str] = "claim-returned"

    code: str
    reason: str


@catalogued
class ClaimPaid(ClaimEvent):
    """A claim, or a part of it, was part of an issued payment. `paid` is all that was paid of it, where that is told:
    less than was approved while the rest waits for a sum that was lowered."""

    name: ClassVar[str] = "claim-paid"

    run: str
    amount: Decimal
    paid: Decimal | None = None


@catalogued
class ClaimTakenBack(ClaimEvent):
    """What was paid for a claim was taken back (`amount` below nothing), because its month lost the right to be paid,
    or paid again, because the right came back. `paid` is what of the claim is paid since."""

    name: ClassVar[str] = "claim-taken-back"

    run: str
    amount: Decimal
    paid: Decimal


class PracticeClaimEvent(FundingEvent):
    noun: ClassVar[str] = "practice-claims"

    claim: str
    practice: str
    month: str = Field(pattern=MONTH_PATTERN)

    def subject(self) -> str:
        return self.claim


@catalogued
class PracticeClaimMade(PracticeClaimEvent):
    """A practice handed a claim for a GP in, for the first time or put right; `claimed` is what it may count of the
    cost."""

    name: ClassVar[str] = "practice-claim-made"

    claimed: Decimal
    made_on: date


@catalogued
class PracticeClaimApproved(PracticeClaimEvent):
    """A practice's claim for a GP was accepted; `payable` says what of it, `limited_by` which limit bit."""

    name: ClassVar[str] = "practice-claim-approved"

    claimed: Decimal
    payable: Decimal
    limited_by: str | None = None


@catalogued
class PracticeClaimReturned(PracticeClaimEvent):
    """A practice's claim went back to be put right."""

    name: ClassVar[str] = "practice-claim-returned"

    code: str
    reason: str


@catalogued
class PracticeClaimRejected(PracticeClaimEvent):
    """A practice's claim was turned down."""

    name: ClassVar[str] = "practice-claim-rejected"

    code: str
    reason: str


@catalogued
class PracticeClaimWithdrawn(PracticeClaimEvent):
    """A practice took its claim back."""

    name: ClassVar[str] = "practice-claim-withdrawn"

    withdrawn_on: date


@catalogued
class PracticeClaimPaid(PracticeClaimEvent):
    """A practice's claim was part of an issued payment."""

    name: ClassVar[str] = "practice-claim-paid"

    run: str
    amount: Decimal


class ArrearsEvent(FundingEvent):
    noun: ClassVar[str] = "claims"

    arrears: str
    network: str
    contract_year: str = Field(pattern=YEAR_PATTERN)

    def subject(self) -> str:
        return self.arrears


@catalogued
class ArrearsApproved(ArrearsEvent):
    """The commissioner accepted a claim of arrears; `payable` says what of it, `limited_by` which limit bit."""

    name: ClassVar[str] = "arrears-approved"

    claimed: Decimal
    payable: Decimal
    limited_by: str | None = None


@catalogued
class ArrearsRejected(ArrearsEvent):
    """A claim of arrears was turned down, or sent back to be put right; the network may claim again."""

    name: ClassVar[str] = "arrears-rejected"

    code: str
    reason: str


@catalogued
class ArrearsPaid(ArrearsEvent):
    """A claim of arrears, or a part of it, was part of an issued payment; `paid` as of a claim."""

    name: ClassVar[str] = "arrears-paid"

    run: str
    amount: Decimal
    paid: Decimal | None = None


@catalogued
class ArrearsTakenBack(ArrearsEvent):
    """What was paid for a claim of arrears was taken back or paid again, as of a claim."""

    name: ClassVar[str] = "arrears-taken-back"

    run: str
    amount: Decimal
    paid: Decimal


@catalogued
class RoleAgreed(FundingEvent):
    """A commissioner agreed that one network is reimbursed for a role outside the national list.

    `ceiling` is £ a year for one whole-time equivalent; `role` names the network it is agreed with.
    """

    noun: ClassVar[str] = "agreed-roles"
    name: ClassVar[str] = "role-agreed"

    network: str
    commissioner: str
    role: str
    role_name: str
    ceiling: Decimal
    valid_from: date
    valid_to: date | None = None
    agreed_on: date

    def subject(self) -> str:
        return self.network


class VariedRole(Fact):
    """A role a variation opens beside the national list; `ceiling` is £ a year for one whole-time equivalent."""

    role: str
    role_name: str
    ceiling: Decimal


class VariedCap(Fact):
    """Whole-time equivalents of a role a network under the variation is reimbursed for; both empty where any number."""

    role: str
    below_100000: Decimal | None = None
    from_100000: Decimal | None = None


class VariedDuty(Fact):
    """What is delivered for patients of practices under a variation, in words or as minutes a week for each thousand of
    them on a basis; `instead_of` names the national duty it stands in for, beside one of its own code."""

    duty: str
    duty_name: str
    description: str = ""
    instead_of: str | None = None
    basis: Literal["registered", "weighted", "adjusted"] | None = None
    per_1000: Decimal | None = None


@catalogued
class VariationApproved(FundingEvent):
    """A local variation counts for practices that agree to it; its rates, sums and ceilings are published beside it.

    `practices` are those it names, whether they agreed or not.
    """

    noun: ClassVar[str] = "variations"
    name: ClassVar[str] = "variation-approved"

    variation: str
    variation_name: str
    commissioner: str
    contract_year: str = Field(pattern=YEAR_PATTERN)
    valid_from: date
    valid_to: date
    practices: list[str]
    roles: list[VariedRole] = []
    caps: list[VariedCap] = []
    duties: list[VariedDuty] = []
    approved_on: date

    def subject(self) -> str:
        return self.variation


class VariedSpan(Fact):
    """From a day to another these members of a network agree to a variation; `every_member` where all of them do, so
    that what belongs to the network as a whole, like the ceiling of a role, is the variation's."""

    variation: str
    valid_from: date
    valid_to: date
    practices: list[str]
    every_member: bool


@catalogued
class NetworkVaried(FundingEvent):
    """Under which local variations a network stands, wholly or in part: all of it, in place of what was said before."""

    noun: ClassVar[str] = "variations"
    name: ClassVar[str] = "network-varied"

    network: str
    commissioner: str
    spans: list[VariedSpan]

    def subject(self) -> str:
        return self.network
