"""Clinical directors: appointed, sharing an office, taking turns, corrected late, in breach when a practice leaves."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError

from services.registry.clinical_directors.model import DirectorTerm, Method, OfficeTaken, places_for
from services.registry.networks.model import Membership
from shared.events import registry as events
from shared.facts import days, since, withdraw
from tests.harness import Harness
from tests.registry.builders import (
    V1,
    allocate,
    commissioner,
    decide,
    draft,
    form,
    load_sample,
    national,
    open_round,
    submit,
    submitted,
)
from tests.registry.network_life import HOME, appoint, lead, network, read, said, turn

DIRECTORS = f"{HOME}/clinical-directors"


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


async def on(app: Harness, day: str, more: str = "", home: str = HOME) -> list[Any]:
    items: list[Any] = (await read(app, f"{home}/clinical-directors?as_at={day}{more}"))["items"]
    return items


async def told(app: Harness, kind: type[Any]) -> list[Any]:
    return [e for e in await app.announced() if isinstance(e, kind)]


async def test_a_director_is_appointed_from_a_day_and_named_to_nobody_who_listens(app: Harness) -> None:
    made = await appoint(app)
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"{DIRECTORS}/{made.json()['id']}"
    (director,) = await on(app, "2022-04-01")
    assert (director["name"], director["portion"], director["breaches"]) == ("Dr Jo Sample (invented)", "1", [])
    assert await on(app, "2022-03-31") == []
    (event,) = await told(app, events.ClinicalDirectorAppointed)
    assert (event.practice, event.portion, event.valid_from) == ("Z80011", Decimal(1), date(2022, 4, 1))
    assert "Sample" not in event.model_dump_json()


async def test_the_entry_in_a_professional_register_is_for_who_acts_for_the_network(app: Harness) -> None:
    id = (await appoint(app)).json()["id"]
    for headers, seen in ((network(app), "7654321"), (lead(app), "7654321"), (network(app, "U90002"), None)):
        shown = await read(app, f"{DIRECTORS}?as_at=2022-04-01", headers)
        assert [d["registration_number"] for d in shown["items"]] == [seen]
        assert [t["registration_number"] for t in (await read(app, f"{DIRECTORS}/{id}", headers))["terms"]] == [seen]


async def test_a_shared_office_is_never_more_than_one_on_any_day(app: Harness) -> None:
    first = await appoint(app, portion="0.4")
    second = await appoint(app, portion="0.4", practice="Z80012", valid_from="2022-07-01")
    assert (first.status_code, second.status_code) == (201, 201)
    over = await appoint(app, portion="0.3", practice="Z80013")
    assert (said(over), over.json()["detail"]) == (
        (409, "OfficeTaken"),
        "On 2022-07-01 0.2 of the office is free, not 0.3.",
    )
    assert (await appoint(app, portion="0.2", practice="Z80013")).status_code == 201
    assert sorted(d["portion"] for d in await on(app, "2022-07-01")) == ["0.2", "0.4", "0.4"]


async def test_what_is_free_in_pieces_is_given_in_pieces(app: Harness) -> None:
    """A, B and C share; A and C leave; what they held lies on both sides of B, and goes to D as one part."""
    held = [(await appoint(app, portion=part)).json()["id"] for part in ("0.3", "0.3", "0.4")]
    for id in (held[0], held[2]):
        ending = {"last_day": "2022-06-30", "reason": "They step down."}
        assert (await app.put(f"{DIRECTORS}/{id}/ending", ending, network(app))).status_code == 200
    assert (await appoint(app, portion="0.7", valid_from="2022-07-01")).status_code == 201
    assert sorted(d["portion"] for d in await on(app, "2022-07-01")) == ["0.3", "0.7"]
    assert sorted(d["portion"] for d in await on(app, "2022-06-30")) == ["0.3", "0.3", "0.4"]


@pytest.mark.parametrize("portion", ["0", "1.1", "0.0000001", 1, "NaN"])
async def test_a_part_that_is_no_part_is_refused(app: Harness, portion: Any) -> None:
    answer = await appoint(app, portion=portion)
    assert (said(answer), answer.json()["errors"][0]["field"]) == ((422, "Invalid"), "body.portion")


async def test_a_director_works_in_a_member_practice_on_every_day(app: Harness) -> None:
    outside = await appoint(app, practice="Z80014")
    assert (said(outside), outside.json()["detail"]) == (
        (409, "DirectorOutsideNetwork"),
        "Z80014 is no member of U90001 from 2022-04-01 on.",
    )
    left = await appoint(app, practice="Z80021", valid_from="2020-09-01", valid_to="2020-10-31")
    assert left.json()["detail"] == "Z80021 is no member of U90001 from 2020-10-01 to 2020-10-31."
    within = await appoint(app, practice="Z80021", valid_from="2020-09-01", valid_to="2020-09-30")
    assert within.status_code == 201


async def test_a_practice_that_leaves_shows_as_a_breach_of_its_directors(app: Harness) -> None:
    await appoint(app)
    before = datetime.now(UTC).isoformat().replace("+", "%2B")
    async with app.session() as session:
        await withdraw(session, Membership, now=datetime.now(UTC), days=days(date(2023, 1, 1)), practice="Z80011")
    (director,) = await on(app, "2022-06-01")
    assert director["breaches"] == [{"valid_from": "2023-01-01", "valid_to": None}]
    (then,) = await on(app, "2022-06-01", f"&known_at={before}")
    assert then["breaches"] == []


async def test_turns_are_entered_all_or_none(app: Harness) -> None:
    turns = [
        turn(valid_to="2022-09-30"),
        turn(name="Dr B", practice="Z80012", valid_from="2022-10-01", valid_to="2023-03-31"),
        turn(name="Dr C", practice="Z80013", valid_from="2023-04-01", valid_to="2023-09-30"),
    ]
    clash = [*turns[:2], {**turns[2], "valid_from": "2023-03-31"}]
    refused = await app.post(f"{DIRECTORS}/rotation", {"turns": clash}, network(app))
    assert said(refused) == (409, "OfficeTaken")
    assert await on(app, "2022-04-01") == []
    entered = await app.post(f"{DIRECTORS}/rotation", {"turns": turns}, network(app))
    assert entered.status_code == 201, entered.text
    for day, name in (("2022-09-30", "Dr Jo Sample (invented)"), ("2022-10-01", "Dr B"), ("2023-04-01", "Dr C")):
        assert [(d["name"], d["method"]) for d in await on(app, day)] == [(name, "rotating")]


async def test_a_late_correction_leaves_what_was_believed_answerable(app: Harness) -> None:
    id = (await appoint(app)).json()["id"]
    before = datetime.now(UTC).isoformat().replace("+", "%2B")
    path = f"{DIRECTORS}/{id}"
    body = turn(name="Dr Real (invented)", practice="Z80012", valid_from="2022-02-01", reason="It was another.")
    assert (await app.put(path, body, network(app), match='"7"')).status_code == 412
    tag = (await app.client.get(path, headers=network(app))).headers["etag"]
    corrected = await app.put(path, body, network(app), match=tag)
    assert corrected.status_code == 200, corrected.text
    assert [d["name"] for d in await on(app, "2022-02-01")] == ["Dr Real (invented)"]
    assert await on(app, "2022-02-01", f"&known_at={before}") == []
    assert [d["name"] for d in await on(app, "2022-04-01", f"&known_at={before}")] == ["Dr Jo Sample (invented)"]
    then = await read(app, f"{path}?as_at=2022-04-01&known_at={before}")
    assert [t["practice"] for t in then["terms"]] == ["Z80011"]
    assert (await read(app, f"{path}?as_at=2022-01-31"))["terms"] == []
    (left,) = await told(app, events.ClinicalDirectorLeft)
    assert (left.valid_from, left.valid_to) == (date(2022, 4, 1), date(2022, 3, 31))
    assert [e.valid_from for e in await told(app, events.ClinicalDirectorAppointed)] == [
        date(2022, 4, 1),
        date(2022, 2, 1),
    ]


async def test_an_appointment_ends_once_and_is_taken_back_once(app: Harness) -> None:
    id = (await appoint(app)).json()["id"]
    path, ending = f"{DIRECTORS}/{id}", {"last_day": "2022-12-31", "reason": "Retirement."}
    early = await app.put(f"{path}/ending", {**ending, "last_day": "2022-03-31"}, network(app))
    assert said(early) == (409, "AppointmentNotRunning")
    assert (await app.put(f"{path}/ending", ending, network(app))).status_code == 200
    assert said(await app.put(f"{path}/ending", ending, network(app))) == (409, "AppointmentNotRunning")
    (left,) = await told(app, events.ClinicalDirectorLeft)
    assert left.valid_to == date(2022, 12, 31)
    assert (await app.put(f"{path}/withdrawal", {"reason": "Never was."}, network(app))).json()["terms"] == []
    again = await app.put(f"{path}/withdrawal", {"reason": "Never was."}, network(app))
    assert said(again) == (409, "AppointmentNotRunning")
    assert said(await app.client.get(f"{DIRECTORS}/cda-none", headers=national(app))) == (404, "DirectorNotFound")


async def test_only_who_acts_for_the_network_appoints(app: Harness) -> None:
    for headers in (network(app, "U90002"), commissioner(app, "SA1")):
        assert said(await appoint(app, headers)) == (403, "NotYoursToActFor")
    answer = await app.post(f"{V1}/networks/U99999/clinical-directors", turn(), national(app))
    assert said(answer) == (404, "NetworkNotFound")
    assert (await appoint(app, lead(app))).status_code == 201


async def test_the_director_of_an_approved_application_is_the_first(app: Harness) -> None:
    round = await open_round(app)
    names = ("Invented Harbour PCN", "Invented Vale PCN", "Invented Fells PCN")
    _, vale, _ = [await submitted(app, form(name, round)) for name in names]
    await allocate(app, application=vale, round=round)
    assert (await decide(app, round)).status_code == 200
    (director,) = await on(app, "2022-04-01", home=f"{V1}/networks/U90012")
    assert (director["name"], director["practice"], director["application"]) == (
        "Dr Blake Example (invented)",
        "Z80005",
        vale,
    )
    assert len(await told(app, events.ClinicalDirectorAppointed)) == 3

    again = await open_round(app, contract_year="2023-24", **NEXT_YEAR)
    for name, code, director_of in zip(
        names, ("U90011", "U90012", "U99001"), ("Z80002", "Z80005", "Z80008"), strict=True
    ):
        wanted = {**form(name, again), "network": code, "proposed_code": None}
        wanted["clinical_director"]["practice"] = director_of
        made = await draft(app, wanted)
        answer = await submit(app, made["id"], "2023-02-14")
        assert answer.status_code == 200, answer.text
    assert (await decide(app, again, decided_on="2023-03-01")).status_code == 200
    assert [d["practice"] for d in await on(app, "2023-04-01", home=f"{V1}/networks/U90011")] == ["Z80002"]
    assert [d["practice"] for d in await on(app, "2023-03-31", home=f"{V1}/networks/U90011")] == ["Z80001"]
    (left,) = await told(app, events.ClinicalDirectorLeft)
    assert (left.network, left.valid_to) == ("U90011", date(2023, 3, 31))


NEXT_YEAR = {
    "opens_on": "2023-01-10",
    "apply_by": "2023-02-28",
    "decide_by": "2023-03-31",
    "starts_on": "2023-04-01",
    "snapshot": "2022-01-01",
}


async def test_the_database_itself_refuses_more_than_one_whole_office(registry_live: Harness) -> None:
    def term(appointment: str, lower: str, upper: str) -> DirectorTerm:
        return DirectorTerm(
            appointment=appointment,
            network="U90001",
            name="Dr A",
            practice="Z80011",
            method=Method.APPOINTED,
            portion=[Range(Decimal(lower), Decimal(upper))],
            valid=days(date(2022, 4, 1)),
            known=since(datetime(2022, 4, 1, tzinfo=UTC)),
        )

    async with registry_live.session() as session:
        session.add(term("cda-1", "0", "0.6"))
    with pytest.raises(IntegrityError, match="ex_director_terms_overlap"):
        async with registry_live.session() as session:
            session.add(term("cda-2", "0.5", "1"))
    with pytest.raises(IntegrityError, match="portion_of_one_office"):
        async with registry_live.session() as session:
            session.add(term("cda-3", "0.6", "1.1"))


async def test_two_who_take_the_last_part_at_once_do_not_both_get_it(registry_live: Harness) -> None:
    app = registry_live
    await load_sample(app)
    answers = await asyncio.gather(*(appoint(app, portion="0.6", practice=p) for p in ("Z80011", "Z80012", "Z80013")))
    assert sorted(a.status_code for a in answers) == [201, 409, 409]


WHEN = st.integers(min_value=0, max_value=40).map(lambda n: date(2022, 4, 1).fromordinal(738_000 + n))


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(st.integers(min_value=1, max_value=10), WHEN, st.integers(min_value=0, max_value=30) | st.none()),
        max_size=12,
    )
)
def test_no_sequence_of_appointments_gives_more_than_one_office_and_none_is_refused_without_need(
    wanted: list[tuple[int, date, int | None]],
) -> None:
    held: list[DirectorTerm] = []
    for number, (tenths, first, length) in enumerate(wanted):
        last = None if length is None else date.fromordinal(first.toordinal() + length)
        part, period = Decimal(tenths) / 10, days(first, last)
        busiest = max(
            (
                sum((t.share for t in held if t.valid.contains(day)), Decimal(0))
                for day in (date.fromordinal(738_000 + n) for n in range(80))
                if period.contains(day)
            ),
            default=Decimal(0),
        )
        others = [t for t in held if t.valid.overlaps(period)]
        try:
            places = places_for(part, period, others)
        except OfficeTaken:
            assert busiest + part > 1
            continue
        assert busiest + part <= 1
        held += [
            DirectorTerm(appointment=str(number), network="U90001", portion=place, valid=valid)
            for valid, place in places
        ]
        for a in held:
            for b in held:
                if a is not b and a.valid.overlaps(b.valid):
                    assert not any(x.overlaps(y) for x in a.portion for y in b.portion)
