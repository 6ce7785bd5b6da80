"""Elections by secret ballot: one ballot a practice, counted so that anybody can count again, and linked to nobody."""

from __future__ import annotations

import asyncio
import hashlib
import traceback
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from structlog.testing import capture_logs

from services.registry.elections.count import CountingMethod, TieBreak, count, lot_order
from services.registry.networks.model import Membership
from shared.facts import days, withdraw
from tests.harness import Harness
from tests.registry.builders import V1, codes, commissioner, load_sample, national, practice
from tests.registry.network_life import (
    CALLED,
    CLOSED,
    ELECTIONS,
    HOME,
    MEMBERS,
    OPEN,
    call,
    called,
    clock,
    counted,
    lead,
    network,
    read,
    refused,
    said,
    vote,
)


@pytest.fixture
async def app(registry_app: Harness) -> Harness:
    await load_sample(registry_app)
    return registry_app


def of(election: dict[str, Any], who: str) -> str:
    """The candidate who works in a practice."""
    return next(str(c["id"]) for c in election["candidates"] if c["practice"] == who)


async def test_each_practice_votes_once_and_the_winner_is_appointed_with_one_call(app: Harness) -> None:
    election = await called(app, *MEMBERS)
    receipts = {}
    for who, choices in {"Z80011": MEMBERS[:1], "Z80012": MEMBERS[1:2], "Z80013": MEMBERS[1:]}.items():
        answer = await vote(app, election, who, *choices)
        assert answer.status_code == 200, answer.text
        receipts[who] = answer.json()["receipt"]
    open_now = await read(app, f"{ELECTIONS}/{election['id']}", network(app))
    assert (open_now["voted"], open_now["electorate"]) == ([], list(MEMBERS))
    assert (await read(app, ELECTIONS, network(app)))["items"] == [open_now]
    trail = await read(app, f"{V1}/audit?limit=1000", network(app))
    assert not [entry for entry in trail["items"] if entry["record"].startswith("election_voters")]

    tally = await counted(app, election)
    assert tally["winner"] == of(election, "Z80012")
    assert len(tally["rounds"]) == 1
    assert tally["rounds"][0]["votes"][of(election, "Z80012")] == 2
    found = {
        who: [b["choices"] for b in tally["ballots"] if b["receipt"] == hashlib.sha256(r.encode()).hexdigest()]
        for who, r in receipts.items()
    }
    assert found["Z80013"] == [[of(election, "Z80012"), of(election, "Z80013")]]
    closed = await read(app, f"{ELECTIONS}/{election['id']}", practice(app, "Z80011"))
    assert (closed["status"], closed["voted"]) == ("counted", list(MEMBERS))
    assert (await read(app, ELECTIONS, network(app)))["items"] == [closed]
    assert await read(app, f"{ELECTIONS}/{election['id']}/tally", practice(app, "Z80011")) == tally

    mandate = {"valid_from": "2022-04-01", "valid_to": "2024-03-31"}
    path = f"{ELECTIONS}/{election['id']}/appointment"
    appointed = await app.put(path, mandate, network(app))
    assert appointed.status_code == 200, appointed.text
    (director,) = (await read(app, f"{HOME}/clinical-directors?as_at=2022-04-01"))["items"]
    assert (director["name"], director["method"], director["election"], director["id"]) == (
        "Dr Z80012 (invented)",
        "elected",
        election["id"],
        appointed.json()["appointment"],
    )
    assert said(await app.put(path, mandate, network(app))) == (409, "WinnerAppointedAlready")


async def test_the_published_tally_is_counted_again_by_anybody(app: Harness) -> None:
    election = await called(app, *MEMBERS, tie_break="lot")
    for who in MEMBERS:
        assert (await vote(app, election, who, who, *[m for m in MEMBERS if m != who])).status_code == 200
    tally = await counted(app, election)
    assert hashlib.sha256(tally["lot_seed"].encode()).hexdigest() == election["lot_commitment"]
    again = count(
        [b["choices"] for b in tally["ballots"]],
        tally["standing"],
        CountingMethod(tally["method"]),
        TieBreak(tally["tie_break"]),
        tally["lot_seed"],
    )
    assert again.winner == tally["winner"]
    assert [r.votes for r in again.rounds] == [r["votes"] for r in tally["rounds"]]
    last = max(tally["standing"], key=lambda c: hashlib.sha256(f"{tally['lot_seed']}:{c}".encode()).hexdigest())
    assert (tally["rounds"][0]["eliminated"], tally["rounds"][0]["broken_by"]) == (last, "lot")


