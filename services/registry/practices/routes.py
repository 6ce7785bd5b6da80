from datetime import date
from typing import Annotated, Any

from fastapi import Query, Response

from services.registry.practices import queries
from services.registry.practices.model import PracticeStatus
from services.registry.practices.queries import PracticeNotFound
from shared.http import AsAt, KnownAt, Out, Page, Paging, Reading, Today, page, refusals, service_router
from shared.identity import ANY_ROLE, Caller, allow

router = service_router("registry", tags=["practices"])
Anyone = Annotated[Caller, allow(*ANY_ROLE)]


class PracticeOut(Out):
    code: str
    name: str
    status: PracticeStatus
    opened_on: date | None
    closed_on: date | None
    commissioner: str | None
    setting: str | None
    contract: str | None
    networks: list[str]


@router.get("/practices", response_model=Page[PracticeOut])
async def list_practices(
    session: Reading,
    _: Anyone,
    paging: Paging,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
    commissioner: Annotated[str | None, Query(max_length=12)] = None,
    network: Annotated[str | None, Query(max_length=6)] = None,
) -> dict[str, Any]:
    """Practices on the register on a day, with who commissions them and the network they are in."""
    found = queries.practices_on(as_at or today, known_at, commissioner=commissioner, network=network)
    rows, following = await page(session, found, [queries.CODE], paging)
    return {"items": [queries.shown(row, as_at or today) for row in rows], "next": following}


@router.get("/practices/{code}", response_model=PracticeOut, responses=refusals(PracticeNotFound))
async def read_practice(
    code: str,
    session: Reading,
    response: Response,
    _: Anyone,
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> dict[str, Any]:
    """One practice on a day; a closed one stays on the register and says when it closed."""
    practice, version = await queries.read_practice(session, code, as_at or today, known_at)
    response.headers["ETag"] = f'"{version}"'
    return practice
