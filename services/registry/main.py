from __future__ import annotations

from services.registry.base import Base
from services.registry.imports.routes import router as imports
from services.registry.settings import Settings
from shared.events import registry as events
from shared.service import Service


def service(settings: Settings) -> Service:
    """The registry: who is in which network, who decided it, and how many patients each practice has."""
    return Service(
        name="registry",
        base=Base,
        settings=settings,
        routers=[imports],
        announces=[
            events.CommissionerRegistered,
            events.PracticesPublished,
            events.ListSizesPublished,
            events.NetworkApproved,
            events.NetworkClosed,
            events.PracticeJoined,
            events.PracticeLeft,
            events.PatientsAllocated,
            events.RoundOpened,
            events.RoundDecided,
            events.NetworkApplied,
            events.NetworkReturned,
            events.NetworkRefused,
            events.PayeeAppointed,
        ],
    )
