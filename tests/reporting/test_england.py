"""All of England, from the registry's import to the report, over events alone."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import yaml
from sqlalchemy import select

from shared.identity import Role
from shared.messaging.outbox import envelope_of
from shared.messaging.tables import Outbox, Parked
from tests.harness import Harness
from tests.reporting.builders import at, by_key, report

MANIFEST = Path(__file__).resolve().parents[2] / "deploy" / "england.yaml"
BATCH = 500


async def imported(registry: Harness, real_data: Path) -> None:
    """Give the registry the files of the manifest, in its order."""
    for entry in yaml.safe_load(MANIFEST.read_text("utf-8"))["files"]:
        file = real_data / entry["path"]
        answer = await registry.client.post(
            "/registry/v1/imports",
            data={k: str(v) for k, v in entry.items() if k != "path"},
            files={"file": (file.name, file.read_bytes())},
            headers={**registry.token(Role.NATIONAL), "Idempotency-Key": uuid4().hex},
        )
        assert answer.status_code == 201, answer.text


async def test_england_is_reported_as_it_was_published(
    registry_app: Harness, reporting_app: Harness, real_data: Path
) -> None:
    """Coverage of 1 January 2022 equals the published practice lists, area by area, to the patient."""
    await imported(registry_app, real_data)
    async with registry_app.session() as session:
        rows = (await session.scalars(select(Outbox).order_by(Outbox.position))).all()
    envelopes = [envelope_of(row, "pcn.registry") for row in rows]
    for start in range(0, len(envelopes), BATCH):
        await reporting_app.receive(*envelopes[start : start + BATCH])
    async with reporting_app.session() as session:
        assert (await session.scalars(select(Parked))).all() == []
    at(reporting_app, date(2022, 5, 1))
    total = by_key(await report(reporting_app, "coverage", by="england", as_at="2022-01-01"))["England"]
    assert total["registered"] == "61499630"
    parts = [Decimal(total[k]) for k in ("covered", "allocated", "not_covered")]
    assert sum(parts) == Decimal(61_499_630)
    found = await report(reporting_app, "coverage", as_at="2022-01-01", limit="1000")
    assert {k: v["registered"] for k, v in by_key(found).items()} == published(real_data)


def published(real_data: Path) -> dict[str, str]:
    """Registered patients per commissioner as the published practice sheet has them, read with the csv module alone."""
    with gzip.open(real_data / "derived" / "B1357_2022-01_practices.csv.gz", "rt", encoding="utf-8-sig") as lines:
        sums: dict[str, int] = defaultdict(int)
        for row in csv.DictReader(lines):
            sums[row["Practice\nParent Jan 22\nCCG Code"]] += int(row["Raw list size from PCSE 1 Jan 22"])
    return {code: str(total) for code, total in sums.items()}
