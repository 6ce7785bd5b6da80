"""The data a journey goes through: a manifest that names the files, and the applications of one area."""

from __future__ import annotations

import csv
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
    """Where the files are and what the journey does with them."""

    name: str
    invented: bool
    files: list[SourceFile]
    area: str | None
    applications: Path | None
    contract_year: str
    snapshot: str
    published_networks: int | None


def load(folder: Path | None) -> JourneyData:
    """The sample, or the real files in `folder` (its own manifest.yaml, else the one for all of England).

    Raises `FileNotFoundError` naming every file that is missing.
    """
    root = SAMPLE if folder is None else folder
    own = root / "manifest.yaml"
    manifest: dict[str, Any] = yaml.safe_load((own if own.exists() else HERE / "england.yaml").read_text())
    files = [
        SourceFile(
            kind=entry["kind"],
            path=root / entry["file"],
            partners=root / entry["partners"] if entry.get("partners") else None,
            published_on=str(entry["published_on"]),
            snapshot=str(entry["snapshot"]) if entry.get("snapshot") else None,
        )
        for entry in manifest["imports"]
    ]
    missing = [str(path) for file in files for path in (file.path, file.partners) if path and not path.is_file()]
    if missing:
        raise FileNotFoundError(f"not there: {', '.join(missing)}")
    return JourneyData(
        name=manifest["name"],
        invented=bool(manifest.get("invented", False)),
        files=files,
        area=manifest.get("area"),
        applications=root / manifest["applications"] if manifest.get("applications") else None,
        contract_year=manifest["contract_year"],
        snapshot=str(manifest["snapshot"]),
        published_networks=manifest.get("published_networks"),
    )


def applications_in(path: Path) -> list[dict[str, Any]]:
    """The registration forms of new networks, as the API takes them."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {
                "network_name": row["network_name"],
                "proposed_code": row["proposed_code"] or None,
                "practices": [{"practice": code} for code in row["practices"].split()],
                "clinical_director": {"name": row["clinical_director"], "practice": row["director_practice"]},
                "payee": row["payee"],
                "agreement_signed_by": row["agreement_signed_by"].split(),
                "area_description": row["area_description"],
                "size_waiver_reason": row["size_waiver_reason"] or None,
                "received_on": row["received_on"],
            }
            for row in csv.DictReader(file)
        ]
