from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import DATEMULTIRANGE

from services.registry.clinical_directors.model import Appointment, DirectorTerm
from services.registry.networks.model import Membership
from services.registry.periods import believed, period_of


def directors_of(code: str, known_at: datetime | None) -> Select[Any]:
    """Everybody who held the office, with the days on which their practice was no member."""
    member = (
        select(func.range_agg(Membership.valid, type_=DATEMULTIRANGE))
        .where(
            Membership.network == DirectorTerm.network,
            Membership.practice == DirectorTerm.practice,
            believed(Membership, known_at),
        )
        .scalar_subquery()
    )
    held = func.datemultirange(DirectorTerm.valid, type_=DATEMULTIRANGE)
    none: Any = func.datemultirange(type_=DATEMULTIRANGE)
    columns: list[Any] = [
        DirectorTerm.appointment.label("id"),
        DirectorTerm.network,
        DirectorTerm.name,
        DirectorTerm.practice,
        DirectorTerm.registration_body,
        DirectorTerm.registration_number,
        DirectorTerm.method,
        DirectorTerm.portion.label("pieces"),
        Appointment.election,
        Appointment.application,
        held.op("-", return_type=DATEMULTIRANGE())(func.coalesce(member, none)).label("outside"),
        *period_of(DirectorTerm),
    ]
    return (
        select(*columns)
        .join(Appointment, Appointment.id == DirectorTerm.appointment)
        .where(DirectorTerm.network == code, believed(DirectorTerm, known_at))
    )
