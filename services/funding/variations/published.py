"""What an approved variation publishes: rates, sums for additional roles and ceilings as rows of rates, and duties."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from services.funding.duties.model import Duty
from services.funding.tariffs.model import Basis, Confidence, Payee, RatePeriod, Tariff, TariffKind
from shared.facts import days, since

if TYPE_CHECKING:
    from services.funding.variations.model import Variation


def tariffs_of(variation: Variation, on: date) -> list[Tariff]:
    """The rows a variation publishes, known from a day on."""
    made = []
    for kind, name, row in _rows(variation):
        made.append(
            Tariff(
                id=f"{variation.id}.{name}",
                kind=kind,
                scope=variation.id,
                contract_year=variation.contract_year,
                valid_from=variation.valid_from,
                valid_to=variation.valid_to,
                known_from=on,
                supersedes=None,
                confidence=Confidence.ONE_SOURCE,
                sources=[variation.id],
                note=variation.name,
                **row,
            )
        )
    return made


def duties_of(variation: Variation, by: str, at: datetime) -> list[Duty]:
    """The duties a variation asks for, as they are kept beside the national ones."""
    return [
        Duty(
            scope=variation.id,
            duty=one["duty"],
            name=one["name"],
            description=one["description"],
            instead_of=one["instead_of"],
            basis=Basis(one["minutes"]["basis"]) if one["minutes"] else None,
            per_1000=Decimal(one["minutes"]["per_1000"]) if one["minutes"] else None,
            rounded_to=one["minutes"]["rounded_to"] if one["minutes"] else None,
            counted_at=None,
            confidence=Confidence.ONE_SOURCE,
            sources=[variation.id],
            published_by=by,
            published_at=at,
            valid=days(variation.valid_from, variation.valid_to),
            known=since(at),
        )
        for one in variation.duties
    ]


def _rows(variation: Variation) -> Iterator[tuple[TariffKind, str, dict[str, Any]]]:
    for item in variation.items:
        yield (
            TariffKind.STREAM,
            item["stream"],
            {
                "code": item["stream"],
                "zone": "national",
                "payee": Payee(item["payee"]),
                "basis": Basis(item["basis"]),
                "value": Decimal(item["value"]),
                "rate_period": RatePeriod(item["rate_period"]),
            },
        )
    for item in variation.sums:
        yield (
            TariffKind.ARRS_SUM,
            f"sum.{item['code']}",
            {
                "code": item["code"],
                "zone": "national",
                "payee": Payee.NETWORK,
                "basis": Basis.WEIGHTED,
                "value": Decimal(item["value"]),
                "rate_period": RatePeriod(item["rate_period"]),
            },
        )
    for item in (*variation.ceilings, *variation.roles):
        yield (
            TariffKind.ROLE_MAXIMUM,
            f"maximum.{item['role']}.{item['zone']}",
            {
                "code": item["role"],
                "zone": item["zone"],
                "payee": Payee.NETWORK,
                "basis": Basis.WTE,
                "value": Decimal(item["value"]),
                "rate_period": RatePeriod.YEAR,
            },
        )
