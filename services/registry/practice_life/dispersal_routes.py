"""The dispersal of a closed practice's list over HTTP."""

from fastapi import Response

from services.registry.allocations.model import PracticeAlreadyAllocated
from services.registry.codes import Day
from services.registry.practice_life import dispersing
from services.registry.practice_life.routes import OWN, Decider, PracticeCodeOut, Reason, ReasonIn
from services.registry.practices.model import ListWentOver, Practice, PracticeNotClosed, PracticeNotDispersed
from shared.http import IfMatch, In, Now, Transaction, refusals, service_router, tag

router = service_router("registry", tags=["practice life"])


class DispersalIn(In):
    """`dispersed_from`: the first day on which the patients of the list are registered elsewhere."""

    dispersed_from: Day
    reason: Reason


@router.put(
    "/practices/{code}/dispersal",
    response_model=PracticeCodeOut,
    responses=refusals(*OWN, PracticeNotClosed, ListWentOver, PracticeAlreadyAllocated),
)
async def disperse(
    code: str,
    dispersal: DispersalIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Practice:
    """State that the patients of a practice that closed have registered elsewhere: nobody need serve its list."""
    dispersed = await dispersing.disperse_list(
        session, code, dispersal.dispersed_from, reason=dispersal.reason, caller=caller, if_match=if_match, now=now
    )
    tag(response, dispersed)
    return dispersed


@router.put(
    "/practices/{code}/dispersal/withdrawal",
    response_model=PracticeCodeOut,
    responses=refusals(*OWN, PracticeNotDispersed),
)
async def gather(
    code: str,
    withdrawal: ReasonIn,
    session: Transaction,
    response: Response,
    caller: Decider,
    now: Now,
    if_match: IfMatch = None,
) -> Practice:
    """Take back a dispersal recorded in error; somebody has to serve the list again."""
    gathered = await dispersing.gather_list(
        session, code, reason=withdrawal.reason, caller=caller, if_match=if_match, now=now
    )
    tag(response, gathered)
    return gathered
