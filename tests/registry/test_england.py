"""The whole of England from the real register files, quirk by quirk."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.issuer import EmbeddedIssuer
from services.registry.ods.networks import DETAILS, PARTNERS
from services.registry.ods.readers import Upload, find_table, open_sheets
from shared.events import registry as events
from tests.conftest import REAL_DATA, live
from tests.harness import Harness
from tests.registry.builders import V1, national, upload, upload_listed

MANIFEST: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "deploy" / "england.yaml").read_text())
pytestmark = [
    pytest.mark.skipif(
        not REAL_DATA.is_dir(), reason="the real NHS files are not beside the checkout (../shared/data)"
    ),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
async def england(migrated: Callable[[str], str], issuer: EmbeddedIssuer) -> AsyncIterator[Harness]:
    async with live("registry", migrated("registry"), issuer) as app:
        app.reports = [await upload_listed(app, REAL_DATA, entry) for entry in MANIFEST["files"]]  # type: ignore[attr-defined]
        yield app


async def get(app: Harness, path: str) -> Any:
    answer = await app.client.get(f"{V1}{path}", headers=national(app))
    assert answer.status_code == 200, answer.text
    return answer.json()


def report(app: Harness, kind: str) -> dict[str, Any]:
    reports: list[dict[str, Any]] = app.reports  # type: ignore[attr-defined]
    return next(made for made in reversed(reports) if made["kind"] == kind)


async def test_no_row_of_england_is_refused(england: Harness) -> None:
    assert [made["refused"] for made in england.reports] == [[]] * 6  # type: ignore[attr-defined]


async def test_the_figures_of_january_2022_are_those_published(england: Harness) -> None:
    figures = await get(england, "/statistics?as_at=2022-01-01")
    assert figures["registered_patients"] == "61499630"
    assert figures["practices"] == 6528
    assert figures["networks"] == 1254
    assert [figures[f"networks_{c}"] for c in ("under_30000", "30000_to_50000", "over_50000")] == [91, 697, 466]
    assert [figures[f"{c}_network"] for c in ("smallest", "median", "largest")] == ["17624", "44734.5", "265229"]
    assert (figures["one_practice_networks"], figures["networks_spanning_commissioners"]) == (52, 11)
    assert (figures["commissioners"], figures["systems"], figures["regions"]) == (106, 42, 7)


async def test_the_register_of_april_knows_five_memberships_better_than_the_sheet_of_january(england: Harness) -> None:
    differences = {
        d["practice"]: (d["sheet"], d["register"]) for d in report(england, "adjusted-populations")["differences"]
    }
    assert differences == {
        "A84609": ("U25545", None),
        "F86085": ("U03653", "U08578"),
        "G82741": ("U21965", None),
        "Y02260": ("U02961", None),
        "Y07059": (None, "U85953"),
    }
    figures = await get(england, "/statistics?as_at=2022-01-01")
    # the sheet had 70 practices in no network; three have left theirs since, one has been entered
    assert (figures["practices_in_no_network"], figures["patients_in_no_network"]) == (72, "230240")


async def test_every_network_has_the_patients_the_sheet_gives_it(england: Harness) -> None:
    sheets = open_sheets(Upload("B1357", (REAL_DATA / MANIFEST["files"][4]["path"]).read_bytes()))
    table = find_table(
        sheets,
        {
            "network": ["PCN Code"],
            "raw": ["PCSE raw list 1 Jan 22"],
            "adjusted": ["PCN adjusted population 1 Jan 22"],
        },
    )
    assert table is not None
    told: dict[str, Counter[str]] = {"registered": Counter(), "adjusted": Counter()}
    sums: dict[tuple[str, str], Decimal] = {}
    for event in await england.announced():
        if isinstance(event, events.ListSizesPublished) and event.basis != "weighted":
            for size in event.sizes:
                told[event.basis][size.practice] += 1
                if size.network:
                    key = (size.network, event.basis)
                    sums[key] = sums.get(key, Decimal(0)) + size.value
    assert set(told["registered"].values()) == set(told["adjusted"].values()) == {1}
    checked = 0
    for _, cell in table.records():
        if cell("raw") == 0:
            continue
        assert sums[cell("network"), "registered"] == Decimal(cell("raw"))
        assert abs(sums[cell("network"), "adjusted"] - Decimal(repr(cell("adjusted")))) < Decimal("0.000001")
        checked += 1
    assert checked == 1254


async def test_networks_page_through(england: Harness) -> None:
    seen: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = await get(england, f"/networks?as_at=2022-01-01&limit=500{cursor}")
        seen += page["items"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    table = find_table(open_sheets(Upload("ePCN", (REAL_DATA / MANIFEST["files"][3]["path"]).read_bytes())), DETAILS)
    assert table is not None
    open_then = {
        cell("network")
        for _, cell in table.records()
        if cell("open date") <= "20220101" and (not cell("close date") or cell("close date") >= "20220101")
    }
    assert [n["code"] for n in seen] == sorted(open_then)
    # one of them, U64595, has members and no patient
    assert sum(1 for n in seen if n["members"]) == 1255


async def test_quirk_2_only_english_gp_practices_and_members_with_another_setting(england: Harness) -> None:
    made = report(england, "epraccur")
    assert (made["rows"], made["loaded"]) == (15_119, 8_221)
    member = await get(england, "/practices/Y01057?as_at=2022-01-01")
    assert member["networks"]
    active = 0
    cursor = ""
    while True:
        page = await get(england, f"/practices?as_at=2022-05-31&limit=1000{cursor}")
        active += sum(1 for p in page["items"] if p["status"] == "active" and p["setting"] == "4")
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert active == 6_519


async def test_quirk_3_commissioner_codes_of_five_characters_and_like_exponents(england: Harness) -> None:
    assert {(await get(england, f"/commissioners/{code}"))["code"] for code in ("M1J4Y", "01E", "00L")} == {
        "M1J4Y",
        "01E",
        "00L",
    }


async def test_quirk_5_a_membership_of_one_day_and_one_left_and_taken_up_again(england: Harness) -> None:
    members = (await get(england, "/networks/U96870/members?history=true&as_at=2022-01-01"))["items"]
    one_day = [m for m in members if m["practice"] == "N81007"]
    assert ("2019-10-01", "2019-10-01") in [(m["valid_from"], m["valid_to"]) for m in one_day]
    approved = [e for e in await england.announced() if isinstance(e, events.NetworkApproved)]
    again = [
        practice
        for event in approved
        for practice, times in Counter(m.practice for m in event.members).items()
        if times > 1
    ]
    assert len(again) == 11
    assert (len(approved), sum(len(e.members) for e in approved)) == (1318, 7359)
    assert {(e.decided_by, e.contract_year) for e in approved} == {("register", "2022-23")}


async def test_quirk_5_closed_networks_keep_their_rows_and_names_repeat(england: Harness) -> None:
    closed = [e for e in await england.announced() if isinstance(e, events.NetworkClosed)]
    assert len(closed) == 58
    names = Counter(e.network_name for e in await england.announced() if isinstance(e, events.NetworkApproved))
    assert names["HARNESS NORTH PCN"] == 2
    assert (await get(england, f"/networks/{closed[0].network}"))["closed_on"] == closed[0].closed_on.isoformat()


async def test_quirk_7_practices_in_no_network_have_a_list_and_no_network(england: Harness) -> None:
    (size,) = (await get(england, "/list-sizes?practice=Y01163&basis=adjusted"))["items"]
    assert (size["network"], size["value"]) == (None, "4557.892257980254")


async def test_quirk_11_the_largest_network_and_the_one_without_patients(england: Harness) -> None:
    assert (await get(england, "/networks/U16464?as_at=2022-01-01"))["members"] in (32, 33)
    assert (await get(england, "/networks/U64595?as_at=2022-01-01"))["code"] == "U64595"
    assert (await get(england, "/list-sizes?network=U64595&snapshot=2022-01-01&basis=registered"))["items"] == []


async def test_quirk_13_weighted_lists_from_the_payments_file_say_what_they_stand_in_for(england: Harness) -> None:
    (size,) = (await get(england, "/list-sizes?practice=A81001&basis=weighted"))["items"]
    assert (size["value"], size["confidence"], size["snapshot"]) == ("4645.53", "derived", "2022-01-01")
    assert "stand-in for the unpublished weighted list of 2022-01-01" in size["source"]


async def test_quirk_16_bassetlaw_moves_from_one_system_and_region_to_another(england: Harness) -> None:
    before, after = [await get(england, f"/commissioners/02Q?as_at={day}") for day in ("2022-06-30", "2022-07-01")]
    assert (before["system"], before["region"]) == ("QF7", "Y63")
    assert (after["system"], after["region"]) == ("QT1", "Y60")


async def test_the_2019_layout_and_then_2022_become_joins_leaves_and_closures(
    registry_app: Harness, real_data: Path
) -> None:
    for kind, path, day in (
        ("epraccur", "ods/epraccur_2019-11.csv.gz", "2019-11-30"),
        ("epcn", "ods/ePCN_2019-12-04.xlsx", "2019-12-04"),
    ):
        answer = await upload(registry_app, kind, path, (real_data / path).read_bytes(), published_on=day)
        assert answer.status_code == 201, answer.text
        assert answer.json()["refused"] == []
    assert answer.json()["changes"]["memberships begun"] == 6757
    figures = await get(registry_app, "/statistics?as_at=2019-12-04")
    assert figures["networks_with_members"] == 0  # no list is known yet
    before = len(await registry_app.announced())
    path = "ods/ePCN_2022-04-27.xlsx"
    answer = await upload(registry_app, "epcn", path, (real_data / path).read_bytes(), published_on="2022-04-27")
    assert answer.json()["refused"] == []
    changes = answer.json()["changes"]
    assert changes["networks entered"] == 68
    assert changes["networks closed"] == 58
    told = Counter(type(event).__name__ for event in (await registry_app.announced())[before:])
    assert told["PracticeJoined"] > 200
    assert told["PracticeLeft"] > 800
    # what was believed in 2020 can still be asked for
    then = await get(registry_app, "/networks?limit=1000&as_at=2022-04-27&known_at=2020-01-01")
    assert {n["commissioner"] for n in then["items"]} - {
        n["commissioner"] for n in (await get(registry_app, "/networks?limit=1000&as_at=2022-04-27"))["items"]
    }


def test_the_2019_workbook_gives_cached_values_of_formulas(real_data: Path) -> None:
    sheets = open_sheets(Upload("ePCN", (real_data / "ods/ePCN_2019-12-04.xlsx").read_bytes()))
    table = find_table(sheets, {**PARTNERS, "pcn name": ["PCN Name"], "match": ["Practice CCG and PCN CCG match?"]})
    assert table is not None
    rows = [(cell("pcn name"), cell("match")) for _, cell in table.records()]
    assert len(rows) == 6757
    assert all(name and not str(name).startswith("=") and isinstance(match, bool) for name, match in rows)
