"""The data a journey goes through: a manifest that names the files, and the applications of one area."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parents[1]
SAMPLE = HERE / "sample"


@dataclass(frozen=True)
class SourceFile:
    """One file to import: what it is, when it was published, which day it counts."""

    kind: str
    path: Path
    partners: Path | None
    published_on: str
    snapshot: str | None


@dataclass(frozen=True)
class JourneyData:
    """Where the files are and what the journey does with them; `round` is what the registry is told of the round."""

    title: str
    files: list[SourceFile]
    round: dict[str, str]
    decided_on: str
    applications: Path
    areas: Path | None
    allocations: list[dict[str, str]]
    expect: dict[str, str]

    @property
    def area(self) -> str:
        return self.round["commissioner"]

    @property
    def contract_year(self) -> str:
        return self.round["contract_year"]

    @property
    def snapshot(self) -> str:
        return self.round["snapshot"]


def load(folder: Path | None) -> JourneyData:
    """The sample, or the real files in `folder` (by its own manifest.yaml, else by the one for all of England).

    Raises `FileNotFoundError` naming every file that is missing.
    """
    root = SAMPLE if folder is None else folder
    own = root / "manifest.yaml"
    manifest_path = own if own.exists() else HERE / "england.yaml"
    manifest: dict[str, Any] = yaml.safe_load(manifest_path.read_text(encoding="utf-8"))
    files = [
        SourceFile(
            kind=entry["kind"],
            path=root / entry["path"],
            partners=root / entry["partners"] if entry.get("partners") else None,
            published_on=str(entry["published_on"]),
            snapshot=str(entry["snapshot"]) if entry.get("snapshot") else None,
        )
        for entry in manifest["files"]
    ]
    applications = manifest_path.parent / manifest["applications"]
    areas = manifest_path.parent / manifest["areas"] if "areas" in manifest else None
    listed = (path for file in files for path in (file.path, file.partners))
    wanted = [path for path in (applications, areas, *listed) if path]
    missing = [str(path) for path in wanted if not path.is_file()]
    if missing:
        raise FileNotFoundError(f"not there: {', '.join(missing)}")
    round_ = {name: str(value) for name, value in manifest["round"].items()}
    return JourneyData(
        title=manifest["title"],
        files=files,
        decided_on=round_.pop("decided_on"),
        round=round_,
        applications=applications,
        areas=areas,
        allocations=[{name: str(value) for name, value in entry.items()} for entry in manifest["allocations"]],
        expect={name: str(value) for name, value in manifest["expect"].items()},
    )


GIVEN = {"yes": True, "no": False}


def applications_in(path: Path, areas: Path | None = None) -> list[dict[str, Any]]:
    """The registration forms, as the API takes them, and the day each was received.

    `areas` is a GeoJSON feature collection with the area of each network by its `network_name`.
    """
    drawn = {}
    if areas is not None:
        features = json.loads(areas.read_text(encoding="utf-8"))["features"]
        drawn = {feature["properties"]["network_name"]: feature["geometry"] for feature in features}
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {
                "network_name": row["network_name"],
                "network": row.get("network") or None,
                "proposed_code": row.get("proposed_code") or None,
                "practices": [{"practice": code} for code in row["practices"].split()],
                "clinical_director": {"name": row["clinical_director"], "practice": row["director_practice"]},
                "payee": row["payee"],
                "bank_details_given": GIVEN.get(row.get("bank_details_given", "")),
                "agreement_signed_by": row["agreement_signed_by"].split(),
                "area_description": row["area_description"],
                "area": drawn.get(row["network_name"]),
                "size_waiver_reason": row["size_waiver_reason"] or None,
                "received_on": row["received_on"],
            }
            for row in csv.DictReader(file)
        ]
