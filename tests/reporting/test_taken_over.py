"""Reports follow areas and practices that are taken over: by the heir from the day, by the one before until then."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shared.events import registry
from shared.identity import Role
from tests.harness import Harness
from tests.registry.builders import load_sample
from tests.registry.test_hierarchy import divided, succeed
from tests.reporting.builders import (
    JUNE_30,
    TAKEN_OVER_ON,
    at,
    by_key,
    england,
    lists,
    network,
    practices,
    report,
    succeeded,
    taken_over,
)

BEFORE, AFTER = "2022-06-30", "2022-07-01"


@pytest.fixture
async def app(reporting_app: Harness) -> Harness:
    at(reporting_app, date(2022, 7, 15))
    await reporting_app.deliver(*england(), *taken_over())
    return reporting_app


def figures(answer: Any, name: str) -> dict[str, Decimal]:
    return {item["key"]: Decimal(item[name]) for item in answer["items"]}


async def test_patients_are_their_heirs_from_the_day_and_nobody_is_lost(app: Harness) -> None:
    before = figures(await report(app, "coverage", as_at=BEFORE), "registered")
    after = figures(await report(app, "coverage", as_at=AFTER), "registered")
    assert before == {"AA1": 31_000, "BB2": 35_001}
    assert after == {"CC3": 31_000, "DD4": 27_000, "EE5": 8_001}
    systems = figures(await report(app, "coverage", as_at=AFTER, by="system"), "registered")
    assert systems == {"QA1": 39_001, "QB2": 27_000}
    names = by_key(await report(app, "coverage", as_at=AFTER))
    assert names["CC3"]["name"] == "Commissioner CC3"
    left = await report(app, "coverage/practices", as_at=AFTER, commissioner="EE5", state="uncovered")
    assert [(p["practice"], p["commissioner"]) for p in left["items"]] == [("B80003", "EE5"), ("B80004", "EE5")]


async def test_lists_of_a_practice_that_went_over_count_with_its_heir_until_they_are_counted_anew(app: Harness) -> None:
    before, after = [by_key(await report(app, "coverage", as_at=day)) for day in (BEFORE, AFTER)]
    assert [before["AA1"][name] for name in ("practices", "covered")] == [3, "31000"]
    assert [after["CC3"][name] for name in ("practices", "covered", "not_covered")] == [2, "31000", "0"]
    await app.deliver(lists("CC3", {"A80001": 18_500, "A80002": 12_100}, date(2022, 10, 1)))
    assert figures(await report(app, "coverage", as_at="2022-09-30"), "registered")["CC3"] == 31_000
    assert figures(await report(app, "coverage", as_at="2022-10-01"), "registered")["CC3"] == 30_600


async def test_practices_that_go_over_one_after_another_lose_nobody(app: Harness) -> None:
    """A80003 went into A80001, which goes into A80002, before any list is counted."""
    await app.deliver(
        practices("CC3", "A80001", closed=date(2022, 8, 31)),
        registry.PracticeSucceeded(
            practice="A80001", successor="A80002", commissioner="CC3", succeeded_on=date(2022, 9, 1)
        ),
    )
    for day in (BEFORE, AFTER, "2022-08-31", "2022-09-01"):
        assert sum(figures(await report(app, "coverage", as_at=day), "registered").values()) == 66_001
    one = by_key(await report(app, "coverage", as_at="2022-09-01"))["CC3"]
    assert (one["practices"], one["covered"]) == (1, "31000")


async def test_a_succession_of_practices_taken_back_is_as_if_it_had_not_been(app: Harness) -> None:
    again = [("AA1", date(2013, 4, 1), JUNE_30), ("CC3", TAKEN_OVER_ON, None)]
    await app.deliver(practices("CC3", "A80003", commissioned=again))
    one = by_key(await report(app, "coverage", as_at=AFTER))["CC3"]
    assert (one["practices"], one["registered"]) == (3, "31000")
    # closed with nobody to take them over, its patients are counted until there is a new list
    await app.deliver(practices("CC3", "A80003", closed=date(2022, 5, 31)))
    one = by_key(await report(app, "coverage", as_at=AFTER))["CC3"]
    assert (one["practices"], one["registered"]) == (3, "31000")
    await app.deliver(lists("CC3", {"A80001": 15_000, "A80002": 12_100}, date(2022, 10, 1)))
    days = [by_key(await report(app, "coverage", as_at=day))["CC3"] for day in ("2022-09-30", "2022-10-01")]
    assert [(one["practices"], one["registered"]) for one in days] == [(3, "31000"), (2, "27100")]


async def test_a_merger_ends_where_the_practice_opens_anew(app: Harness) -> None:
    """A80003 is A80001's in July and August, and by itself before and after; in 2023 it goes over into A80002."""
    spells = [("AA1", date(2013, 4, 1), JUNE_30), ("CC3", date(2022, 9, 1), None)]
    gone = registry.WentOver(successor="A80001", valid_from=TAKEN_OVER_ON, valid_to=date(2022, 8, 31))
    await app.deliver(practices("CC3", "A80003", commissioned=spells, went_over=[gone]))

    async def seen(day: str) -> list[Any]:
        one = by_key(await report(app, "coverage", as_at=day))
        area = one.get("CC3") or one["AA1"]
        return [area[name] for name in ("practices", "registered", "covered")]

    merged, alone = [2, "31000", "31000"], [3, "31000", "22000"]
    assert await seen(BEFORE) == [3, "31000", "31000"]
    assert [await seen(day) for day in (AFTER, "2022-08-31", "2022-09-01")] == [merged, merged, alone]
    again = registry.PracticeSucceeded(
        practice="A80003", successor="A80002", commissioner="CC3", succeeded_on=date(2023, 2, 1)
    )
    await app.deliver(
        practices("CC3", "A80003", closed=date(2023, 1, 31), commissioned=spells, went_over=[gone]), again
    )
    days = (AFTER, "2022-08-31", "2022-09-01", "2023-01-31", "2023-02-01")
    assert [await seen(day) for day in days] == [merged, merged, alone, alone, merged]
    # a list counted after it opened anew says nothing of the months before
    await app.deliver(practices("CC3", "A80003", commissioned=spells, went_over=[gone]))
    await app.deliver(lists("CC3", {"A80001": 15_000, "A80002": 7_000, "A80003": 9_500}, date(2022, 10, 1)))
    assert [await seen(day) for day in (AFTER, "2022-10-01")] == [merged, [3, "31500", "22000"]]
    # and had it never been, it is as if it had not
    never = [("AA1", date(2013, 4, 1), JUNE_30), ("CC3", TAKEN_OVER_ON, None)]
    await app.deliver(practices("CC3", "A80003", commissioned=never, went_over=[]))
    assert await seen(AFTER) == alone


