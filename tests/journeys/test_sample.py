"""The main job over four real services, and the worked example of the README on what it leaves running."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from shared.identity import Role
from tests.conftest import ROOT
from tests.journeys.stack import Stack, environment, journey, table_of

pytestmark = [pytest.mark.slow]


def test_the_sample_goes_from_files_to_reports(sample: Stack) -> None:
    found = sample.found
    assert found["Networks with members on 1 April 2022"] == "6"
    assert found["Registered patients"] == "229,065"
    assert found["Networks approved there together"] == "3"
    assert found["Practices left out, then allocated"] == "1"
    assert found["Claim for 2022-04"] == "£3,074.27 claimed, £3,074.27 approved"
    assert found["Reported: patients covered or allocated"] == "229,065 of 229,065"
    paid = [found[f"Paid for {month}"].split(" in ")[0] for month in ("2022-04", "2022-05")]
    total = sum(round(float(amount.strip("£").replace(",", "")) * 100) for amount in paid)
    assert found["Reported: paid, equal to all runs issued"] == f"£{total / 100:,.2f}"


def test_each_service_describes_itself_and_is_well(sample: Stack) -> None:
    assert httpx.get(f"{sample.url}/").status_code == 200
    assert httpx.get(f"{sample.url}/health/ready").json()["status"] == "ready"
    for name in ("registry", "funding", "workforce", "reporting"):
        for path in ("docs", "openapi.json", "health/live", "health/ready"):
            assert httpx.get(f"{sample.url}/{name}/{path}").status_code == 200, f"{name}/{path}"
        page = httpx.get(f"{sample.url}/{name}/docs").text
        assets = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert len(assets) >= 2
        assert all(httpx.get(f"{sample.url}{asset}").status_code == 200 for asset in assets), assets
        document = httpx.get(f"{sample.url}/{name}/openapi.json").json()
        assert any(path.startswith(f"/{name}/v1/") for path in document["paths"])


def test_the_trail_says_who_decided(sample: Stack) -> None:
    with sample.client(Role.COMMISSIONER, organisation="SA1") as commissioner:
        entries = commissioner.get("/registry/v1/audit", params={"limit": 1000}).json()["items"]
    decisions = [entry for entry in entries if entry["request"].endswith("/decision")]
    assert {entry["subject"] for entry in decisions} == {"commissioner-SA1"}
    assert any(entry["record"].startswith("rounds/") for entry in decisions)
    with sample.client(Role.COMMISSIONER, organisation="SB2") as other:
        theirs = other.get("/registry/v1/audit", params={"limit": 1000}).json()["items"]
    assert not [entry for entry in theirs if "SA1" in str(entry)]


def test_the_worked_example_of_the_readme_works_as_written(sample: Stack) -> None:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 4
    if not (ROOT / ".venv" / "bin" / "pcn").exists():
        pytest.skip("the README is about a checkout that was set up")
    script = "set -euo pipefail\n" + "\n".join(blocks)
    done = subprocess.run(
        [shutil.which("bash") or "bash", "-c", script],
        cwd=ROOT,
        env=environment(sample.home, sample.port) | {"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "true" in done.stdout.splitlines()
    assert "core_registered" in done.stdout or "Core" in done.stdout
    with sample.client(Role.NATIONAL) as national:
        runs = national.get("/funding/v1/payment-runs", params={"month": "2022-06"}).json()["items"]
        assert [run["status"] for run in runs] == ["issued"]


def test_a_second_start_is_quick_and_a_second_journey_changes_nothing(tmp_path: Path, sample: Stack) -> None:
    port = sample.port + 10
    first = journey(tmp_path, port)
    assert first.returncode == 0, first.stdout + first.stderr
    before = table_of(tmp_path)
    assert before == sample.found
    begun = time.monotonic()
    second = journey(tmp_path, port)
    assert second.returncode == 0, second.stdout + second.stderr
    assert table_of(tmp_path) == before
    seconds = re.search(r"answers after ([\d.]+) s", second.stdout)
    assert seconds is not None
    print(f"second start {seconds[1]} s, second journey {time.monotonic() - begun:.1f} s in all")  # noqa: T201
