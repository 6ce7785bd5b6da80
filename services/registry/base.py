from __future__ import annotations

from sqlalchemy.orm import DeclarativeBase

from shared.database import metadata


class Base(DeclarativeBase):
    """Every table of the registry."""

    metadata = metadata()
