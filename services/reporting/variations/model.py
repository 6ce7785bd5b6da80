"""Local variations and the networks under them, as funding announces them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.reporting.base import Base
from shared.database import Code, Words


class LocalVariation(Base):
    """A variation as it was approved; `duties` are what is delivered for it."""

    __tablename__ = "local_variations"

    variation: Mapped[Words] = mapped_column(primary_key=True)
    name: Mapped[Words]
    commissioner: Mapped[Code]
    contract_year: Mapped[Code]
    duties: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    sequence: Mapped[int] = mapped_column(BigInteger)


class VariedNetwork(Base):
    """All that was last said of a network: `spans` of days, each with its variation and the members that agree."""

    __tablename__ = "varied_networks"

    network: Mapped[Code] = mapped_column(primary_key=True)
    spans: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    sequence: Mapped[int] = mapped_column(BigInteger)