async def everything_stored(app: Harness) -> list[tuple[str, str]]:
    """Every row of every table of the registry as text, with the table it stands in."""
    async with app.session() as session:
        tables = (
            await session.scalars(
                text("select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace")
            )
        ).all()
        return [
            (table, row)
            for table in tables
            for row in (await session.scalars(text(f'select t::text from "{table}" t'))).all()  # noqa: S608
        ]


async def test_nothing_stored_links_a_practice_with_its_vote(app: Harness) -> None:
    """Neither audit trail nor kept replies, events or rows know a choice or a receipt beside the box itself."""
    election = await called(app, *MEMBERS)
    receipts = [(await vote(app, election, who, MEMBERS[0])).json()["receipt"] for who in MEMBERS]
    prints = [hashlib.sha256(r.encode()).hexdigest() for r in receipts]
    rows = await everything_stored(app)
    assert not [table for table, row in rows for receipt in receipts if receipt in row]
    assert {table for table, row in rows for fingerprint in prints if fingerprint in row} == {"ballot_boxes"}
    (box,) = [row for table, row in rows if table == "ballot_boxes"]
    assert box.index(min(prints)) < box.index(max(prints)), "the box lies in the order of chance, not of voting"
    assert not any(who in box for who in MEMBERS)
    trail = [row for table, row in rows if table == "audit" and "ballot" in row]
    assert len([row for row in trail if "election_voters" in row]) == 3
    assert not [row for row in trail if of(election, "Z80011") in row]
    voters = [row for table, row in rows if table == "election_voters"]
    assert sorted(voters) == sorted(f"({election['id']},{who},U90001)" for who in MEMBERS)
    await counted(app, election)
    assert not [table for table, _ in await everything_stored(app) if table == "ballot_boxes"]


BROKEN_BOX = """
create function broken() returns trigger language plpgsql as $$ begin raise exception 'the box is stuck'; end $$;
create trigger broken before insert on ballot_boxes for each row execute function broken();
"""


async def test_a_vote_that_fails_is_logged_without_what_was_voted(app: Harness) -> None:
    election = await called(app, *MEMBERS)
    async with app.session() as session:
        for statement in BROKEN_BOX.strip().split(";\n"):
            await session.execute(text(statement))
    with capture_logs() as logged:
        answer = await vote(app, election, "Z80011", "Z80012")
    assert answer.status_code == 500
    (entry,) = [one for one in logged if one["event"] == "unexpected error"]
    told = "".join(traceback.format_exception(entry["exc_info"]))
    assert "the box is stuck" in told
    assert of(election, "Z80012") not in told


async def test_the_box_is_one_row_written_anew_by_each_vote(registry_live: Harness) -> None:
    """A ballot has no transaction, no row and no place of its own: the box carries those of the last voter alone."""
    app = registry_live
    await load_sample(app)
    election = await called(app, *MEMBERS)
    for who in MEMBERS:
        assert (await vote(app, election, who, MEMBERS[0])).status_code == 200
    async with app.session() as session:
        boxes = (await session.execute(text("select xmin::text, ballots from ballot_boxes"))).all()
        voters = (
            (await session.execute(text("select xmin::text from election_voters order by practice"))).scalars().all()
        )
        places = (await session.scalars(text("select ctid::text from ballot_boxes"))).all()
    assert len(boxes) == 1
    assert places == ["(0,1)"], "nothing lies before it in the file: no box as it was one ballot ago"
    assert len(set(voters)) == 3
    assert [set(ballot) for ballot in boxes[0].ballots] == [{"receipt", "choices"}] * 3
    prints = [ballot["receipt"] for ballot in boxes[0].ballots]
    assert prints == sorted(prints)
    clock(app, OPEN)
    other = await called(app, "Z80011")
    assert (await vote(app, other, "Z80011", "Z80011")).status_code == 200
    await counted(app, election)
    async with app.session() as session:
        left = (await session.execute(text("select ctid::text, election, ballots from ballot_boxes"))).all()
    assert [(place, id, len(ballots)) for place, id, ballots in left] == [("(0,1)", other["id"], 1)]
    await counted(app, other)
    async with app.session() as session:
        assert await session.scalar(text("select pg_relation_size('ballot_boxes')")) == 0


