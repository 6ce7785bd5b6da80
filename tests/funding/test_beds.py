"""Care-home beds: supplied each month by the lead commissioner, repeated where it says nothing, corrected if wrong."""

from __future__ import annotations

import asyncio
from typing import Any

from shared.identity import Role
from tests.funding.asking import commissioner, explained
from tests.funding.builders import NETWORK, an_approved_network
from tests.funding.test_journey import an_area, paid
from tests.funding.test_runs import lines_of, nan
from tests.harness import Harness

BEDS = "/funding/v1/beds"


async def supplied(app: Harness, month: str, beds: int, network: str = NETWORK) -> None:
    body = {"month": month, "counts": [{"network": network, "beds": beds}]}
    reply = await app.post(BEDS, body, commissioner(app))
    assert reply.status_code == 201, reply.text


async def bed_lines(app: Harness, run: dict[str, Any]) -> list[tuple[str, str | None, str]]:
    found = await lines_of(app, run, stream="care_home_premium")
    return [(line["month"], line["amount"], line["held_code"] or line["cause"]) for line in found]


async def test_before_any_number_the_line_is_held_and_a_month_without_one_repeats_the_last(
    funding_app: Harness,
) -> None:
    await an_area(funding_app)
    assert await bed_lines(funding_app, await paid(funding_app, "2022-04")) == [("2022-04", None, "beds-missing")]
    await supplied(funding_app, "2022-05", 100)
    may = await paid(funding_app, "2022-05")
    assert await bed_lines(funding_app, may) == [
        ("2022-05", "1000.00", "due"),
        ("2022-04", None, "beds-missing"),
    ]
    june = await paid(funding_app, "2022-06")
    assert await bed_lines(funding_app, june) == [("2022-06", "1000.00", "due"), ("2022-04", None, "beds-missing")]
    line = (await lines_of(funding_app, june, stream="care_home_premium", held="false"))[0]
    told = await explained(funding_app, line)
    assert "No number was supplied for 2022-06: that of 2022-05 is used again." in told["arithmetic"]
    assert line["amount"] == "1000.00"
    assert told["trace"]["steps"][0]["supplied_for"] == "2022-05"


async def test_a_number_repeats_into_the_next_contract_year_at_that_years_rate(funding_app: Harness) -> None:
    await an_area(funding_app)
    await supplied(funding_app, "2024-03", 120)
    await paid(funding_app, "2024-03")
    april = await paid(funding_app, "2025-04")
    assert ("2025-04", "1302.53", "due") in await bed_lines(funding_app, april)


async def test_a_correction_is_made_good_by_the_next_run_and_the_old_number_stays_on_record(
    funding_app: Harness,
) -> None:
    await an_area(funding_app)
    await supplied(funding_app, "2022-04", 100)
    await paid(funding_app, "2022-04")
    path, headers = f"{BEDS}/{NETWORK}/2022-04", commissioner(funding_app)
    before = await funding_app.client.get(path, headers=headers)
    wrong = {"beds": 88, "note": "twelve beds belong to the network next door"}
    assert (await funding_app.client.put(path, json=wrong, headers=headers)).status_code == 428
    stale = await funding_app.client.put(path, json=wrong, headers={**headers, "If-Match": '"0"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "PreconditionFailed")
    done = await funding_app.client.put(path, json=wrong, headers={**headers, "If-Match": before.headers["etag"]})
    assert (done.status_code, done.json()["beds"]) == (200, 88)
    assert done.headers["etag"] != before.headers["etag"]
    again = await funding_app.client.put(path, json=wrong, headers={**headers, "If-Match": before.headers["etag"]})
    assert again.status_code == 412
    run = await paid(funding_app, "2022-05")
    assert await bed_lines(funding_app, run) == [
        ("2022-04", "-120.00", "population-restated"),
        ("2022-05", "880.00", "due"),
    ]
    then = await funding_app.client.get(path, params={"known_at": before.json()["supplied_at"]}, headers=headers)
    assert then.json() == before.json()


async def test_what_counts_on_a_day_is_the_last_number_supplied(funding_app: Harness) -> None:
    await an_area(funding_app)
    for month, beds in (("2022-04", 10), ("2022-06", 30)):
        await supplied(funding_app, month, beds)

    async def on(day: str) -> list[tuple[str, int]]:
        reply = await funding_app.client.get(BEDS, params={"as_at": day}, headers=nan(funding_app))
        return [(item["month"], item["beds"]) for item in reply.json()["items"]]

    assert await on("2022-03-31") == []
    assert await on("2022-05-31") == [("2022-04", 10)]
    assert await on("2023-01-01") == [("2022-06", 30)]
    every = await funding_app.client.get(BEDS, params={"network": NETWORK}, headers=nan(funding_app))
    assert [item["month"] for item in every.json()["items"]] == ["2022-04", "2022-06"]
    both = {"as_at": "2022-05-01", "month": "2022-05"}
    assert (await funding_app.client.get(BEDS, params=both, headers=nan(funding_app))).status_code == 422


async def test_refusals_of_beds(funding_app: Harness) -> None:
    await an_area(funding_app)
    await funding_app.deliver(an_approved_network("U99999", ["B00001"], commissioner="11M"))
    await supplied(funding_app, "2022-04", 10)
    own = commissioner(funding_app)

    async def refused(body: dict[str, Any], headers: dict[str, str] = own) -> tuple[int, str, list[str]]:
        reply = await funding_app.post(BEDS, body, headers)
        problem = reply.json()
        return reply.status_code, problem["code"], [fault["field"] for fault in problem.get("errors") or []]

    one = {"network": NETWORK, "beds": 1}
    assert await refused({"month": "2022-04", "counts": [one]}) == (409, "BedsSupplied", [])
    assert await refused({"month": "2098-04", "counts": [one]}) == (409, "MonthAhead", [])
    strangers = [one, {"network": "U99999", "beds": 1}, {"network": "U00000", "beds": 1}]
    assert await refused({"month": "2022-05", "counts": strangers}) == (
        404,
        "NetworksNotFound",
        ["body.counts.1.network", "body.counts.2.network"],
    )
    bad = {"month": "2022-13", "counts": [{"network": NETWORK, "beds": -1}, {"network": NETWORK, "beds": 1.5}]}
    assert (await refused(bad))[0] == 422
    assert (await refused({"month": "2022-05", "counts": [one, one]}))[0] == 422
    network = funding_app.token(Role.NETWORK, organisations=[NETWORK])
    assert (await refused({"month": "2022-05", "counts": [one]}, network))[0] == 403
    path = f"{BEDS}/{NETWORK}/2022-04"
    assert (await funding_app.client.get(path, headers=network)).status_code == 200
    stranger = commissioner(funding_app, "11M")
    assert (await funding_app.client.get(path, headers=stranger)).status_code == 404
    put = await funding_app.client.put(path, json={"beds": 1, "note": "x"}, headers={**stranger, "If-Match": '"1"'})
    assert (put.status_code, put.json()["code"]) == (404, "BedsNotFound")
    listed = await funding_app.client.get(BEDS, headers=stranger)
    assert listed.json()["items"] == []


async def test_two_people_supplying_a_month_at_once_leave_one_number(funding_live: Harness) -> None:
    await an_area(funding_live)
    replies = await asyncio.gather(
        *(
            funding_live.post(
                BEDS,
                {"month": "2022-04", "counts": [{"network": NETWORK, "beds": beds}]},
                commissioner(funding_live, subject=f"carol-{beds}"),
            )
            for beds in (1, 2, 3)
        )
    )
    assert sorted(reply.status_code for reply in replies) == [201, 409, 409]
