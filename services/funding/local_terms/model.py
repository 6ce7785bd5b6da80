"""Under which local variation a network stands, and which of its members agreed to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import Index, String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from services.funding.payments.heads import Serving
from shared.database import Code
from shared.events.funding import NetworkVaried, VariedSpan
from shared.facts import Dated, no_overlap
from shared.years import first_day, last_day, next_month


class Terms(NamedTuple):
    """These members of a network agree to a variation from a day to another; `every_member` where nobody does not."""

    variation: str
    practices: tuple[str, ...]
    every_member: bool
    valid_from: date
    valid_to: date


class LocalTerms(Base, Dated):
    """In these months a network has members that agreed to a variation: `practices`, all of them if `every_member`.

    What belongs to a network as a whole, like the ceiling of a role, is the variation's once every member agreed; what
    is counted by head is each practice's own.
    """

    __tablename__ = "local_terms"
    __table_args__ = (
        no_overlap("local_terms", "network", "variation"),
        Index("ix_local_terms_network", "network"),
    )

    network: Mapped[Code]
    variation: Mapped[str] = mapped_column(String(64))
    practices: Mapped[list[str]] = mapped_column(ARRAY(String(32)))
    every_member: Mapped[bool]

    def concerns(self) -> Iterable[str]:
        return [self.network]

    @property
    def terms(self) -> Terms:
        last = self.valid_to
        if last is None:
            raise ValueError("a variation ends with its contract year at the latest")
        return Terms(self.variation, tuple(self.practices), self.every_member, self.valid_from, last)


def terms_of(by_month: Mapping[str, tuple[Serving, ...]]) -> list[Terms]:
    """By whom a network serves in each month: the variations its members agreed to, in spans of months."""
    months: dict[tuple[str, tuple[str, ...], bool], list[str]] = defaultdict(list)
    for month in sorted(by_month):
        members = [who for who in by_month[month] if who.how == "member"]
        for scope in {who.scope for who in members if who.scope}:
            agreed = tuple(sorted(who.practice for who in members if who.scope == scope))
            months[scope, agreed, len(agreed) == len(members)].append(month)
    found = [Terms(*key, first_day(begin), last_day(end)) for key, of in months.items() for begin, end in _runs(of)]
    return sorted(found, key=lambda one: (one.variation, one.valid_from))


def _runs(months: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The first and the last of months that follow one another without a gap."""
    begin = end = months[0]
    for month in months[1:]:
        if month != next_month(end):
            yield begin, end
            begin = month
        end = month
    yield begin, end


def varied(network: str, commissioner: str, terms: Iterable[Terms]) -> NetworkVaried:
    """All that is known of a network's local terms now."""
    spans = [
        VariedSpan(
            variation=one.variation,
            valid_from=one.valid_from,
            valid_to=one.valid_to,
            practices=list(one.practices),
            every_member=one.every_member,
        )
        for one in terms
    ]
    return NetworkVaried(network=network, commissioner=commissioner, spans=spans)