async def test_a_vote_and_the_end_of_its_election_wait_for_each_other(registry_live: Harness) -> None:
    app = registry_live
    await load_sample(app)
    for _ in range(4):
        election = await called(app, *MEMBERS)
        path = f"{ELECTIONS}/{election['id']}"
        tag = (await app.client.get(path, headers=network(app))).headers["etag"]
        given_up, *votes = await asyncio.gather(
            app.put(f"{path}/abandonment", {"reason": "The list was wrong."}, network(app), match=tag),
            *(vote(app, election, who, MEMBERS[0]) for who in MEMBERS),
        )
        assert given_up.status_code == 200, given_up.text
        refusals = {(409, "ElectionGivenUp"), (412, "PreconditionFailed")}
        assert {said(one) for one in votes if one.status_code != 200} <= refusals


async def test_two_ballots_of_one_practice_at_once_are_one(registry_live: Harness) -> None:
    app = registry_live
    await load_sample(app)
    election = await called(app, *MEMBERS)
    wanted = [("Z80011", who) for who in MEMBERS] + [("Z80012", "Z80011")]
    answers = await asyncio.gather(*(vote(app, election, who, choice) for who, choice in wanted))
    assert sorted(a.status_code for a in answers) == [200, 200, 409, 409]
    assert len((await counted(app, election))["ballots"]) == 2


async def test_who_may_not_vote_is_told_so(app: Harness) -> None:
    election = await called(app, "Z80011", "Z80012")
    path = f"{ELECTIONS}/{election['id']}/ballot"
    tag = (await app.client.get(f"{ELECTIONS}/{election['id']}", headers=network(app))).headers["etag"]
    choices = [of(election, "Z80011")]
    stranger = await app.put(path, {"practice": "Z80014", "choices": choices}, practice(app, "Z80014"), match=tag)
    assert said(stranger) == (404, "ElectionNotFound")
    forged = await app.put(path, {"practice": "Z80012", "choices": choices}, practice(app, "Z80011"), match=tag)
    assert said(forged) == (409, "NotEntitledToVote")
    assert said(await app.put(path, {"practice": "Z80011", "choices": choices}, network(app), match=tag)) == (
        403,
        "Forbidden",
    )
    assert (await vote(app, election, "Z80011", "Z80011")).status_code == 200
    assert said(await vote(app, election, "Z80011", "Z80012")) == (409, "VotedAlready")
    async with app.session() as session:
        from datetime import UTC, datetime

        now = datetime(2022, 3, 9, tzinfo=UTC)
        await withdraw(session, Membership, now=now, days=days(date(2022, 4, 1)), practice="Z80012")
        await withdraw(session, Membership, now=now, days=days(date(2022, 3, 9), date(2022, 3, 31)), practice="Z80013")
    assert (await vote(app, election, "Z80012", "Z80011")).status_code == 200, "a member to the end of the month"
    assert said(await vote(app, election, "Z80013", "Z80011")) == (409, "NotEntitledToVote")


async def test_a_ballot_that_does_not_fit_is_refused(app: Harness) -> None:
    election = await called(app, "Z80011", "Z80012")
    twice = await vote(app, election, "Z80011", "Z80011", "Z80011")
    assert (said(twice), codes(twice)) == ((422, "Invalid"), ["twice"])
    absent = await vote(app, election, "Z80011", "can-none")
    assert (said(absent), codes(absent)) == ((409, "CandidateNotStanding"), ["not_standing"])
    assert (await vote(app, election, "Z80011")).status_code == 422
    plain = await called(app, "Z80011", "Z80012", method="first_past_the_post")
    both = await vote(app, plain, "Z80011", "Z80011", "Z80012")
    assert (said(both), codes(both)) == ((422, "Invalid"), ["too_many"])


