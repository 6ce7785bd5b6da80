"""A practice goes over into another: its patients are paid for with that one's, in the same network or in another."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shared.events.registry import (
    Member,
    PatientsAllocated,
    PracticeClosed,
    PracticeFact,
    PracticeJoined,
    PracticeLeft,
    PracticeRegistered,
    PracticeSucceeded,
    WentOver,
)
from tests.funding.asking import amounts, explained
from tests.funding.builders import COMMISSIONER, NETWORK, an_approved_network, list_sizes
from tests.funding.test_budgets import sums
from tests.funding.test_journey import an_area, paid
from tests.funding.test_runs import lines_of
from tests.funding.test_what_ifs import asked, by_stream, due
from tests.harness import Harness

OTHER = "U20000"
JUNE = date(2022, 6, 1)


def merged(practice: str, into: str, on: date = JUNE, network: str | None = NETWORK) -> list[Any]:
    """What the registry tells when a practice goes over into another."""
    last = date.fromordinal(on.toordinal() - 1)
    first = date(2020, 4, 1)
    left = PracticeLeft(
        network=network or "", commissioner=COMMISSIONER, practice=practice, valid_from=first, valid_to=last
    )
    return [
        *([left] if network else []),
        PracticeClosed(practice=practice, commissioner=COMMISSIONER, closed_on=last),
        PracticeSucceeded(practice=practice, successor=into, commissioner=COMMISSIONER, succeeded_on=on),
    ]


def open_again(practice: str, went_over: list[WentOver] | None = None) -> PracticeRegistered:
    fact = PracticeFact(
        practice=practice, practice_name="Surgery", commissioner=COMMISSIONER, opened_on=date(2013, 4, 1)
    )
    return PracticeRegistered(practice=fact.model_copy(update={"went_over": went_over}))


async def test_a_network_is_paid_for_as_many_patients_after_a_merger_as_before(funding_app: Harness) -> None:
    await an_area(funding_app)
    before = await paid(funding_app, "2022-05")
    await funding_app.deliver(*merged("A00002", "A00001"))
    after = await paid(funding_app, "2022-06")
    for stream in ("core_registered", "leadership_management", "extended_hours"):
        was = [
            line["amount"] for line in await lines_of(funding_app, before, stream=stream) if line["month"] == "2022-05"
        ]
        now = await amounts(funding_app, after, stream=stream)
        assert now == {("2022-06", "due"): was[0]}, stream
    # 1.761 × (31,000 + 19,000) / 12 is the successor's now, and nobody gives back what was due until May
    own = {
        line["practice"]: line["amount"] for line in await lines_of(funding_app, after, stream="network_participation")
    }
    assert own == {"A00001": "7337.50"}
    (core,) = await lines_of(funding_app, after, stream="core_registered")
    assert any("A00002 count with the practice" in step for step in (await explained(funding_app, core))["arithmetic"])


async def test_a_merger_heard_of_late_is_made_good(funding_app: Harness) -> None:
    await an_area(funding_app)
    left, closed, succeeded = merged("A00002", "A00001")
    await funding_app.deliver(left, closed)
    run = await paid(funding_app, "2022-06")
    assert (await amounts(funding_app, run, stream="core_registered"))["2022-06", "due"] == "3750.00"
    await funding_app.deliver(succeeded, succeeded)
    run = await paid(funding_app, "2022-07")
    found = await amounts(funding_app, run, stream="core_registered")
    assert found == {("2022-06", "membership-changed"): "2500.00", ("2022-07", "due"): "6250.00"}


async def test_patients_go_with_a_practice_into_another_network_and_on_from_there(funding_app: Harness) -> None:
    await an_area(funding_app)
    await funding_app.deliver(
        list_sizes("registered", {"A00003": 9000, "A00001": 30000, "A00002": 20000}),
        an_approved_network(OTHER, ["A00003"]),
        *merged("A00002", "A00001"),
        *merged("A00001", "A00003", date(2022, 7, 1)),
    )
    run = await paid(funding_app, "2022-07")
    lines = await lines_of(funding_app, run, stream="core_registered")
    assert {(line["network"], line["month"]): line["amount"] for line in lines} == {
        (NETWORK, "2022-04"): "6250.00",
        (NETWORK, "2022-05"): "6250.00",
        (NETWORK, "2022-06"): "6250.00",
        (OTHER, "2022-04"): "1125.00",
        (OTHER, "2022-05"): "1125.00",
        (OTHER, "2022-06"): "1125.00",
        (OTHER, "2022-07"): "7375.00",
    }


async def test_a_part_of_a_list_brings_that_part_of_what_came_over(funding_app: Harness) -> None:
    await an_area(funding_app)
    since = date(2020, 4, 1)
    half = Member(practice="A00001", valid_from=since, share="0.5")
    await funding_app.deliver(
        an_approved_network(members=[half, "A00002"]), an_approved_network(OTHER, [half]), *merged("A00002", "A00001")
    )
    run = await paid(funding_app, "2022-06")
    lines = await lines_of(funding_app, run, stream="core_registered")
    due = {line["network"]: line["amount"] for line in lines if line["month"] == "2022-06"}
    assert due == {NETWORK: "3125.00", OTHER: "3125.00"}


async def test_an_allocated_list_counts_with_what_came_over_to_it(funding_app: Harness) -> None:
    await an_area(funding_app)
    await funding_app.deliver(
        list_sizes("registered", {"A00003": 6000, "A00004": 6000, "A00001": 30000, "A00002": 20000}),
        PatientsAllocated(network=NETWORK, commissioner=COMMISSIONER, practice="A00003", valid_from=date(2022, 4, 1)),
        *merged("A00004", "A00003", network=None),
    )
    run = await paid(funding_app, "2022-06")
    lines = await lines_of(funding_app, run, stream="core_registered")
    assert {line["month"]: line["amount"] for line in lines} == {
        "2022-04": "7000.00",
        "2022-05": "7000.00",
        "2022-06": "7750.00",
    }


async def test_months_of_a_merger_stay_as_paid_when_the_practice_opens_anew(funding_app: Harness) -> None:
    """A00002 was A00001's from June to August, is its own again in September and goes over again in November."""
    await an_area(funding_app)
    await funding_app.deliver(*merged("A00002", "A00001"))
    august = await paid(funding_app, "2022-08")
    assert (await amounts(funding_app, august, stream="core_registered"))["2022-08", "due"] == "6250.00"
    gone = WentOver(successor="A00001", valid_from=JUNE, valid_to=date(2022, 8, 31))
    anew = open_again("A00002", [gone])
    await funding_app.deliver(anew, anew)
    september = await paid(funding_app, "2022-09")
    assert await amounts(funding_app, september, stream="core_registered") == {("2022-09", "due"): "3750.00"}
    own = await amounts(funding_app, september, stream="network_participation", practice="A00001")
    assert own == {("2022-09", "due"): "4549.25"}
    joined = PracticeJoined(network=NETWORK, commissioner=COMMISSIONER, practice="A00002", valid_from=date(2022, 10, 1))
    await funding_app.deliver(joined)
    october = await paid(funding_app, "2022-10")
    assert await amounts(funding_app, october, stream="core_registered") == {("2022-10", "due"): "6250.00"}
    own = await amounts(funding_app, october, stream="network_participation", practice="A00002")
    assert own == {("2022-10", "due"): "2788.25"}
    # the second merger leaves the first as it was, and putting it right touches the second alone
    last = {"commissioner": COMMISSIONER, "practice": "A00002", "valid_to": date(2022, 10, 31)}
    left = PracticeLeft(network=NETWORK, valid_from=date(2022, 10, 1), **last)
    again = {"practice": "A00002", "successor": "A00001", "commissioner": COMMISSIONER}
    await funding_app.deliver(
        left,
        PracticeClosed(practice="A00002", commissioner=COMMISSIONER, closed_on=date(2022, 10, 31)),
        PracticeSucceeded(**again, succeeded_on=date(2022, 12, 1)),
        PracticeSucceeded(**again, succeeded_on=date(2022, 11, 1)),
    )
    november = await paid(funding_app, "2022-11")
    assert await amounts(funding_app, november, stream="core_registered") == {("2022-11", "due"): "6250.00"}


