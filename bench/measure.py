"""A row of the table: what was measured, its floor, their ratio and the target."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Target:
    """What a row is to reach: bounds on its ratio to the floor, on its value, or both."""

    ratio_at_least: float | None = None
    ratio_at_most: float | None = None
    value_at_least: float | None = None
    value_at_most: float | None = None

    def met(self, value: float, ratio: float | None) -> bool:
        bounds = (
            (ratio, self.ratio_at_least, 1),
            (ratio, self.ratio_at_most, -1),
            (value, self.value_at_least, 1),
            (value, self.value_at_most, -1),
        )
        return all(
            figure is not None and (figure - bound) * sign >= 0 for figure, bound, sign in bounds if bound is not None
        )

    def __str__(self) -> str:
        parts = [
            f"ratio>={self.ratio_at_least:g}" if self.ratio_at_least is not None else "",
            f"ratio<={self.ratio_at_most:g}" if self.ratio_at_most is not None else "",
            f">={self.value_at_least:g}" if self.value_at_least is not None else "",
            f"<={self.value_at_most:g}" if self.value_at_most is not None else "",
        ]
        return " ".join(part for part in parts if part) or "-"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: the median of `samples`, beside the median of `floors`.

    `ratio` is the median of the ratios of each sample to the floor measured next to it, so that what slows the machine
    for a while slows both.
    """

    name: str
    unit: str
    samples: Sequence[float]
    target: Target
    floors: Sequence[float] = ()
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> float:
        return median(self.samples)

    @property
    def floor(self) -> float | None:
        return median(self.floors) if self.floors else None

    @property
    def ratio(self) -> float | None:
        if not self.floors:
            return None
        if len(self.floors) == len(self.samples):
            return median(value / floor for value, floor in zip(self.samples, self.floors, strict=True))
        return self.value / median(self.floors)

    @property
    def spread(self) -> float:
        """Half the distance from the least to the greatest sample, in per cent of the median."""
        return 100 * (max(self.samples) - min(self.samples)) / 2 / self.value if self.value else 0.0

    @property
    def ok(self) -> bool:
        return self.target.met(self.value, self.ratio)

    def cells(self) -> list[str]:
        return [
            self.name,
            figure(self.value),
            self.unit,
            f"±{self.spread:.0f}%" if len(self.samples) > 1 else "once",
            "-" if self.floor is None else figure(self.floor),
            "-" if self.ratio is None else f"{self.ratio:.2f}",
            str(self.target),
            "ok" if self.ok else "short",
        ]

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "spread_percent": self.spread,
            "samples": list(self.samples),
            "floor": self.floor,
            "floors": list(self.floors),
            "ratio": self.ratio,
            "target": str(self.target),
            "ok": self.ok,
            **self.more,
        }


HEAD = ["name", "value", "unit", "spread", "floor", "ratio", "target", "verdict"]


def figure(value: float) -> str:
    """Three digits that matter, and no more."""
    if value == 0:
        return "0"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{places}f}"


async def seconds(work: Callable[[], Awaitable[Any]]) -> float:
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that `part` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * part) - 1)]


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """The power of size that time grows with: the slope of a straight line through the logarithms."""
    logs = [(math.log(size), math.log(taken)) for size, taken in points]
    mean_x = sum(x for x, _ in logs) / len(logs)
    mean_y = sum(y for _, y in logs) / len(logs)
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / sum((x - mean_x) ** 2 for x, _ in logs)