async def test_votes_are_cast_in_the_window_alone(app: Harness) -> None:
    election = await called(app, "Z80011")
    for moment, code in ((CALLED, "VotingNotOpen"), (CLOSED, "VotingNotOpen")):
        clock(app, moment)
        assert said(await vote(app, election, "Z80011", "Z80011")) == (409, code)
    clock(app, OPEN)
    path = f"{ELECTIONS}/{election['id']}"
    assert said(await app.put(f"{path}/tally", None, network(app))) == (409, "VotingNotOver")
    assert await refused(app, f"{path}/tally", network(app)) == (409, "NotCounted")
    late = await app.post(f"{path}/candidates", {"name": "Dr Late", "practice": "Z80011"}, network(app))
    assert said(late) == (409, "NominationsClosed")
    mandate = {"valid_from": "2022-04-01"}
    assert said(await app.put(f"{path}/appointment", mandate, network(app))) == (409, "NotCounted")


async def test_a_candidate_who_withdraws_is_passed_over(app: Harness) -> None:
    election = await called(app, *MEMBERS)
    await vote(app, election, "Z80011", "Z80011", "Z80013")
    await vote(app, election, "Z80012", "Z80012")
    path = f"{ELECTIONS}/{election['id']}"
    out = await app.client.put(
        f"{path}/candidates/{of(election, 'Z80011')}/withdrawal",
        headers={
            **network(app),
            "If-Match": (await app.client.get(path, headers=network(app))).headers["etag"],
        },
    )
    assert out.status_code == 200, out.text
    assert said(await vote(app, election, "Z80013", "Z80011")) == (409, "CandidateNotStanding")
    assert (await vote(app, election, "Z80013", "Z80013")).status_code == 200
    tally = await counted(app, election)
    assert tally["winner"] == of(election, "Z80013")
    unknown = await app.client.put(
        f"{path}/candidates/can-none/withdrawal",
        headers={**network(app), "If-Match": (await app.client.get(path, headers=network(app))).headers["etag"]},
    )
    assert said(unknown) == (404, "CandidateNotFound")
    gone = await app.client.put(
        f"{path}/candidates/{of(election, 'Z80012')}/withdrawal",
        headers={**network(app), "If-Match": (await app.client.get(path, headers=network(app))).headers["etag"]},
    )
    assert said(gone) == (409, "CountedAlready")


async def test_an_election_nobody_voted_in_elects_nobody(app: Harness) -> None:
    election = await called(app, "Z80011")
    tally = await counted(app, election)
    assert (tally["winner"], tally["ballots"]) == (None, [])
    path = f"{ELECTIONS}/{election['id']}"
    answer = await app.put(f"{path}/appointment", {"valid_from": "2022-04-01"}, network(app))
    assert said(answer) == (409, "NobodyElected")
    assert said(await app.put(f"{path}/tally", None, network(app))) == (409, "CountedAlready")


async def test_an_abandoned_election_takes_nothing_more(app: Harness) -> None:
    election = await called(app, "Z80011")
    await vote(app, election, "Z80011", "Z80011")
    path = f"{ELECTIONS}/{election['id']}"
    given_up = await app.put(f"{path}/abandonment", {"reason": "The list was wrong."}, network(app))
    assert (given_up.status_code, given_up.json()["status"]) == (200, "abandoned")
    assert said(await vote(app, election, "Z80012", "Z80011")) == (409, "ElectionGivenUp")
    assert said(await app.put(f"{path}/abandonment", {"reason": "Again."}, network(app))) == (409, "ElectionGivenUp")


