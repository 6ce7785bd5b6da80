"""A local variation: terms proposed by a commissioner, approved nationally, for practices that agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.funding.base import Base
from services.funding.tariffs.model import Tariff
from services.funding.variations.published import tariffs_of
from shared.database import Code, Money, Timestamp, Versioned, Words, text_enum
from shared.errors import Refused
from shared.events.funding import VariationApproved, VariedCap, VariedDuty, VariedRole
from shared.history import kept


class IifNeverVaries(Refused):
    """The investment and impact fund is the same everywhere; no local variation touches it."""


class Totals(NamedTuple):
    """What practices' networks would be entitled to in the variation's months: the streams it replaces or adds, and the
    sum for additional roles where it has one of its own."""

    national: Decimal
    varied: Decimal


class BelowNationalTotal(Refused):
    """A variation invests no less in its practices than the national rates it replaces."""

    def __init__(self, detail: str = "", totals: Totals | None = None) -> None:
        super().__init__(detail)
        self.totals = totals or Totals(Decimal("0.00"), Decimal("0.00"))


class NationalTotalUnknown(Refused):
    """What the national rates come to for these practices cannot be told, so nobody can say it is not undercut."""


class VariationDecided(Refused):
    """The variation was approved or refused before."""


class SamePersonApproves(Refused):
    """Whoever proposed a variation may not approve it."""


class NobodyConsented(Refused):
    """A variation counts only for practices that agreed to it; none has."""


class VariationStatus(StrEnum):
    PROPOSED = "proposed"
    APPROVED = "approved"
    REFUSED = "refused"


class Overtaken(NamedTuple):
    """An approved variation that comes to less than the national rates as they are known now, or, without totals, one
    that cannot be compared with them any more."""

    variation: str
    totals: Totals | None
    detail: str


@kept(entered="proposed_at")
class Variation(Base, Versioned):
    """Terms that stand in for national ones from `valid_from` to `valid_to`, for practices that agreed.

    `items` are rates: `stream`, `payee`, `basis`, `value` and `rate_period`. A stream that does not exist nationally is
    one more payment. Of additional roles `sums` are sums per weighted head (`code`, `value`, `rate_period`), `ceilings`
    the most for one whole-time equivalent a year (`role`, `zone`, `value`), `caps` numbers of whole-time equivalents
    (`role`, `below_100000`, `from_100000`, both null for none), `roles` further ones (`role`, `name`, `zone`, `value`).
    `duties` are what is delivered for it (`duty`, `name`, `description`, `instead_of`, `minutes`). Totals are of all
    practices named, as known when it was last judged.
    """

    __tablename__ = "variations"
    __table_args__ = (
        CheckConstraint("valid_from <= valid_to", name="days_in_order"),
        Index("ix_variations_commissioner", "commissioner"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[Words]
    commissioner: Mapped[Code]
    contract_year: Mapped[Code]
    valid_from: Mapped[date]
    valid_to: Mapped[date]
    practices: Mapped[list[str]] = mapped_column(ARRAY(String(32)))
    items: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    sums: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, server_default="[]")
    ceilings: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, server_default="[]")
    caps: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, server_default="[]")
    roles: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, server_default="[]")
    duties: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list, server_default="[]")
    status: Mapped[VariationStatus] = mapped_column(text_enum(VariationStatus))
    national_total: Mapped[Money]
    varied_total: Mapped[Money]
    proposed_by: Mapped[Words]
    proposed_at: Mapped[Timestamp]
    decided_by: Mapped[Words | None]
    decided_at: Mapped[Timestamp | None]
    reason: Mapped[Words | None]

    def concerns(self) -> Iterable[str]:
        return [self.commissioner, *self.practices]

    def judge(self, totals: Totals) -> None:
        """Keep what it comes to. Raises `BelowNationalTotal`."""
        refuse_below(totals, f"for the {len(self.practices)} practices named")
        self.national_total, self.varied_total = totals

    def _open(self) -> None:
        if self.status is not VariationStatus.PROPOSED:
            raise VariationDecided(f"The variation was {self.status.value} on {self.decided_at:%Y-%m-%d}.")

    def approve(self, consented: Sequence[str], totals: Totals, *, by: str, at: datetime, on: date) -> list[Tariff]:
        """Let the terms count for practices that agreed, and give its rates as they are to be published.

        `totals` are of the `consented` practices, `on` is the day from which the rates are known.
        Raises `VariationDecided`, `SamePersonApproves`, `NobodyConsented` and `BelowNationalTotal`.
        """
        self._open()
        if by == self.proposed_by:
            raise SamePersonApproves(f"{by} proposed this variation; somebody else must approve it.")
        if not consented:
            raise NobodyConsented("No practice has agreed to the variation yet.")
        refuse_below(totals, f"for the {len(consented)} practices that agreed")
        self.status, self.decided_by, self.decided_at = VariationStatus.APPROVED, by, at
        return tariffs_of(self, on)

    def approved(self, on: date) -> VariationApproved:
        return VariationApproved(
            variation=self.id,
            variation_name=self.name,
            commissioner=self.commissioner,
            contract_year=self.contract_year,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            practices=self.practices,
            roles=[
                VariedRole(role=one["role"], role_name=one["name"], ceiling=Decimal(one["value"])) for one in self.roles
            ],
            caps=[VariedCap(**one) for one in self.caps],
            duties=[
                VariedDuty(
                    duty=one["duty"],
                    duty_name=one["name"],
                    description=one["description"],
                    instead_of=one["instead_of"],
                    **{name: value for name, value in (one["minutes"] or {}).items() if name != "rounded_to"},
                )
                for one in self.duties
            ],
            approved_on=on,
        )

    def refuse(self, reason: str, *, by: str, at: datetime) -> None:
        """Turn the variation down. Raises `VariationDecided`."""
        self._open()
        self.status, self.decided_by, self.decided_at, self.reason = VariationStatus.REFUSED, by, at, reason


def refuse_below(totals: Totals, whom: str) -> None:
    """Raises `BelowNationalTotal`."""
    if totals.varied < totals.national:
        raise BelowNationalTotal(
            f"The variation comes to £{totals.varied:,.2f} {whom}, the national rates to £{totals.national:,.2f}.",
            totals,
        )


def refuse_iif(streams: Iterable[str]) -> None:
    """Raises `IifNeverVaries`."""
    touched = sorted(stream for stream in streams if stream == "iif" or stream.startswith("iif_"))
    if touched:
        raise IifNeverVaries(f"{', '.join(touched)} cannot be varied.")
