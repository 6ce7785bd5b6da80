"""What a read answers today it answers for ever to whoever asks what was known today, whatever is corrected later."""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.identity import Role
from tests.harness import Harness
from tests.registry.builders import V1, form, load_sample, national, terms
from tests.registry.network_life import MEMBERS, network, on_paper, turn, version
from tests.registry.network_life import terms as agreed
from tests.registry.squares import square

pytestmark = pytest.mark.slow

DAY = "2022-07-15"
WHY = {"reason": "As it is now known."}
CODES = {
    "commissioners": ("SB2", "S1Y5D"),
    "systems": ("QZ1", "QZ2"),
    "networks": ("U90001", "U90002", "U90003"),
    "practices": ("Z80011", "Z80014", "Z80018"),
}

FROM_FILES = {f"{V1}/list-sizes"}
"""What files alone bring is believed from the day they were published, whenever they are taken in."""

Step = Callable[["Story"], Awaitable[None]]
STRANDS: dict[str, list[Step]] = defaultdict(list)
"""What may be done, in strands: the steps of one follow each other, those of another may come between."""


def step(strand: str) -> Callable[[Step], Step]:
    def entered(taken: Step) -> Step:
        STRANDS[strand].append(taken)
        return taken

    return entered


class Story:
    """A register to which much happens, and everything that can be asked of it as it was known."""

    def __init__(self, app: Harness, *, closely: bool = False) -> None:
        self.app, self.closely = app, closely
        self.headers = national(app)
        self.made: dict[str, str] = {}
        self.all: dict[str, list[str]] = defaultdict(list)
        self.told: list[tuple[str, dict[str, tuple[int, Any]]]] = []
        self.refused: list[str] = []

    async def post(self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> str | None:
        """What was made, as the end of its path."""
        answer = await self.app.post(f"{V1}/{path}", body, headers or self.headers)
        self.note(path, answer)
        where = answer.headers.get("location", "").removeprefix(f"{V1}/")
        if where:
            self.made[path] = where
            self.all[path].append(where)
        return where or None

    async def put(self, path: str, body: dict[str, Any] | None, headers: dict[str, str] | None = None) -> None:
        """A change under the version its resource, or what that belongs to, has now."""
        places = (path.rsplit("/", 1)[0], path, path.rsplit("/", 2)[0])
        for read in (f"{place}{day}" for place in places for day in ("", f"?as_at={DAY}")):
            held = await self.app.client.get(f"{V1}/{read}", headers=self.headers)
            if "etag" in held.headers:
                break
        match = held.headers.get("etag", '"1"')
        self.note(path, await self.app.put(f"{V1}/{path}", body, headers or self.headers, match=match))

    def note(self, path: str, answer: Any) -> None:
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            self.refused.append(f"{path}: {answer.text}")

    def asked(self) -> dict[str, list[str]]:
        """Every question that takes `known_at`, of everything there is by now, by the route it goes to."""
        found: dict[str, list[str]] = {}
        for route, methods in self.app.app.openapi()["paths"].items():
            takes = {p["name"] for p in methods.get("get", {}).get("parameters", []) if p["in"] == "query"}
            if "known_at" not in takes:
                continue
            paths = self.paths(route.removeprefix(f"{V1}/"))
            days = [f"as_at={DAY}"] if "as_at" in takes else []
            if "since" in takes:
                days = [f"since=2021-12-31&as_at={DAY}"]
            elif "history" in takes:
                days.append("history=true")
            elif "as_at" not in takes or "{id}" in route or "{number}" in route:
                days.append("")
            limit = "limit=1000" if "limit" in takes else ""
            found[route] = [f"{path}?{'&'.join(filter(None, (day, limit)))}" for path in paths for day in days]
        return found

    def paths(self, route: str) -> list[str]:
        if "{code}" in route:
            return [p for code in CODES[route.split("/")[0]] for p in self.paths(route.replace("{code}", code))]
        if "{practice}/{first_day}" in route:
            pairs = ("Z80011/2019-10-01", "Z80014/2019-10-01", "Z80010/2022-07-01")
            return [route.replace("{practice}/{first_day}", pair) for pair in pairs]
        if "{" not in route:
            return [route]
        of, rest = re.split(r"/\{(?:id|number)\}", route)
        return [made + rest for made in self.all.get(of, [])]

    async def answers(self, known_at: str | None = None, of: set[str] | None = None) -> dict[str, tuple[int, Any]]:
        found = {}
        for path in sorted(of) if of is not None else [path for paths in self.asked().values() for path in paths]:
            more = f"&known_at={known_at}" if known_at else ""
            answer = await self.app.client.get(f"{V1}/{path}{more}", headers=self.headers)
            assert answer.status_code < 500, f"{path}: {answer.text}"
            found[path] = answer.status_code, answer.json()
        return found

    async def tell_between(self) -> None:
        """Keep what everything answers within a step, where every state is looked at."""
        if self.closely:
            await self.tell()

    async def tell(self) -> None:
        """Keep what everything answers now."""
        answered = await self.answers()
        self.told.append((datetime.now(UTC).isoformat().replace("+", "%2B"), answered))

    async def told_again(self) -> list[str]:
        """Where an answer of then is not given any more, with both."""
        wrong = []
        for moment, answered in self.told:
            again = await self.answers(moment, set(answered))
            wrong += [f"{p}\n  then  {answered[p]}\n  again {again[p]}" for p in answered if again[p] != answered[p]]
        return wrong


async def members_sign(story: Story, number: int, signed_on: str, *who: str) -> None:
    for one in who or MEMBERS:
        body = {"number": number, "practice": one, "signatory": "Dr Pat Sample (invented)", **on_paper(signed_on)}
        await story.post("networks/U90001/agreement/signatures", body)


@step("agreement")
async def an_agreement_is_signed(story: Story) -> None:
    await story.post("networks/U90001/agreement/versions", version(terms={}))
    path = "networks/U90001/agreement/versions/1"
    await story.tell_between()
    await story.put(path, version())
    await story.tell_between()
    await story.put(f"{path}/circulation", None)
    await members_sign(story, 1, "2022-03-15")


@step("agreement")
async def a_second_takes_its_place(story: Story) -> None:
    alike = agreed(finance={"pays_on": {"rule": "equal"}})
    await story.post("networks/U90001/agreement/versions", version(in_force_from="2022-07-01", terms=alike))
    await story.put("networks/U90001/agreement/versions/2/circulation", None)
    await members_sign(story, 2, "2022-06-20", *MEMBERS, "Z80010")


@step("agreement")
async def a_signature_is_taken_back(story: Story) -> None:
    await story.put(f"{story.made['networks/U90001/agreement/signatures']}/withdrawal", WHY)


@step("agreement")
async def a_third_is_given_up_and_the_first_ends(story: Story) -> None:
    await story.post("networks/U90001/agreement/versions", version(in_force_from="2022-10-01"))
    await story.tell_between()
    await story.put("networks/U90001/agreement/versions/3/abandonment", WHY)
    await story.put("networks/U90001/agreement/versions/1/ending", {"last_day": "2022-06-30", **WHY})


@step("directors")
async def a_director_is_appointed_and_takes_a_seat(story: Story) -> None:
    director = await story.post("networks/U90001/clinical-directors", turn())
    board = {"board": "Partnership board", "title": "North", "valid_from": "2022-04-01"}
    seat = await story.post("systems/QZ2/seats", board)
    held = {"appointment": (director or "").split("/")[-1], "valid_from": "2022-04-01"}
    await story.put(f"{seat}/holder", held)


@step("directors")
async def director_and_seat_are_put_right(story: Story) -> None:
    director, seat = story.made["networks/U90001/clinical-directors"], story.made["systems/QZ2/seats"]
    await story.put(director, {**turn(name="Dr Joe Sample (invented)", valid_from="2022-05-01"), **WHY})
    await story.put(seat, {"board": "Board", "title": "South", "valid_from": "2022-04-01", **WHY})
    await story.put(f"{director}/ending", {"last_day": "2022-06-30", **WHY})


@step("directors")
async def nobody_was_director(story: Story) -> None:
    await story.put(f"{story.made['networks/U90001/clinical-directors']}/withdrawal", WHY)
    await story.put(f"{story.made['systems/QZ2/seats']}/ending", {"last_day": "2022-06-30", **WHY})


@step("partners")
async def a_partner_delivers_a_service(story: Story) -> None:
    body = {
        "organisation": "FH123",
        "name": "Corner Pharmacy (invented)",
        "kind": "pharmacy",
        "part": "Blood pressure.",
    }
    partner = await story.post("networks/U90001/partners", {**body, "valid_from": "2022-04-01"})
    taken = {"service": "care-homes", "partner": (partner or "").split("/")[-1], "valid_from": "2022-04-01"}
    await story.post("networks/U90001/services", taken)
    await story.put(
        "networks/U90001/contact", {"name": "Desk", "email": "desk@example.org", "valid_from": "2022-04-01"}
    )


@step("partners")
async def what_they_deliver_is_put_right(story: Story) -> None:
    better = {"name": "Pharmacy", "kind": "pharmacy", "part": "Checks.", "valid_from": "2022-06-01", **WHY}
    await story.put(story.made["networks/U90001/partners"], better)
    taken = {"service": "care-homes", "practice": "Z80012", "valid_from": "2022-05-01", **WHY}
    await story.put(story.made["networks/U90001/services"], taken)
    await story.put(
        "networks/U90001/contact", {"name": "Pat", "telephone": "020 7946 0000", "valid_from": "2022-06-01"}
    )


@step("partners")
async def they_delivered_nothing(story: Story) -> None:
    await story.put(f"{story.made['networks/U90001/partners']}/withdrawal", WHY)
    await story.put(f"{story.made['networks/U90001/services']}/withdrawal", WHY)
    await story.put("networks/U90001/contact/withdrawal", {"valid_from": "2022-04-01", **WHY})


@step("menu")
async def a_service_is_on_the_menu(story: Story) -> None:
    item = {"service": "home-visits", "contract_year": "2022-23", "name": "Home visits", "valid_from": "2022-04-01"}
    await story.post("services", {**item, "valid_to": "2023-03-31"})


@step("menu")
async def the_service_was_another(story: Story) -> None:
    right = {"name": "Visits", "valid_from": "2022-07-01", "valid_to": "2023-03-31", **WHY}
    await story.put(story.made["services"], right)
    await story.put(f"{story.made['services']}/withdrawal", WHY)


@step("rule")
async def the_size_rule_is_another(story: Story) -> None:
    rule = {"smallest": 37_000, "large": 50_000, "localities_from": 100_000, "locality_smallest": 30_000}
    rest = {"locality_largest": 50_000, "sliver": 10_000, "source": "Invented", "valid_from": "2022-04-01"}
    await story.post("size-rules", {**rule, **rest})
    why = {"reason": "The dale is wide.", "valid_from": "2022-06-01"}
    await story.post("waivers", {"network": "U90001", "finding": "under_smallest", **why})


@step("rule")
async def the_exception_reaches_less_far(story: Story) -> None:
    await story.put(f"{story.made['waivers']}/correction", {"valid_from": "2022-07-01", "not_below": "36000", **WHY})


@step("rule")
async def there_is_no_exception(story: Story) -> None:
    await story.put(f"{story.made['waivers']}/withdrawal", WHY)


@step("payee")
async def another_payee_and_an_area(story: Story) -> None:
    await story.put("networks/U90001/payee", {"payee": "Z80012", "valid_from": "2022-05-01"})
    await story.put("networks/U90001/area", {"area": square(0, 0, 10, 10), "valid_from": "2022-04-01", **WHY})
    named = {"name": "North", "practices": list(MEMBERS)}
    await story.put("networks/U90001/localities", {"localities": [named], "valid_from": "2022-04-01", **WHY})
    here = {"longitude": -1.95, "latitude": 54.05, "valid_from": "2021-04-01", "source": "Its own word"}
    await story.put("practices/Z80011/location", here)


@step("payee")
async def payee_and_area_were_others(story: Story) -> None:
    await story.put("networks/U90001/payee", {"payee": "Z80013", "valid_from": "2022-04-01", **WHY})
    await story.put("networks/U90001/payee/withdrawal", {"valid_from": "2022-04-01", "valid_to": "2022-05-31", **WHY})
    await story.put("networks/U90001/area", {"area": square(0, 0, 12, 10), "valid_from": "2022-05-01", **WHY})
    await story.put("networks/U90001/localities", {"localities": [], "valid_from": "2022-04-01", **WHY})
    there = {"longitude": -1.96, "latitude": 54.05, "valid_from": "2021-04-01", "source": "The map"}
    await story.put("practices/Z80011/location", there)


@step("names")
async def a_network_has_another_name_and_lead(story: Story) -> None:
    await story.put("networks/U90002/name", {"name": "INVENTED BROOK PCN", "valid_from": "2022-04-01", **WHY})
    await story.put("networks/U90002/lead-commissioner", {"commissioner": "SA1", "valid_from": "2022-05-01", **WHY})


@step("names")
async def a_network_closes(story: Story) -> None:
    await story.put("networks/U90003/closure", {"closed_on": "2022-06-30", **WHY})


@step("names")
async def it_closed_by_mistake(story: Story) -> None:
    await story.put("networks/U90003/closure/withdrawal", WHY)


@step("members")
async def a_practice_joins_and_its_list_was_allocated(story: Story) -> None:
    allocated = {"practice": "Z80010", "network": "U90001", "valid_from": "2022-04-01", "valid_to": "2022-06-30"}
    await story.post("allocations", {**allocated, **WHY})
    story.made["allocated"] = story.made["allocations"]
    await story.post("networks/U90001/members", {"practice": "Z80010", "valid_from": "2022-07-01", **WHY})


@step("lists")
async def a_list_is_served_by_another_network(story: Story) -> None:
    await story.post("allocations", {"practice": "Z80009", "network": "U90002", "valid_from": "2022-04-01", **WHY})


@step("members")
async def both_were_later_and_a_list_is_divided(story: Story) -> None:
    last = {"valid_from": "2022-05-01", "valid_to": "2022-06-15", **WHY}
    await story.put(f"{story.made['allocated']}/correction", last)
    member = "networks/U90001/members/Z80010/2022-07-01"
    await story.put(f"{member}/correction", {"valid_from": "2022-07-01", "valid_to": "2022-09-30", **WHY})
    halves = [{"network": "U90001", "share": "0.5"}, {"network": "U90002", "share": "0.5"}]
    await story.put("practices/Z80011/split", {"parts": halves, "valid_from": "2022-07-01", **WHY})


@step("members")
async def neither_was(story: Story) -> None:
    await story.put(f"{story.made['allocated']}/withdrawal", WHY)
    await story.put("networks/U90001/members/Z80010/2022-07-01/withdrawal", WHY)
    await story.put("practices/Z80011/split/ending", {"network": "U90001", "last_day": "2022-07-31", **WHY})


@step("life")
async def a_practice_rests_and_changes_its_contract(story: Story) -> None:
    some = {"valid_from": "2022-06-01", "valid_to": "2022-08-31", **WHY}
    await story.put("practices/Z80014/dormancy", some)
    await story.put("practices/Z80014/contract", {"contract": "APMS", **some})
    leaves = {"kind": "leave", "network": "U90002", "practice": "Z80016", "effective_on": "2027-03-31", **WHY}
    await story.post("notices", leaves, network(story.app, "U90002"))


@step("life")
async def a_practice_closes(story: Story) -> None:
    await story.put("practices/Z80014/closure", {"closed_on": "2022-06-30", **WHY})
    await story.put(f"{story.made['notices']}/acceptance", WHY)


@step("life")
async def it_went_over_into_another(story: Story) -> None:
    await story.put("practices/Z80014/closure/withdrawal", WHY)
    await story.put("practices/Z80014/succession", {"successor": "Z80015", "succeeded_on": "2022-07-01", **WHY})


@step("right")
async def a_right_is_withdrawn(story: Story) -> None:
    days = {"notified_on": "2022-06-15", "withdrawn_from": "2022-07-01", "appeal_by": "2022-07-15"}
    await story.post("withdrawals", {"network": "U90001", "evidence": ["Two visits"], **days, **WHY})


@step("right")
async def an_appeal_is_made(story: Story) -> None:
    await story.put(f"{story.made['withdrawals']}/appeal", {"lodged_on": "2022-07-10", **WHY})


@step("right")
async def the_appeal_is_upheld(story: Story) -> None:
    upheld = {"outcome": "upheld", "decided_on": "2022-08-01", **WHY}
    await story.put(f"{story.made['withdrawals']}/outcome", upheld)


@step("window")
async def a_window_is_open(story: Story) -> None:
    days = {"opens_on": "2022-07-01", "closes_on": "2022-07-31", "contract_year": "2022-23", "why": "reissue"}
    await story.post("windows", {**days, **WHY})


@step("window")
async def the_window_was_longer_and_then_none(story: Story) -> None:
    longer = {"opens_on": "2022-06-01", "closes_on": "2022-08-31", "notice_months": 1, **WHY}
    await story.put(f"{story.made['windows']}/correction", longer)
    await story.tell_between()
    await story.put(f"{story.made['windows']}/withdrawal", WHY)


@step("round")
async def a_round_is_open_and_a_form_comes_in(story: Story) -> None:
    round = await story.post("rounds", terms())
    wanted = {**form("Invented Harbour PCN", (round or "").split("/")[-1]), "size_waiver_reason": "The coast."}
    made = await story.post("applications", wanted)
    await story.put(f"{made}/submission", {"received_on": "2022-02-14"})


@step("round")
async def it_goes_back(story: Story) -> None:
    agrees = {"opinion": "objects", "reason": "The boundary."}
    lmc = story.app.token(Role.LMC, organisations=["SA1"], subject="lena")
    await story.put(f"{story.made['applications']}/opinion", agrees, lmc)
    await story.put(f"{story.made['applications']}/return", WHY)


@step("round")
async def the_round_is_given_up(story: Story) -> None:
    await story.put(f"{story.made['rounds']}/abandonment", WHY)


@step("map")
async def another_decides(story: Story) -> None:
    place = {"name": "HILLS", "system": "QZ1", "valid_from": "2021-04-01", "valid_to": "2021-12-31"}
    await story.put("commissioners/SB2/placement", place)
    await story.put("commissioners/SB2/delegation", {"delegated": False, "valid_from": "2022-04-01", **WHY})


@step("map")
async def the_commissioner_is_succeeded(story: Story) -> None:
    heir = {"code": "S1Y5D", "name": "INVENTED EASTERN BOARD"}
    body = {"kind": "merger", "succeeded_on": "2022-07-01", "successors": [heir], **WHY}
    await story.put("commissioners/SB2/succession", body)
    systems = {"kind": "merger", "succeeded_on": "2022-07-01", "successors": [{"code": "QZ2"}], **WHY}
    await story.put("systems/QZ1/succession", systems)


@step("map")
async def it_was_a_month_later(story: Story) -> None:
    heir = {"code": "S1Y5D", "name": "INVENTED EASTERN BOARD"}
    body = {"kind": "merger", "succeeded_on": "2022-08-01", "successors": [heir], **WHY}
    await story.put("commissioners/SB2/succession", body)


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


async def test_every_read_answers_for_ever_what_it_answered_then(app: Harness) -> None:
    story = Story(app, closely=True)
    await story.tell()
    for turn_ in range(max(map(len, STRANDS.values()))):
        for strand in STRANDS.values():
            if turn_ < len(strand):
                await strand[turn_](story)
        await story.tell()
    assert not story.refused, "\n".join(story.refused)
    wrong = await story.told_again()
    assert not wrong, "\n".join(wrong)
    seen: dict[str, list[Any]] = defaultdict(list)
    for _, answered in story.told:
        for path, answer in answered.items():
            seen[path].append(answer)
    changed = {path for path, answers in seen.items() if any(answer != answers[0] for answer in answers)}
    still = [route for route, paths in story.asked().items() if route not in FROM_FILES and not changed & set(paths)]
    assert not still, f"nothing happened to what these tell of: {still}"


TURNS = [strand for strand, steps in STRANDS.items() for _ in steps]


@settings(max_examples=2)
@given(turns=st.permutations(TURNS), pauses=st.sets(st.integers(5, len(TURNS) - 5), min_size=2, max_size=2))
async def test_in_whatever_order_things_happen_no_answer_of_then_is_lost(
    app: Harness, turns: list[str], pauses: set[int]
) -> None:
    connection = app.runtime.sessions.kw["bind"]
    undone = await connection.begin_nested()
    try:
        story, left = Story(app), {strand: list(steps) for strand, steps in STRANDS.items()}
        for number, strand in enumerate(turns):
            if number in pauses:
                await story.tell()
            # what was refused before may have left nothing to go on with
            with contextlib.suppress(KeyError):
                await left[strand].pop(0)(story)
        assert len(story.refused) < len(TURNS)
        wrong = await story.told_again()
        assert not wrong, "\n".join(wrong)
    finally:
        await undone.rollback()
