from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.list_sizes.queries import patients_on
from services.registry.localities.model import LocalityPractice
from services.registry.networks.model import Membership
from shared.facts import as_at


@dataclass(slots=True)
class Placed:
    """A locality with its practices, and the patients they bring to the network."""

    name: str
    practices: list[str] = field(default_factory=list)
    patients: Decimal = Decimal(0)


async def localities_on(session: AsyncSession, network: str, day: date, known_at: datetime | None) -> list[Placed]:
    """The localities of a network on a day by name, with their registered patients by the newest lists of that day."""
    share = func.sum(func.upper(Membership.portion) - func.lower(Membership.portion))
    brought = (
        select(share)
        .where(
            Membership.practice == LocalityPractice.practice,
            Membership.network == network,
            as_at(Membership, day, known_at),
        )
        .scalar_subquery()
    )
    statement = select(LocalityPractice.locality, LocalityPractice.practice, func.coalesce(brought, 0)).where(
        LocalityPractice.network == network, as_at(LocalityPractice, day, known_at)
    )
    rows = (await session.execute(statement.order_by(LocalityPractice.practice))).all()
    patients = await patients_on(session, {practice for _, practice, _ in rows}, day, known_at)
    found: dict[str, Placed] = {}
    for name, practice, part in rows:
        locality = found.setdefault(name, Placed(name))
        locality.practices.append(practice)
        locality.patients += patients[practice] * part
    return [found[name] for name in sorted(found)]