async def test_people_in_post_are_counted_for_who_leads_their_network_that_day(app: Harness) -> None:
    before = figures(await report(app, "workforce", as_at=BEFORE), "wte")
    after = figures(await report(app, "workforce", as_at=AFTER), "wte")
    assert before == {"AA1": Decimal("0.8"), "BB2": Decimal(1)}
    assert after == {"CC3": Decimal("0.8"), "DD4": Decimal(1)}
    of_one = await report(app, "workforce", as_at=AFTER, commissioner="CC3", by="network")
    assert [item["key"] for item in of_one["items"]] == ["U00001"]
    assert (await report(app, "workforce", as_at=AFTER, commissioner="AA1", by="network"))["items"] == []


async def test_money_stands_with_who_leads_its_network_on_the_day_of_the_map(app: Harness) -> None:
    asked: Any = {"contract_year": "2022-23"}
    before, after = [by_key(await report(app, "spend", map_of=day, **asked)) for day in (BEFORE, AFTER)]
    columns = ("paid", "budget", "claimed")
    assert {key: [row[c] for c in columns] for key, row in before.items()} == {
        "AA1": ["10976.66", "500000.00", "3731.40"],
        "BB2": ["2812.56", None, "0.00"],
    }
    assert {key: [row[c] for c in columns] for key, row in after.items()} == {
        "CC3": ["10976.66", "500000.00", "3731.40"],
        "DD4": ["2812.56", None, "0.00"],
    }
    of_heir = await report(app, "spend", by="stream", commissioner="CC3", **asked)
    assert sum(Decimal(item["paid"]) for item in of_heir["items"]) == Decimal("10976.66")
    whole = by_key(await report(app, "spend", by="england", **asked))["England"]
    assert whole["paid"] == "13789.22"
    networks = await report(app, "spend", by="network", commissioner="CC3", **asked)
    assert [(item["key"], item["paid"]) for item in networks["items"]] == [("U00001", "10976.66")]


