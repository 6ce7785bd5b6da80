"""The shipped sample, from the registry's import and funding's first run to the reports, over events alone."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import yaml

from shared.identity import Role
from tests.harness import Harness
from tests.reporting.builders import at, by_key, report
from tests.workforce.test_sample import SAMPLE, carry, take_in


async def step(funding: Harness, run: str, name: str, subject: str) -> dict[str, Any]:
    headers = funding.token(Role.NATIONAL, subject=subject)
    done = await funding.put(f"/funding/v1/payment-runs/{run}/{name}", {}, headers)
    assert done.status_code == 200, done.text
    answer: dict[str, Any] = done.json()
    return answer


async def test_the_sample_is_covered_and_paid_as_its_services_say(
    registry_app: Harness, funding_app: Harness, reporting_app: Harness
) -> None:
    """Spend adds up to funding's own control totals, by every stream and by every way of adding."""
    manifest = yaml.safe_load((SAMPLE / "manifest.yaml").read_text("utf-8"))
    await take_in(registry_app, manifest["files"])
    await carry(registry_app, funding_app, reporting_app)
    made = await funding_app.post(
        "/funding/v1/payment-runs", {"month": "2022-04"}, funding_app.token(Role.NATIONAL, subject="ada")
    )
    assert made.status_code == 201, made.text
    run = made.json()["id"]
    await step(funding_app, run, "approval", "ben")
    issued = await step(funding_app, run, "issue", "ada")
    assert Decimal(issued["total"]) > 0
    await carry(funding_app, reporting_app)
    at(reporting_app, date(2022, 5, 1))
    covered = by_key(await report(reporting_app, "coverage", by="england", as_at="2022-04-01"))["England"]
    assert covered["registered"] == str(manifest["expect"]["registered_patients"])
    for by in ("england", "commissioner", "system", "network", "stream", "month"):
        items = (await report(reporting_app, "spend", by=by, contract_year="2022-23"))["items"]
        assert sum(Decimal(i["paid"]) for i in items) == Decimal(issued["total"]), by
    streams = by_key(await report(reporting_app, "spend", by="stream", contract_year="2022-23"))
    paid = {k: v["paid"] for k, v in streams.items()}
    assert paid == {k: v["amount"] for k, v in issued["totals"].items() if Decimal(v["amount"])}
