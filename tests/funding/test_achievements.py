"""Pay for performance: computed by the formula, declared, approved by a second person, overridden, paid."""

from __future__ import annotations

import asyncio
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from services.funding.achievements.rules import assess
from services.funding.indicators.operations import _shipped
from services.funding.lines.trace import recompute
from shared.events.funding import AchievementApproved
from shared.identity import Role
from tests.funding.builders import (
    COMMISSIONER,
    NETWORK,
    a_commissioner,
    an_approved_network,
    list_sizes,
    some_practices,
)
from tests.funding.test_journey import paid
from tests.harness import Harness

ACHIEVEMENTS = "/funding/v1/achievements"
INDICATORS = "/funding/v1/indicators"
OVERRIDES = "/funding/v1/achievement-overrides"


def network(app: Harness, code: str = NETWORK, subject: str = "nina") -> dict[str, str]:
    return app.token(Role.NETWORK, organisations=[code], subject=subject)


def commissioner(app: Harness, subject: str = "carol", code: str = COMMISSIONER) -> dict[str, str]:
    return app.token(Role.COMMISSIONER, organisations=[code], subject=subject)


async def served(app: Harness, *, registered: str = "55000", adjusted: str = "48000", year: int = 2021) -> None:
    """A network of one practice with lists of 1 January before the year, and a practice more of a second network."""
    await app.deliver(
        a_commissioner(),
        some_practices(["A00001", "A00002"]),
        an_approved_network(members=["A00001"]),
        an_approved_network("U55555", members=["A00002"]),
        list_sizes("registered", {"A00001": registered, "A00002": "27500"}, snapshot=date(year, 1, 1)),
        list_sizes("adjusted", {"A00001": adjusted, "A00002": "27000"}, snapshot=date(year, 1, 1)),
    )


async def restated(app: Harness, code: str, year: str, **figures: str) -> dict[str, Any]:
    """The shipped indicator superseded by one with the national figures the adjustments divide by."""
    national = app.token(Role.NATIONAL)
    rows = (
        await app.client.get(
            INDICATORS, params={"contract_year": year, "code": code, "standing": True}, headers=national
        )
    ).json()
    shipped = rows["items"][0]
    kept = {
        name: shipped[name]
        for name in (
            "contract_year",
            "code",
            "title",
            "kind",
            "points",
            "point_value",
            "lower",
            "upper",
            "by_prevalence",
            "part",
            "parts",
        )
    }
    kept["by_prevalence"] = bool(kept["by_prevalence"])
    body = {
        **kept,
        **figures,
        "supersedes": shipped["id"],
        "known_from": f"{int(year[:4]) + 1}-05-01",
        "confidence": "one_source",
        "sources": ["return"],
    }
    reply = await app.post(INDICATORS, body, national)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def declared(
    app: Harness, code: str, year: str, headers: dict[str, str] | None = None, **figures: Any
) -> dict[str, Any]:
    body = {"network": NETWORK, "contract_year": year, "indicator": code, **figures}
    reply = await app.post(ACHIEVEMENTS, body, headers or network(app))
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def approved(app: Harness, achievement: dict[str, Any], **body: Any) -> dict[str, Any]:
    reply = await app.put(f"{ACHIEVEMENTS}/{achievement['id']}/approval", body, commissioner(app))
    assert reply.status_code == 200, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def lines_of(app: Harness, **query: str) -> list[dict[str, Any]]:
    reply = await app.client.get("/funding/v1/lines", params=query, headers=app.token(Role.NATIONAL))
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


async def test_the_shipped_indicators_add_up_to_the_published_points() -> None:
    points: dict[str, Decimal] = {}
    for indicator in _shipped():
        if indicator.stream == "iif" and indicator.points is not None and indicator.code != "COV-01":
            points[indicator.contract_year] = points.get(indicator.contract_year, Decimal(0)) + indicator.points
    assert points == {"2020-21": Decimal(194), "2021-22": Decimal(225), "2023-24": Decimal(71)}
    parts = [Fraction(i.part or 0, i.parts or 1) for i in _shipped() if i.contract_year == "2025-26" and i.part]
    assert sum(parts) == 1


