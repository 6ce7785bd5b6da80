from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Query
from sqlalchemy import func, select

from services.registry.list_sizes.model import Basis, Confidence, ListSize
from services.registry.networks.model import Membership
from shared.facts import believed
from shared.http import AsAt, KnownAt, Out, Page, Paging, Reading, page, service_router
from shared.identity import ANY_ROLE, Caller, allow

router = service_router("registry", tags=["list sizes"])
Anyone = Annotated[Caller, allow(*ANY_ROLE)]


class ListSizeOut(Out):
    practice: str
    basis: Basis
    snapshot: date
    value: Decimal
    commissioner: str
    network: str | None
    source: str
    confidence: Confidence


@router.get("/list-sizes", response_model=Page[ListSizeOut])
async def list_list_sizes(
    session: Reading,
    _: Anyone,
    paging: Paging,
    snapshot: Annotated[date | None, Query(description="The day the lists were counted")] = None,
    as_at: AsAt = None,
    known_at: KnownAt = None,
    basis: Basis | None = None,
    practice: Annotated[str | None, Query(max_length=12)] = None,
    commissioner: Annotated[str | None, Query(max_length=12)] = None,
    network: Annotated[str | None, Query(max_length=6, description="Members on the register that day")] = None,
) -> dict[str, Any]:
    """Published populations per practice, one row a snapshot day and basis; `network` is what the publication names.

    With `as_at`, those of the latest snapshot of each basis up to that day.
    """
    belief = believed(ListSize, known_at)
    statement = select(
        ListSize.practice,
        ListSize.basis,
        func.lower(ListSize.valid).label("snapshot"),
        ListSize.value,
        ListSize.commissioner,
        ListSize.network,
        ListSize.source,
        ListSize.confidence,
    ).where(belief)
    if snapshot is not None:
        statement = statement.where(ListSize.valid.contains(snapshot))
    if as_at is not None:
        latest = (
            select(ListSize.basis, func.max(func.lower(ListSize.valid)).label("day"))
            .where(belief, func.lower(ListSize.valid) <= as_at)
            .group_by(ListSize.basis)
            .subquery()
        )
        statement = statement.join(
            latest, (latest.c.basis == ListSize.basis) & (latest.c.day == func.lower(ListSize.valid))
        )
    if basis is not None:
        statement = statement.where(ListSize.basis == basis)
    if practice is not None:
        statement = statement.where(ListSize.practice == practice)
    if commissioner is not None:
        statement = statement.where(ListSize.commissioner == commissioner)
    if network is not None:
        members = select(Membership.practice).where(Membership.network == network)
        on_the_day = Membership.valid.contains(func.lower(ListSize.valid))
        known = believed(Membership, known_at)
        statement = statement.where(ListSize.practice.in_(members.where(on_the_day, known)))
    rows, following = await page(session, statement, [ListSize.practice, ListSize.fact_id], paging)
    return {"items": [ListSizeOut.model_validate(row) for row in rows], "next": following}
