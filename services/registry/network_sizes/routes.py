from typing import Annotated, Any

from services.registry.network_sizes.queries import sizes_of
from services.registry.network_sizes.shapes import SizeOut
from services.registry.networks.model import NetworkNotFound
from shared.http import AsAt, KnownAt, Reading, Today, refusals, service_router
from shared.identity import ANY_ROLE, Caller, allow

router = service_router("registry", tags=["networks"])


@router.get("/networks/{code}/size", response_model=SizeOut, responses=refusals(NetworkNotFound))
async def read_size(
    code: str,
    session: Reading,
    _: Annotated[Caller, allow(*ANY_ROLE)],
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> dict[str, Any]:
    """How large a network is on a day, by which rule, whether it is outside it, and since when."""
    found = (await sizes_of(session, [code], as_at or today, known_at)).get(code)
    if found is None:
        raise NetworkNotFound(f"No network {code} is open on that day.")
    return found
