"""The declarative base of funding's tables."""

from __future__ import annotations

from sqlalchemy.orm import DeclarativeBase

from shared.database import metadata


class Base(DeclarativeBase):
    metadata = metadata()
