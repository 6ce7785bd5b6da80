"""Money told by two services: what funding decided and paid is what reporting says, also when it is made anew."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from shared.identity import Role
from tests.conftest import ROOT
from tests.journeys.stack import Stack, environment, running

pytestmark = [pytest.mark.slow]

AREA, NETWORK, YEAR = "SA1", "U90011", "2022-23"
Client = httpx.Client


def get(client: Client, path: str, **query: str) -> Any:
    reply = client.get(path, params=query)
    assert reply.status_code == 200, reply.text
    return reply.json()


def items(client: Client, path: str, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    asked = {**query, "limit": "200"}
    while True:
        reply = get(client, path, **asked)
        found += reply["items"]
        if reply["next"] is None:
            return found
        asked["cursor"] = reply["next"]


def post(client: Client, path: str, body: Any = None) -> Any:
    reply = client.post(path, json=body, headers={"Idempotency-Key": uuid4().hex})
    assert reply.status_code in {200, 201}, reply.text
    return reply.json()


def put(client: Client, path: str, body: Any = None) -> Any:
    etag = client.get(path.rsplit("/", 1)[0]).headers.get("etag", "")
    reply = client.put(path, json=body, headers={"If-Match": etag})
    assert reply.status_code == 200, reply.text
    return reply.json()


def soon(what: Callable[[], Any], seconds: float = 120) -> Any:
    """What is true as soon as events have arrived."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
    return found


def paid(stack: Stack, month: str) -> dict[str, Any]:
    with stack.client(Role.NATIONAL) as alice, stack.client(Role.NATIONAL, subject="bob") as bob:
        run = post(alice, "/funding/v1/payment-runs", {"month": month})
        noted = {"acknowledgements": [{"kind": kind, "reason": "as expected"} for kind in run["findings"]]}
        put(bob, f"/funding/v1/payment-runs/{run['id']}/approval", noted)
        issued: dict[str, Any] = put(bob, f"/funding/v1/payment-runs/{run['id']}/issue")
        return issued


def told(stack: Stack) -> dict[str, Any]:
    """Everything reporting says of the money of the year."""
    with stack.client(Role.NATIONAL) as national:
        asked = {"contract_year": YEAR}
        return {
            f"{path} {by}": items(national, f"/reporting/v1/{path}", by=by, **asked)
            for path, ways in (
                ("spend", ("network", "commissioner", "system", "stream", "month", "england")),
                ("claims", ("claimant", "commissioner", "system", "kind", "month", "england")),
                ("queries", ("network", "commissioner", "system", "stream", "england")),
            )
            for by in ways
        }


