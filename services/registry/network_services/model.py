from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Code, Timestamp, Versioned, Words
from shared.errors import Conflict, NotFound, Refused
from shared.facts import Dated, no_overlap


class SignUpNotFound(NotFound):
    """No such service taken on by the network."""


class ServiceNotOnMenu(Refused):
    """A network takes on what is on the menu on every one of the days."""


class ProviderNotMember(Refused):
    """A service is delivered by a practice that is a core member on every one of the days."""


class ProviderNotPartner(Refused):
    """A service is delivered by an organisation that is a partner of the network on every one of the days."""


class SignedUpAlready(Conflict):
    """A network takes a service on once from each provider on each day."""


class SignUpNotRunning(Refused):
    """What a network took on is ended on one of its days, before its last; what never was is withdrawn."""


class SignUp(Versioned, Base):
    """A network took a service on."""

    __tablename__ = "service_sign_ups"

    id: Mapped[Code] = mapped_column(primary_key=True)
    network: Mapped[Code] = mapped_column(index=True)
    reason: Mapped[Words | None]
    changed_at: Mapped[Timestamp]

    def concerns(self) -> Iterable[str]:
        return [self.network]


class SignUpTerm(Dated, Base):
    """Which service is delivered on which days, by which practice or partner, and who leads it."""

    __tablename__ = "service_sign_up_terms"
    __table_args__ = (
        no_overlap("service_sign_up_terms", "network", "service", "provider"),
        CheckConstraint("(practice is null) <> (partner is null)", name="one_provider"),
    )

    sign_up: Mapped[Code] = mapped_column(index=True)
    network: Mapped[Code]
    service: Mapped[Code]
    provider: Mapped[Code]
    practice: Mapped[Code | None]
    partner: Mapped[Code | None]
    lead: Mapped[Words | None]

    def concerns(self) -> Iterable[str]:
        return [code for code in (self.network, self.practice) if code]
