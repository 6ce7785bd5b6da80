"""Whether everything the service tells of its payments comes to the same penny, asked over HTTP as people ask."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from shared.events.funding import PaymentIssued
from shared.years import year_of
from tests.funding.test_runs import nan
from tests.harness import Harness

NOTHING = Decimal("0.00")


async def all_of(app: Harness, path: str, **query: str) -> list[dict[str, Any]]:
    """Every item of a list, page after page."""
    items: list[dict[str, Any]] = []
    asked = {**query, "limit": "200"}
    while True:
        reply = await app.client.get(f"/funding/v1/{path}", params=asked, headers=nan(app))
        assert reply.status_code == 200, reply.text
        items += reply.json()["items"]
        if reply.json()["next"] is None:
            return items
        asked["cursor"] = reply.json()["next"]


async def issued(app: Harness) -> list[dict[str, Any]]:
    """The issued runs, in the order in which they were issued."""
    found = [run for run in await all_of(app, "payment-runs") if run["status"] == "issued"]
    return sorted(found, key=lambda run: str(run["issued_at"]))


async def adds_up(app: Harness, *, due: bool = True) -> None:
    """Lines, explanations, control totals, instructions, statements, events and, unless something is known to wait,
    what is due: one sum."""
    runs = await issued(app)
    events: dict[str, list[PaymentIssued]] = defaultdict(list)
    for event in await app.announced():
        if isinstance(event, PaymentIssued):
            events[event.run].append(event)
    every: list[dict[str, Any]] = []
    for run in runs:
        lines = await all_of(app, f"payment-runs/{run['id']}/lines")
        await _explained(app, lines)
        made = [line | {"run": run["id"], "run_month": run["month"]} for line in lines if line["amount"] is not None]
        every += made
        assert _sum(made) == Decimal(run["total"])
        by_stream: dict[str, Decimal] = defaultdict(lambda: NOTHING)
        for line in made:
            by_stream[line["stream"]] += Decimal(line["amount"])
        assert {stream: Decimal(told["amount"]) for stream, told in run["totals"].items()} == by_stream
        told = [line for event in events[run["id"]] for line in event.lines]
        assert {(line.line, line.amount) for line in told} == {(line["id"], Decimal(line["amount"])) for line in made}
        await _instructed(app, run, made)
    redirected = [one for one in await all_of(app, "payment-redirections") if one["status"] == "approved"]
    await _conserved(app, every, redirected)
    _nobody_owes_what_it_never_had(runs, every, redirected)
    for payee in sorted({line["payee"] for line in every}):
        for run in runs:
            await _stated(app, payee, run["month"], every)
    await _forecast(app, every)
    if due:
        await _as_due(app, runs, every)


def _sum(lines: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(line["amount"]) for line in lines), NOTHING)


async def _explained(app: Harness, lines: list[dict[str, Any]]) -> None:
    for line in lines:
        reply = await app.client.get(f"/funding/v1/lines/{line['id']}/explanation", headers=nan(app))
        assert reply.status_code == 200, reply.text
        assert reply.json()["recomputed"] == line["amount"], reply.json()


async def _instructed(app: Harness, run: dict[str, Any], lines: list[dict[str, Any]]) -> None:
    """One instruction for each payee of its lines of the run, with what was brought forward, by network."""
    of_run: dict[str, Decimal] = defaultdict(lambda: NOTHING)
    for line in lines:
        of_run[line["payee"]] += Decimal(line["amount"])
    instructions = await all_of(app, "payment-instructions", run=run["id"])
    assert len({one["payee"] for one in instructions}) == len(instructions)
    assert {one["payee"]: Decimal(one["of_run"]) for one in instructions if one["payee"] in of_run} == of_run
    for one in instructions:
        assert Decimal(one["of_run"]) + Decimal(one["brought_forward"]) == Decimal(one["amount"])
        assert sum(map(Decimal, one["parts"].values()), NOTHING) == Decimal(one["amount"])
        assert one["payee"] in of_run or Decimal(one["of_run"]) == 0
        assert Decimal(one["amount"]) > 0 or one["state"] in {"carried", "nil"}
    files = await all_of(app, "payment-files", run=run["id"])
    sent = [one for one in instructions if one["file"] is not None]
    assert sum((Decimal(file["total"]) for file in files), NOTHING) == sum(
        (Decimal(one["amount"]) for one in sent), NOTHING
    )


async def _conserved(app: Harness, lines: list[dict[str, Any]], redirected: list[dict[str, Any]]) -> None:
    """By payee: what instructions carry, sent or still open, and what was redirected to it and not sent yet, is what
    its lines come to, but for what went to other payees and with what came from them."""
    stands: dict[str, Decimal] = defaultdict(lambda: NOTHING)
    gone: dict[str, Decimal] = defaultdict(lambda: NOTHING)
    of_lines: dict[str, Decimal] = defaultdict(lambda: NOTHING)
    for line in lines:
        of_lines[line["payee"]] += Decimal(line["amount"])
    for one in redirected:
        amount = Decimal(one["amount"])
        assert sum((Decimal(part["amount"]) for part in one["amounts"]), NOTHING) == amount
        gone[one["instruction"]] += amount
        of_lines[one["payee"]] -= amount
        of_lines[one["redirected_to"]] += amount
        if one["taken_into"] is None:
            stands[one["redirected_to"]] += amount
    for one in await all_of(app, "payment-instructions"):
        assert Decimal(one["redirected"]) == gone[one["id"]]
        if one["taken_into"] is None:
            stands[one["payee"]] += Decimal(one["amount"]) - gone[one["id"]]
    assert {payee: amount for payee, amount in stands.items() if amount} == {
        payee: amount for payee, amount in of_lines.items() if amount
    }


def _nobody_owes_what_it_never_had(
    runs: list[dict[str, Any]], lines: list[dict[str, Any]], redirected: list[dict[str, Any]]
) -> None:
    """Of a stream and month of a network, no payee ever gave back more than it was paid, or was redirected to it."""
    changes: list[tuple[str, dict[tuple[str, ...], Decimal]]] = []
    for run in runs:
        by_run: dict[tuple[str, ...], Decimal] = defaultdict(lambda: NOTHING)
        for line in lines:
            if line["run"] == run["id"]:
                key = (line["payee"], line["network"], line["practice"] or "", line["stream"], line["month"])
                by_run[key] += Decimal(line["amount"])
        changes.append((run["issued_at"], by_run))
    for one in redirected:
        moved: dict[tuple[str, ...], Decimal] = defaultdict(lambda: NOTHING)
        for part in one["amounts"]:
            place = (one["network"], one["practice"] or "", part["stream"], part["month"])
            moved[one["payee"], *place] -= Decimal(part["amount"])
            moved[one["redirected_to"], *place] += Decimal(part["amount"])
        changes.append((one["decided_at"], moved))
    had: dict[tuple[str, ...], Decimal] = defaultdict(lambda: NOTHING)
    for _, change in sorted(changes, key=lambda at: at[0]):
        for given, amount in change.items():
            had[given] += amount
            assert had[given] >= 0, (given, had[given])


async def _stated(app: Harness, payee: str, month: str, lines: list[dict[str, Any]]) -> None:
    """A payee's statement of a month has the lines of the month's run and the year's sums to it."""
    reply = await app.client.get("/funding/v1/statements", params={"payee": payee, "month": month}, headers=nan(app))
    assert reply.status_code == 200, reply.text
    told = reply.json()
    own = [line for line in lines if line["payee"] == payee]
    of_run = [line for line in own if line["run_month"] == month]
    assert {line["id"] for line in told["lines"] if line["amount"] is not None} == {line["id"] for line in of_run}
    assert Decimal(told["total"]) == _sum(of_run)
    for position in told["year"]:
        so_far = [
            line
            for line in own
            if line["stream"] == position["stream"]
            and line["contract_year"] == position["contract_year"]
            and line["run_month"] <= month
        ]
        assert Decimal(position["to_date"]) == _sum(so_far)
        assert Decimal(position["before"]) + Decimal(position["this_month"]) == Decimal(position["to_date"])
    if of_run:
        assert Decimal(told["payment"]["amount"]) == Decimal(told["payment"]["brought_forward"]) + _sum(of_run)


