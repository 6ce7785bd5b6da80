"""A published rate: what it is for, the days it holds and the day it became known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import String

from services.funding.base import Base
from services.funding.payments.engine import Rate
from shared.clock import london_day
from shared.database import Code, Timestamp, Words, text_enum
from shared.errors import Refused
from shared.events.funding import TariffPublished
from shared.years import first_day, last_day, month_of, months_between


class RateOverlaps(Refused):
    """A rate of the same kind holds on those days and is not named as superseded."""


class SupersededUnknown(Refused):
    """The rate named as superseded is not one of this kind, code and place."""


NATIONAL = "national"


class TariffKind(StrEnum):
    STREAM = "stream"
    ARRS_SUM = "arrs_sum"
    ROLE_MAXIMUM = "role_maximum"


class Basis(StrEnum):
    REGISTERED = "registered"
    WEIGHTED = "weighted"
    ADJUSTED = "adjusted"
    BEDS = "beds"
    WTE = "wte"


class RatePeriod(StrEnum):
    YEAR = "year"
    WINDOW = "window"
    MONTH = "month"


class Payee(StrEnum):
    NETWORK = "network"
    PRACTICE = "practice"


class Confidence(StrEnum):
    CONFIRMED_2 = "confirmed_2"
    ONE_SOURCE = "one_source"
    DERIVED = "derived"
    REMEMBERED = "remembered"


class Tariff(Base):
    """One rate of one stream, sum or role. `value` is null where it exists and its figure is not known.

    A rate is never edited: a later row that names it in `supersedes` replaces it from its own `valid_from` on, once
    known. `scope` is the local variation it belongs to, or `national`.
    """

    __tablename__ = "tariffs"
    __table_args__ = (
        CheckConstraint("valid_from <= valid_to", name="days_in_order"),
        CheckConstraint("value >= 0", name="not_negative"),
        Index("ix_tariffs_kind_code_zone", "kind", "code", "zone"),
    )

    id: Mapped[str] = mapped_column(String(96), primary_key=True)
    kind: Mapped[TariffKind] = mapped_column(text_enum(TariffKind))
    code: Mapped[str] = mapped_column(String(64))
    zone: Mapped[Code]
    scope: Mapped[str] = mapped_column(String(64), default=NATIONAL)
    contract_year: Mapped[Code]
    payee: Mapped[Payee] = mapped_column(text_enum(Payee))
    basis: Mapped[Basis] = mapped_column(text_enum(Basis))
    value: Mapped[Decimal | None]
    rate_period: Mapped[RatePeriod] = mapped_column(text_enum(RatePeriod))
    valid_from: Mapped[date]
    valid_to: Mapped[date]
    known_from: Mapped[date | None]
    supersedes: Mapped[str | None] = mapped_column(String(96))
    confidence: Mapped[Confidence] = mapped_column(text_enum(Confidence))
    sources: Mapped[list[str]] = mapped_column(ARRAY(String(64)))
    note: Mapped[Words]
    published_by: Mapped[Words]
    published_at: Mapped[Timestamp]

    def published_after(self, moment: datetime | None) -> bool:
        """Whether it was published here on the day of that moment, but later."""
        return moment is not None and self.published_at > moment and london_day(self.published_at) == london_day(moment)

    @property
    def known_on(self) -> date:
        """The day from which the rate counts as known: where it was not recorded, its first day."""
        return self.known_from or self.valid_from

    @property
    def variation(self) -> str | None:
        """The local variation it belongs to; nothing where it is national."""
        return None if self.scope in (None, NATIONAL) else self.scope

    @property
    def window_months(self) -> int:
        return len(months_between(self.valid_from, self.valid_to))

    @property
    def whole_months(self) -> bool:
        return self.valid_from == first_day(month_of(self.valid_from)) and self.valid_to == last_day(
            month_of(self.valid_to)
        )

    def publish(self, by: str, at: datetime, others: Iterable[Tariff]) -> TariffPublished:
        """Let the rate count beside `others` of its kind, code and zone.

        Raises `SupersededUnknown` and `RateOverlaps`.
        """
        chain = self._superseded_by_me(list(others))
        for other in others:
            if other.id not in chain and other.valid_from <= self.valid_to and self.valid_from <= other.valid_to:
                raise RateOverlaps(
                    f"{other.id} holds from {other.valid_from} to {other.valid_to}; supersedes must name it."
                )
        self.published_by, self.published_at = by, at
        return self.published()

    def _superseded_by_me(self, others: Sequence[Tariff]) -> set[str]:
        by_id, chain, named = {other.id: other for other in others}, set(), self.supersedes
        if named is not None and named not in by_id:
            raise SupersededUnknown(f"No {self.kind} {self.code} ({self.zone}) has the id {named}.")
        while named is not None and named not in chain:
            chain.add(named)
            named = by_id[named].supersedes if named in by_id else None
        return chain

    def published(self) -> TariffPublished:
        return TariffPublished(
            tariff=self.id,
            kind=self.kind.value,
            code=self.code,
            zone=self.zone,
            scope=self.scope or NATIONAL,
            contract_year=self.contract_year,
            payee=self.payee.value,
            basis=self.basis.value,
            value=self.value,
            rate_period=self.rate_period.value,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            known_from=self.known_from,
            supersedes=self.supersedes,
            confidence=self.confidence.value,
        )


def in_force(tariffs: Iterable[Tariff], day: date, known_on: date, known_at: datetime | None = None) -> Tariff | None:
    """The one rate of a kind, code and zone that holds on `day` as known on `known_on`; `None` if there is none.

    `known_at` is the moment of that day, where one is asked about: a rate published later on that day is not known yet.
    """
    held = {
        t.id: t
        for t in tariffs
        if t.valid_from <= day <= t.valid_to and t.known_on <= known_on and not t.published_after(known_at)
    }
    replaced = {t.supersedes for t in held.values() if t.supersedes}
    left = [t for t in held.values() if t.id not in replaced]
    return max(left, key=lambda t: (t.known_on, t.published_at, t.id), default=None)


def rate_from(tariff: Tariff) -> Rate:
    """A rate as the engine counts with it."""
    return Rate(
        tariff=tariff.id,
        stream=tariff.code,
        payee=tariff.payee.value,
        basis=tariff.basis.value,
        value=tariff.value,
        rate_period=tariff.rate_period.value,
        months=tariff.window_months,
        confidence=tariff.confidence.value,
        sources=tuple(tariff.sources),
        scope="" if tariff.scope == NATIONAL else tariff.scope,
    )
