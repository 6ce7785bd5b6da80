from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Mapped

from services.registry.base import Base
from shared.database import Code, Words
from shared.errors import NotFound
from shared.facts import Dated, no_overlap


class ContactNotFound(NotFound):
    """No contact is known for that day."""


class Contact(Dated, Base):
    """The one person or desk a network is reached through on some days: how to reach it at work, nothing else."""

    __tablename__ = "contacts"
    __table_args__ = (no_overlap("contacts", "network"),)

    network: Mapped[Code]
    name: Mapped[Words]
    position: Mapped[Words | None]
    email: Mapped[Words | None]
    telephone: Mapped[Words | None]

    def concerns(self) -> Iterable[str]:
        return [self.network]
