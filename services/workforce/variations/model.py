"""Local variations, and the networks that stand under them, as funding announced them."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import BigInteger, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.workforce.base import Base
from shared.database import Code, Words


class Variation(Base):
    """A variation: `caps` are whole-time equivalents of roles by size of network, both empty for any number."""

    __tablename__ = "variations"

    variation: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[Words]
    commissioner: Mapped[Code]
    valid_from: Mapped[date]
    valid_to: Mapped[date]
    caps: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    sequence: Mapped[int] = mapped_column(BigInteger)


class NetworkTerms(Base):
    """All that was announced of a network's local terms: `spans` of days with their variation, and whether every member
    agreed; only then it says anything about the ceilings and caps of the network."""

    __tablename__ = "network_terms"

    network: Mapped[Code] = mapped_column(primary_key=True)
    spans: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    sequence: Mapped[int] = mapped_column(BigInteger)
