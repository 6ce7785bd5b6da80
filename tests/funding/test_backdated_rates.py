"""A rate raised in September and backdated to April, as happened in 2024: paid through HTTP, clock and all."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal

from shared.http import _now
from shared.identity import Role
from shared.years import months_of
from tests.funding.builders import NETWORK, an_approved_network, list_sizes
from tests.funding.test_journey import paid
from tests.funding.test_runs import lines_of
from tests.harness import Harness


def at(app: Harness, moment: datetime) -> None:
    app.app.dependency_overrides[_now] = lambda: moment


async def test_example_e_arrears_come_in_october_and_the_unknown_split_is_held(funding_app: Harness) -> None:
    for basis in ("registered", "adjusted", "weighted"):
        await funding_app.deliver(list_sizes(basis, {"A00001": 48000}, snapshot=date(2024, 1, 1)))
    await funding_app.deliver(an_approved_network(members=["A00001"], contract_year="2024-25"))
    access: dict[str, Decimal] = defaultdict(Decimal)
    for month in months_of("2024-25")[:6]:
        at(funding_app, datetime(2024, int(month[5:]), 20, tzinfo=UTC))
        run = await paid(funding_app, month)
        for line in await lines_of(funding_app, run, stream="enhanced_access"):
            access[line["cause"]] += Decimal(line["amount"])
    assert access == {"due": Decimal("184176.00")}

    at(funding_app, datetime(2024, 10, 20, tzinfo=UTC))
    october = await paid(funding_app, "2024-10")
    lines = await lines_of(funding_app, october, stream="enhanced_access")
    arrears = [line for line in lines if line["cause"] == "rate-changed"]
    assert [line["month"] for line in arrears] == list(months_of("2024-25")[:6])
    assert sum(Decimal(line["amount"]) for line in arrears) == Decimal("7224.00")
    assert [line["amount"] for line in lines if line["cause"] == "due"] == ["31900.00"]
    assert october["held"] == {"beds-missing": 1, "rate-unknown": 2}
    core = await lines_of(funding_app, october, stream="core_registered")
    assert [(line["amount"], line["held_code"]) for line in core] == [(None, "rate-unknown")]

    headers = funding_app.token(Role.NETWORK, organisations=[NETWORK])
    query = {"network": NETWORK, "contract_year": "2024-25", "month": "2024-10"}
    told = (await funding_app.client.get("/funding/v1/entitlements", params=query, headers=headers)).json()
    held = next(item for item in told["items"] if item["stream"] == "core_adjusted")
    assert (held["due"], held["paid"]) == ("0.00", "16752.00"), "what was paid before the rate was lost stays paid"
    assert held["held"][0]["code"] == "rate-unknown"
