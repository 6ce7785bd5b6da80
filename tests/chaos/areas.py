"""Invented areas, the same for the same seed: their register files, their networks and who works there."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

SNAPSHOTS = ("2022-01-01", "2023-01-01")
REGION, SYSTEM = "Y5Z", "QZ1"


@dataclass(frozen=True)
class Practice:
    code: str
    commissioner: str
    lists: tuple[tuple[int, Decimal, Decimal], ...]
    """By snapshot: registered, adjusted and weighted patients."""

    @property
    def name(self) -> str:
        return f"SURGERY {self.code} (INVENTED)"


@dataclass(frozen=True)
class Team:
    """One network to be, and the month of one person in it."""

    code: str
    practices: tuple[str, ...]
    salary: Decimal
    rejected: bool

    @property
    def name(self) -> str:
        return f"Invented network {self.code}"


@dataclass(frozen=True)
class Area:
    code: str
    practices: tuple[Practice, ...]
    teams: tuple[Team, ...]
    left_out: str

    @property
    def name(self) -> str:
        return f"INVENTED COMMISSIONER - {self.code}"

    def ground(self, place: int) -> dict[str, Any]:
        """The map of its network at this place: beside the other's, and away from those of every other area."""
        west = -3 + (ord(self.code[0]) - ord("A")) * 0.3 + place * 0.1
        south = 51 + int(self.code[1:]) * 0.03
        corners = [(west, south), (west + 0.1, south), (west + 0.1, south + 0.02), (west, south + 0.02), (west, south)]
        return {"type": "Polygon", "coordinates": [[[round(x, 2), round(y, 2)] for x, y in corners]]}


@dataclass(frozen=True)
class Wave:
    """What happens between two months' payments."""

    number: int
    month: str
    areas: tuple[Area, ...]

    def files(self) -> list[tuple[dict[str, str], str, bytes]]:
        """Each register file of the wave: the form it goes with, its name, its content."""
        practices = [practice for area in self.areas for practice in area.practices]
        areas = {area.code: area for area in self.areas}
        found = [
            ({"kind": "hierarchy", "published_on": "2021-12-20", "snapshot": "2020-04-01"}, "hierarchy", self._map()),
            ({"kind": "epraccur", "published_on": "2021-12-20"}, "epraccur", _csv(None, map(_register, practices))),
        ]
        for number, snapshot in enumerate(SNAPSHOTS):
            about = {"published_on": f"{int(snapshot[:4])}-01-05", "snapshot": snapshot}
            adjusted = (
                ["No", p.code, p.name, "", "", "", "", p.commissioner, areas[p.commissioner].name, "N/A",
                 p.lists[number][0], p.lists[number][1]]
                for p in practices
            )  # fmt: skip
            paid = (
                [REGION, "INVENTED REGION", p.commissioner, areas[p.commissioner].name, "Unknown or no PCN",
                 "Unknown or no PCN", p.code, p.name, "GMS", p.lists[number][0], p.lists[number][2]]
                for p in practices
            )  # fmt: skip
            found += [
                ({"kind": "adjusted-populations", **about}, f"adjusted-{snapshot}", _csv(_ADJUSTED, adjusted)),
                ({"kind": "practice-payments", **about}, f"payments-{snapshot}", _csv(_PAYMENTS, paid)),
            ]
        return [(form, f"wave-{self.number}-{name}.csv", content) for form, name, content in found]

    def _map(self) -> bytes:
        heading = ["Commissioner Code", "Commissioner Name", "System Code", "System Name", "Region Code", "Region Name"]
        rows = ([a.code, a.name, SYSTEM, "INVENTED BOARD", REGION, "INVENTED REGION"] for a in self.areas)
        return _csv(heading, rows)


_ADJUSTED = [
    "PCN member", "Practice Code", "Practice Name", "PCN Code", "PCN Name", "PCN Parent CCG Code",
    "PCN Parent CCG Name", "Practice Parent CCG Code", "Practice Parent CCG Name", "Practice CCG and PCN CCG Match",
    "Raw list size", "PCN adjusted population",
]  # fmt: skip
_PAYMENTS = [
    "NHS England (Region) code", "NHS England (Region) Name", "CCG Code", "CCG NAME", "PCN Code", "PCN Name",
    "Practice Code", "Practice Name", "Contract Type", "Number of Registered Patients (Last Known Figure)",
    "Number of Weighted Patients (Last Known Figure)",
]  # fmt: skip


def _register(practice: Practice) -> list[object]:
    place = ["THE HEALTH CENTRE", "1 INVENTED STREET", "", "SAMPLETOWN", "", "ZZ99 1AA", "19900101", "", "A", "B"]
    rest = ["", "", "", "", "", "0", "", practice.commissioner, "", "4", ""]
    return [practice.code, practice.name, REGION, SYSTEM, *place, practice.commissioner, "20200401", *rest]


def _csv(heading: list[str] | None, rows: object) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    if heading is not None:
        writer.writerow(heading)
    writer.writerows(rows)  # type: ignore[arg-type]
    return text.getvalue().encode()


def wave(seed: int, number: int, areas: int) -> Wave:
    """The wave of this number; waves run through the months from April 2022."""
    year, month = divmod(3 + number, 12)
    return Wave(number, f"{2022 + year}-{month + 1:02d}", tuple(_area(seed, number, index) for index in range(areas)))


def _area(seed: int, number: int, index: int) -> Area:
    chance = Random(f"{seed}/{number}/{index}")  # noqa: S311 - the same every time is what it is for
    code = f"{'ABCDEFGHJK'[index]}{number:02d}"
    practices = []
    for place in range(6):
        lists = []
        for _ in SNAPSHOTS:
            registered = chance.randint(9_000, 16_000)
            adjusted = Decimal(registered) * chance.randint(900, 1100) / 1000
            weighted = Decimal(registered) * chance.randint(880, 1120) / 1000
            lists.append((registered, adjusted.quantize(Decimal("0.0001")), weighted.quantize(Decimal("0.01"))))
        practices.append(Practice(f"Z{number:02d}{index}{place:02d}", code, tuple(lists)))
    codes = [practice.code for practice in practices]
    teams = (
        _team(chance, f"U{number:02d}{index}01", codes[:3]),
        _team(chance, f"U{number:02d}{index}02", codes[3:5]),
    )
    return Area(code, tuple(practices), teams, codes[5])


def _team(chance: Random, code: str, practices: list[str]) -> Team:
    salary = Decimal(chance.randint(200_000, 420_000)) / 100
    return Team(code, tuple(practices), salary, chance.random() < 0.25)
