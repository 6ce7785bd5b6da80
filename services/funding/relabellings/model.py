"""A relabelling: from some month to another a share of one stream counts as another stream."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from shared.database import Code, Timestamp, Words
from shared.errors import NotFound, Refused
from shared.events.funding import StreamRelabelled
from shared.years import first_day, month_of, months_between


class RelabellingNotFound(NotFound):
    """No such relabelling."""


class RelabellingStands(Refused):
    """The same two streams are relabelled in some of these months by another that is not named as superseded."""


class SupersededRelabellingUnknown(Refused):
    """The relabelling named as superseded is not one of these two streams."""


class MoreThanAllRelabelled(Refused):
    """No more than the whole of a stream can be relabelled in a month."""


class RelabelledTwice(Refused):
    """What a stream was relabelled as is not relabelled again; relabel the first one anew."""


class NothingToRelabel(Refused):
    """In some of these months the stream is not paid, so there is nothing to relabel."""


class NothingToPayAs(Refused):
    """What is earned by points becomes another stream only where that has a rate of its own to be paid at."""


class Relabelling(Base):
    """In whole months of one contract year `share` of what `from_stream` comes to is paid as `to_stream`.

    Of a stream by head or bed it is that part of its rate. Of one earned by points it leaves the value of a point, a
    month being as much of it as any other, and `to_stream` is paid at its own rate. Never edited: a later one that
    names it in `supersedes` takes its place in all its months once known; a share of nothing takes it back.
    """

    __tablename__ = "relabellings"
    __table_args__ = (
        CheckConstraint("valid_from <= valid_to", name="days_in_order"),
        CheckConstraint("share >= 0 AND share <= 1", name="share"),
        CheckConstraint("from_stream <> to_stream", name="two_streams"),
        Index("ix_relabellings_contract_year", "contract_year"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    from_stream: Mapped[str] = mapped_column(String(64))
    to_stream: Mapped[str] = mapped_column(String(64))
    share: Mapped[Decimal]
    contract_year: Mapped[Code]
    valid_from: Mapped[date]
    valid_to: Mapped[date]
    known_from: Mapped[date]
    supersedes: Mapped[str | None] = mapped_column(String(64))
    sources: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    note: Mapped[Words]
    published_by: Mapped[Words]
    published_at: Mapped[Timestamp]

    def concerns(self) -> Iterable[str]:
        return []

    @property
    def months(self) -> tuple[str, ...]:
        return months_between(self.valid_from, self.valid_to)

    def publish(self, by: str, at: datetime, others: Sequence[Relabelling]) -> StreamRelabelled:
        """Let it count beside `others` of its contract year.

        Raises `SupersededRelabellingUnknown`, `RelabellingStands`, `MoreThanAllRelabelled` and `RelabelledTwice`.
        """
        same = [other for other in others if (other.from_stream, other.to_stream) == (self.from_stream, self.to_stream)]
        if self.supersedes is not None and self.supersedes not in {other.id for other in same}:
            raise SupersededRelabellingUnknown(
                f"No relabelling of {self.from_stream} as {self.to_stream} has the id {self.supersedes}."
            )
        left = [other for other in standing([*others, self]) if other is not self]
        mine = set(self.months)
        for other in left:
            if not mine & set(other.months) or not other.share or not self.share:
                continue
            if other in same:
                raise RelabellingStands(f"{other.id} relabels {self.from_stream} as {self.to_stream}; supersede it.")
            if other.to_stream == self.from_stream or other.from_stream == self.to_stream:
                raise RelabelledTwice(f"{other.id} relabels {other.from_stream} as {other.to_stream} in these months.")
        for month in self.months:
            beside = [one.share for one in left if one.from_stream == self.from_stream and month in one.months]
            if sum(beside, self.share) > 1:
                raise MoreThanAllRelabelled(f"Others relabel {sum(beside)} of {self.from_stream} in {month} already.")
        self.published_by, self.published_at = by, at
        return StreamRelabelled(
            relabelling=self.id,
            from_stream=self.from_stream,
            to_stream=self.to_stream,
            share=self.share,
            contract_year=self.contract_year,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            known_from=self.known_from,
            supersedes=self.supersedes,
        )

    def told(self) -> dict[str, Any]:
        """What a line remembers of it."""
        return {
            "relabelling": self.id,
            "from": self.from_stream,
            "to": self.to_stream,
            "share": str(self.share),
            "months": [month_of(self.valid_from), month_of(self.valid_to)],
            "known_from": self.known_from.isoformat(),
            "sources": list(self.sources),
        }


def standing(found: Iterable[Relabelling]) -> list[Relabelling]:
    """Those that none of the others supersedes."""
    every = list(found)
    replaced = {one.supersedes for one in every}
    return [one for one in every if one.id not in replaced]


def in_month(found: Iterable[Relabelling], month: str) -> list[Relabelling]:
    """Those of a month that relabel anything."""
    return [one for one in found if one.share and one.valid_from <= first_day(month) <= one.valid_to]
