"""Populations over HTTP, by practice or summed by the network the publication names."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from fastapi import Query
from sqlalchemy import Select, and_, case, func, literal, select

from services.funding.populations.model import Population
from services.funding.scope import network_codes_seen, practices_seen
from services.funding.tariffs.model import Basis, Confidence
from shared.http import KnownAt, Out, Page, Paging, Reading, page, service_router
from shared.identity import Caller, Role, allow

router = service_router("funding", tags=["populations"])

# a sum is as sure as its least sure figure
_DOUBT = case({confidence: n for n, confidence in enumerate(Confidence)}, value=Population.confidence)


class Level(StrEnum):
    PRACTICE = "practice"
    NETWORK = "network"


class PopulationOut(Out):
    """`practices` is how many were summed. Sources and confidence are of the figures summed."""

    network: str | None
    practice: str | None
    basis: Basis
    snapshot: date
    value: Decimal
    practices: int
    confidence: Confidence


@router.get("/populations", summary="Populations for payment on a snapshot day")
async def list_populations(
    session: Reading,
    paging: Paging,
    caller: Annotated[
        Caller,
        allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.NETWORK, Role.PRACTICE),
    ],
    snapshot: date,
    basis: Basis,
    level: Level = Level.PRACTICE,
    network: Annotated[str | None, Query(max_length=32)] = None,
    practice: Annotated[str | None, Query(max_length=32)] = None,
    known_at: KnownAt = None,
) -> Page[PopulationOut]:
    """The figures known now, or at `known_at`. A network's is the sum over the practices the publication puts in it."""
    known = func.upper_inf(Population.known) if known_at is None else Population.known.contains(known_at)
    where = [Population.snapshot == snapshot, Population.basis == basis, known]
    if network is not None:
        where.append(Population.network == network)
    if practice is not None:
        where.append(Population.practice == practice)
    statement: Select[tuple[str | None, str | None, Decimal, int, int]]
    if level is Level.NETWORK:
        named = [Population.network.is_not(None)]
        if not caller.everywhere:
            named.append(Population.network.in_(network_codes_seen(caller)))
        summed = (
            select(
                Population.network.label("network"),
                func.sum(Population.value).label("value"),
                func.count().label("practices"),
                func.max(_DOUBT).label("doubt"),
            )
            .where(and_(*where, *named))
            .group_by(Population.network)
            .subquery()
        )
        statement = select(
            summed.c.network, literal(None).label("practice"), summed.c.value, summed.c.practices, summed.c.doubt
        )
        found, following = await page(session, statement, [summed.c.network], paging)
    else:
        statement = select(
            Population.network,
            Population.practice,
            Population.value,
            literal(1).label("practices"),
            _DOUBT.label("doubt"),
        ).where(*where, practices_seen(caller, Population.practice, Population.commissioner))
        found, following = await page(session, statement, [Population.practice], paging)
    return Page(
        items=[
            PopulationOut(
                network=row.network,
                practice=row.practice,
                basis=basis,
                snapshot=snapshot,
                value=row.value,
                practices=row.practices,
                confidence=list(Confidence)[row.doubt],
            )
            for row in found
        ],
        next=following,
    )
