"""England for measuring: from the real register files, or invented at once, three and ten times her size."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg.types.range import DateRange, TimestamptzRange

from bench.ground import copy_in
from services.registry.ods import readers
from services.registry.ods.list_lines import NO_NETWORK
from services.registry.ods.networks import DETAILS, PARTNERS
from services.registry.ods.populations import ADJUSTED, PAYMENTS
from shared.migrations import ROOT

SNAPSHOT = date(2022, 1, 1)
PUBLISHED = date(2022, 3, 31)
NETWORKS, PRACTICES, COMMISSIONERS, SYSTEMS, REGIONS = 1254, 6528, 106, 42, 7
LISTS = 61_499_630
NO_SPLIT = Decimal(1)


@dataclass(frozen=True, slots=True)
class RegisterFile:
    """One file as `POST /registry/v1/imports` takes it."""

    form: dict[str, str]
    files: dict[str, tuple[str, bytes]]


@dataclass
class Country:
    """Practices with their lists, networks and their members; days are first and last, `None` while open."""

    commissioners: list[str] = field(default_factory=list)
    practices: dict[str, str] = field(default_factory=dict)
    networks: dict[str, tuple[str, date, date | None]] = field(default_factory=dict)
    members: list[tuple[str, str, date, date | None]] = field(default_factory=list)
    sizes: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    named: dict[str, str | None] = field(default_factory=dict)

    def place(self, commissioner: str) -> tuple[int, int]:
        """The number of its system and its region."""
        number = self.commissioners.index(commissioner)
        system = number * SYSTEMS // COMMISSIONERS
        return system, system * REGIONS // SYSTEMS % REGIONS


def invented(times: int = 1) -> Country:
    """So many Englands; nobody in them exists, and every call gives the same."""
    chance = random.Random(times)  # noqa: S311 - not for secrets
    country = Country(commissioners=[f"{number:03X}" for number in range(256, 256 + COMMISSIONERS * times)])
    country.sizes = {"registered": {}, "adjusted": {}, "weighted": {}}
    opened = date(2019, 7, 1)
    for number in range(NETWORKS * times):
        lead = country.commissioners[number * COMMISSIONERS // NETWORKS]
        country.networks[f"U{number + 1:05d}"] = (lead, opened, None)
    codes = list(country.networks)
    for number in range(PRACTICES * times):
        code = f"{'ABCDEFGHJKLMNPVWY'[number // 10_000]}{number % 10_000:04d}0"
        # one in two hundred stays outside, as in England
        network = None if number % 200 == 199 else codes[number * NETWORKS // PRACTICES]
        country.practices[code] = (
            country.networks[network][0] if network else country.commissioners[number * COMMISSIONERS // PRACTICES]
        )
        if network:
            country.members.append((network, code, opened, None))
        patients = chance.randint(1500, 2 * LISTS // PRACTICES - 1500)
        country.named[code] = network
        country.sizes["registered"][code] = Decimal(patients)
        country.sizes["adjusted"][code] = Decimal(patients) * chance.randint(900_000, 1_100_000) / 1_000_000
        country.sizes["weighted"][code] = Decimal(patients * chance.randint(80, 120)) / 100
    return country


def england(data: Path | None) -> Country:
    """The real one from the register's files by the register's own readers; where they are not, an invented one."""
    if data is None:
        return invented()
    country = Country(sizes={"registered": {}, "adjusted": {}, "weighted": {}})
    sheets = _sheets(data / "ods" / "ePCN_2022-04-27.xlsx")
    for cell in _records(sheets, DETAILS):
        opened = readers.day(cell("open date"), "open date")
        assert opened is not None
        closed = readers.day(cell("close date"), "close date", required=False)
        country.networks[cell("network")] = (cell("commissioner"), opened, closed)
    for cell in _records(sheets, PARTNERS):
        first = readers.day(cell("start"), "start")
        assert first is not None
        country.practices[cell("practice")] = cell("commissioner")
        last = readers.day(cell("end"), "end", required=False)
        country.members.append((cell("network"), cell("practice"), first, last))
    for cell in _records(_sheets(data / "lists" / "B1357-PCN-Adjusted-Populations-v1.3_2022-01.xlsx"), ADJUSTED):
        code, named = cell("practice"), str(cell("network")).strip()
        country.practices[code] = cell("commissioner")
        country.named[code] = None if named.upper() in NO_NETWORK else named
        for basis in ("registered", "adjusted"):
            country.sizes[basis][code] = readers.head_count(cell(basis), basis)
    for cell in _records(_sheets(data / "payments" / "nhs-payments-gp_2021-22.csv.gz"), PAYMENTS):
        if cell("practice") in country.practices and cell("weighted"):
            country.sizes["weighted"][cell("practice")] = readers.head_count(cell("weighted"), "weighted")
    leads = {lead for lead, _, _ in country.networks.values()}
    country.commissioners = sorted({*country.practices.values(), *leads})
    return country


def _sheets(path: Path) -> list[readers.Sheet]:
    return readers.open_sheets(readers.Upload(path.name, path.read_bytes()))


def _records(sheets: Sequence[readers.Sheet], headings: Any) -> Iterator[Any]:
    table = readers.find_table(sheets, headings)
    assert table is not None
    for _, cell in table.records():
        yield cell


def real_files(data: Path) -> list[RegisterFile]:
    """The files of the manifest for all of England, in its order."""
    return listed_files("england.yaml", data)


def listed_files(manifest: str, data: Path) -> list[RegisterFile]:
    """The files of a manifest in its order; those of `here` lie beside it."""
    deploy = ROOT / "deploy"
    listed = yaml.safe_load((deploy / manifest).read_text("utf-8"))["files"]
    paths = [deploy / entry["here"] if "here" in entry else data / entry["path"] for entry in listed]
    return [
        RegisterFile(
            {name: str(value) for name, value in entry.items() if name not in ("path", "here")},
            {"file": (path.name, path.read_bytes())},
        )
        for entry, path in zip(listed, paths, strict=True)
    ]


def _csv(name: str, rows: Iterable[Sequence[Any]]) -> tuple[str, bytes]:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return name, text.getvalue().encode()


def _heads(headings: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [names[0] for names in headings.values()]


def invented_files(country: Country) -> list[RegisterFile]:
    """The same five files a real register sends, for an invented country."""
    placed = [
        [code, f"COMMISSIONER {code}", f"Q{system:02d}", f"SYSTEM {system}", f"Y5{region}", f"REGION {region}"]
        for code in country.commissioners
        for system, region in [country.place(code)]
    ]
    names = ("Commissioner Code", "Commissioner Name", "System Code", "System Name", "COMM_REGION_CODE", "Region Name")
    practices = []
    for code, commissioner in country.practices.items():
        cells = [""] * 27
        cells[0], cells[1], cells[2], cells[3] = code, f"SURGERY {code}", "Y51", "Q00"
        cells[10], cells[12], cells[14], cells[15], cells[25] = "19740401", "A", commissioner, "20200401", "4"
        practices.append(cells)
    details = [
        [code, f"NETWORK {code}", lead, f"{opened:%Y%m%d}", ""] for code, (lead, opened, _) in country.networks.items()
    ]
    partners = [
        [practice, f"SURGERY {practice}", country.practices[practice], network, f"{first:%Y%m%d}", ""]
        for network, practice, first, _ in country.members
    ]
    adjusted = [
        [
            "Yes" if country.named[code] else "No",
            code,
            f"SURGERY {code}",
            country.named[code] or "",
            commissioner,
            country.sizes["registered"][code],
            country.sizes["adjusted"][code],
        ]
        for code, commissioner in country.practices.items()
    ]
    payments = [
        [code, f"SURGERY {code}", commissioner, "GMS", country.sizes["weighted"][code]]
        for code, commissioner in country.practices.items()
    ]
    day, snapshot = {"published_on": "2022-03-31"}, {"snapshot": str(SNAPSHOT)}
    return [
        RegisterFile({"kind": "hierarchy", **day, **snapshot}, {"file": _csv("hierarchy.csv", [names, *placed])}),
        RegisterFile({"kind": "epraccur", **day}, {"file": _csv("epraccur.csv", practices)}),
        RegisterFile(
            {"kind": "epcn", **day},
            {
                "file": _csv("details.csv", [_heads(DETAILS), *details]),
                "partners": _csv("partners.csv", [_heads(PARTNERS), *partners]),
            },
        ),
        RegisterFile(
            {"kind": "adjusted-populations", **day, **snapshot},
            {"file": _csv("adjusted.csv", [_heads(ADJUSTED), *adjusted])},
        ),
        RegisterFile(
            {"kind": "practice-payments", **day, **snapshot},
            {"file": _csv("payments.csv", [_heads(PAYMENTS), *payments])},
        ),
    ]


async def copy_into_funding(connection: psycopg.AsyncConnection[Any], country: Country) -> None:
    """What funding would hold had every event of the country arrived."""
    known = TimestamptzRange(datetime(2022, 3, 31, tzinfo=UTC), None)
    at = datetime(2022, 3, 31, tzinfo=UTC)
    async with connection.transaction():
        await copy_in(
            connection,
            "practices",
            ["code", "name", "commissioner", "status", "position"],
            ([code, f"Surgery {code}", of, "active", 1] for code, of in country.practices.items()),
        )
        await copy_in(
            connection,
            "networks",
            ["code", "name", "commissioner", "approved_on", "valid_from", "valid_to", "position", "closing_position"],
            (
                [code, f"Network {code}", lead, opened, opened, closed, 1, 0]
                for code, (lead, opened, closed) in country.networks.items()
            ),
        )
        await copy_in(
            connection,
            "accounts",
            ["network", "opened_on", "opened_at", "version"],
            ([code, opened, at, 1] for code, (_, opened, _) in country.networks.items()),
        )
        await copy_in(
            connection,
            "memberships",
            ["network", "practice", "share", "valid", "known", "position"],
            (
                [network, practice, NO_SPLIT, DateRange(first, last, "[]" if last else "[)"), known, 1]
                for network, practice, first, last in _spells(country)
            ),
        )
        await copy_in(
            connection,
            "populations",
            [
                "practice",
                "basis",
                "snapshot",
                "value",
                "network",
                "commissioner",
                "source",
                "confidence",
                "published_on",
                "known",
                "position",
            ],
            (
                [code, basis, SNAPSHOT, value, country.named.get(code), of, "bench", "one_source", PUBLISHED, known, 1]
                for basis, figures in country.sizes.items()
                for code, value in figures.items()
                for of in [country.practices[code]]
            ),
        )
    await connection.execute("ANALYZE")


def _spells(country: Country) -> Iterator[tuple[str, str, date, date | None]]:
    """Memberships of known networks, without the repetitions real files have."""
    until: dict[tuple[str, str], date] = {}
    for network, practice, first, last in sorted(country.members, key=lambda spell: (spell[2], spell[0], spell[1])):
        if network in country.networks and first > until.get((network, practice), date.min):
            until[network, practice] = last or date.max
            yield network, practice, first, last
