"""Commissioners and the systems above them through time, and who followed whom."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from shared.database import Code
from shared.history import Entered, kept


class Succession(Base):
    """A successor of a commissioner from a day on; after an enlargement the predecessor is one of its successors."""

    __tablename__ = "successions"
    __table_args__ = (Index("ix_successions_successor", "successor"),)

    commissioner: Mapped[Code] = mapped_column(primary_key=True)
    successor: Mapped[Code] = mapped_column(primary_key=True)
    succeeded_on: Mapped[date]
    kind: Mapped[Code]
    position: Mapped[int] = mapped_column(BigInteger)


@kept()
class Tenure(Base, Entered):
    """The days on which a commissioner commissions a network; `valid_to` is the last, `None` while it still does."""

    __tablename__ = "tenures"
    __table_args__ = (Index("ix_tenures_commissioner", "commissioner"),)

    network: Mapped[Code] = mapped_column(primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    commissioner: Mapped[Code]
    valid_to: Mapped[date | None]


@kept()
class SystemPlace(Base, Entered):
    """The system a commissioner belongs to from a day on."""

    __tablename__ = "system_places"
    __table_args__ = (Index("ix_system_places_system", "system"),)

    commissioner: Mapped[Code] = mapped_column(primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    system: Mapped[Code]
    valid_to: Mapped[date | None]
    position: Mapped[int] = mapped_column(BigInteger)


def holders(commissioner: str, successions: Iterable[Succession], day: date) -> frozenset[str]:
    """Who holds on a day what a commissioner held: itself, or its heirs and theirs; several after a split."""
    heirs: Mapping[str, set[str]] = _heirs(successions, day)
    found: set[str] = set()
    ahead, seen = [commissioner], {commissioner}
    while ahead:
        code = ahead.pop()
        following = heirs.get(code, {code})
        if code in following:
            found.add(code)
        for heir in following - seen:
            seen.add(heir)
            ahead.append(heir)
    return frozenset(found)


def _heirs(successions: Iterable[Succession], day: date) -> dict[str, set[str]]:
    heirs: dict[str, set[str]] = {}
    for one in successions:
        if one.succeeded_on <= day:
            heirs.setdefault(one.commissioner, set()).add(one.successor)
    return heirs


def who_decides(candidates: Collection[str], commissioning_members: Collection[str]) -> frozenset[str]:
    """Of several heirs of a split, those that commission a member of the network; a sole heir needs no such sign."""
    if len(candidates) == 1:
        return frozenset(candidates)
    return frozenset(candidates) & frozenset(commissioning_members)