async def test_an_older_word_of_a_merger_does_not_undo_its_end(funding_app: Harness) -> None:
    await an_area(funding_app)
    left, closed, succeeded = merged("A00002", "A00001")
    gone = WentOver(successor="A00001", valid_from=JUNE, valid_to=date(2022, 8, 31))
    await funding_app.deliver(left)
    await funding_app.deliver(open_again("A00002", [gone]), position=9_000)
    for position, event in ((8_999, succeeded), (8_998, closed)):
        await funding_app.deliver(event, position=position)
    run = await paid(funding_app, "2022-09")
    lines = await lines_of(funding_app, run, stream="core_registered")
    assert {line["month"]: line["amount"] for line in lines} == {
        **dict.fromkeys(("2022-04", "2022-05", "2022-06", "2022-07", "2022-08"), "6250.00"),
        "2022-09": "3750.00",
    }


async def test_a_merger_that_never_was_is_taken_back_also_where_successions_are_told(funding_app: Harness) -> None:
    await an_area(funding_app)
    await funding_app.deliver(list_sizes("registered", {"A00003": 8000, "A00001": 30000, "A00002": 20000}))
    await funding_app.deliver(*merged("A00003", "A00001", network=None))
    await paid(funding_app, "2022-06")
    await funding_app.deliver(open_again("A00003", []))
    july = await paid(funding_app, "2022-07")
    assert await amounts(funding_app, july, stream="core_registered") == {
        ("2022-06", "membership-changed"): "-1000.00",
        ("2022-07", "due"): "6250.00",
    }


