"""What a network agreement says, as structured data: seven schedules, data sharing and the route for disputes."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, field_validator

from services.registry.codes import Day, OrganisationCode
from services.registry.periods import Line, Portion, Text
from shared.errors import Fault
from shared.events.registry import FinanceTerms, FixedSum, MemberShare
from shared.http import In, MoneyIn

Many = Field(max_length=200)
Lines = Annotated[list[Line], Many]
Months = Annotated[int, Field(strict=True, ge=0, le=60)]


class OnePracticeOneVote(In):
    """Each core practice has one vote; over half of those cast carries."""

    rule: Literal["one_practice_one_vote"]


class WeightedByList(In):
    """A practice's vote weighs as its registered list does; over half of the weight cast carries."""

    rule: Literal["weighted_by_list"]


class Unanimous(In):
    """Nothing is decided against the vote of any core practice."""

    rule: Literal["unanimous"]


class NamedMajority(In):
    """A decision needs at least this part of the votes, one to a practice."""

    rule: Literal["named_majority"]
    majority: Portion


DecisionRule = Annotated[OnePracticeOneVote | WeightedByList | Unanimous | NamedMajority, Field(discriminator="rule")]


class NetworkSpecifics(In):
    """Schedule 1: the area, and how the network meets and decides; `quorum` is the part of practices needed."""

    area: Text
    decisions: DecisionRule
    quorum: Portion
    meetings_a_year: Annotated[int, Field(strict=True, ge=1, le=366)]


class ExtraTerms(In):
    """Schedule 2: what is added to the fixed clauses, and the notice for joining and leaving in months."""

    joining_notice_months: Months
    leaving_notice_months: Months
    joining_needs: Literal["unanimous", "majority", "board"] = "unanimous"
    terms: Annotated[list[Text], Many] = []


class Activity(In):
    """Who delivers what; a deliverer is a member practice or a partner, by its code."""

    activity: Line
    delivered_by: Annotated[list[OrganisationCode], Field(min_length=1, max_length=200)]
    description: Text | None = None


class Activities(In):
    """Schedule 3."""

    activities: Annotated[list[Activity], Field(min_length=1, max_length=200)]


class Equally(In):
    """Every core practice gets as much as every other."""

    rule: Literal["equal"]


class ByRegisteredList(In):
    """A practice gets what its registered list is of the network's."""

    rule: Literal["registered"]


class ByWeightedList(In):
    """A practice gets what its contractor weighted population is of the network's."""

    rule: Literal["weighted"]


class SumOfPractice(In):
    practice: OrganisationCode
    amount: MoneyIn


class FixedSums(In):
    """A practice gets a fixed sum a month; what is left stays with the network."""

    rule: Literal["fixed"]
    sums: Annotated[list[SumOfPractice], Field(min_length=1, max_length=200)]


class ShareOfPractice(In):
    practice: OrganisationCode
    share: Portion


class CustomShares(In):
    """A practice gets a part agreed between them; the parts are one whole."""

    rule: Literal["shares"]
    shares: Annotated[list[ShareOfPractice], Field(min_length=1, max_length=200)]

    @field_validator("shares")
    @classmethod
    def _whole(cls, shares: list[ShareOfPractice]) -> list[ShareOfPractice]:
        total = sum((line.share for line in shares), Decimal(0))
        if total != 1:
            raise ValueError(f"the shares add up to {total.normalize():f}, not to 1")
        if len({line.practice for line in shares}) < len(shares):
            raise ValueError("a practice is named twice")
        return shares


class ByPoints(In):
    """A practice gets what the points it earned are of the network's."""

    rule: Literal["points"]
    weighted_by_list: bool = False


FinanceRule = Annotated[
    Equally | ByRegisteredList | ByWeightedList | FixedSums | CustomShares | ByPoints, Field(discriminator="rule")
]


