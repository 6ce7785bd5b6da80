"""What tests of money ask the service, and how its answers are read."""

from __future__ import annotations

from typing import Any

from shared.identity import Role
from tests.funding.builders import COMMISSIONER, NETWORK
from tests.funding.test_runs import lines_of, nan
from tests.harness import Harness


def commissioner(app: Harness, code: str = COMMISSIONER, subject: str = "carol") -> dict[str, str]:
    return app.token(Role.COMMISSIONER, organisations=[code], subject=subject)


async def explained(app: Harness, line: dict[str, Any]) -> dict[str, Any]:
    """A line's explanation, which must recompute to its amount."""
    reply = await app.client.get(f"/funding/v1/lines/{line['id']}/explanation", headers=nan(app))
    assert reply.status_code == 200, reply.text
    told: dict[str, Any] = reply.json()
    assert told["recomputed"] == line["amount"], told
    return told


async def amounts(app: Harness, run: dict[str, Any], **query: str) -> dict[tuple[str, str], str]:
    """By month and cause: what a run pays of what the query asks for."""
    return {
        (line["month"], line["cause"]): line["amount"]
        for line in await lines_of(app, run, **query)
        if line["amount"] is not None
    }


async def entitled(app: Harness, month: str, network: str = NETWORK, **query: str) -> dict[str, Any]:
    """What the network is due through a month."""
    year = f"{int(month[:4]) - (month[5:] < '04')}"
    asked = {"network": network, "contract_year": f"{year}-{(int(year) + 1) % 100:02d}", "month": month, **query}
    reply = await app.client.get("/funding/v1/entitlements", params=asked, headers=nan(app))
    assert reply.status_code == 200, reply.text
    told: dict[str, Any] = reply.json()
    return told


def due_by_stream(told: dict[str, Any]) -> dict[str, str]:
    """The network's own streams of an entitlement."""
    return {item["stream"]: item["due"] for item in told["items"] if item["practice"] is None}
