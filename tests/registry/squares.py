"""Areas for tests: rectangles in the north of England, by their corners in hundredths of a degree from 2 W, 54 N."""

from __future__ import annotations

from typing import Any

Corners = tuple[float, float, float, float]


def ring(west: float, south: float, east: float, north: float, *, clockwise: bool = False) -> list[list[float]]:
    x0, y0, x1, y1 = -2 + west / 100, 54 + south / 100, -2 + east / 100, 54 + north / 100
    corners = [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]
    return [[round(x, 7), round(y, 7)] for x, y in (reversed(corners) if clockwise else corners)]


def square(west: float, south: float, east: float, north: float, *holes: Corners) -> dict[str, Any]:
    return {
        "type": "Polygon",
        "coordinates": [ring(west, south, east, north), *(ring(*hole, clockwise=True) for hole in holes)],
    }


def squares(*corners: Corners) -> dict[str, Any]:
    return {"type": "MultiPolygon", "coordinates": [[ring(*one)] for one in corners]}
