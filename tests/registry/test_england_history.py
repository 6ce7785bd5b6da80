"""England's history asked of the running registry: the statistics of four days, what changed between them, the maps."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shared.events import registry as events
from tests.registry.conftest import History

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("england-history")]

DECEMBER_2019 = "as_at=2019-12-04&known_at=2020-08-31&snapshot=2019-12-01"
JANUARY_2021 = "as_at=2021-01-01&known_at=2021-02-01&snapshot=2021-01-01"
JANUARY_2022 = "as_at=2022-01-01&snapshot=2022-01-01&members_from=publication"
MAY_2022 = "as_at=2022-06-30&snapshot=2022-05-01"
"""The published table counts as members those whose entry of April 2022 has no end: G82024's ends in June."""

FIGURES = (
    "practices",
    "practices_with_empty_lists",
    "registered_patients",
    "commissioners",
    "systems",
    "regions",
    "networks",
    "networks_under_30000",
    "networks_30000_to_50000",
    "networks_over_50000",
    "smallest_network",
    "median_network",
    "largest_network",
    "practices_in_no_network",
    "patients_in_no_network",
    "networks_spanning_commissioners",
    "one_practice_networks",
)
TABLE: dict[str, tuple[int, ...]] = {
    DECEMBER_2019: (7001, 115, 60316398, 191, 42, 7, 1250, 94, 734, 422, 14731, 43409, 263090, 252, 799011, 19, 34),
    JANUARY_2021: (6658, 0, 60606345, 135, 42, 7, 1251, 94, 725, 432, 14383, 43974, 264151, 126, 613985, 15, 43),
    JANUARY_2022: (6528, 0, 61499630, 106, 42, 7, 1254, 91, 697, 466, 17624, 44734, 265229, 70, 228273, 11, 52),
    MAY_2022: (6506, 0, 61654788, 106, 42, 7, 1259, 97, 695, 467, 17592, 44871, 265684, 82, 346268, 11, 55),
}


@pytest.mark.parametrize("asked", list(TABLE))
async def test_the_statistics_of_four_days_are_those_published(history: History, asked: str) -> None:
    found = await history.get(f"/statistics?{asked}")
    # averages are no whole numbers and half a patient is one between two networks; the table cuts both off
    assert {name: int(Decimal(found[name])) for name in FIGURES} == dict(zip(FIGURES, TABLE[asked], strict=True))


async def test_the_whole_history_is_taken_in_but_for_what_is_not_public(history: History) -> None:
    refused = [refusal for report in history.reports for refusal in report["refused"]]
    # what became of Frimley's one commissioner is not public: it is divided between three systems
    assert [(r["line"], r["code"]) for r in refused] == [(15, "part_missing")]
    assert "D4U1Y" in refused[0]["reason"]


async def test_in_may_2022_one_member_had_notice_and_counts_until_its_last_day(history: History) -> None:
    may = await history.get("/statistics?as_at=2022-05-01&snapshot=2022-05-01")
    assert (may["practices_in_no_network"], may["patients_in_no_network"]) == (81, "331478")
    (size,) = (await history.get("/list-sizes?practice=G82024&snapshot=2022-05-01&basis=registered"))["items"]
    assert Decimal("346268") - Decimal(may["patients_in_no_network"]) == Decimal(size["value"])
    members = (await history.get("/networks/U92034/members?as_at=2022-05-01"))["items"]
    assert [m["valid_to"] for m in members if m["practice"] == "G82024"] == ["2022-06-29"]


async def test_by_the_registers_own_memberships_january_2022_differs_by_five_practices(history: History) -> None:
    register = await history.get("/statistics?as_at=2022-01-01&snapshot=2022-01-01")
    assert (register["practices_in_no_network"], register["patients_in_no_network"]) == (72, "230240")
    report = history.report("adjusted-populations", "2022-03-31")
    assert {d["practice"]: (d["sheet"], d["register"]) for d in report["differences"]} == {
        "A84609": ("U25545", None),
        "F86085": ("U03653", "U08578"),
        "G82741": ("U21965", None),
        "Y02260": ("U02961", None),
        "Y07059": (None, "U85953"),
    }