async def test_patients_taken_off_by_adjustments_do_not_count(funding_app: Harness) -> None:
    """600 of 1,000 were vaccinated, 100 refused and 100 were unsuitable: 75 per cent."""
    await served(funding_app)
    made = await declared(funding_app, "VI-01", "2021-22", numerator=600, denominator=1000, adjustments=200)
    assert (made["performance"], made["points"], made["amount"]) == ("0.750000", "0.000000", "0.00")


async def test_an_indicator_is_paid_by_points_value_list_and_prevalence(funding_app: Harness) -> None:
    """73.5 per cent between 57 and 90: half of 88 points at 200.00, list 1.1, prevalence 0.9: 8,712.00."""
    app = funding_app
    await served(app)
    await restated(app, "VI-02", "2021-22", prevalence="0.2", average_list="50000")
    made = await declared(app, "VI-02", "2021-22", numerator=7203, denominator=9900, adjustments=100)
    assert (made["performance"], made["points"], made["amount"]) == ("0.735000", "44.000000", "8712.00")
    assert await lines_of(app, stream="iif") == []
    approval = await approved(app, made)
    assert (approval["status"], approval["amount"], approval["decided_by"]) == ("approved", "8712.00", "carol")
    events = [event for event in await app.announced() if isinstance(event, AchievementApproved)]
    assert [(e.network, e.indicator, e.amount, e.cause) for e in events] == [
        (NETWORK, "VI-02", Decimal("8712.00"), "due")
    ]
    run = await paid(app, "2022-04")
    assert run["totals"]["iif"] == {"lines": 1, "amount": "8712.00"}
    (line,) = await lines_of(app, stream="iif")
    assert (line["month"], line["cause"], line["amount"]) == ("2022-03", "due", "8712.00")
    told = (await app.client.get(f"/funding/v1/lines/{line['id']}/explanation", headers=network(app))).json()
    assert told["recomputed"] == "8712.00"
    assert "7203 / (9900 - 100) = 73.5000%" in told["arithmetic"]
    assert recompute(told["trace"]) == Decimal("8712.00")
    assert "iif" not in (await paid(app, "2022-05"))["totals"]


async def test_what_is_not_known_is_held_and_paid_when_it_is_published(funding_app: Harness) -> None:
    app = funding_app
    await served(app)
    made = await declared(app, "VI-02", "2021-22", numerator=7203, denominator=9900, adjustments=100)
    assert made["amount"] is None
    assert {hold["code"] for hold in made["holds"]} == {"average_list_unknown", "prevalence_unknown"}
    approval = await approved(app, made)
    assert approval["amount"] is None
    assert "iif" not in (await paid(app, "2022-04"))["totals"]
    same = await app.put(f"{ACHIEVEMENTS}/{made['id']}/assessment", None, commissioner(app))
    assert (same.status_code, same.json()["code"]) == (409, "NothingElseEarned")
    await restated(app, "VI-02", "2021-22", prevalence="0.2", average_list="50000")
    again = await app.put(f"{ACHIEVEMENTS}/{made['id']}/assessment", None, commissioner(app))
    assert (again.status_code, again.json()["amount"]) == (200, "8712.00")
    assert (await paid(app, "2022-05"))["totals"]["iif"]["amount"] == "8712.00"


async def test_a_restated_list_makes_a_difference_and_leaves_the_paid_line_alone(funding_app: Harness) -> None:
    app = funding_app
    await served(app)
    await restated(app, "VI-02", "2021-22", prevalence="0.2", average_list="50000")
    made = await declared(app, "VI-02", "2021-22", numerator=7203, denominator=9900, adjustments=100)
    await approved(app, made)
    await paid(app, "2022-04")
    # the network's own list cancels out of the two adjustments; the national average does not
    await restated(app, "VI-02", "2021-22", prevalence="0.2", average_list="44000")
    again = await app.put(f"{ACHIEVEMENTS}/{made['id']}/assessment", None, commissioner(app))
    assert again.json()["amount"] == "9900.00"
    await paid(app, "2022-05")
    lines = await lines_of(app, stream="iif")
    assert [(line["amount"], line["cause"]) for line in lines] == [("8712.00", "due"), ("1188.00", "rate-changed")]
    for line in lines:
        told = await app.client.get(f"/funding/v1/lines/{line['id']}/explanation", headers=network(app))
        assert told.json()["recomputed"] == line["amount"]


