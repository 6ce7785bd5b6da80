"""Networks under local variations over HTTP."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel
from sqlalchemy import ARRAY, Boolean, Date, String, select

from services.reporting.areas.scope import LED, bound, scope_of
from shared.http import AsAt, Out, Paging, Reading, Today, page, service_router
from shared.identity import Caller, Role, allow

router = service_router("reporting", tags=["variations"])


class VariedOut(Out):
    """A network and a variation on the day asked about: the members that agree, all of them if `every_member`.

    `duties` are the codes of what is delivered for it; names are null until the variation itself is heard of.
    """

    network: str
    network_name: str | None
    commissioner: str | None
    variation: str
    variation_name: str | None
    duties: list[str]
    practices: list[str]
    every_member: bool
    valid_from: date
    valid_to: date


class VariationsReport(BaseModel):
    as_at: date
    items: list[VariedOut]
    next: str | None = None


@router.get("/variations", summary="Networks under local variations")
async def read_variations(
    session: Reading,
    caller: Annotated[Caller, allow(Role.NETWORK, Role.COMMISSIONER, Role.SYSTEM, Role.NATIONAL, Role.OPERATOR)],
    paging: Paging,
    today: Today,
    commissioner: str | None = None,
    variation: str | None = None,
    as_at: AsAt = None,
) -> VariationsReport:
    """Which networks stand under which variation on a day, with all or some of their members."""
    day = as_at or today
    scope = await scope_of(session, caller, today)
    statement = f"""
        SELECT v.network || ' ' || (s ->> 'variation') AS key, v.network, n.name AS network_name, n.commissioner,
               s ->> 'variation' AS variation, l.name AS variation_name,
               ARRAY(SELECT d ->> 'duty' FROM jsonb_array_elements(coalesce(l.duties, '[]')) AS d ORDER BY 1) AS duties,
               ARRAY(SELECT jsonb_array_elements_text(s -> 'practices')) AS practices,
               CAST(s ->> 'every_member' AS boolean) AS every_member,
               CAST(s ->> 'valid_from' AS date) AS valid_from, CAST(s ->> 'valid_to' AS date) AS valid_to
        FROM varied_networks AS v CROSS JOIN LATERAL jsonb_array_elements(v.spans) AS s
        JOIN ({LED}) AS n ON n.network = v.network
        LEFT JOIN local_variations AS l ON l.variation = s ->> 'variation'
        WHERE CAST(s ->> 'valid_from' AS date) <= :led_on AND CAST(s ->> 'valid_to' AS date) >= :led_on
          AND {"n.commissioner = :commissioner" if commissioner is not None else "TRUE"}
          AND {"s ->> 'variation' = :variation" if variation is not None else "TRUE"}
          AND {scope.sees(network="v.network", commissioner="n.commissioner")}
    """  # noqa: S608 - constants of this module
    values = {"led_on": day, "commissioner": commissioner, "variation": variation, **scope.params()}
    found = (
        bound(statement, values)
        .columns(
            key=String,
            network=String,
            network_name=String,
            commissioner=String,
            variation=String,
            variation_name=String,
            duties=ARRAY(String),
            practices=ARRAY(String),
            every_member=Boolean,
            valid_from=Date,
            valid_to=Date,
        )
        .subquery()
    )
    rows, following = await page(session, select(found), [found.c.key], paging)
    return VariationsReport(as_at=day, items=[VariedOut.model_validate(row) for row in rows], next=following)