async def test_the_sum_for_roles_counts_a_merger_for_its_days_only(funding_app: Harness) -> None:
    await an_area(funding_app)
    await funding_app.deliver(*merged("A00002", "A00001", date(2022, 3, 1)))
    # 16.696 × 31,000, and with the 19,000 that went over for April alone
    for last, amount in ((date(2022, 3, 31), "517576.00"), (date(2022, 4, 1), "544011.33")):
        gone = WentOver(successor="A00001", valid_from=date(2022, 3, 1), valid_to=last)
        await funding_app.deliver(open_again("A00002", [gone]))
        assert (await sums(funding_app, "2022-23"))[NETWORK]["amount"] == amount


@pytest.mark.parametrize("late", [False, True])
async def test_a_merger_taken_back_pays_for_nobody_it_should_not(funding_app: Harness, late: bool) -> None:
    """The practice was outside every network: its patients were the network's by the merger alone."""
    await an_area(funding_app)
    events = [*merged("A00003", "A00001", network=None), open_again("A00003")]
    await funding_app.deliver(list_sizes("registered", {"A00003": 8000, "A00001": 30000, "A00002": 20000}))
    if late:
        for position, event in ((9_000, events[2]), (8_999, events[1])):
            await funding_app.deliver(event, position=position)
        await funding_app.deliver(events[0], position=8_998)
    else:
        await funding_app.deliver(*events)
    run = await paid(funding_app, "2022-06")
    lines = await lines_of(funding_app, run, stream="core_registered")
    assert {line["amount"] for line in lines} == {"6250.00"}


async def test_the_sum_for_roles_counts_what_came_over_by_its_day(funding_app: Harness) -> None:
    await an_area(funding_app)
    before = (await sums(funding_app, "2022-23"))[NETWORK]["amount"]
    await funding_app.deliver(*merged("A00002", "A00001", date(2022, 3, 1)))
    assert (await sums(funding_app, "2022-23"))[NETWORK]["amount"] == before
    await funding_app.deliver(list_sizes("weighted", {"A00002": 29000}, known_from=date(2022, 9, 1)))
    assert (await sums(funding_app, "2022-23"))[NETWORK]["amount"] != before


async def test_a_move_is_weighed_with_everybody_who_would_go_along(funding_app: Harness) -> None:
    """The practice that moves brings the patients that came over to it, and then it really does."""
    await an_area(funding_app)
    await funding_app.deliver(
        list_sizes("registered", {"A00003": 9000, "A00001": 30000, "A00002": 20000}),
        an_approved_network(OTHER, ["A00003"]),
        *merged("A00002", "A00001", date(2022, 5, 1)),
    )
    move = {"practice": "A00001", "leaves": NETWORK, "joins": OTHER, "month": "2022-07"}
    before = {network: await due(funding_app, network) for network in (NETWORK, OTHER)}
    told = by_stream(await asked(funding_app, members=[move]), "difference")
    first = date(2020, 4, 1)
    whose: dict[str, Any] = {"commissioner": COMMISSIONER, "practice": "A00001"}
    await funding_app.deliver(
        PracticeLeft(network=NETWORK, valid_from=first, valid_to=date(2022, 6, 30), **whose),
        PracticeJoined(network=OTHER, valid_from=date(2022, 7, 1), **whose),
    )
    for network in (NETWORK, OTHER):
        after = await due(funding_app, network)
        for stream in ("core_registered", "extended_hours"):
            key = (network, stream, None)
            assert told[network, stream] == [f"{after.get(key, Decimal(0)) - before[network][key]:.2f}"]
    assert told[NETWORK, "core_registered"] == ["-56250.00"]  # 1.50 x 50,000 x 9/12


async def test_the_list_of_a_practice_that_closed_is_paid_to_the_network_that_serves_it(funding_app: Harness) -> None:
    """It is allocated from the day after its last; nobody takes part with it any more."""
    await an_area(funding_app)
    left, closed, _ = merged("A00002", "A00001")
    await funding_app.deliver(left, closed)
    run = await paid(funding_app, "2022-06")
    assert (await amounts(funding_app, run, stream="core_registered"))["2022-06", "due"] == "3750.00"
    served = PatientsAllocated(network=NETWORK, commissioner=COMMISSIONER, practice="A00002", valid_from=JUNE)
    await funding_app.deliver(served)
    run = await paid(funding_app, "2022-07")
    found = await amounts(funding_app, run, stream="core_registered")
    assert found == {("2022-06", "membership-changed"): "2500.00", ("2022-07", "due"): "6250.00"}
    taking_part = await lines_of(funding_app, run, stream="network_participation")
    assert {line["practice"] for line in taking_part} == {"A00001"}
