from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Code, Timestamp, Versioned, Words, text_enum
from shared.errors import Conflict, NotFound, Refused
from shared.facts import Dated, no_overlap


class PartnerNotFound(NotFound):
    """No such partner of the network."""


class PartnerAlready(Conflict):
    """An organisation is a partner of a network once on each day."""


class PartnerIsCoreMember(Refused):
    """A core member of the network is not its partner as well."""


class PartnershipNotRunning(Refused):
    """A partnership is ended on one of its days, before its last; one that never was is withdrawn."""


class PartnerKind(StrEnum):
    """What may stand beside the core members; a GP practice is one only where it is no member."""

    TRUST = "trust"
    PHARMACY = "pharmacy"
    COUNCIL = "council"
    CHARITY = "charity"
    FEDERATION = "federation"
    PRACTICE = "practice"
    OTHER = "other"


class Partner(Versioned, Base):
    """An organisation beside the core members of a network: it holds no contract of theirs and plays a part."""

    __tablename__ = "partners"

    id: Mapped[Code] = mapped_column(primary_key=True)
    network: Mapped[Code] = mapped_column(index=True)
    organisation: Mapped[Code]
    reason: Mapped[Words | None]
    changed_at: Mapped[Timestamp]

    def concerns(self) -> Iterable[str]:
        return [self.network, self.organisation]


class PartnerTerm(Dated, Base):
    """What a partner does in a network on some days, and whether it is party to the network agreement then."""

    __tablename__ = "partner_terms"
    __table_args__ = (no_overlap("partner_terms", "network", "organisation"),)

    partner: Mapped[Code] = mapped_column(index=True)
    network: Mapped[Code] = mapped_column(index=True)
    organisation: Mapped[Code]
    name: Mapped[Words]
    kind: Mapped[PartnerKind] = mapped_column(text_enum(PartnerKind))
    part: Mapped[Words]
    party: Mapped[bool]

    def concerns(self) -> Iterable[str]:
        return [self.network, self.organisation]
