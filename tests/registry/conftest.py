"""What several modules of the registry's tests stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.issuer import EmbeddedIssuer
from tests.conftest import REAL_DATA, ROOT, live
from tests.harness import Harness
from tests.registry.builders import V1, national, upload

HISTORY: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "england-history.yaml").read_text())


def history_file(entry: dict[str, Any]) -> Path:
    """Where a file of the history lies."""
    folder, name = (ROOT / "deploy", "here") if "here" in entry else (REAL_DATA, "path")
    return folder / str(entry[name])


@dataclass
class History:
    """A register that took in every file of the manifest, and what it said of each."""

    app: Harness
    reports: list[dict[str, Any]] = field(default_factory=list)

    async def get(self, path: str) -> Any:
        answer = await self.app.client.get(f"{V1}{path}", headers=national(self.app))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def every(self, path: str) -> list[dict[str, Any]]:
        """All pages of a list."""
        items: list[dict[str, Any]] = []
        joint, cursor = "&" if "?" in path else "?", ""
        while True:
            page = await self.get(f"{path}{joint}limit=1000{cursor}")
            items += page["items"]
            if page["next"] is None:
                return items
            cursor = f"&cursor={page['next']}"

    def report(self, kind: str, published_on: str) -> dict[str, Any]:
        return next(r for r in self.reports if (r["kind"], r["published_on"]) == (kind, published_on))


@pytest.fixture(scope="session")
async def history(migrated: Callable[[str], str], issuer: EmbeddedIssuer) -> AsyncIterator[History]:
    """England from December 2019 on, as the publications of the time had her."""
    if not REAL_DATA.is_dir():
        pytest.skip("the real NHS files are not beside the checkout (../shared/data)")
    async with live("registry", migrated("registry"), issuer) as app:
        made = History(app)
        for entry in HISTORY["files"]:
            path = history_file(entry)
            answer = await upload(
                app,
                entry["kind"],
                path.name,
                path.read_bytes(),
                published_on=entry["published_on"],
                snapshot=entry.get("snapshot"),
            )
            assert answer.status_code == 201, answer.text
            made.reports.append(answer.json())
        yield made