class Finance(In):
    """Schedule 4: the rule by which the payee pays on, whether costs are taken off first, what becomes of a surplus."""

    pays_on: FinanceRule
    costs_first: bool = True
    within_days: Annotated[int, Field(strict=True, ge=0, le=366)] | None = None
    surplus: Text | None = None

    def as_told(self) -> FinanceTerms:
        """The rule as an event carries it."""
        rule = self.pays_on
        shares = rule.shares if isinstance(rule, CustomShares) else []
        sums = rule.sums if isinstance(rule, FixedSums) else []
        return FinanceTerms(
            rule=rule.rule,
            shares=[MemberShare(practice=line.practice, share=line.share) for line in shares],
            sums=[FixedSum(practice=line.practice, amount=line.amount) for line in sums],
            points_weighted=isinstance(rule, ByPoints) and rule.weighted_by_list,
            costs_first=self.costs_first,
        )

    def practices(self) -> set[str]:
        """The practices the rule names; none where it goes by lists or points."""
        rule = self.pays_on
        if isinstance(rule, CustomShares):
            return {line.practice for line in rule.shares}
        return {line.practice for line in rule.sums} if isinstance(rule, FixedSums) else set()


class Policy(In):
    name: Line
    adopted_on: Day | None = None


class Workforce(In):
    """Schedule 5: who employs the shared staff, and by which policies."""

    employed_by: Literal["lead_practice", "each_practice", "federation", "trust", "company", "several"]
    employers: Annotated[list[OrganisationCode], Many] = []
    policies: Annotated[list[Policy], Field(min_length=1, max_length=200)]
    liabilities_shared: Text | None = None


class Insolvency(In):
    """Schedule 6: what counts as insolvency of a party, and what follows."""

    events: Annotated[list[Text], Field(min_length=1, max_length=200)]
    consequence: Text


class OutsideOrganisation(In):
    organisation: OrganisationCode | None = None
    name: Line
    terms: Text


class OutsideOrganisations(In):
    """Schedule 7: how the network works with organisations outside it."""

    organisations: Annotated[list[OutsideOrganisation], Many]


class DataSharing(In):
    """Who shares what with whom, and on which footing."""

    controllers: Literal["each_practice", "joint"]
    purposes: Annotated[list[Line], Field(min_length=1, max_length=200)]
    signed_on: Day | None = None


class LmcReferral(In):
    """A dispute that the parties cannot settle goes to the local medical committee."""

    route: Literal["lmc"]
    committee: Line
    settle_within_days: Annotated[int, Field(strict=True, ge=1, le=366)]


class OwnRoute(In):
    """A dispute takes the steps the parties wrote themselves."""

    route: Literal["own"]
    steps: Annotated[list[Text], Field(min_length=1, max_length=50)]


DisputeRoute = Annotated[LmcReferral | OwnRoute, Field(discriminator="route")]


class Terms(In):
    """A network agreement's local part; a draft may lack schedules, what is sent for signature may not."""

    network_specifics: NetworkSpecifics | None = None
    extra_terms: ExtraTerms | None = None
    activities: Activities | None = None
    finance: Finance | None = None
    workforce: Workforce | None = None
    insolvency: Insolvency | None = None
    outside_organisations: OutsideOrganisations | None = None
    data_sharing: DataSharing | None = None
    disputes: DisputeRoute | None = None

    def faults(self, members: set[str], partners: set[str]) -> list[Fault]:
        """Everything that keeps these terms from being sent to the members of the day, in one list."""
        found = [
            Fault(f"terms.{name}", "missing", f"{name.replace('_', ' ').capitalize()} is empty.")
            for name in type(self).model_fields
            if getattr(self, name) is None
        ]
        if self.finance is not None and (named := self.finance.practices()):
            found += [Fault("terms.finance", "not_a_member", f"{p} is no member.") for p in sorted(named - members)]
            found += [Fault("terms.finance", "left_out", f"{p} gets no share.") for p in sorted(members - named)]
        for activity in self.activities.activities if self.activities else ():
            strange = sorted(set(activity.delivered_by) - members - partners)
            found += [
                Fault("terms.activities", "not_a_party", f"{code} delivers {activity.activity} and is no party.")
                for code in strange
            ]
        return found


NamedPartners = dict[OrganisationCode, Annotated[list[Line], Field(min_length=1, max_length=100)]]
"""The people who are partners in a practice and sign for themselves, by the practice's code."""