async def _forecast(app: Harness, lines: list[dict[str, Any]]) -> None:
    """What a year's forecast says was paid for staff is what the lines come to, and adjustments approved since."""
    of_staff: dict[tuple[str, str], Decimal] = defaultdict(lambda: NOTHING)
    for line in lines:
        if line["stream"] == "arrs":
            of_staff[line["contract_year"], line["network"]] += Decimal(line["amount"])
    for (year, network), amount in of_staff.items():
        reply = await app.client.get(f"/funding/v1/forecasts/{network}?contract_year={year}", headers=nan(app))
        assert reply.status_code == 200, reply.text
        told = sum((Decimal(one["paid"]) + Decimal(one["arrears"]) for one in reply.json()["sums"]), NOTHING)
        coming_yet = sum(
            (
                Decimal(one["adjustment"])
                for one in await all_of(app, "queries", network=network)
                if one["state"] == "answered" and one["adjustment"] and one["adjusted_in"] is None
                if (year_of(one["month"]), one["stream"]) == (year, "arrs")
            ),
            NOTHING,
        )
        assert told == amount + coming_yet, (year, network)


async def _as_due(app: Harness, runs: list[dict[str, Any]], lines: list[dict[str, Any]]) -> None:
    """What runs paid by rule through the last month of each year is what is due of it, as computed afresh."""
    years: dict[str, str] = {}
    for run in runs:
        years[run["contract_year"]] = max(run["month"], years.get(run["contract_year"], ""))
    for year, through in years.items():
        for network in sorted({line["network"] for line in lines}):
            asked = {"network": network, "contract_year": year, "month": through}
            reply = await app.client.get("/funding/v1/entitlements", params=asked, headers=nan(app))
            assert reply.status_code == 200, reply.text
            paid: dict[tuple[str, str | None], Decimal] = defaultdict(lambda: NOTHING)
            for line in lines:
                if line["network"] == network and line["contract_year"] == year and line["reference"] is None:
                    paid[line["stream"], line["practice"]] += Decimal(line["amount"])
            for item in reply.json()["items"]:
                key = (item["stream"], item["practice"])
                assert Decimal(item["paid"]) == paid[key], item
                if not item["held"]:
                    assert paid[key] == Decimal(item["due"]), item
            known = {(item["stream"], item["practice"]) for item in reply.json()["items"]}
            assert {key: amount for key, amount in paid.items() if amount and key not in known} == {}


