"""All of England as events, straight from the files: practices, populations of 1 January 2022, networks and members."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

from shared.events.base import Event
from shared.events.registry import (
    ListSize,
    ListSizesPublished,
    Member,
    NetworkApproved,
    PracticeFact,
    PracticesPublished,
)

SNAPSHOT = date(2022, 1, 1)


def rows(path: Path, encoding: str = "utf-8-sig") -> Iterator[list[str]]:
    with gzip.open(path, "rt", newline="", encoding=encoding) as file:
        reader = csv.reader(file)
        next(reader)
        yield from reader


def day(text: str) -> date | None:
    digits = text.strip()
    return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])) if digits else None


@dataclass
class Spell:
    network: str
    practice: str
    first: date
    last: date | None


@dataclass
class England:
    """The files as plain values; the test recomputes from these, the service from the events."""

    registered: dict[str, Decimal] = field(default_factory=dict)
    adjusted: dict[str, Decimal] = field(default_factory=dict)
    weighted: dict[str, Decimal] = field(default_factory=dict)
    published_network: dict[str, str | None] = field(default_factory=dict)
    commissioner: dict[str, str] = field(default_factory=dict)
    networks: dict[str, tuple[str, str, date, date | None]] = field(default_factory=dict)
    spells: list[Spell] = field(default_factory=list)
    published_networks: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)

    def members(self, on: date) -> dict[str, list[str]]:
        """Network to its member practices on a day."""
        found: dict[str, list[str]] = defaultdict(list)
        for spell in self.spells:
            _, _, opened, closed = self.networks[spell.network]
            last = min(spell.last or date.max, closed or date.max)
            if max(spell.first, opened) <= on <= last:
                found[spell.network].append(spell.practice)
        return found

    def events(self) -> Iterator[Event]:
        by_commissioner: dict[str, list[str]] = defaultdict(list)
        for practice, commissioner in self.commissioner.items():
            by_commissioner[commissioner].append(practice)
        for commissioner, practices in sorted(by_commissioner.items()):
            yield PracticesPublished(
                commissioner=commissioner,
                as_at=date(2022, 4, 27),
                practices=[
                    PracticeFact(practice=code, practice_name=code, commissioner=commissioner) for code in practices
                ],
            )
            for basis, figures in (
                ("registered", self.registered),
                ("adjusted", self.adjusted),
                ("weighted", self.weighted),
            ):
                named = self.published_network
                sizes = [
                    ListSize(practice=c, network=named.get(c), value=figures[c]) for c in practices if c in figures
                ]
                if sizes:
                    yield ListSizesPublished(
                        commissioner=commissioner,
                        basis=basis,
                        snapshot=SNAPSHOT,
                        known_from=date(2022, 3, 31),
                        source="B1357" if basis != "weighted" else "payments 2021/22",
                        sizes=sizes,
                    )
        spells: dict[str, list[Spell]] = defaultdict(list)
        for spell in self.spells:
            spells[spell.network].append(spell)
        for code, (name, commissioner, opened, closed) in self.networks.items():
            yield NetworkApproved(
                network=code,
                network_name=name,
                commissioner=commissioner,
                contract_year="2022-23",
                approved_on=opened,
                valid_from=opened,
                valid_to=closed,
                members=[
                    Member(practice=s.practice, valid_from=s.first, valid_to=s.last) for s in spells.get(code, [])
                ],
                decided_by="register",
            )


def england(data: Path) -> England:
    """Read the files. Weighted figures are the payments file's, for practices with a list on the snapshot day."""
    made = England()
    for row in rows(data / "derived" / "B1357_2022-01_practices.csv.gz"):
        code = row[1]
        made.published_network[code] = row[3] or None
        made.commissioner[code] = row[11]
        made.registered[code] = Decimal(row[14])
        made.adjusted[code] = Decimal(row[15])
    for row in rows(data / "derived" / "B1357_2022-01_pcns.csv.gz"):
        made.published_networks[row[0]] = (Decimal(row[2]), Decimal(row[3]))
    with gzip.open(data / "payments" / "nhs-payments-gp_2021-22.csv.gz", "rt", encoding="utf-8-sig") as file:
        for record in csv.DictReader(file):
            code = record["Practice Code"]
            figure = record["Number of Weighted Patients (Last Known Figure)"]
            if code in made.registered and figure:
                made.weighted[code] = Decimal(figure)
    for row in rows(data / "derived" / "ePCN_2022-04-27_details.csv.gz"):
        opened = day(row[4])
        if opened is not None:
            made.networks[row[0]] = (row[1], row[2], opened, day(row[5]))
    for row in rows(data / "derived" / "ePCN_2022-04-27_core_partners.csv.gz"):
        first = day(row[8])
        if first is not None and row[4] in made.networks:
            made.spells.append(Spell(row[4], row[0], first, day(row[9])))
            made.commissioner.setdefault(row[0], row[2])
    return made
