"""What is found of areas beside one another: of the form, of the ground, and of the practices on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shapely.geometry.base import BaseGeometry

from services.registry.areas.geojson import place, wound_wrong
from services.registry.areas.geometry import (
    NEAR_METRES,
    Spot,
    detached_parts,
    holes,
    metres_outside,
    outside_england,
    overlap,
)
from services.registry.areas.model import Finding


@dataclass(frozen=True, slots=True)
class Drawn:
    """An area on the map and what it is called there; `key` is the code of its network or application."""

    key: str
    name: str
    shape: BaseGeometry


@dataclass(frozen=True, slots=True)
class Located:
    """A practice at a place."""

    practice: str
    name: str
    longitude: float
    latitude: float


def findings_of(
    geometry: Mapping[str, Any],
    shape: BaseGeometry,
    neighbours: Sequence[Drawn],
    members: Sequence[Located],
    sliver: float,
) -> list[Finding]:
    """Everything found of one area, with the places named; `sliver` is the square metres that two may share."""
    return [
        *_winding(geometry),
        *_abroad(shape),
        *_apart(shape),
        *_holed(shape, [other.shape for other in neighbours], sliver),
        *_overlaps(shape, neighbours, sliver),
        *_outside(shape, members),
    ]


def _winding(geometry: Mapping[str, Any]) -> list[Finding]:
    wrong = wound_wrong(geometry)
    if not wrong:
        return []
    message = f"{'; '.join(wrong[:5])}: wound the other way than RFC 7946 asks. The area is kept wound right."
    return [Finding("wrong_ring_order", "wrong_ring_order", message, blocking=False)]


def _abroad(shape: BaseGeometry) -> list[Finding]:
    if not outside_england(shape):
        return []
    west, south, east, north = shape.bounds
    message = (
        f"The area lies from {place((west, south))} to {place((east, north))}, not wholly in England: "
        "is the longitude first?"
    )
    return [Finding("outside_england", "outside_england", message, (west, south))]


def _listed(spots: Sequence[Spot]) -> str:
    named = "; ".join(f"{place(spot.position)} ({spot.square_metres / 1e6:.2f} km²)" for spot in spots[:10])
    return named + (f" and {len(spots) - 10} more" if len(spots) > 10 else "")


def _apart(shape: BaseGeometry) -> list[Finding]:
    parts = detached_parts(shape)
    if not parts:
        return []
    message = f"The area is in {len(parts) + 1} pieces; apart from the largest lie {_listed(parts)}."
    metres = round(sum(part.square_metres for part in parts))
    return [Finding("not_contiguous", "not_contiguous", message, parts[0].position, metres)]


def _holed(shape: BaseGeometry, filled_by: Sequence[BaseGeometry], sliver: float) -> list[Finding]:
    open_ground = holes(shape, filled_by, sliver)
    if not open_ground:
        return []
    message = f"Ground inside the area belongs to no network: {_listed(open_ground)}."
    metres = round(sum(spot.square_metres for spot in open_ground))
    return [Finding("hole", "hole", message, open_ground[0].position, metres)]


def _overlaps(shape: BaseGeometry, neighbours: Sequence[Drawn], sliver: float) -> list[Finding]:
    found = []
    for other in neighbours:
        shared = overlap(shape, other.shape)
        if shared is not None and shared.square_metres > sliver:
            message = (
                f"It shares {shared.square_metres / 1e6:.3f} km² with {other.name}, around {place(shared.position)}."
            )
            metres = round(shared.square_metres)
            found.append(Finding(f"overlap:{other.key}", "overlap", message, shared.position, metres))
    return found


def _outside(shape: BaseGeometry, members: Sequence[Located]) -> list[Finding]:
    found = []
    for member in members:
        metres = metres_outside(shape, member.longitude, member.latitude)
        if metres > NEAR_METRES:
            where = (member.longitude, member.latitude)
            message = f"{member.name} at {place(where)} lies {metres:,.0f} m outside the area."
            found.append(Finding(f"outside:{member.practice}", "practice_outside", message, where))
    return found
