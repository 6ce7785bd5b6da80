"""Load the shipped catalogue of roles and ask it questions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

import yaml
from sqlalchemy import delete, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.workforce.base import Base
from services.workforce.roles.model import Role, RoleCap, RoleShare
from shared.events import funding

DEFAULTS: dict[str, Any] = {
    "claimable_to": None,
    "employers": ["practice", "network", "federation", "trust"],
    "supplier_fee": False,
    "professional_register": True,
    "note": None,
}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All of the shipped catalogue, as rows ready to load."""

    roles: list[dict[str, Any]]
    caps: list[dict[str, Any]]
    shares: list[dict[str, Any]]


@cache
def shipped() -> Catalogue:
    """The catalogue as the project ships it."""
    text = resources.files("services.workforce.roles").joinpath("data/roles.yaml").read_text("utf-8")
    data = yaml.safe_load(text)
    return Catalogue(
        roles=[DEFAULTS | row for row in data["roles"]],
        caps=[
            {"note": None}
            | row
            | {"below_100000": Decimal(row["below_100000"]), "from_100000": Decimal(row["from_100000"])}
            for row in data["caps"]
        ],
        shares=[{"note": None} | row | {"share": Decimal(row["share"])} for row in data["shares"]],
    )


async def load_catalogue(session: AsyncSession) -> None:
    """Bring the stored catalogue to what is shipped; running it again changes nothing."""
    catalogue = shipped()
    await _bring(session, Role, ["code"], catalogue.roles)
    await _bring(session, RoleCap, ["role", "valid_from"], catalogue.caps)
    await _bring(session, RoleShare, ["role", "valid_from"], catalogue.shares)
    for model, rows in ((RoleCap, catalogue.caps), (RoleShare, catalogue.shares)):
        keys = [(row["role"], row["valid_from"]) for row in rows]
        await session.execute(delete(model).where(tuple_(model.role, model.valid_from).not_in(keys)))


async def _bring(session: AsyncSession, model: type[Base], keys: list[str], rows: list[dict[str, Any]]) -> None:
    statement = insert(model)
    rest = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    differs = or_(*(getattr(model, name).is_distinct_from(value) for name, value in rest.items()))
    await session.execute(statement.on_conflict_do_update(index_elements=keys, set_=rest, where=differs), rows)


async def note_agreed_role(session: AsyncSession, event: funding.RoleAgreed) -> None:
    """A role agreed with one network can be recruited for; agreed again, it holds from the earliest day said."""
    said = f"agreed with {event.network} on {event.agreed_on}"
    await _open_role(session, event.role, event.role_name, event.valid_from, event.valid_to, said)


async def note_local_roles(session: AsyncSession, event: funding.VariationApproved) -> None:
    """Roles a variation opens can be recruited for in networks that stand under it; elsewhere they have no ceiling."""
    for role in event.roles:
        said = f"opened by the variation {event.variation_name}"
        await _open_role(session, role.role, role.role_name, event.valid_from, event.valid_to, said, longest=True)


async def _open_role(
    session: AsyncSession, code: str, name: str, first: date, last: date | None, note: str, *, longest: bool = False
) -> None:
    row = insert(Role).values(
        code=code,
        name=name,
        band="",
        claimable_from=first,
        claimable_to=last,
        employers=DEFAULTS["employers"],
        supplier_fee=False,
        professional_register=False,
        confidence="agreed",
        sources=[],
        note=note,
    )
    until = func.greatest(Role.claimable_to, row.excluded.claimable_to) if longest else row.excluded.claimable_to
    await session.execute(
        row.on_conflict_do_update(
            index_elements=["code"],
            set_={
                "name": row.excluded.name,
                "claimable_from": func.least(Role.claimable_from, row.excluded.claimable_from),
                "claimable_to": until,
                "note": row.excluded.note,
            },
        )
    )


async def caps_of(session: AsyncSession, role: str) -> list[RoleCap]:
    return list(await session.scalars(select(RoleCap).where(RoleCap.role == role).order_by(RoleCap.valid_from)))


async def shares_of(session: AsyncSession, role: str) -> list[RoleShare]:
    return list(await session.scalars(select(RoleShare).where(RoleShare.role == role).order_by(RoleShare.valid_from)))


async def roles_as_at(session: AsyncSession, day: date | None) -> list[tuple[Role, list[RoleCap], list[RoleShare]]]:
    """Roles claimable on a day (all of them without one), with the caps and shares of that day."""
    statement = select(Role).order_by(Role.claimable_from, Role.code)
    if day is not None:
        statement = statement.where(
            Role.claimable_from <= day, or_(Role.claimable_to.is_(None), Role.claimable_to >= day)
        )
    roles = list(await session.scalars(statement))
    caps = list(await session.scalars(select(RoleCap).order_by(RoleCap.role, RoleCap.valid_from)))
    shares = list(await session.scalars(select(RoleShare).order_by(RoleShare.role, RoleShare.valid_from)))

    def held(row: RoleCap | RoleShare, role: Role) -> bool:
        return row.role == role.code and (day is None or row.valid_from <= day <= row.valid_to)

    return [(role, [c for c in caps if held(c, role)], [s for s in shares if held(s, role)]) for role in roles]
