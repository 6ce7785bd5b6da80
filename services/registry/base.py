from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Computed, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.dialects.postgresql import DATERANGE
from sqlalchemy.orm import DeclarativeBase, Mapped

from shared.database import Words, metadata
from shared.facts import Dated


class Base(DeclarativeBase):
    """Every table of the registry."""

    metadata = metadata()


class Rooted(Dated):
    """A dated fact that others rest on or that rests on others.

    `standing`, kept by the database alone, are its days for as long as it is believed: the temporal keys speak of it,
    so that a correction may leave what was believed before as it was.
    """

    __mapper_args__ = {"exclude_properties": ["standing"]}


class Explained:
    """Why this version of a fact was recorded and by whom; empty for what a register file brought."""

    reason: Mapped[Words | None]
    recorded_by: Mapped[Words | None]


def standing(name: str = "standing", *, but: str | None = None) -> Column[Any]:
    """The days of a fact for as long as it is believed, and none where the column `but` holds."""
    held = "upper_inf(known)" if but is None else f"upper_inf(known) AND NOT {but}"
    return Column(name, DATERANGE, Computed(f"CASE WHEN {held} THEN valid END", persisted=True))


def standing_once(table: str, key: str) -> UniqueConstraint:
    """The temporal key others refer to (`WITHOUT OVERLAPS` in the migration)."""
    return UniqueConstraint(key, "standing", name=f"uq_{table}_standing")


def standing_within(table: str, column: str, target: str, key: str, *, days: str = "standing") -> ForeignKeyConstraint:
    """No day of the fact lies outside the days of what it belongs to (`PERIOD` in the migration).

    Looked at when the transaction ends: a correction takes the old version away before the new one stands.
    """
    return ForeignKeyConstraint(
        [column, days],
        [f"{target}.{key}", f"{target}.standing"],
        name=f"fk_{table}_{column}_standing",
        deferrable=True,
        initially="DEFERRED",
    )
