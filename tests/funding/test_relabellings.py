"""A stream, or a part of it, relabelled in the middle of its year: what was paid stays, and the year comes out."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from shared.events.funding import StreamRelabelled
from shared.events.registry import PayeeAppointed
from shared.identity import Role
from tests.funding.asking import amounts, commissioner, due_by_stream, entitled, explained
from tests.funding.builders import NETWORK, list_sizes
from tests.funding.test_achievements import ACHIEVEMENTS, INDICATORS, approved, declared, served
from tests.funding.test_backdated_rates import at
from tests.funding.test_journey import an_area
from tests.funding.test_restatements import nothing_paid_is_touched, paid_as_due, publish, runs
from tests.funding.test_runs import lines_of, nan
from tests.funding.test_variations import in_force
from tests.harness import Harness

RELABELLINGS = "/funding/v1/relabellings"
WINTER = {"valid_from": "2022-10-01", "valid_to": "2023-03-31", "rate_period": "window"}


def relabelling(**changed: Any) -> dict[str, Any]:
    return {
        "from_stream": "winter_fund",
        "to_stream": "surge_support",
        "share": "0.4",
        "first_month": "2022-10",
        "last_month": "2023-03",
        "known_from": "2022-12-10",
        "sources": ["letter_of_december"],
        **changed,
    }


async def relabelled(app: Harness, **changed: Any) -> dict[str, Any]:
    reply = await app.post(RELABELLINGS, relabelling(**changed), nan(app))
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def a_fund(app: Harness) -> None:
    """0.600 a weighted patient for six winter months: 5,000.00 a month for 50,000 patients."""
    await an_area(app)
    await publish(app, code="winter_fund", basis="weighted", value="0.600", known_from="2022-09-20", **WINTER)


async def test_a_part_of_a_stream_counts_as_another_from_its_first_month_on(funding_app: Harness) -> None:
    app = funding_app
    await a_fund(app)
    await runs(app, ["2022-10", "2022-11"])
    before = datetime.now(UTC)
    told_before = await entitled(app, "2022-11")
    made = await relabelled(app)
    (event,) = [event for event in await app.announced() if isinstance(event, StreamRelabelled)]
    assert (event.from_stream, event.to_stream, event.share) == ("winter_fund", "surge_support", Decimal("0.4"))
    async with nothing_paid_is_touched(app):
        (december,) = await runs(app, ["2022-12"])
    assert await amounts(app, december, stream="winter_fund") == {
        ("2022-10", "relabelled"): "-2000.00",
        ("2022-11", "relabelled"): "-2000.00",
        ("2022-12", "due"): "3000.00",
    }
    assert await amounts(app, december, stream="surge_support") == {
        ("2022-10", "relabelled"): "2000.00",
        ("2022-11", "relabelled"): "2000.00",
        ("2022-12", "due"): "2000.00",
    }
    for stream in ("winter_fund", "surge_support"):
        for line in await lines_of(app, december, stream=stream):
            told = await explained(app, line)
            assert told["recomputed"] == line["amount"]
            said = " ".join(told["arithmetic"])
            assert f"relabelled by {made['id']}" in said
            assert "letter_of_december" in said
            assert "known from 2022-12-10" in said
            if line["cause"] == "relabelled":
                assert "relabelled" in told["sentence"]
    await paid_as_due(app, "2022-12")
    # it was not known then
    assert due_by_stream(told_before)["winter_fund"] == "10000.00"
    then = await entitled(app, "2022-11", known_at=before.isoformat())
    assert due_by_stream(then) == due_by_stream(await entitled(app, "2022-11")), "known from December, asked in 2026"
    early = await entitled(app, "2022-11", known_at="2022-12-09T12:00:00Z")
    assert "surge_support" not in due_by_stream(early)
    # the list is restated under both names, and the year comes to what the fund would have
    await app.deliver(list_sizes("weighted", {"A00001": 31_007}))
    await runs(app, ["2023-01", "2023-03"])
    await paid_as_due(app, "2023-03")
    due = due_by_stream(await entitled(app, "2023-03"))
    assert Decimal(due["winter_fund"]) + Decimal(due["surge_support"]) == Decimal("0.6") * 50_007


async def test_money_that_only_changes_its_name_stays_with_whoever_was_paid_it(funding_app: Harness) -> None:
    app = funding_app
    await a_fund(app)
    await runs(app, ["2022-10", "2022-11"])
    paid = {row["payee"] for row in await lines_of(app, (await runs(app, ["2022-12"]))[0], stream="winter_fund")}
    await app.deliver(PayeeAppointed(network=NETWORK, payee="A00003", valid_from=date(2023, 1, 1)))
    await relabelled(app, known_from="2022-12-20")
    (january,) = await runs(app, ["2023-01"])
    (was,) = paid
    for stream, month, payee, amount in (
        ("winter_fund", "2022-11", was, "-2000.00"),
        ("surge_support", "2022-11", was, "2000.00"),
        ("winter_fund", "2023-01", "A00003", "3000.00"),
        ("surge_support", "2023-01", "A00003", "2000.00"),
    ):
        (line,) = [line for line in await lines_of(app, january, stream=stream) if line["month"] == month]
        assert (line["payee"], line["amount"]) == (payee, amount)
        assert (await explained(app, line))["recomputed"] == amount
    # and back again when it is taken back
    (first,) = (await app.client.get(RELABELLINGS, headers=nan(app))).json()["items"]
    await relabelled(app, share="0", supersedes=first["id"], known_from="2023-01-20")
    (february,) = await runs(app, ["2023-02"])
    for stream, amount in (("surge_support", "-2000.00"), ("winter_fund", "2000.00")):
        (line,) = [line for line in await lines_of(app, february, stream=stream) if line["month"] == "2022-11"]
        assert (line["payee"], line["amount"]) == (was, amount)


async def test_a_relabelling_is_superseded_and_taken_back(funding_app: Harness) -> None:
    app = funding_app
    await a_fund(app)
    await runs(app, ["2022-10"])
    first = await relabelled(app, share="1", known_from="2022-11-01")
    async with nothing_paid_is_touched(app):
        (november,) = await runs(app, ["2022-11"])
    assert await amounts(app, november, stream="winter_fund") == {("2022-10", "relabelled"): "-5000.00"}
    assert await amounts(app, november, stream="surge_support") == {
        ("2022-10", "relabelled"): "5000.00",
        ("2022-11", "due"): "5000.00",
    }
    stands = await app.post(RELABELLINGS, relabelling(), nan(app))
    assert (stands.status_code, stands.json()["code"]) == (409, "RelabellingStands")
    second = await relabelled(app, share="0.25", supersedes=first["id"], known_from="2022-12-01")
    async with nothing_paid_is_touched(app):
        (december,) = await runs(app, ["2022-12"])
    assert await amounts(app, december, stream="surge_support") == {
        ("2022-10", "relabelled"): "-3750.00",
        ("2022-11", "relabelled"): "-3750.00",
        ("2022-12", "due"): "1250.00",
    }
    await relabelled(app, share="0", supersedes=second["id"], known_from="2023-01-01")
    async with nothing_paid_is_touched(app):
        await runs(app, ["2023-01"])
    due = due_by_stream(await entitled(app, "2023-01"))
    assert (due["winter_fund"], due.get("surge_support", "0.00")) == ("20000.00", "0.00")
    await paid_as_due(app, "2023-01")
    listed = (await app.client.get(RELABELLINGS, params={"as_at": "2022-10-01"}, headers=commissioner(app))).json()
    assert listed["items"] == []
    asked = {"as_at": "2022-10-01", "known_at": "2022-12-02T00:00:00Z"}
    known = (await app.client.get(RELABELLINGS, params=asked, headers=commissioner(app))).json()
    assert [one["id"] for one in known["items"]] == [second["id"]]


async def test_a_stream_keeps_its_own_rate_beside_what_is_relabelled_as_it(funding_app: Harness) -> None:
    app = funding_app
    await a_fund(app)
    await publish(app, code="surge_support", basis="registered", value="0.060", known_from="2022-09-20", **WINTER)
    await runs(app, ["2022-10"])
    await relabelled(app, known_from="2022-11-01")
    (november,) = await runs(app, ["2022-11"])
    # 0.060 × 50,000 / 6 and 0.24 × 50,000 / 6
    assert await amounts(app, november, stream="surge_support") == {
        ("2022-10", "relabelled"): "2000.00",
        ("2022-11", "due"): "2500.00",
    }
    await paid_as_due(app, "2022-11")


async def test_practices_under_a_variation_have_their_own_rate_relabelled(funding_app: Harness) -> None:
    app = funding_app
    await a_fund(app)
    at(app, datetime(2022, 9, 21, tzinfo=UTC))
    more = {"stream": "winter_fund", "basis": "weighted", "value": "0.900", "rate_period": "window"}
    variation = await in_force(app, more, practices=("A00002",))
    assert (variation["national_total"], variation["varied_total"]) == ("30000.00", "45000.00")
    await runs(app, ["2022-10"])
    # 0.600 × 31,000 and 0.900 × 19,000, a sixth of each
    before = Decimal("5950.00")
    assert due_by_stream(await entitled(app, "2022-10"))["winter_fund"] == str(before)
    await relabelled(app, known_from="2022-11-01")
    (november,) = await runs(app, ["2022-11"])
    due = due_by_stream(await entitled(app, "2022-10"))
    assert (due["winter_fund"], due["surge_support"]) == ("3570.00", "2380.00")
    line = (await lines_of(app, november, stream="surge_support"))[0]
    assert {step.get("scope") for step in (await explained(app, line))["trace"]["steps"]} == {None, variation["id"]}
    assert november["notes"]["variations_below_national"] == {}
    await paid_as_due(app, "2022-11")


async def test_half_of_a_fund_earned_by_points_becomes_a_payment_by_head(funding_app: Harness) -> None:
    """As in 2020/21: of £40.5m planned for a year, £16.25m became a support payment for its first six months."""
    app = funding_app
    await served(app, year=2020)
    await app.deliver(list_sizes("weighted", {"A00001": 50_000}, snapshot=date(2020, 1, 1)))
    plan = {
        "contract_year": "2020-21",
        "code": "PLAN-01",
        "title": "The fund as it was planned",
        "kind": "yes_no",
        "points": "194",
        "point_value": "185.38",
        "average_list": "50000",
        "by_prevalence": False,
        "first_day": "2020-04-01",
        "known_from": "2020-04-01",
        "confidence": "one_source",
        "sources": ["letter"],
    }
    reply = await app.post(INDICATORS, plan, nan(app))
    assert reply.status_code == 201, reply.text
    early = {"from_stream": "iif", "first_month": "2020-04", "last_month": "2020-09", "known_from": "2020-11-26"}
    unpaid = await app.post(RELABELLINGS, relabelling(**early, to_stream="surge_support"), nan(app))
    assert (unpaid.status_code, unpaid.json()["code"]) == (409, "NothingToPayAs")
    made = await declared(app, "PLAN-01", "2020-21", answer=True)
    # 194 × 185.38 × 55,000 / 50,000
    assert (await approved(app, made))["amount"] == "39560.09"
    await runs(app, ["2021-04"])
    # 16.25 of the 20.25 that half a year of 40.5 is
    share = "0.802469136"
    told = await relabelled(app, **early, to_stream="pcn_support", share=share)
    match = (await app.client.get(f"{ACHIEVEMENTS}/{made['id']}", headers=nan(app))).headers["etag"]
    async with nothing_paid_is_touched(app):
        again = await app.client.put(
            f"{ACHIEVEMENTS}/{made['id']}/assessment", headers={**commissioner(app), "If-Match": match}
        )
        assert again.status_code == 200, again.text
        (may,) = await runs(app, ["2021-05"])
    kept = 1 - Decimal(share) / 2
    left = (Decimal(194) * Decimal("185.38") * Decimal("1.1") * kept).quantize(Decimal("0.01"))
    assert again.json()["amount"] == str(left)
    (line,) = await lines_of(app, may, stream="iif")
    assert (line["cause"], Decimal(line["amount"])) == ("relabelled", left - Decimal("39560.09"))
    said = " ".join((await explained(app, line))["arithmetic"])
    assert f"relabelled by {told['id']}" in said
    # a network that declares only now earns what is left, and both were paid the support payment by head
    other = app.token(Role.NETWORK, organisations=["U55555"], subject="olga")
    late = await declared(app, "PLAN-01", "2020-21", other, network="U55555", answer=True)
    assert late["amount"] == str((Decimal(194) * Decimal("185.38") * Decimal("0.55") * kept).quantize(Decimal("0.01")))
    support = due_by_stream(await entitled(app, "2021-03"))["pcn_support"]
    assert support == "13500.00"  # 0.27 × 50,000


async def test_refusals_of_relabellings(funding_app: Harness) -> None:
    app = funding_app
    await a_fund(app)

    async def refused(headers: dict[str, str] | None = None, **changed: Any) -> tuple[int, str, set[str]]:
        reply = await app.post(RELABELLINGS, relabelling(**changed), headers or nan(app))
        problem = reply.json()
        return reply.status_code, problem["code"], {fault["code"] for fault in problem.get("errors") or []}

    assert await refused(commissioner(app)) == (403, "Forbidden", set())
    assert await refused(last_month="2023-04") == (422, "Invalid", {"outside_year"})
    assert await refused(share="0.0000009") == (422, "Invalid", {"too_small"})
    assert await refused(to_stream="winter_fund") == (422, "Invalid", {"same_stream"})
    assert await refused(share="0") == (422, "Invalid", {"nothing"})
    assert (await refused(share="1.1"))[0] == 422
    assert (await refused(sources=[]))[0] == 422
    assert await refused(from_stream="summer_fund") == (409, "NothingToRelabel", set())
    assert await refused(first_month="2022-09") == (409, "NothingToRelabel", set())
    assert await refused(from_stream="caip_max") == (409, "NothingToRelabel", set())
    assert await refused(supersedes="relabelling-x") == (409, "SupersededRelabellingUnknown", set())
    made = await relabelled(app)
    assert await refused(to_stream="visits", share="0.7") == (409, "MoreThanAllRelabelled", set())
    await publish(app, code="surge_support", basis="weighted", value="0.100", known_from="2022-09-20", **WINTER)
    assert await refused(from_stream="surge_support", to_stream="visits") == (409, "RelabelledTwice", set())
    shown = await app.client.get(
        f"{RELABELLINGS}/{made['id']}", headers=app.token(Role.PAYEE, organisations=["A00001"])
    )
    assert shown.json() == made
    assert (await app.client.get(f"{RELABELLINGS}/relabelling-x", headers=nan(app))).status_code == 404


async def test_two_relabellings_at_once_do_not_both_stand(funding_live: Harness) -> None:
    app = funding_live
    await a_fund(app)
    replies = await asyncio.gather(*(app.post(RELABELLINGS, relabelling(), nan(app)) for _ in range(3)))
    assert sorted(reply.status_code for reply in replies) == [201, 409, 409]
    shares = [relabelling(to_stream=f"visits_{n}") for n in range(3)]
    replies = await asyncio.gather(*(app.post(RELABELLINGS, body, nan(app)) for body in shares))
    assert sorted(reply.status_code for reply in replies) == [201, 409, 409], "0.4 and 0.4, and no third of it"
