from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.registry.base import Base
from shared.database import Code, Words
from shared.errors import Conflict, Forbidden, NotFound, Refused
from shared.facts import Dated, no_overlap


class NotAParty(Refused):
    """A version is signed by the member practices of its day, their named partners and the partners that are party."""


class SignedAlready(Conflict):
    """Each party signs a version once."""


class NotYoursToSign(Forbidden):
    """A party signs for itself; its commissioner may record a signature given on paper."""


class SignatureTakenBack(Refused):
    """A signature is taken back once."""


class SignatureNotFound(NotFound):
    """No such signature, or none the caller may see."""


class Signature(Dated, Base):
    """A party has signed a version; `valid` begins on the day of the signature, given here or on paper."""

    __tablename__ = "agreement_signatures"
    __table_args__ = (
        no_overlap("agreement_signatures", "network", "number", "party"),
        ForeignKeyConstraint(["network", "number"], ["agreement_versions.network", "agreement_versions.number"]),
        Index("ix_agreement_signatures_version", "network", "number"),
        CheckConstraint("(practice is null) <> (partner is null)", name="one_party"),
    )

    id: Mapped[Code] = mapped_column(index=True)
    network: Mapped[Code]
    number: Mapped[int]
    party: Mapped[str]
    practice: Mapped[Code | None]
    person: Mapped[str | None]
    partner: Mapped[Code | None]
    signatory: Mapped[Words]
    signed_by: Mapped[Words]
    evidence: Mapped[Words | None]
    fingerprint: Mapped[str]
    withdrawn_reason: Mapped[Words | None]

    def concerns(self) -> Iterable[str]:
        return [code for code in (self.network, self.practice) if code]

    def taken_back(self, known_at: datetime | None) -> str | None:
        """Why it was taken back, as known now or then."""
        ended = self.known.upper
        return self.withdrawn_reason if known_at is None or (ended is not None and ended <= known_at) else None