async def test_everybody_is_deemed_to_have_achieved_after_approval_and_payment(funding_app: Harness) -> None:
    """ACC-08 of 2023/24: 71 points at 198.00, given to all after a data fault."""
    app = funding_app
    await served(app, year=2023)
    await restated(app, "ACC-08", "2023-24", average_list="55000", lower="0.85", upper="0.90")
    made = await declared(app, "ACC-08", "2023-24", numerator=875, denominator=1000)
    assert (await approved(app, made))["amount"] == "7029.00"  # half of 71 x 198.00
    await paid(app, "2024-04")
    national, second = app.token(Role.NATIONAL), app.token(Role.NATIONAL, subject="bob")
    body = {"contract_year": "2023-24", "indicator": "ACC-08", "reason": "Appointments were mapped wrongly."}
    override = (await app.post(OVERRIDES, body, national)).json()
    alone = await app.put(f"{OVERRIDES}/{override['id']}/approval", None, national)
    assert (alone.status_code, alone.json()["code"]) == (409, "SamePersonProposed")
    reply = await app.put(f"{OVERRIDES}/{override['id']}/approval", None, second)
    assert (reply.status_code, reply.json()["status"], reply.json()["networks"]) == (200, "in-effect", 2)
    await paid(app, "2024-05")
    lines = {(line["network"], line["cause"]): line["amount"] for line in await lines_of(app, stream="iif")}
    assert lines == {
        (NETWORK, "due"): "7029.00",
        (NETWORK, "override"): "7029.00",
        ("U55555", "override"): "7029.00",  # half the list, all the points: 71 x 198.00 x 27,500 / 55,000
    }
    twice = await app.put(f"{OVERRIDES}/{override['id']}/approval", None, second)
    assert (twice.status_code, twice.json()["code"]) == (409, "OverrideDecided")
    again = await app.post(OVERRIDES, body, national)
    assert (again.status_code, again.json()["code"]) == (409, "OverrideStands")
    listed = (await app.client.get(OVERRIDES, headers=network(app))).json()["items"]
    assert [item["reason"] for item in listed] == ["Appointments were mapped wrongly."]
    assert "iif" not in (await paid(app, "2024-06"))["totals"]


async def test_a_yes_or_no_counts_as_no_unless_declared_and_has_no_prevalence(funding_app: Harness) -> None:
    app = funding_app
    await served(app)
    await restated(app, "COV-01", "2021-22", average_list="50000")
    query = {"network": NETWORK, "contract_year": "2021-22"}
    standing = (await app.client.get(f"{ACHIEVEMENTS}/standing", params=query, headers=network(app))).json()
    rows = {row["indicator"]: row for row in standing}
    assert (rows["COV-01"]["status"], rows["COV-01"]["amount"]) == ("not-declared", "0.00")
    assert rows["VI-02"]["amount"] is None
    assert "not_declared" in {hold["code"] for hold in rows["VI-02"]["holds"]}
    made = await declared(app, "COV-01", "2021-22", answer=True)
    assert (made["points"], made["amount"]) == ("220.000000", "48400.00")  # 220 x 200.00 x 1.1
    unknown = await app.client.get(
        f"{ACHIEVEMENTS}/standing", params={**query, "network": "U99998"}, headers=network(app)
    )
    assert (unknown.status_code, unknown.json()["code"]) == (404, "NetworkNotFound")


async def test_access_improvement_is_paid_part_by_part_and_comes_to_the_sum(funding_app: Harness) -> None:
    """2025/26: 1.375 x 48,001 adjusted, a third and two thirds; the odd penny falls to one of them."""
    app = funding_app
    await served(app, adjusted="48001", year=2025)
    total = Decimal("66001.38")
    amounts = []
    for code in ("CAIP-MGPA", "CAIP-RISK"):
        made = await declared(app, code, "2025-26")
        amounts.append(Decimal((await approved(app, made, accepted_on="2025-12-01"))["amount"]))
    assert sum(amounts) == total
    assert sorted(amounts) == [Decimal("22000.46"), Decimal("44000.92")]
    run = await paid(app, "2025-12")
    assert run["totals"]["caip_max"] == {"lines": 2, "amount": str(total)}


