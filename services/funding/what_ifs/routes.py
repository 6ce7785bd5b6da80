"""What-ifs over HTTP: a question is answered and forgotten."""

from collections import defaultdict
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, model_validator

from services.funding.codes import OrganisationCode
from services.funding.tariffs.model import Basis
from services.funding.variations.operations import VariationNotFound
from services.funding.what_ifs import operations
from services.funding.what_ifs.operations import NetworksNotFound, Question, QuestionRefused
from services.funding.what_ifs.rules import Change, Move, NewList, NewRate
from shared.http import Idempotent, In, Instant, MoneyOut, Now, Out, Transaction, one_fault, refusals, service_router
from shared.identity import Caller, Role, allow
from shared.years import ContractYear, Month, months_of, year_of

router: APIRouter = service_router("funding", tags=["what-ifs"])

Number = Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,6})?$")]


class WhatIfMoveIn(In):
    """A practice leaves one network, joins another, or both, from a month on."""

    practice: OrganisationCode
    leaves: OrganisationCode | None = None
    joins: OrganisationCode | None = None
    month: Month
    share: Annotated[str, Field(pattern=r"^(0\.[0-9]{1,6}|1(\.0{1,6})?)$")] = "1"

    @model_validator(mode="after")
    def _somewhere(self) -> "WhatIfMoveIn":
        if self.leaves is None and self.joins is None:
            raise ValueError("name the network it leaves, the one it joins, or both")
        if self.leaves == self.joins:
            raise ValueError("it leaves one network and joins another")
        if Decimal(self.share) == 0:
            raise ValueError("a share is more than nothing")
        return self


class WhatIfRateIn(In):
    stream: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
    value: Number
    first: Month | None = None
    last: Month | None = None


class WhatIfListIn(In):
    practice: OrganisationCode
    basis: Basis
    value: Number


class WhatIfConsentIn(In):
    """Practices agree to a local variation, proposed or approved, from its first month on."""

    variation: Annotated[str, Field(min_length=1, max_length=64)]
    practices: Annotated[list[OrganisationCode], Field(min_length=1, max_length=300)]


class WhatIfIn(In):
    """About some networks, an area, or the networks practices move between; at least one change.

    `known_at` asks what it would have changed of what was known then.
    """

    contract_year: ContractYear
    through: Month | None = None
    networks: Annotated[list[OrganisationCode], Field(max_length=300)] = []
    commissioner: OrganisationCode | None = None
    members: Annotated[list[WhatIfMoveIn], Field(max_length=200)] = []
    rates: Annotated[list[WhatIfRateIn], Field(max_length=50)] = []
    populations: Annotated[list[WhatIfListIn], Field(max_length=2000)] = []
    known_at: Instant = None
    consents: Annotated[list[WhatIfConsentIn], Field(max_length=20)] = []

    @model_validator(mode="after")
    def _asks(self) -> "WhatIfIn":
        if not (self.members or self.rates or self.populations or self.consents):
            raise ValueError("say what would be different: members, rates, populations or consents")
        if not (self.networks or self.commissioner or self.members or self.consents):
            raise ValueError("name networks or a commissioner")
        return self


class WhatIfChangeOut(Out):
    """`now` and `then` are null where they are held, for the reason beside them; `because` says what is different."""

    network: str
    practice: str | None
    stream: str
    month: str
    now: MoneyOut | None
    then: MoneyOut | None
    difference: MoneyOut | None
    held_now: str | None
    held_then: str | None
    because: list[str]


class WhatIfStreamOut(Out):
    """One stream of one network: `held` counts months that are held on one side or the other."""

    network: str
    stream: str
    now: MoneyOut
    then: MoneyOut
    difference: MoneyOut
    held: int


class WhatIfSumOut(Out):
    """A network's sum for additional roles of the whole year, before any redistribution; it is a ceiling of claims and
    in no other figure here."""

    network: str
    scope: str
    now: MoneyOut | None
    then: MoneyOut | None
    difference: MoneyOut | None
    held_now: str | None
    held_then: str | None


class WhatIfOut(Out):
    """Where payments would differ; what is not listed would stay as it is."""

    contract_year: str
    through: str
    networks: list[str]
    difference: MoneyOut
    streams: list[WhatIfStreamOut]
    changes: list[WhatIfChangeOut]
    sums: list[WhatIfSumOut]


def _streams(changes: list[Change]) -> list[WhatIfStreamOut]:
    found: dict[tuple[str, str], list[Change]] = defaultdict(list)
    for change in changes:
        found[change.network, change.stream].append(change)
    nothing = Decimal("0.00")
    return [
        WhatIfStreamOut(
            network=network,
            stream=stream,
            now=sum((change.now or nothing for change in of), nothing),
            then=sum((change.then or nothing for change in of), nothing),
            difference=sum((change.difference or nothing for change in of), nothing),
            held=sum(1 for change in of if change.difference is None),
        )
        for (network, stream), of in sorted(found.items())
    ]


@router.post(
    "/what-ifs",
    responses=refusals(NetworksNotFound, QuestionRefused, VariationNotFound),
    summary="What a change of members, rates, populations or consents would do",
)
async def ask(
    asked: WhatIfIn,
    session: Transaction,
    caller: Annotated[Caller, allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.NETWORK)],
    now: Now,
    _: Idempotent,
) -> WhatIfOut:
    """The rules that pay, on the changed figures: the difference by stream, month and practice. Nothing is stored."""
    months = months_of(asked.contract_year)
    through = asked.through or months[-1]
    if year_of(through) != asked.contract_year:
        raise one_fault("body.through", "outside_year", f"{through} does not lie in {asked.contract_year}.")
    question = Question(
        contract_year=asked.contract_year,
        through=through,
        networks=tuple(asked.networks),
        commissioner=asked.commissioner,
        moves=tuple(
            Move(move.practice, move.leaves, move.joins, move.month, Decimal(move.share)) for move in asked.members
        ),
        rates=tuple(
            NewRate(new.stream, Decimal(new.value), new.first or months[0], new.last or months[-1])
            for new in asked.rates
        ),
        known_at=asked.known_at,
        consents=tuple((one.variation, tuple(one.practices)) for one in asked.consents),
        lists=tuple(NewList(new.practice, new.basis.value, Decimal(new.value)) for new in asked.populations),
    )
    found = await operations.answer(session, question, caller=caller, now=now)
    streams = _streams(found.changes)
    return WhatIfOut(
        contract_year=asked.contract_year,
        through=through,
        networks=found.networks,
        difference=sum((stream.difference for stream in streams), Decimal("0.00")),
        streams=streams,
        sums=[WhatIfSumOut.model_validate(one) for one in found.sums],
        changes=[WhatIfChangeOut.model_validate(change) for change in found.changes],
    )
