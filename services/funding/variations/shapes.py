"""What callers send and receive of a local variation."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from services.funding.claims.rules import OWN_ROLES, VARIED_LOCALLY
from services.funding.codes import OrganisationCode
from services.funding.payments.engine import NEVER_BY_HEAD
from services.funding.tariffs.model import Payee, RatePeriod
from services.funding.variations.model import VariationStatus
from shared.http import In, MoneyOut, Out
from shared.years import Month

Value = Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,6})?$")]
Pounds = Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{2})?$")]
Wte = Annotated[str, Field(pattern=r"^[0-9]{1,4}(\.[0-9]{1,2})?$")]
RoleCode = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,31}$")]
Place = Literal["national", "london", "inner_london", "outer_london"]
Reason = Annotated[str, Field(min_length=1, max_length=500)]


class ItemIn(In):
    """A rate that stands in for the national one of the stream, or adds a stream the area pays by itself."""

    stream: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
    payee: Payee = Payee.NETWORK
    basis: Literal["registered", "weighted", "adjusted", "beds"]
    value: Value
    rate_period: RatePeriod = RatePeriod.YEAR


class SumIn(In):
    """A sum for additional roles, £ per weighted head, that stands in for the national one of that `code`."""

    code: Annotated[str, Field(pattern=r"^[a-z][a-z_]{1,31}$")] = "all_roles"
    value: Value
    rate_period: RatePeriod = RatePeriod.YEAR


class CeilingIn(In):
    """The most for one whole-time equivalent of a role of the national list in a year; never below the national."""

    role: RoleCode
    zone: Place = "national"
    value: Pounds


class CapIn(In):
    """Whole-time equivalents of a role a network is reimbursed for, by its registered patients; both null for none."""

    role: RoleCode
    below_100000: Wte | None
    from_100000: Wte | None

    @model_validator(mode="after")
    def both_or_none(self) -> "CapIn":
        if (self.below_100000 is None) != (self.from_100000 is None):
            raise ValueError("a cap has a figure for both sizes of network, or for neither")
        return self


class RoleIn(In):
    """A further role the area is reimbursed for; its code becomes `local_`, the commissioner's code and `short`."""

    short: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,12}$")]
    name: Annotated[str, Field(min_length=1, max_length=100)]
    value: Pounds


class MinutesIn(In):
    """Minutes a week for each thousand patients on a basis, to the nearest so many minutes if that is a rule."""

    basis: Literal["registered", "weighted", "adjusted"]
    per_1000: Value
    rounded_to: Annotated[int | None, Field(strict=True, ge=1, le=60)] = None


class DutyIn(In):
    """What is delivered for patients of practices that agree: a service in words, minutes of access, or both.

    With the code of a national duty it stands in for that, and so for the one named in `instead_of`; any other is
    delivered beside the national ones.
    """

    duty: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str, Field(max_length=2000)] = ""
    instead_of: Annotated[str | None, Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")] = None
    minutes: MinutesIn | None = None

    @model_validator(mode="after")
    def says_what(self) -> "DutyIn":
        if not self.description and self.minutes is None:
            raise ValueError("a duty says in words or minutes what is delivered")
        return self


def role_code(commissioner: str, short: str) -> str:
    return f"{VARIED_LOCALLY}{commissioner.lower()}_{short}"


def _items(items: list[ItemIn]) -> list[ItemIn]:
    streams = [item.stream for item in items]
    if len(streams) != len(set(streams)):
        raise ValueError("a stream has one rate")
    if claimed := sorted(NEVER_BY_HEAD & set(streams)):
        raise ValueError(f"{', '.join(claimed)} is a maximum, never paid by head")
    if any(item.basis == "beds" and item.payee is Payee.PRACTICE for item in items):
        raise ValueError("beds are paid to the network")
    return items


def _each_once(codes: list[str]) -> list[str]:
    if len(codes) != len(set(codes)):
        raise ValueError("a practice is named once")
    return codes


class VariationIn(In):
    """`first_month` to `last_month` lie in one contract year; at least one of the lists of terms says something."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    commissioner: OrganisationCode
    first_month: Month
    last_month: Month
    practices: Annotated[
        list[OrganisationCode],
        Field(min_length=1, max_length=1000),
        AfterValidator(_each_once),
    ]
    items: Annotated[list[ItemIn], Field(max_length=50), AfterValidator(_items)] = []
    sums: Annotated[list[SumIn], Field(max_length=5)] = []
    ceilings: Annotated[list[CeilingIn], Field(max_length=200)] = []
    caps: Annotated[list[CapIn], Field(max_length=100)] = []
    roles: Annotated[list[RoleIn], Field(max_length=50)] = []
    duties: Annotated[list[DutyIn], Field(max_length=50)] = []

    @model_validator(mode="after")
    def says_something(self) -> "VariationIn":
        if not (self.items or self.sums or self.ceilings or self.caps or self.roles or self.duties):
            raise ValueError("a variation varies something")
        named: dict[str, list[Any]] = {
            "a sum has one rate": [one.code for one in self.sums],
            "a role has one ceiling at a place": [(one.role, one.zone) for one in self.ceilings],
            "a role has one cap": [one.role for one in self.caps],
            "a role is opened once": [one.short for one in self.roles],
            "a duty is named once": [one.duty for one in self.duties],
            "a national duty is replaced once": [
                *(one.instead_of for one in self.duties if one.instead_of not in (None, one.duty)),
                *(one.duty for one in self.duties),
            ],
        }
        for fault, keys in named.items():
            if len(keys) != len(set(keys)):
                raise ValueError(fault)
        if any(one.role.startswith(OWN_ROLES) for one in self.ceilings):
            raise ValueError("a role outside the national list has the ceiling it was opened with")
        return self

    def opened(self) -> list[dict[str, Any]]:
        """The further roles as they are kept."""
        return [
            {
                "role": role_code(self.commissioner, one.short),
                "name": one.name,
                "zone": "national",
                "value": one.value,
            }
            for one in self.roles
        ]


class ItemOut(Out):
    stream: str
    payee: str
    basis: str
    value: Decimal
    rate_period: str


class SumOut(Out):
    code: str
    value: Decimal
    rate_period: str


class CeilingOut(Out):
    role: str
    zone: str
    value: MoneyOut


class CapOut(Out):
    role: str
    below_100000: Decimal | None
    from_100000: Decimal | None


class FurtherRoleOut(Out):
    role: str
    name: str
    value: MoneyOut


class VariedMinutesOut(Out):
    basis: str
    per_1000: Decimal
    rounded_to: int | None


class VariedDutyOut(Out):
    duty: str
    name: str
    description: str
    instead_of: str | None
    minutes: VariedMinutesOut | None


class VariationOut(Out):
    """Totals are of all practices named, for the streams varied or added and for sums of its own; beds are judged by
    their rate alone, and ceilings by theirs."""

    id: str
    name: str
    commissioner: str
    contract_year: str
    valid_from: date
    valid_to: date
    practices: list[str]
    items: list[ItemOut]
    sums: list[SumOut]
    ceilings: list[CeilingOut]
    caps: list[CapOut]
    roles: list[FurtherRoleOut]
    duties: list[VariedDutyOut]
    status: VariationStatus
    national_total: MoneyOut
    varied_total: MoneyOut
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None


class RefusalIn(In):
    reason: Reason
