"""The declarative base of the reporting service."""

from __future__ import annotations

from sqlalchemy.orm import DeclarativeBase

from shared.database import metadata


class Base(DeclarativeBase):
    metadata = metadata()
