from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from services.registry.clinical_directors.model import Appointment, DirectorTerm
from services.registry.networks.model import Membership
from services.registry.periods import days_without, period_of
from shared.facts import believed


def directors_of(code: str, known_at: datetime | None) -> Select[Any]:
    """Everybody who held the office, with the days on which their practice was no member."""
    outside = days_without(
        DirectorTerm,
        Membership,
        known_at,
        Membership.network == DirectorTerm.network,
        Membership.practice == DirectorTerm.practice,
    )
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
        outside.label("outside"),
        *period_of(DirectorTerm),
    ]
    return (
        select(*columns)
        .join(Appointment, Appointment.id == DirectorTerm.appointment)
        .where(DirectorTerm.network == code, believed(DirectorTerm, known_at))
    )
