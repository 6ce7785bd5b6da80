"""The invented sample and a few callers, brought in through the front door."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import yaml

from deploy.journey.data import applications_in
from shared.identity import Role
from tests.harness import Harness

V1 = "/registry/v1"
SAMPLE = Path(__file__).parents[2] / "deploy" / "sample"
MANIFEST: dict[str, Any] = yaml.safe_load((SAMPLE / "manifest.yaml").read_text())


def national(app: Harness, subject: str = "nina") -> dict[str, str]:
    return app.token(Role.NATIONAL, subject=subject)


def commissioner(app: Harness, code: str = "SA1", subject: str = "carl") -> dict[str, str]:
    return app.token(Role.COMMISSIONER, organisations=[code], subject=subject)


def practice(app: Harness, code: str, subject: str = "pia") -> dict[str, str]:
    return app.token(Role.PRACTICE, organisations=[code], subject=subject)


async def upload(
    app: Harness,
    kind: str,
    name: str,
    data: bytes,
    *,
    published_on: str,
    snapshot: str | None = None,
    partners: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    form = {"kind": kind, "published_on": str(published_on), **({"snapshot": str(snapshot)} if snapshot else {})}
    files = {"file": (name, data)} | ({"partners": ("partners.csv", partners)} if partners else {})
    keyed = {**(headers or national(app)), "Idempotency-Key": uuid4().hex}
    return await app.client.post(f"{V1}/imports", data=form, files=files, headers=keyed)


async def upload_listed(app: Harness, folder: Path, entry: dict[str, Any]) -> dict[str, Any]:
    """Import one file of a manifest; fails the test unless it was taken in."""
    answer = await upload(
        app,
        entry["kind"],
        Path(entry["path"]).name,
        (folder / entry["path"]).read_bytes(),
        published_on=entry["published_on"],
        snapshot=entry.get("snapshot"),
        partners=(folder / entry["partners"]).read_bytes() if "partners" in entry else None,
    )
    assert answer.status_code == 201, answer.text
    report: dict[str, Any] = answer.json()
    return report


async def load_sample(app: Harness) -> list[dict[str, Any]]:
    return [await upload_listed(app, SAMPLE, entry) for entry in MANIFEST["files"]]


def terms(**changes: Any) -> dict[str, Any]:
    wanted = {key: str(value) for key, value in MANIFEST["round"].items() if key != "decided_on"}
    return {**wanted, **changes}


async def open_round(app: Harness, **changes: Any) -> str:
    answer = await app.post(f"{V1}/rounds", terms(**changes), commissioner(app, changes.get("commissioner", "SA1")))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def form(name: str, round: str) -> dict[str, Any]:
    """The application called `name` in the sample, as a request."""
    forms = applications_in(SAMPLE / "applications.csv", SAMPLE / "areas.geojson")
    wanted = next(one for one in forms if one["network_name"] == name)
    return {"round": round, **{key: value for key, value in wanted.items() if key not in ("network", "received_on")}}


async def draft(app: Harness, wanted: dict[str, Any], headers: dict[str, str] | None = None) -> dict[str, Any]:
    answer = await app.post(f"{V1}/applications", wanted, headers or commissioner(app))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def submit(app: Harness, id: str, received_on: str | None = "2022-02-14") -> httpx.Response:
    body = {"received_on": received_on} if received_on else {}
    return await app.put(f"{V1}/applications/{id}/submission", body, commissioner(app))


async def submitted(app: Harness, wanted: dict[str, Any]) -> str:
    id = str((await draft(app, wanted))["id"])
    answer = await submit(app, id)
    assert answer.status_code == 200, answer.text
    return id


async def decide(app: Harness, round: str, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    body = {"decided_on": "2022-03-28", **more}
    return await app.put(f"{V1}/rounds/{round}/decision", body, headers or commissioner(app))


async def allocate(app: Harness, **changes: Any) -> httpx.Response:
    body = {"practice": "Z80010", "valid_from": "2022-04-01", "reason": "It stays out.", **changes}
    return await app.post(f"{V1}/allocations", body, commissioner(app))


def codes(answer: httpx.Response) -> list[str]:
    return [error["code"] for error in answer.json()["errors"]]


async def join(
    app: Harness, network: str, practice: str, headers: dict[str, str] | None = None, **changes: Any
) -> httpx.Response:
    """A practice joins a network of SB2, as its lead records it."""
    body = {"practice": practice, "valid_from": "2022-07-01", "reason": "The practice asked to join.", **changes}
    return await app.post(f"{V1}/networks/{network}/members", body, headers or commissioner(app, "SB2"))


async def depart(
    app: Harness, path: str, headers: dict[str, str] | None = None, match: str | None = None, **body: Any
) -> httpx.Response:
    """A practice leaves: `path` is `U90001/members/Z80011/2019-10-01`."""
    wanted = {"reason": "The practice gave notice.", **body}
    return await app.put(f"{V1}/networks/{path}/departure", wanted, headers or commissioner(app, "SB2"), match=match)


async def open_window(app: Harness, **changes: Any) -> dict[str, Any]:
    body = {
        "contract_year": "2022-23",
        "why": "annual",
        "opens_on": "2022-04-01",
        "closes_on": "2022-04-30",
        "reason": "The window of every year.",
        **changes,
    }
    answer = await app.post(f"{V1}/windows", body, national(app))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def members(app: Harness, network: str, **asked: str) -> dict[str, str]:
    """The share of every member of a network on a day, as known now or then."""
    answer = await app.client.get(
        f"{V1}/networks/{network}/members", params={"limit": 1000, **asked}, headers=national(app)
    )
    assert answer.status_code == 200, answer.text
    return {item["practice"]: item["share"] for item in answer.json()["items"]}
