"""The catalogue of roles over HTTP."""

from datetime import date
from typing import Annotated

from services.workforce.roles import operations
from services.workforce.shapes import Number
from shared.http import AsAt, Out, Reading, service_router
from shared.identity import ANY_ROLE, Caller, allow

router = service_router("workforce", tags=["roles"])


class CapOut(Out):
    valid_from: date
    valid_to: date
    below_100000: Number
    from_100000: Number
    confidence: str
    sources: list[str]


class ShareOut(Out):
    valid_from: date
    valid_to: date
    share: Number
    confidence: str
    sources: list[str]


class RoleOut(Out):
    """A role, who may employ it, and the caps and shares that hold on the day asked about."""

    role: str
    name: str
    band: str
    claimable_from: date
    claimable_to: date | None
    employers: list[str]
    supplier_fee: bool
    professional_register: bool
    confidence: str
    sources: list[str]
    note: str | None
    caps: list[CapOut]
    shares: list[ShareOut]


class RolesOut(Out):
    items: list[RoleOut]
    next: None = None


@router.get("/roles")
async def list_roles(session: Reading, caller: Annotated[Caller, allow(*ANY_ROLE)], as_at: AsAt = None) -> RolesOut:
    """Roles that could be claimed on a day; all there ever were without one."""
    return RolesOut(
        items=[
            RoleOut(
                role=role.code,
                name=role.name,
                band=role.band,
                claimable_from=role.claimable_from,
                claimable_to=role.claimable_to,
                employers=role.employers,
                supplier_fee=role.supplier_fee,
                professional_register=role.professional_register,
                confidence=role.confidence,
                sources=role.sources,
                note=role.note,
                caps=[CapOut.model_validate(cap) for cap in caps],
                shares=[ShareOut.model_validate(share) for share in shares],
            )
            for role, caps, shares in await operations.roles_as_at(session, as_at)
        ]
    )