async def test_a_part_accepted_in_time_earns_the_whole_year_and_a_late_one_nothing(funding_app: Harness) -> None:
    app = funding_app
    await served(app, year=2024)
    made = await declared(app, "CAIP-TEL", "2024-25")
    assert {hold["code"] for hold in made["holds"]} == {"part_unknown"}
    await restated(app, "CAIP-TEL", "2024-25", part=1, parts=2)  # type: ignore[arg-type]
    late = await app.put(f"{ACHIEVEMENTS}/{made['id']}/approval", {"accepted_on": "2025-04-01"}, commissioner(app))
    assert (late.status_code, late.json()["code"]) == (409, "AcceptedTooLate")
    done = await approved(app, made, accepted_on="2025-03-31")
    assert done["amount"] == "33408.00"  # half of 1.392 x 48,000


async def test_the_commissioner_says_how_much_of_2023_was_earned(funding_app: Harness) -> None:
    """1.185 x 48,000 = 56,880.00 at the most."""
    app = funding_app
    await served(app, year=2023)
    made = await declared(app, "CAIP", "2023-24")
    assert made["amount"] == "56880.00"
    assert (await approved(app, made, earned="0.75"))["amount"] == "42660.00"


async def test_two_streams_are_gone_from_2026(funding_app: Harness) -> None:
    app = funding_app
    await served(app, year=2026)
    body = {"network": NETWORK, "contract_year": "2026-27", "indicator": "CAIP-RISK"}
    gone = await app.post(ACHIEVEMENTS, body, network(app))
    assert (gone.status_code, gone.json()["code"]) == (404, "IndicatorUnknown")
    made = await declared(app, "LD", "2026-27", numerator=1, denominator=2)
    assert {hold["code"] for hold in made["holds"]} >= {"points_unknown", "point_value_unknown"}
    early = await app.put(f"{ACHIEVEMENTS}/{made['id']}/approval", {}, commissioner(app))
    if date.today() <= date(2027, 3, 31):  # noqa: DTZ011 - the service asks the same clock
        assert (early.status_code, early.json()["code"]) == (409, "YearNotOver")


async def test_who_may_declare_approve_and_see(funding_app: Harness) -> None:
    app = funding_app
    await served(app)
    made = await declared(app, "VI-01", "2021-22", numerator=1, denominator=2)
    path = f"{ACHIEVEMENTS}/{made['id']}"
    again = await app.post(
        ACHIEVEMENTS, {"network": NETWORK, "contract_year": "2021-22", "indicator": "VI-01"}, network(app)
    )
    assert (again.status_code, again.json()["code"]) == (409, "AchievementDeclared")
    other = await app.post(
        ACHIEVEMENTS, {"network": NETWORK, "contract_year": "2021-22", "indicator": "VI-02"}, network(app, "U55555")
    )
    assert (other.status_code, other.json()["code"]) == (404, "NetworkNotFound")
    for stranger in (network(app, "U55555"), commissioner(app, code="99X")):
        assert (await app.client.get(path, headers=stranger)).json()["code"] == "AchievementNotFound"
        assert (await app.client.get(ACHIEVEMENTS, headers=stranger)).json()["items"] == []
    own = await app.put(f"{path}/approval", {}, network(app))
    assert own.status_code == 403
    both = app.token(Role.COMMISSIONER, organisations=[COMMISSIONER], subject="nina")
    same = await app.put(f"{path}/approval", {}, both)
    assert (same.status_code, same.json()["code"]) == (409, "SamePersonDeclared")
    early = await app.put(f"{path}/assessment", None, commissioner(app))
    assert (early.status_code, early.json()["code"]) == (409, "AchievementNotApproved")
    back = await app.put(f"{path}/return", {"reason": "The count is of February."}, commissioner(app))
    assert (back.status_code, back.json()["status"]) == (200, "returned")
    without = await app.client.put(f"{path}/declaration", json={}, headers=network(app))
    assert (without.status_code, without.json()["code"]) == (428, "PreconditionMissing")
    right = await app.put(f"{path}/declaration", {"numerator": 2, "denominator": 2}, network(app))
    assert (right.status_code, right.json()["status"], right.json()["reason"]) == (200, "declared", None)
    await approved(app, made)
    for noun, body, headers in (
        ("declaration", {}, network(app)),
        ("return", {"reason": "Too late for that."}, commissioner(app)),
        ("approval", {}, commissioner(app)),
    ):
        decided = await app.put(f"{path}/{noun}", body, headers)
        assert (decided.status_code, decided.json()["code"]) == (409, "AchievementDecided")