def decided(stack: Stack) -> None:
    """Months claimed, sent back, made again and turned down; a line queried twice; a right withdrawn and given back."""
    with (
        stack.client(Role.NATIONAL) as national,
        stack.client(Role.NATIONAL, subject="bob") as bob,
        stack.client(Role.COMMISSIONER, organisation=AREA) as commissioner,
        stack.client(Role.NETWORK, organisation=NETWORK) as network,
    ):
        (person,) = items(network, "/workforce/v1/posts", network=NETWORK)
        for month in ("2022-05", "2022-06", "2022-07"):
            cost = {"month": month, "salary": "3700.00", "employer_ni": "354.11", "employer_pension": "532.06"}
            post(network, f"/workforce/v1/posts/{person['id']}/costs", cost)
            post(network, "/workforce/v1/claims", {"network": NETWORK, "month": month})

        def waiting(month: str) -> Any:
            made = items(commissioner, "/funding/v1/claims", network=NETWORK, month=month, status="submitted")
            return made[0]["id"] if made else None

        why = {"code": "cost_wrong", "reason": "Payroll says otherwise."}
        back = soon(lambda: waiting("2022-05"))
        put(commissioner, f"/funding/v1/claims/{back}/return", why)
        soon(lambda: get(network, f"/workforce/v1/claims/{back}")["state"] == "returned")
        again = post(network, f"/workforce/v1/claims/{back}/resubmission")["id"]
        soon(lambda: waiting("2022-05") == again)
        put(commissioner, f"/funding/v1/claims/{again}/approval")
        put(commissioner, f"/funding/v1/claims/{soon(lambda: waiting('2022-06'))}/rejection", why)
        assert soon(lambda: waiting("2022-07"))
        june = paid(stack, "2022-06")
        (line,) = items(national, f"/funding/v1/payment-runs/{june['id']}/lines", stream="arrs")
        for number in range(2):
            query = post(network, "/funding/v1/queries", {"line": line["id"], "reason": "It is less than was paid."})
            path = f"/funding/v1/queries/{query['id']}"
            if number == 0:
                put(network, f"{path}/withdrawal", {"reason": "It was the share."})
                continue
            less = str(Decimal(line["amount"]) - Decimal("100.01"))
            put(national, f"{path}/answer", {"kind": "adjustment", "answer": "Half a day less.", "amount_due": less})
            put(bob, f"{path}/approval")
        notice = {
            "network": NETWORK,
            "reason": "Nothing was delivered.",
            "evidence": ["letter"],
            "notified_on": "2022-04-20",
            "withdrawn_from": "2022-06-01",
            "appeal_by": "2022-05-31",
        }

        def due() -> Decimal:
            asked = {"network": NETWORK, "contract_year": YEAR, "month": "2022-07"}
            return Decimal(get(national, "/funding/v1/entitlements", **asked)["due"])

        before = due()
        right = post(commissioner, "/registry/v1/withdrawals", notice)
        soon(lambda: due() < before)
        paid(stack, "2022-07")
        lower = due()
        restored = {"restored_from": "2022-07-01", "reason": "All is delivered again."}
        put(commissioner, f"/registry/v1/withdrawals/{right['id']}/restoration", restored)
        soon(lambda: due() > lower)
        paid(stack, "2022-08")


def as_decided(stack: Stack) -> dict[str, Any]:
    """What reporting tells, once it has heard all, compared with funding's own lines and forecasts."""
    with stack.client(Role.NATIONAL) as national:
        lines = [line for line in items(national, "/funding/v1/lines") if line["amount"] is not None]
        total = sum(Decimal(line["amount"]) for line in lines)
        soon(lambda: Decimal(told(stack)["spend england"][0]["paid"]) == total)
        report = told(stack)
        for way in ("stream", "month", "network"):
            sums: dict[str, Decimal] = {}
            for line in lines:
                sums[line[way]] = sums.get(line[way], Decimal(0)) + Decimal(line["amount"])
            assert {row["key"]: Decimal(row["paid"]) for row in report[f"spend {way}"] if row["lines"]} == sums
        (figures,) = get(national, f"/funding/v1/forecasts/{NETWORK}", contract_year=YEAR)["sums"]
        spent = next(row for row in report["spend network"] if row["key"] == NETWORK)
        assert (spent["claimed"], spent["claims"]) == (figures["claimed"], 3), "of five made, as many stand"
        roles = next(row for row in report["claims kind"] if row["key"] == "roles")
        (queries,) = report["queries network"]
        names = ("raised", "open", "answered", "withdrawn", "adjusted")
        assert tuple(queries[name] for name in names) == (2, 0, 1, 1, "-100.01")
        arrs = sum(Decimal(line["amount"]) for line in lines if line["stream"] == "arrs")
        assert Decimal(roles["paid"]) + Decimal(queries["adjusted"]) == Decimal(figures["paid"]) == arrs
        return report


def test_reporting_tells_what_funding_did_also_when_it_is_made_anew(tmp_path: Path) -> None:
    with running(tmp_path) as stack:
        decided(stack)
        before = as_decided(stack)
        done = subprocess.run(
            [sys.executable, "-m", "deploy.cli", "rebuild"],
            cwd=ROOT,
            env=environment(tmp_path, stack.port),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert as_decided(stack) == before
