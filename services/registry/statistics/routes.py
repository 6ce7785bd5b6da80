from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from services.registry.scope import area_of
from services.registry.statistics import queries
from shared.http import AsAt, KnownAt, Out, Reading, Today, service_router
from shared.identity import ANY_ROLE, Caller, allow

router = service_router("registry", tags=["statistics"])


class Statistics(Out):
    """`networks` are those whose members have registered patients; sizes are their registered patients."""

    as_at: date
    snapshot: date | None
    practices: int
    registered_patients: Decimal
    networks_with_members: int
    networks: int
    networks_under_30000: int
    networks_30000_to_50000: int
    networks_over_50000: int
    smallest_network: Decimal | None
    median_network: Decimal | None
    largest_network: Decimal | None
    practices_in_no_network: int
    patients_in_no_network: Decimal
    one_practice_networks: int
    networks_spanning_commissioners: int
    commissioners: int
    systems: int
    regions: int


@router.get("/statistics", response_model=Statistics)
async def read_statistics(
    session: Reading,
    caller: Annotated[Caller, allow(*ANY_ROLE)],
    today: Today,
    as_at: AsAt = None,
    known_at: KnownAt = None,
) -> dict[str, Any]:
    """Figures of the register on a day: of everywhere for national users, of their own area or network for others."""
    day = as_at or today
    area = await area_of(session, caller, day)
    found = await queries.figures(session, day, known_at, area=area, codes=caller.organisations)
    for name, value in found.items():
        if isinstance(value, Decimal):
            found[name] = value.normalize() if value != value.to_integral_value() else value.quantize(Decimal(1))
    return {"as_at": day, **found}