@pytest.mark.parametrize(
    "figures",
    [
        {"numerator": 1},
        {"adjustments": 1},
        {"numerator": 3, "denominator": 2},
        {"numerator": 1, "denominator": 2, "adjustments": 3},
        {"numerator": 2, "denominator": 3, "adjustments": 2},
        {"numerator": -1, "denominator": 2},
    ],
)
async def test_figures_that_cannot_be_are_refused(funding_app: Harness, figures: dict[str, int]) -> None:
    await served(funding_app)
    body = {"network": NETWORK, "contract_year": "2021-22", "indicator": "VI-01", **figures}
    assert (await funding_app.post(ACHIEVEMENTS, body, network(funding_app))).status_code == 422


async def test_an_indicator_is_superseded_and_never_edited(funding_app: Harness) -> None:
    app, national = funding_app, funding_app.token(Role.NATIONAL)
    body = {"contract_year": "2021-22", "code": "VI-02", "title": "Flu", "kind": "ratio", "confidence": "derived"}
    stands = await app.post(INDICATORS, body, national)
    assert (stands.status_code, stands.json()["code"]) == (409, "IndicatorStands")
    strange = await app.post(INDICATORS, {**body, "supersedes": "x"}, national)
    assert (strange.status_code, strange.json()["code"]) == (409, "SupersededIndicatorUnknown")
    wrong = {**body, "kind": "yes_no", "lower": "0.5", "part": 2, "average_list": "0", "first_day": "2020-01-01"}
    faults = await app.post(INDICATORS, wrong, national)
    assert faults.status_code == 422
    assert {error["code"] for error in faults.json()["errors"]} == {
        "outside_year",
        "not_of_this_kind",
        "part",
        "thresholds",
        "zero",
    }
    assert (await app.post(INDICATORS, body, commissioner(app))).status_code == 403
    await restated(app, "VI-02", "2021-22", prevalence="0.2")
    query = {"contract_year": "2021-22", "code": "VI-02"}
    every = (await app.client.get(INDICATORS, params=query, headers=national)).json()["items"]
    before = await app.client.get(
        INDICATORS, params={**query, "standing": True, "known_at": "2022-01-01T00:00:00Z"}, headers=national
    )
    assert (len(every), [row["id"] for row in before.json()["items"]]) == (2, ["VI-02.2021-22"])


async def test_two_approvers_at_once_have_one_effect(funding_live: Harness) -> None:
    app = funding_live
    await served(app)
    await restated(app, "COV-01", "2021-22", average_list="55000")
    made = await declared(app, "COV-01", "2021-22", answer=True)
    path = f"{ACHIEVEMENTS}/{made['id']}/approval"
    replies = await asyncio.gather(
        *(app.put(path, {}, commissioner(app, who), match='"1"') for who in ("carol", "dan"))
    )
    assert sorted(reply.status_code for reply in replies) == [200, 412]
    async with app.session() as session:
        amounts = (await session.execute(text("SELECT amount FROM achievement_amounts"))).scalars().all()
    assert amounts == [Decimal("44000.00")]


@settings(max_examples=200)
@given(
    numerator=st.integers(0, 5000),
    rest=st.integers(0, 5000),
    adjustments=st.integers(0, 500),
    lower=st.integers(0, 98),
    span=st.integers(1, 50),
    falling=st.booleans(),
)
def test_points_lie_between_none_and_all_and_fall_only_where_lower_is_better(
    numerator: int, rest: int, adjustments: int, lower: int, span: int, falling: bool
) -> None:
    thresholds = [str(Decimal(lower) / 100), str(Decimal(lower + span) / 100)]
    first, second = reversed(thresholds) if falling else thresholds

    def points(count: int) -> Fraction | None:
        return assess(
            {
                "kind": "ratio",
                "points": "50",
                "point_value": "200.00",
                "lower": first,
                "upper": second,
                "by_prevalence": True,
                "prevalence": "0.1",
                "average_list": "50000",
                "patients": "40000",
                "numerator": str(count),
                "denominator": str(numerator + rest + adjustments + 1),
                "adjustments": str(adjustments),
                "deemed": False,
            }
        ).points

    some, more = points(numerator), points(numerator + 1)
    assert some is not None
    assert more is not None
    assert 0 <= some <= 50
    assert (more <= some) if falling else (more >= some)
