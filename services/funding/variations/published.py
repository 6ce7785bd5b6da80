"""What an approved variation publishes: its rates, its sums for additional roles and its ceilings, as rows of rates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from services.funding.tariffs.model import Basis, Confidence, Payee, RatePeriod, Tariff, TariffKind

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
