from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, literal, select
from sqlalchemy.orm import aliased

from services.registry.networks.model import Membership, NetworkEntry
from services.registry.practices.model import PracticeCommissioner, PracticeEntry
from shared.facts import ONE_DAY, as_at, believed, of_key


def members_of(code: str, day: date | None, known_at: datetime | None) -> Select[Any]:
    """Core members of a network on a day, or with no day every membership it has ever had, as known then."""
    belief = believed(Membership, known_at)
    entry, commissioner, lead = aliased(PracticeEntry), aliased(PracticeCommissioner), aliased(NetworkEntry)
    on: ColumnElement[date] = literal(day) if day is not None else func.lower(Membership.valid)

    name = (
        select(entry.name)
        .where(of_key(entry.practice, Membership.practice), believed(entry, known_at))
        .order_by(func.lower(entry.valid).desc())
        .limit(1)
    )
    theirs = select(commissioner.commissioner).where(
        of_key(commissioner.practice, Membership.practice),
        commissioner.valid.contains(on),
        believed(commissioner, known_at),
    )
    leading = select(lead.commissioner).where(
        of_key(lead.network, Membership.network), lead.valid.contains(on), believed(lead, known_at)
    )
    return select(
        Membership.fact_id,
        Membership.network,
        Membership.practice,
        name.scalar_subquery().label("practice_name"),
        theirs.scalar_subquery().label("practice_commissioner"),
        leading.scalar_subquery().label("lead_commissioner"),
        func.lower(Membership.valid).label("valid_from"),
        func.upper(Membership.valid).label("valid_until"),
        func.trim_scale(func.upper(Membership.portion) - func.lower(Membership.portion)).label("share"),
        Membership.round,
        Membership.application,
        Membership.reason,
        func.lower(Membership.known).label("known_from"),
    ).where(Membership.network == code, belief if day is None else as_at(Membership, day, known_at))


def shown(row: Row[Any]) -> dict[str, Any]:
    """A membership as callers see it, and whether its practice has another commissioner than the network's lead."""
    member = dict(row._mapping)
    until, lead, theirs = member.pop("valid_until"), member["lead_commissioner"], member["practice_commissioner"]
    return {
        **member,
        "valid_to": None if until is None else until - ONE_DAY,
        "crosses_border": lead is not None and theirs is not None and lead != theirs,
    }
