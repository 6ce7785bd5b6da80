from typing import Annotated, Any

from fastapi import Query, Response
from sqlalchemy import select

from services.registry.applications.refusals import NotYoursToChange
from services.registry.hierarchy.model import CommissionerNotFound
from services.registry.networks.model import NetworkCodeTaken, NetworkNotFound
from services.registry.rounds.model import RoundAlreadyDecided, RoundGivenUp, RoundNotFound
from services.registry.size_rules.queries import NoSizeRule
from services.registry.what_ifs import operations
from services.registry.what_ifs.model import AppliedForAlready, NotYoursToPropose, WhatIf, WhatIfNotFound
from services.registry.what_ifs.shapes import AllocationLeft, Applied, ApplyIn, WhatIfAnswered, WhatIfIn, WhatIfOut
from shared.http import (
    Idempotent,
    Now,
    Page,
    Paging,
    Reading,
    Today,
    Transaction,
    page,
    refusals,
    service_router,
    tag,
)
from shared.identity import Caller, Role, allow

router = service_router("registry", tags=["what-ifs"])
Reader = Annotated[
    Caller, allow(Role.NATIONAL, Role.OPERATOR, Role.SYSTEM, Role.COMMISSIONER, Role.NETWORK, Role.PRACTICE)
]
Proposer = Annotated[Caller, allow(Role.NATIONAL, Role.COMMISSIONER, Role.NETWORK, Role.PRACTICE)]


@router.post(
    "/what-ifs",
    response_model=WhatIfAnswered,
    status_code=201,
    responses=refusals(CommissionerNotFound, NetworkNotFound, NoSizeRule, NotYoursToPropose),
)
async def ask(
    wanted: WhatIfIn, session: Transaction, response: Response, caller: Proposer, now: Now, _: Idempotent
) -> WhatIf:
    """Ask what a grouping of practices would mean: sizes, broken rules, areas, who is left out. Nothing changes."""
    made = await operations.ask(session, wanted, caller=caller, now=now)
    response.headers["Location"] = f"/registry/v1/what-ifs/{made.id}"
    tag(response, made)
    return made


@router.get("/what-ifs", response_model=Page[WhatIfOut])
async def list_what_ifs(
    session: Reading,
    caller: Reader,
    paging: Paging,
    today: Today,
    commissioner: Annotated[str | None, Query(max_length=12)] = None,
) -> dict[str, Any]:
    """What was asked about the caller's area, or by its own organisations."""
    statement = select(WhatIf).where(await operations.visible_what_ifs(session, caller, today))
    if commissioner is not None:
        statement = statement.where(WhatIf.commissioner == commissioner)
    rows, following = await page(session, statement, [WhatIf.id], paging)
    return {"items": [row[0] for row in rows], "next": following}


@router.get("/what-ifs/{id}", response_model=WhatIfAnswered, responses=refusals(WhatIfNotFound))
async def read_what_if(id: str, session: Reading, response: Response, caller: Reader, today: Today) -> WhatIf:
    """One what-if: what was proposed, and what the register said of it when it was asked."""
    found = await operations.find_what_if(session, id, caller, today)
    tag(response, found)
    return found


@router.post(
    "/what-ifs/{id}/applications",
    response_model=Applied,
    status_code=201,
    responses=refusals(
        WhatIfNotFound,
        AppliedForAlready,
        RoundNotFound,
        RoundAlreadyDecided,
        RoundGivenUp,
        NotYoursToChange,
        NetworkNotFound,
        NetworkCodeTaken,
    ),
)
async def apply_for(
    id: str,
    applying: ApplyIn,
    session: Transaction,
    response: Response,
    caller: Proposer,
    now: Now,
    _: Idempotent,
) -> Applied:
    """Make each group a draft application of a round, with its allocations; asked again, the same ones are answered."""
    found, new = await operations.apply_for(session, id, applying, caller=caller, now=now)
    if not new:
        response.status_code = 200
    return Applied(
        what_if=id,
        round=applying.round,
        applications=found.applications,
        allocations=found.allocations,
        allocations_left=[AllocationLeft.model_validate(left) for left in found.allocations_left],
    )