async def test_what_changed_between_december_2019_and_april_2022(history: History) -> None:
    """The published counts compare the entries of two files. Of the days after the second one, which its entries name,
    the register knows already; and one network renamed after it had closed bore its old name to its last day.
    """
    found = await history.get("/statistics/changes?since=2019-12-04&since_known_at=2019-12-31&as_at=2022-06-30")
    assert found == {
        "since": "2019-12-04",
        "as_at": "2022-06-30",
        "networks_then": 1250,
        "networks_now": 1260,
        "networks_with_another_commissioner": 596,
        "networks_renamed": 67,
        "networks_closed": 58,
        "networks_new": 68,
        "members_then": 6757,
        "members_now": 6474,
        "practices_in_another_network": 502,
        "practices_left": 331,
        "practices_joined": 48,
    }
    closed = await history.get("/networks/U01150")
    assert (closed["name"], closed["closed_on"]) == ("PEARTREE & BRIDGE COTTAGE SURGERIES PCN", "2021-03-31")


async def test_the_same_counts_come_from_the_lists_of_two_days(history: History) -> None:
    then, now = "as_at=2019-12-04&known_at=2019-12-31", "as_at=2022-06-30"
    networks = [{n["code"]: n for n in await history.every(f"/networks?{asked}")} for asked in (then, now)]
    practices = [
        {p["code"]: p["networks"] for p in await history.every(f"/practices?{asked}") if p["networks"]}
        for asked in (then, now)
    ]
    assert [len(found) for found in networks] == [1250, 1260]
    assert len(set(networks[0]) - set(networks[1])) == 58
    assert len(set(networks[1]) - set(networks[0])) == 68
    both = set(networks[0]) & set(networks[1])
    assert sum(networks[0][c]["name"] != networks[1][c]["name"] for c in both) == 67
    moved = [p for p in practices[0].keys() & practices[1].keys() if practices[0][p] != practices[1][p]]
    # a practice that closed while its network still names it is a member and no longer a practice of the day
    assert len(moved) <= 502 <= len(moved) + 20


async def test_commissioners_and_systems_are_as_many_as_there_were_on_each_day(history: History) -> None:
    seen = {}
    for day in ("2019-12-04", "2020-03-31", "2020-04-01", "2021-03-31", "2021-04-01", "2022-07-01", "2026-03-31"):
        seen[day] = (
            len(await history.every(f"/commissioners?as_at={day}")),
            len(await history.every(f"/systems?as_at={day}")),
        )
    assert seen == {
        "2019-12-04": (191, 42),
        "2020-03-31": (191, 42),
        "2020-04-01": (135, 42),
        "2021-03-31": (135, 42),
        "2021-04-01": (106, 42),
        "2022-07-01": (106, 42),
        "2026-03-31": (106, 42),
    }


async def test_a_commissioner_of_2019_is_followed_to_the_one_that_decides_for_it(history: History) -> None:
    """NHS Darlington, to Tees Valley in 2020; NHS Barnet, one of five of North Central London."""
    assert (await history.get("/commissioners/00C/succession"))["decided_by"] == "16C"
    assert (await history.get("/commissioners/00C/succession?as_at=2020-03-31"))["decided_by"] == "00C"
    heirs = await history.get("/commissioners/93C/succession")
    assert {p["code"] for p in heirs["predecessors"]} == {"07M", "07R", "07X", "08D", "08H"}
    assert {p["succeeded_on"] for p in heirs["predecessors"]} == {"2020-04-01"}


async def test_forty_two_systems_become_thirty_six_on_the_first_of_april_2026(history: History) -> None:
    before, after = [
        {s["code"]: s for s in await history.every(f"/systems?as_at={day}")} for day in ("2026-03-31", "2026-04-01")
    ]
    assert (len(before), len(after)) == (42, 36)
    assert set(after) - set(before) == {"S1Y5D", "D7T5G", "T6Y0W", "S9B9J", "S0E4D", "Z9B2Z"}
    assert len(set(before) - set(after)) == 12
    assert after["Z9B2Z"]["commissioners"] == ["93C", "W2U3Z"]
    assert {"06K", "06N"} <= set(after["S1Y5D"]["commissioners"])
    assert "07H" in after["D7T5G"]["commissioners"]
    split = await history.get("/systems/QNQ/succession")
    assert [(s["code"], s["kind"]) for s in split["successors"]] == [
        ("QRL", "split"),
        ("S0E4D", "split"),
        ("S9B9J", "split"),
    ]
    enlarged = await history.get("/systems/QRL/succession")
    assert {(p["code"], p["kind"]) for p in enlarged["predecessors"]} == {("QNQ", "split"), ("QRL", "enlargement")}
    assert (await history.get("/commissioners/D4U1Y?as_at=2026-03-31"))["system"] == "QNQ"
    assert (await history.get("/commissioners/D4U1Y?as_at=2026-04-01"))["system"] is None