async def test_an_election_is_called_by_who_acts_for_the_network_at_times_that_fit(app: Harness) -> None:
    clock(app, CALLED)
    wrong = await call(app, opens_at="2022-02-01T00:00:00Z", closes_at="2022-01-01T00:00:00Z")
    assert (said(wrong), codes(wrong)) == ((422, "Invalid"), ["out_of_order", "in_the_past"])
    assert (await call(app, opens_at=7)).status_code == 422
    times = {"opens_at": "2022-03-08T08:00:00Z", "closes_at": "2022-03-09T08:00:00Z"}
    body = {"title": "X", "method": "instant_runoff", **times}
    assert said(await app.post(ELECTIONS, body, network(app, "U90002"))) == (403, "NotYoursToActFor")
    called_by_lead = await app.post(ELECTIONS, body, lead(app))
    assert called_by_lead.status_code == 201
    path = f"{ELECTIONS}/{called_by_lead.json()['id']}"
    outside = await app.post(f"{path}/candidates", {"name": "Dr X", "practice": "Z80014"}, network(app))
    assert said(outside) == (409, "CandidateOutsideNetwork")
    for headers in (practice(app, "Z80014"), network(app, "U90002"), commissioner(app, "SA1")):
        assert await refused(app, path, headers) == (404, "ElectionNotFound")
        assert await refused(app, ELECTIONS, headers) == (404, "ElectionNotFound")
    assert [e["id"] for e in (await read(app, ELECTIONS, practice(app, "Z80011")))["items"]] == [path.split("/")[-1]]
    assert (await app.client.get(f"{V1}/networks/U90001/elections/ele-none", headers=national(app))).status_code == 404


CANDIDATES = ("a", "b", "c", "d")


def test_a_run_off_moves_votes_until_one_has_over_half() -> None:
    ballots = [*[("a",)] * 4, *[("b", "c")] * 3, *[("c", "b")] * 2]
    outcome = count(ballots, ["a", "b", "c"], CountingMethod.INSTANT_RUNOFF, TieBreak.EARLIER_ROUNDS, "s")
    assert outcome.winner == "b"
    assert [(r.votes, r.eliminated) for r in outcome.rounds] == [
        ({"a": 4, "b": 3, "c": 2}, "c"),
        ({"a": 4, "b": 5}, None),
    ]


def test_most_first_choices_win_where_that_is_the_method() -> None:
    ballots = [*[("a",)] * 4, *[("b",)] * 3, *[("c",)] * 2]
    outcome = count(ballots, ["a", "b", "c"], CountingMethod.FIRST_PAST_THE_POST, TieBreak.LOT, "s")
    assert (outcome.winner, len(outcome.rounds)) == ("a", 1)
    assert count([("a",), ("b",)], ["b"], CountingMethod.FIRST_PAST_THE_POST, TieBreak.LOT, "s").winner == "b"


def test_a_tie_is_broken_by_the_earlier_round_and_else_by_the_lot() -> None:
    ballots = [*[("a",)] * 3, *[("b",)] * 2, ("c", "b"), *[("d",)] * 3]
    outcome = count(ballots, list(CANDIDATES), CountingMethod.INSTANT_RUNOFF, TieBreak.EARLIER_ROUNDS, "seed")
    assert [(r.eliminated, r.broken_by) for r in outcome.rounds[:2]] == [("c", None), ("b", TieBreak.EARLIER_ROUNDS)]
    assert outcome.rounds[2].broken_by is TieBreak.LOT
    assert outcome.winner == lot_order("seed", ["a", "d"])[0]
    by_lot = count([("a",), ("b",)], ["a", "b"], CountingMethod.FIRST_PAST_THE_POST, TieBreak.LOT, "seed")
    assert (by_lot.winner, by_lot.rounds[0].broken_by) == (lot_order("seed", ["a", "b"])[0], TieBreak.LOT)


SOME = st.tuples(st.permutations(CANDIDATES), st.integers(1, 4)).map(lambda drawn: tuple(drawn[0][: drawn[1]]))
BALLOTS = st.lists(SOME, max_size=15)


@settings(max_examples=300)
@given(BALLOTS, st.sampled_from(CountingMethod), st.sampled_from(TieBreak), st.text(max_size=8), st.randoms())
def test_any_ballots_in_any_order_count_the_same_and_each_is_counted_in_every_round(
    ballots: list[tuple[str, ...]], method: CountingMethod, tie_break: TieBreak, seed: str, chance: Any
) -> None:
    outcome = count(ballots, CANDIDATES, method, tie_break, seed)
    shuffled = list(ballots)
    chance.shuffle(shuffled)
    assert count(shuffled, CANDIDATES, method, tie_break, seed) == outcome
    assert all(sum(r.votes.values()) + r.exhausted == len(ballots) for r in outcome.rounds)
    assert (outcome.winner is None) == (not ballots)
    majority = [c for c in CANDIDATES if 2 * sum(b[0] == c for b in ballots) > len(ballots)]
    assert outcome.winner in majority or not majority
