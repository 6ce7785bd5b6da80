"""What is measured of areas, in square metres and metres on the ground.

Areas are computed in the sinusoidal projection of the WGS84 ellipsoid, centred on the shape, which is true to area
everywhere; distances near its central meridian are right to well under one part in a thousand. Edges count as straight
between their positions in that projection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import ops
from shapely.geometry import MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

MAJOR = 6_378_137.0
E2 = 0.006_694_379_990_14
ENGLAND = (-6.5, 49.8, 1.9, 55.9)
"""West, south, east, north: the Isles of Scilly to Berwick and Lowestoft."""

NEAR_METRES = 50.0
"""A practice this close to its area counts as inside: locations and boundaries are drawn no better."""


def _projected(shape: BaseGeometry, meridian: float) -> BaseGeometry:
    def project(positions: NDArray[np.float64]) -> NDArray[np.float64]:
        longitude, latitude = np.radians(positions[:, 0] - meridian), np.radians(positions[:, 1])
        sine = np.sin(latitude)
        x = MAJOR * longitude * np.cos(latitude) / np.sqrt(1 - E2 * sine**2)
        return np.column_stack([x, _meridian_arc(latitude)])

    return shapely.transform(shape, project)


def _meridian_arc(latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Metres from the equator along a meridian of the ellipsoid."""
    a0 = 1 - E2 / 4 - 3 * E2**2 / 64 - 5 * E2**3 / 256
    a2 = 3 * E2 / 8 + 3 * E2**2 / 32 + 45 * E2**3 / 1024
    a4 = 15 * E2**2 / 256 + 45 * E2**3 / 1024
    a6 = 35 * E2**3 / 3072
    return MAJOR * (a0 * latitude - a2 * np.sin(2 * latitude) + a4 * np.sin(4 * latitude) - a6 * np.sin(6 * latitude))


def _centre(shape: BaseGeometry) -> float:
    west, _, east, _ = shape.bounds
    return float(west + east) / 2


@dataclass(frozen=True, slots=True)
class Spot:
    """A part of the map: a position inside it and how much ground it covers."""

    longitude: float
    latitude: float
    square_metres: float

    @property
    def position(self) -> tuple[float, float]:
        return self.longitude, self.latitude


def square_metres(shape: BaseGeometry) -> float:
    return float(_projected(shape, _centre(shape)).area)


def _spot(shape: BaseGeometry) -> Spot:
    inside = shape.representative_point()
    return Spot(round(float(inside.x), 5), round(float(inside.y), 5), square_metres(shape))


def detached_parts(shape: BaseGeometry) -> list[Spot]:
    """Parts that no ground connects to the largest one, largest first; parts that meet in a point are apart."""
    whole = ops.unary_union(shape)
    if not isinstance(whole, MultiPolygon):
        return []
    spots = sorted((_spot(part) for part in whole.geoms), key=lambda spot: -spot.square_metres)
    return spots[1:]


def holes(shape: BaseGeometry, filled_by: Sequence[BaseGeometry], sliver: float) -> list[Spot]:
    """Ground inside the area that is not of it and not of a neighbour's, above the tolerance."""
    whole = ops.unary_union(shape)
    polygons = list(whole.geoms) if isinstance(whole, MultiPolygon) else [whole]
    found = []
    for polygon in polygons:
        if not isinstance(polygon, Polygon):
            continue
        for ring in polygon.interiors:
            left: BaseGeometry = Polygon(ring)
            for other in filled_by:
                left = left.difference(other)
            if not left.is_empty and square_metres(left) > sliver:
                found.append(_spot(left))
    return found


def overlap(one: BaseGeometry, other: BaseGeometry) -> Spot | None:
    """The ground two areas share, if any: the place lies in its largest piece."""
    if not one.intersects(other):
        return None
    shared = one.intersection(other)
    pieces = [piece for piece in getattr(shared, "geoms", [shared]) if isinstance(piece, Polygon)]
    if not pieces:
        return None
    largest = _spot(max(pieces, key=lambda piece: float(piece.area)))
    return Spot(largest.longitude, largest.latitude, square_metres(MultiPolygon(pieces)))


def metres_outside(shape: BaseGeometry, longitude: float, latitude: float) -> float:
    """How far a place lies from an area; 0 inside it."""
    where = Point(longitude, latitude)
    if shape.covers(where):
        return 0.0
    return float(_projected(shape, longitude).distance(_projected(where, longitude)))


def outside_england(shape: BaseGeometry) -> bool:
    west, south, east, north = shape.bounds
    return bool(west < ENGLAND[0] or south < ENGLAND[1] or east > ENGLAND[2] or north > ENGLAND[3])