Foretold = dict[str, dict[str, Decimal]]
"""By payee and stream: what the next run was said to pay."""


async def coming(app: Harness, month: str) -> Foretold | None:
    """What the newest statements say is coming, if that is the run of the month."""
    runs = await issued(app)
    if not runs:
        return None
    newest = max(run["month"] for run in runs)
    found: Foretold = {}
    for payee in sorted({one["payee"] for one in await all_of(app, "payment-instructions")}):
        asked = {"payee": payee, "month": newest}
        told = (await app.client.get("/funding/v1/statements", params=asked, headers=nan(app))).json()
        if told["coming"]["month"] != month:
            return None
        found[payee] = {one["stream"]: Decimal(one["amount"]) for one in told["coming"]["streams"]}
    return found


async def came_true(app: Harness, run: dict[str, Any], foretold: Foretold | None) -> None:
    """The run paid everybody what was foretold."""
    found: Foretold = {}
    for line in await all_of(app, f"payment-runs/{run['id']}/lines"):
        if line["amount"] is not None:
            streams = found.setdefault(line["payee"], {})
            streams[line["stream"]] = streams.get(line["stream"], NOTHING) + Decimal(line["amount"])
    for payee, streams in (foretold or {}).items():
        said = {stream: amount for stream, amount in streams.items() if amount}
        assert said == {stream: amount for stream, amount in found.get(payee, {}).items() if amount}, payee
