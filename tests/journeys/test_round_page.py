"""What docs/round.md tells a commissioner to type, typed on a running stack."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from shared.identity import Role
from tests.conftest import ROOT
from tests.journeys.stack import Stack, environment

pytestmark = [pytest.mark.slow]


def test_the_round_of_the_page_goes_as_written(sample: Stack) -> None:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "docs" / "round.md").read_text(), re.DOTALL)
    assert len(blocks) == 10
    if not (ROOT / ".venv" / "bin" / "pcn").exists():
        pytest.skip("the page is about a checkout that was set up")
    script = "set -euo pipefail\n" + "\n".join(blocks)
    done = subprocess.run(
        [shutil.which("bash") or "bash", "-c", script],
        cwd=ROOT,
        env=environment(sample.home, sample.port) | {"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.splitlines()
    assert [line for line in said if line.startswith("held")] == [
        "held: somebody is left out",
        "held: two areas overlap",
    ]
    assert "CoverageIncomplete" in done.stdout
    assert "FindingsNotAccepted" in done.stdout
    assert "decided" in said
    assert said[-2:] == ["2023-03-31", "true"]  # the last day of a network that ends; coverage is as it was decided on
    with sample.client(Role.COMMISSIONER, organisation="SB2") as carol:
        networks = carol.get("/registry/v1/networks", params={"commissioner": "SB2", "as_at": "2023-04-01"})
        names = {network["name"] for network in networks.json()["items"]}
        assert {"EAST BROOK PCN", "WEST BROOK PCN", "INVENTED HILLTOP PCN"} <= names
        served = carol.get("/registry/v1/allocations", params={"as_at": "2023-04-01", "practice": "Z80020"})
        assert [one["network"] for one in served.json()["items"]] == ["U90003"]