async def areas(history: History, asked: str) -> dict[str, dict[str, Any]]:
    return {area["code"]: area for area in await history.every(f"/statistics/areas?{asked}")}


def patients(found: dict[str, dict[str, Any]]) -> Decimal:
    return sum((Decimal(area["registered_patients"]) for area in found.values()), Decimal(0))


async def test_lists_of_2022_stand_on_the_map_of_2019_and_the_other_way_round(history: History) -> None:
    lists = "as_at=2022-01-01&snapshot=2022-01-01"
    own = await areas(history, lists)
    assert (len(own), patients(own)) == (106, Decimal(61499630))
    on_2019 = await areas(history, f"{lists}&map_of=2019-12-04")
    unplaced = on_2019.pop("")
    assert len(on_2019) == 191
    assert patients(on_2019) + Decimal(unplaced["registered_patients"]) == 61499630
    # practices that opened after the mergers and whose commissioner had several predecessors
    assert unplaced["practices"] < 20
    tees_valley = ("00C", "00K", "00M")
    heirs = await history.get("/commissioners/16C/succession")
    assert tuple(p["code"] for p in heirs["predecessors"]) == tees_valley
    parts = sum(Decimal(on_2019[code]["registered_patients"]) for code in tees_valley)
    # a practice of Tees Valley that opened after the merger came from none of the three
    assert 0 < Decimal(own["16C"]["registered_patients"]) - parts <= Decimal(unplaced["registered_patients"])
    back = await areas(history, "as_at=2019-12-04&snapshot=2019-12-01&map_of=2022-07-01")
    assert len(back) == 106
    assert int(patients(back)) == 60316398


async def test_any_day_is_shown_on_the_systems_of_2026(history: History) -> None:
    found = await areas(history, "as_at=2022-01-01&snapshot=2022-01-01&by=system&map_of=2026-04-01")
    frimley = found.pop("")
    assert len(found) == 36
    assert patients(found) + Decimal(frimley["registered_patients"]) == 61499630
    whole = await areas(history, "as_at=2022-01-01&snapshot=2022-01-01&by=system")
    assert frimley["registered_patients"] == whole["QNQ"]["registered_patients"]
    assert Decimal(found["Z9B2Z"]["registered_patients"]) == sum(
        Decimal(whole[code]["registered_patients"]) for code in ("QMJ", "QRV")
    )
    regions = await areas(history, "as_at=2022-01-01&snapshot=2022-01-01&by=region")
    assert (len(regions), patients(regions)) == (7, Decimal(61499630))


async def test_the_events_name_every_succession(history: History) -> None:
    told = [e for e in await history.app.announced() if isinstance(e, events.CommissionerSucceeded)]
    assert {str(e.succeeded_on) for e in told} == {"2020-04-01", "2021-04-01"}
    assert len({e.commissioner for e in told}) == len(told)
    assert {e.kind for e in told} == {"merger"}
    assert {h.commissioner for e in told if e.commissioner == "00C" for h in e.successors} == {"16C"}


async def test_the_same_files_again_change_nothing(history: History) -> None:
    from tests.registry.builders import upload
    from tests.registry.conftest import HISTORY, history_file

    before = len(await history.app.announced())
    for entry in (HISTORY["files"][4], HISTORY["files"][-1]):
        path = history_file(entry)
        answer = await upload(
            history.app,
            entry["kind"],
            path.name,
            path.read_bytes(),
            published_on=entry["published_on"],
            snapshot=entry.get("snapshot"),
        )
        assert answer.status_code == 201, answer.text
        assert answer.json()["loaded"] == 0
    assert len(await history.app.announced()) == before
