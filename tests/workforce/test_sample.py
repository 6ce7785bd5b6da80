"""The shipped sample, through three services: a network on the register recruits, claims and hears it was approved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from uuid import uuid4

import yaml
from sqlalchemy import select

from shared.identity import Role
from shared.messaging.outbox import envelope_of
from shared.messaging.tables import Outbox
from tests.harness import Harness
from tests.workforce.builders import PREFIX, at

SAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "sample"


async def carry(source: Harness, *targets: Harness, after: int = 0) -> int:
    """Hand what a service announced since a position to others; gives the newest position."""
    async with source.session() as session:
        rows = (await session.scalars(select(Outbox).where(Outbox.position > after).order_by(Outbox.position))).all()
    envelopes = [envelope_of(row, source.service.source) for row in rows]
    for target in targets:
        await target.receive(*envelopes)
    return rows[-1].position if rows else after


async def take_in(registry: Harness, entries: Sequence[dict[str, object]]) -> None:
    for entry in entries:
        names = {"file": entry["path"]} | ({"partners": entry["partners"]} if "partners" in entry else {})
        answer = await registry.client.post(
            "/registry/v1/imports",
            data={k: str(v) for k, v in entry.items() if k not in {"path", "partners"}},
            files={field: (str(name), (SAMPLE / str(name)).read_bytes()) for field, name in names.items()},
            headers={**registry.token(Role.NATIONAL), "Idempotency-Key": uuid4().hex},
        )
        assert answer.status_code == 201, answer.text


async def test_a_network_of_the_sample_recruits_and_claims(
    registry_app: Harness, funding_app: Harness, workforce_app: Harness
) -> None:
    manifest = yaml.safe_load((SAMPLE / "manifest.yaml").read_text("utf-8"))
    await take_in(registry_app, manifest["files"])
    await carry(registry_app, funding_app, workforce_app)
    heard = await carry(funding_app, workforce_app)
    at(workforce_app, date(2022, 6, 1))
    everybody = workforce_app.token(Role.NATIONAL)
    networks = (
        await registry_app.client.get(
            "/registry/v1/networks", params={"as_at": "2022-04-01"}, headers=registry_app.token(Role.NATIONAL)
        )
    ).json()["items"]
    code = networks[0]["code"]
    mine = workforce_app.token(Role.NETWORK, organisations=[code])
    asked = await workforce_app.client.get(
        f"{PREFIX}/claimability",
        params={"network": code, "role": "clinical_pharmacist", "wte": "1", "month": "2022-04"},
        headers=everybody,
    )
    assert asked.status_code == 200, asked.text
    assert [r["code"] for r in asked.json()["reasons"]] == ["NoSubmittedPlan"]
    assert [m["reasons"] for m in asked.json()["months"]] == [[]] * 12, asked.text
    plan = (
        await workforce_app.post(
            f"{PREFIX}/plans",
            {
                "network": code,
                "contract_year": "2022-23",
                "roles": [{"role": "clinical_pharmacist", "wte": "1", "start_month": "2022-04"}],
            },
            mine,
        )
    ).json()
    await workforce_app.put(f"{PREFIX}/plans/{plan['id']}/submission", {"submitted_on": "2022-04-01"}, mine)
    opened = await workforce_app.post(
        f"{PREFIX}/vacancies",
        {
            "network": code,
            "role": "clinical_pharmacist",
            "wte": "1",
            "employer": code,
            "opened_on": "2022-04-01",
            "plan": plan["id"],
        },
        mine,
    )
    assert opened.status_code == 201, opened.text
    vacancy = opened.json()["id"]
    steps = ("advert", "applications", "shortlist", "interview", "offer", "checks")
    checks = dict.fromkeys(("identity", "right_to_work", "dbs", "professional_register"), "2022-04-20")
    for day, stage in enumerate(steps, start=4):
        body = {"stage": stage, "on": f"2022-04-{day:02d}"} | ({"checks": checks} if stage == "checks" else {})
        moved = await workforce_app.put(f"{PREFIX}/vacancies/{vacancy}/stage", body, mine)
        assert moved.status_code == 200, moved.text
    person = (await workforce_app.post(f"{PREFIX}/candidates", {"network": code, "reference": "A-1"}, mine)).json()
    post = await workforce_app.put(
        f"{PREFIX}/vacancies/{vacancy}/appointment",
        {"candidate": person["id"], "started_on": "2022-05-01", "wte": "1"},
        mine,
    )
    assert post.status_code == 200, post.text
    costs = {"month": "2022-05", "salary": "3700.00", "employer_ni": "400.00", "employer_pension": "532.06"}
    await workforce_app.post(f"{PREFIX}/posts/{post.json()['id']}/costs", costs, mine)
    made = await workforce_app.post(f"{PREFIX}/claims", {"network": code, "month": "2022-05"}, mine)
    assert made.status_code == 201, made.text
    claim = made.json()["claims"][0]["id"]
    await carry(workforce_app, funding_app)
    area = funding_app.token(Role.COMMISSIONER, organisations=[networks[0]["commissioner"]])
    approved = await funding_app.put(f"/funding/v1/claims/{claim}/approval", {}, area)
    assert approved.status_code == 200, approved.text
    await carry(funding_app, workforce_app, after=heard)
    shown = (await workforce_app.client.get(f"{PREFIX}/claims/{claim}", headers=mine)).json()
    assert (shown["state"], shown["total"], shown["payable"]) == ("approved", "4632.06", "4632.06")
