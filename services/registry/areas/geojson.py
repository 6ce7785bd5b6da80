"""Areas as GeoJSON (RFC 7946): a Polygon or MultiPolygon in WGS84, read with every fault named by its place."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import shapely
from shapely import ops
from shapely.geometry import LinearRing, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.validation import explain_validity

from shared.errors import Fault, Invalid

MOST_VERTICES = 20_000
MOST_FAULTS = 50
PLACES = 7
"""Decimal places of a degree that are kept: about a centimetre."""

_WHERE = re.compile(r"\[(-?[\d.e+-]+) (-?[\d.e+-]+)\]")
_WHY = {
    "Self-intersection": "self_intersection",
    "Ring Self-intersection": "self_intersection",
    "Hole lies outside shell": "hole_outside",
    "Holes are nested": "hole_in_hole",
    "Interior is disconnected": "interior_cut",
    "Nested shells": "part_in_part",
    "Duplicate Rings": "ring_twice",
}

Ring = list[tuple[float, float]]


class _Reader:
    """Walks the coordinates once and keeps what is wrong, each with the path and the place of it."""

    def __init__(self, field: str) -> None:
        self.field = field
        self.faults: list[Fault] = []
        self.vertices = 0

    def say(self, path: str, code: str, message: str) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(f"{self.field}.{path}" if path else self.field, code, message))

    def polygon(self, value: Any, path: str) -> list[Ring] | None:
        if not isinstance(value, list) or not value:
            self.say(path, "not_a_polygon", "A polygon is a list of rings, the outer one first.")
            return None
        rings = [self.ring(ring, f"{path}.{number}") for number, ring in enumerate(value)]
        return [ring for ring in rings if ring is not None] if None not in rings else None

    def ring(self, value: Any, path: str) -> Ring | None:
        if not isinstance(value, list):
            self.say(path, "not_a_ring", "A ring is a list of positions.")
            return None
        self.vertices += len(value)
        if self.vertices > MOST_VERTICES:
            return None
        before = len(self.faults)
        positions = [self.position(position, f"{path}.{number}") for number, position in enumerate(value)]
        if None in positions or len(self.faults) > before:
            return None
        ring = [position for position in positions if position is not None]
        if len(ring) < 4:
            self.say(path, "ring_too_short", "A ring has four positions or more, the last equal to the first.")
            return None
        if ring[0] != ring[-1]:
            self.say(path, "ring_not_closed", f"The ring begins at {place(ring[0])} and ends at {place(ring[-1])}.")
            return None
        return ring

    def position(self, value: Any, path: str) -> tuple[float, float] | None:
        if not isinstance(value, list) or not 2 <= len(value) <= 3:
            self.say(path, "not_a_position", "A position is longitude and latitude.")
            return None
        if any(isinstance(number, bool) or not isinstance(number, int | float) for number in value):
            self.say(path, "not_a_number", "Longitude and latitude are numbers.")
            return None
        try:
            longitude, latitude = float(value[0]), float(value[1])
        except OverflowError:
            longitude = latitude = math.inf
        if not math.isfinite(longitude) or not math.isfinite(latitude):
            self.say(path, "not_finite", "Longitude and latitude are finite numbers.")
            return None
        if not -180 <= longitude <= 180 or not -90 <= latitude <= 90:
            self.say(path, "out_of_range", f"{longitude:g}, {latitude:g} is nowhere: the longitude comes first.")
            return None
        return round(longitude, PLACES), round(latitude, PLACES)


def read_area(document: Mapping[str, Any], field: str = "area") -> tuple[BaseGeometry, dict[str, Any]]:
    """The shape of a GeoJSON geometry (or of a Feature around one), and the geometry alone as it may be kept.

    Raises `Invalid` with every fault: of the form, of the numbers, and of the shape.
    """
    reader = _Reader(field)
    kept = _geometry(document, reader)
    if kept is None:
        raise Invalid("The area is not one that can be read.", errors=reader.faults)
    several = kept["type"] == "MultiPolygon"
    parts = kept["coordinates"] if several else [kept["coordinates"]]
    paths = [f"coordinates.{number}" if several else "coordinates" for number in range(len(parts))]
    polygons = [reader.polygon(part, path) for part, path in zip(parts, paths, strict=True)]
    if reader.vertices > MOST_VERTICES:
        reader.say("coordinates", "too_many_vertices", f"An area has at most {MOST_VERTICES:,} positions.")
    if not reader.faults:
        for rings, path in zip(polygons, paths, strict=True):
            _check_shape(rings or [], path, reader)
    if reader.faults:
        raise Invalid("The area is not one that can be read.", errors=reader.faults)
    shapes = [Polygon(rings[0], rings[1:]) for rings in polygons if rings]
    _check_parts(shapes, paths, reader)
    if reader.faults:
        raise Invalid("The area is not one that can be read.", errors=reader.faults)
    shape = MultiPolygon(shapes) if several else shapes[0]
    geometry = _written(shape)
    return shape_of(geometry), geometry


def _written(shape: BaseGeometry) -> dict[str, Any]:
    geometry: dict[str, Any] = json.loads(shapely.to_geojson(shape))
    return geometry


def _check_parts(parts: Sequence[Polygon], paths: Sequence[str], reader: _Reader) -> None:
    """Parts of one area may meet but not lie on one another."""
    if len(parts) < 2:
        return
    tree = shapely.STRtree(parts)
    for number, part in enumerate(parts):
        for other in tree.query(part, predicate="intersects"):
            if other <= number:
                continue
            shared = part.intersection(parts[other])
            if shared.area > 0:
                where = shared.representative_point()
                message = f"It lies on part {number} at {place((where.x, where.y))}."
                reader.say(paths[other], "parts_overlap", message)


def _geometry(document: Mapping[str, Any], reader: _Reader) -> dict[str, Any] | None:
    geometry = document.get("geometry") if document.get("type") == "Feature" else document
    path = "geometry" if document.get("type") == "Feature" else ""
    if not isinstance(geometry, Mapping) or geometry.get("type") not in ("Polygon", "MultiPolygon"):
        reader.say(path or "type", "not_an_area", "An area is a Polygon or a MultiPolygon.")
        return None
    if "crs" in document or "crs" in geometry:
        reader.say("crs", "not_wgs84", "Coordinates are longitude and latitude in WGS84, and no other system is named.")
        return None
    coordinates = geometry.get("coordinates")
    if not isinstance(coordinates, list) or not coordinates:
        reader.say("coordinates", "empty", "The area has no coordinates.")
        return None
    return {"type": geometry["type"], "coordinates": coordinates}


def _check_shape(rings: Sequence[Ring], path: str, reader: _Reader) -> None:
    for number, ring in enumerate(rings):
        if not LinearRing(ring).is_valid or not Polygon(ring).is_valid:
            code, message = _explained(Polygon(ring))
            reader.say(f"{path}.{number}", code, message)
            return
    polygon = Polygon(rings[0], rings[1:])
    if polygon.area == 0:
        reader.say(path, "no_area", f"The ring at {place(rings[0][0])} encloses nothing.")
    elif not polygon.is_valid:
        code, message = _explained(polygon)
        reader.say(path, code, message)


def _explained(shape: BaseGeometry) -> tuple[str, str]:
    """Why GEOS calls a shape invalid, as a code and a sentence with the place."""
    why = explain_validity(shape)
    reason, found = why.split("[")[0].strip(), _WHERE.search(why)
    where = f" at {place((float(found[1]), float(found[2])))}" if found else ""
    return _WHY.get(reason, "invalid_shape"), f"{reason or 'Invalid shape'}{where}."


def place(position: Sequence[float]) -> str:
    """A position in words: 54.12345 N, 2.54321 W."""
    longitude, latitude = position[0], position[1]
    return f"{abs(latitude):.5f} {'N' if latitude >= 0 else 'S'}, {abs(longitude):.5f} {'E' if longitude >= 0 else 'W'}"


def wound_wrong(geometry: Mapping[str, Any]) -> list[str]:
    """Rings that do not wind as RFC 7946 asks: outer ones anticlockwise, holes clockwise. Each with its place."""
    several = geometry["type"] == "MultiPolygon"
    parts = geometry["coordinates"] if several else [geometry["coordinates"]]
    found = []
    for part in parts:
        for number, ring in enumerate(part):
            if LinearRing(ring).is_ccw != (number == 0):
                found.append(f"{'the outer ring' if number == 0 else 'a hole'} at {place(ring[0])}")
    return found


def wound(shape: BaseGeometry) -> dict[str, Any]:
    """A shape as GeoJSON that winds as RFC 7946 asks."""
    return _written(shapely.orient_polygons(shape, exterior_cw=False))


def shape_of(geometry: Mapping[str, Any]) -> BaseGeometry:
    """The shape of a geometry that was read before; parts that meet along a line are one."""
    shape: BaseGeometry = shapely.geometry.shape(dict(geometry))
    return shape if shape.is_valid else ops.unary_union(shape)
