from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Response
from pydantic import Field

from services.registry.codes import Day, OrganisationCode
from services.registry.localities import operations
from services.registry.localities.operations import NotYoursToArrange
from services.registry.localities.queries import localities_on
from services.registry.networks.model import Network, NetworkNotFound
from services.registry.size_rules.queries import NoSizeRule, rule_on
from shared.errors import Fault, Invalid
from shared.facts import days
from shared.http import (
    AsAt,
    IfMatch,
    In,
    KnownAt,
    Now,
    Out,
    Page,
    Paging,
    Reading,
    Today,
    Transaction,
    refusals,
    service_router,
    tag,
)
from shared.identity import ANY_ROLE, Caller, Role, allow
from shared.paging import paged

router = service_router("registry", tags=["localities"])


class LocalityIn(In):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    practices: Annotated[list[OrganisationCode], Field(min_length=1, max_length=200)]


class LocalitiesIn(In):
    """All localities of the network from a day on; none ends them."""

    valid_from: Day
    valid_to: Day | None = None
    localities: Annotated[list[LocalityIn], Field(max_length=50)]
    reason: Annotated[str, Field(min_length=3, max_length=10_000)]


class LocalityOut(Out):
    """A locality with its registered patients by the latest lists; `expected` says whether the size is as asked for."""

    name: str
    practices: list[str]
    patients: Decimal
    expected: bool


class ArrangedOut(Out):
    network: str
    valid_from: date
    valid_to: date | None
    localities: list[LocalityIn]


@router.get(
    "/networks/{code}/localities", response_model=Page[LocalityOut], responses=refusals(NetworkNotFound, NoSizeRule)
)
async def list_localities(
    code: str,
    session: Reading,
    _: Annotated[Caller, allow(*ANY_ROLE)],
    paging: Paging,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> dict[str, Any]:
    """The localities of a large network on a day."""
    day = as_at or today
    if await session.get(Network, code) is None:
        raise NetworkNotFound(f"No network {code}.")
    rule = await rule_on(session, day, known_at)
    placed = await localities_on(session, code, day, known_at)
    chosen, following = paged(placed, lambda locality: locality.name, paging)
    items = [
        {
            "name": locality.name,
            "practices": locality.practices,
            "patients": locality.patients,
            "expected": rule.locality_smallest <= locality.patients <= rule.locality_largest,
        }
        for locality in chosen
    ]
    return {"items": items, "next": following}


@router.put(
    "/networks/{code}/localities",
    response_model=ArrangedOut,
    responses=refusals(NetworkNotFound, NotYoursToArrange),
)
async def arrange(
    code: str,
    wanted: LocalitiesIn,
    session: Transaction,
    response: Response,
    caller: Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER, Role.NETWORK)],
    now: Now,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Arrange or correct the localities of a network; the version is that of the network."""
    if wanted.valid_to is not None and wanted.valid_to < wanted.valid_from:
        fault = Fault("valid_to", "before_valid_from", f"{wanted.valid_to} lies before {wanted.valid_from}.")
        raise Invalid("The days are not in order.", errors=[fault])
    network = await operations.record_localities(
        session,
        code,
        [(locality.name, locality.practices) for locality in wanted.localities],
        days=days(wanted.valid_from, wanted.valid_to),
        reason=wanted.reason,
        caller=caller,
        if_match=if_match,
        now=now,
    )
    tag(response, network)
    return {"network": code, **wanted.model_dump(exclude={"reason"})}