async def test_whoever_took_over_sees_what_the_one_before_saw_who_sees_nothing_any_more(app: Harness) -> None:
    def of(code: str) -> Any:
        return {"organisations": (code,)}

    seen = {
        code: figures(await report(app, "coverage", Role.COMMISSIONER, as_at=BEFORE, **of(code)), "registered")
        for code in ("AA1", "BB2", "CC3", "DD4", "EE5")
    }
    assert seen == {"AA1": {}, "BB2": {}, "CC3": {"AA1": 31_000}, "DD4": {"BB2": 35_001}, "EE5": {"BB2": 35_001}}
    now = figures(await report(app, "coverage", Role.COMMISSIONER, as_at=AFTER, **of("DD4")), "registered")
    assert now == {"DD4": 27_000}
    rounds = await report(app, "deadlines", Role.COMMISSIONER, contract_year="2022-23", **of("CC3"))
    assert [row["commissioner"] for row in rounds["items"]] == ["AA1"]
    people = figures(await report(app, "workforce", Role.COMMISSIONER, as_at=BEFORE, **of("CC3")), "wte")
    assert people == {"AA1": Decimal("0.8")}
    at(app, JUNE_30)
    early = await report(app, "coverage", Role.COMMISSIONER, as_at=BEFORE, **of("AA1"))
    assert figures(early, "registered") == {"AA1": 31_000}
    assert (await report(app, "coverage", Role.COMMISSIONER, as_at=BEFORE, **of("CC3")))["items"] == []


async def test_a_succession_taken_back_gives_the_area_back(app: Harness) -> None:
    await app.deliver(
        succeeded("AA1", "AA1"),
        practices("AA1", "A80001", "A80002", commissioned=[("AA1", date(2013, 4, 1), None)]),
        network("U00001", "AA1", {"A80001": "1", "A80002": "1"}, entries=[]),
    )
    after = figures(await report(app, "coverage", Role.COMMISSIONER, organisations=("AA1",), as_at=AFTER), "registered")
    assert after == {"AA1": 31_000}
    assert figures(await report(app, "workforce", as_at=AFTER), "wte")["AA1"] == Decimal("0.8")
    paid = by_key(await report(app, "spend", map_of=AFTER, contract_year="2022-23"))
    assert paid["AA1"]["paid"] == "10976.66"


async def test_an_older_word_on_a_succession_changes_nothing(app: Harness) -> None:
    await app.receive(app.envelope(succeeded("AA1", "EE5"), position=1))
    seen = await report(app, "coverage", Role.COMMISSIONER, organisations=("CC3",), as_at=BEFORE)
    assert figures(seen, "registered") == {"AA1": 31_000}


async def test_what_the_register_announces_of_a_divided_area_is_enough(
    registry_app: Harness, reporting_app: Harness
) -> None:
    """The invented sample's SB2 is divided by its register, and reported as divided from the day."""
    await load_sample(registry_app)
    await succeed(registry_app, "SB2", *divided(), kind="split", inherits="S7A2X")
    at(reporting_app, date(2022, 7, 15))
    await reporting_app.deliver(*await registry_app.announced())
    before = figures(await report(reporting_app, "coverage", as_at="2022-06-30"), "registered")
    after = figures(await report(reporting_app, "coverage", as_at="2022-07-01"), "registered")
    assert before.pop("SA1") == after.pop("SA1") == 112_225
    assert (set(before), set(after)) == ({"SB2"}, {"S7A1X", "S7A2X"})
    assert sum(after.values()) == before["SB2"] == 116_840
