"""Events: leave in order, arrive once, are parked when they cannot be handled, and replay in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import psycopg
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError

from shared.events import Envelope
from shared.identity import Role
from shared.messaging import Relay, announce, announce_many
from shared.messaging.embedded import EmbeddedTransport
from shared.messaging.tables import Inbox, Outbox, Parked
from tests.harness import Harness
from tests.shared.toy import CounterRaised, Seen


def raised(counter: str, height: int, owner: str = "X1") -> CounterRaised:
    return CounterRaised(counter=counter, owner=owner, raised=height)


class Keeping:
    """A transport that keeps what it is given, and fails when told to."""

    def __init__(self) -> None:
        self.sent: list[Envelope] = []
        self.failures = 0

    async def send(self, batch: Sequence[Envelope]) -> None:
        self.sent.extend(batch)
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise ConnectionError("gone after taking the batch")


def relay_of(harness: Harness, transport: Keeping | EmbeddedTransport, batch: int = 7) -> Relay:
    return Relay(
        harness.runtime.sessions,
        transport,
        source="pcn.toy",
        database_url=harness.service.settings.database_url,
        batch=batch,
        poll_seconds=0.2,
    )


async def waiting(harness: Harness) -> int:
    async with harness.session() as session:
        return await session.scalar(select(func.count()).where(Outbox.published_at.is_(None))) or 0


async def until_sent(harness: Harness, seconds: float = 120) -> None:
    async with asyncio.timeout(seconds):
        while await waiting(harness):  # noqa: ASYNC110 - another connection does the work we wait for
            await asyncio.sleep(0.02)


async def test_nothing_is_announced_by_a_transaction_that_fails(toy_live: Harness) -> None:
    async with toy_live.session() as session:
        announce(session, raised("a", 1))
        await announce_many(session, [raised("a", 2)])
        await session.rollback()
    assert await toy_live.announced() == []


async def test_many_announcements_keep_their_order_beside_single_ones(toy_live: Harness) -> None:
    async with toy_live.session() as session:
        announce(session, raised("a", 1))
        await announce_many(session, [raised("a", height) for height in range(2, 50)])
        announce(session, raised("a", 50))
    assert [event.raised for event in await toy_live.announced() if isinstance(event, CounterRaised)] == list(
        range(1, 51)
    )


async def test_what_was_sent_but_not_stamped_is_sent_again(toy_live: Harness) -> None:
    async with toy_live.session() as session:
        announce(session, *(raised("a", height) for height in range(5)))
    transport = Keeping()
    transport.failures = 1
    with pytest.raises(ConnectionError):
        await relay_of(toy_live, transport).send_waiting()
    assert await waiting(toy_live) == 5
    await relay_of(toy_live, transport).send_waiting()
    ids = [envelope.id for envelope in transport.sent]
    assert len(ids) == 10
    assert ids[:5] == ids[5:]
    assert await waiting(toy_live) == 0


async def test_eight_writers_and_three_relays_send_everything_once_and_each_subject_in_order(toy_live: Harness) -> None:
    subjects = [f"s{number}" for number in range(5)]
    async with toy_live.session() as session:
        for subject in subjects:
            session.add(Seen(counter=subject, raised=0, times=0, history=""))

    async def write(writer: int) -> None:
        for turn in range(15):
            subject = subjects[(writer + turn) % 5]
            async with toy_live.session() as session:
                row = await session.get_one(Seen, subject, with_for_update=True)
                row.raised += 1
                announce(session, raised(subject, row.raised))

    transport, stop = Keeping(), asyncio.Event()
    relays = [asyncio.create_task(relay_of(toy_live, transport).run(stop)) for _ in range(3)]
    await asyncio.gather(*(write(number) for number in range(8)))
    await until_sent(toy_live)
    stop.set()
    await asyncio.gather(*relays)
    assert len(transport.sent) == 120
    assert len({envelope.id for envelope in transport.sent}) == 120
    for subject in subjects:
        heights = [envelope.data["raised"] for envelope in transport.sent if envelope.subject == subject]
        assert heights == list(range(1, len(heights) + 1))


async def test_the_relay_is_woken_by_the_commit_and_does_not_wait_for_its_poll(toy_live: Harness) -> None:
    transport, stop = Keeping(), asyncio.Event()
    relay = relay_of(toy_live, transport)
    relay._poll_seconds = 3600
    running = asyncio.create_task(relay.run(stop))
    await asyncio.sleep(0.5)
    async with toy_live.session() as session:
        announce(session, raised("a", 1))
    await until_sent(toy_live)
    stop.set()
    await running


async def test_over_the_embedded_transport_a_row_is_sent_when_every_subscriber_has_committed(toy_live: Harness) -> None:
    embedded = EmbeddedTransport()
    embedded.subscribe(toy_live.runtime.receiver)
    async with toy_live.session() as session:
        announce(session, raised("a", 1), raised("b", 1), raised("a", 2))
        await session.execute(text("ALTER TABLE seen RENAME TO hidden"))
    async with toy_live.session() as session:
        await session.execute(text("ALTER TABLE hidden RENAME TO seen"))
    await relay_of(toy_live, embedded).send_waiting()
    async with toy_live.session() as session:
        seen = {row.counter: row.history for row in await session.scalars(select(Seen))}
    assert seen == {"a": "1,2", "b": "1"}
    assert await waiting(toy_live) == 0


async def test_a_repeat_has_no_second_effect(toy_live: Harness) -> None:
    first, second = toy_live.envelope(raised("a", 1)), toy_live.envelope(raised("a", 2))
    await toy_live.receive(first, first, second)
    await toy_live.receive(second, first)
    async with toy_live.session() as session:
        row = await session.get_one(Seen, "a")
    assert (row.times, row.history) == (2, "1,2")


async def test_two_receivers_of_the_same_messages_have_one_effect(toy_live: Harness) -> None:
    batch = [toy_live.envelope(raised(f"s{number % 3}", number)) for number in range(60)]
    await asyncio.gather(*(toy_live.receive(*batch) for _ in range(4)))
    async with toy_live.session() as session:
        assert await session.scalar(select(func.sum(Seen.times))) == 60
        assert await session.scalar(select(func.count()).select_from(Parked)) == 0


async def test_a_refused_message_is_parked_and_its_subject_waits_behind_it_while_others_go_on(
    toy_live: Harness,
) -> None:
    bad = toy_live.envelope(raised("a", 1, owner="BAD"))
    after = toy_live.envelope(raised("a", 2))
    other = toy_live.envelope(raised("b", 1))
    await toy_live.receive(bad, after, other)
    await toy_live.receive(toy_live.envelope(raised("a", 3)), bad)
    async with toy_live.session() as session:
        parked = (await session.scalars(select(Parked).order_by(Parked.id))).all()
        assert [(row.code, row.envelope["data"]["raised"]) for row in parked] == [
            ("NotRaised", 1),
            ("Waiting", 2),
            ("Waiting", 3),
        ]
        assert [row.counter for row in await session.scalars(select(Seen))] == ["b"]
        assert await session.scalar(select(func.count()).select_from(Inbox)) == 1


async def test_a_parked_subject_mended_is_replayed_in_order_over_rest(toy_live: Harness) -> None:
    await toy_live.receive(*(toy_live.envelope(raised("a", height, owner="BAD")) for height in (1, 2, 3)))
    operator = toy_live.token(Role.OPERATOR)
    shown = (await toy_live.client.get("/toy/v1/messages/parked", headers=operator)).json()["items"]
    replay = f"/toy/v1/messages/parked/{shown[0]['event_id']}/replay"
    still = await toy_live.client.put(replay, headers=operator)
    assert still.json()["replayed"] == 0
    async with toy_live.session() as session:
        mend = "UPDATE parked SET envelope = jsonb_set(envelope, '{data,owner}', '\"X1\"')"
        await session.execute(text(mend))
    mended = await toy_live.client.put(replay, headers=operator)
    assert mended.json()["replayed"] == 3
    async with toy_live.session() as session:
        assert (await session.get_one(Seen, "a")).history == "1,2,3"
    await toy_live.receive(toy_live.envelope(raised("a", 4)))
    async with toy_live.session() as session:
        assert (await session.get_one(Seen, "a")).history == "1,2,3,4"
    assert (await toy_live.client.get("/toy/v1/messages/parked", headers=operator)).json()["items"] == []
    assert (await toy_live.client.put(replay, headers=operator)).status_code == 404


async def test_a_bug_in_a_handler_stops_one_subject_and_is_shown_with_its_traceback(toy_live: Harness) -> None:
    await toy_live.receive(toy_live.envelope(raised("a", 1, owner="BUG")), toy_live.envelope(raised("b", 1)))
    async with toy_live.session() as session:
        parked = (await session.scalars(select(Parked))).one()
        assert parked.code == "ZeroDivisionError"
        assert "a bug in the handler" in parked.reason
        assert [row.counter for row in await session.scalars(select(Seen))] == ["b"]


async def test_data_that_does_not_fit_is_parked_and_an_unknown_type_is_passed_over(toy_live: Harness) -> None:
    good = toy_live.envelope(raised("a", 1))
    await toy_live.receive(
        good.model_copy(update={"data": {"counter": "a"}}),
        good.model_copy(update={"type": "pcn.toy.counter-lowered.v1"}),
    )
    async with toy_live.session() as session:
        assert [row.code for row in await session.scalars(select(Parked))] == ["ValidationError"]


async def test_trouble_of_the_database_is_retried_by_the_sender_and_parks_nothing(toy_live: Harness) -> None:
    envelope = toy_live.envelope(raised("a", 1))
    url = toy_live.service.settings.database_url
    async with toy_live.session() as session:
        name = toy_live.runtime.engine.url.database
        await session.execute(text(f"ALTER DATABASE {name} SET lock_timeout = '200ms'"))
    await toy_live.runtime.engine.dispose()  # so that new connections see the setting
    async with await psycopg.AsyncConnection.connect(url.replace("+psycopg", "")) as holder:
        await holder.execute("LOCK TABLE seen IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(OperationalError):
            await toy_live.receive(envelope)
        await holder.rollback()
    await toy_live.receive(envelope)
    async with toy_live.session() as session:
        assert (await session.get_one(Seen, "a")).times == 1
        assert await session.scalar(select(func.count()).select_from(Parked)) == 0


async def test_operators_see_how_far_events_have_come(toy_live: Harness) -> None:
    async with toy_live.session() as session:
        announce(session, raised("a", 1))
    await toy_live.receive(toy_live.envelope(raised("a", 1)))
    shown = await toy_live.client.get("/toy/v1/messages", headers=toy_live.token(Role.OPERATOR))
    kind = CounterRaised.event_type()
    assert shown.json() == {
        "service": "toy",
        "announced": {kind: 1},
        "received": {kind: 1},
        "listens_to": [kind],
        "waiting": 1,
        "parked": 0,
    }
    refused = await toy_live.client.get("/toy/v1/messages", headers=toy_live.token(Role.NETWORK))
    assert refused.status_code == 403


async def test_the_outbox_is_kept_in_monthly_partitions(toy_live: Harness) -> None:
    async with toy_live.session() as session:
        announce(session, raised("a", 1))
    async with toy_live.session() as session:
        held = await session.scalar(text("SELECT tableoid::regclass::text FROM outbox"))
        today = await session.scalar(text("SELECT 'outbox_' || to_char(now(), 'YYYYMM')"))
    assert held == today


async def test_a_message_no_column_can_hold_is_parked_all_the_same(toy_live: Harness) -> None:
    odd = toy_live.envelope(raised("a", 1)).model_copy(
        update={"subject": "s\x00" * 300, "source": "x" * 500, "data": {"counter": "\x00", "other": ["\x00"]}}
    )
    await toy_live.receive(odd)
    async with toy_live.session() as session:
        row = (await session.scalars(select(Parked))).one()
    assert (len(row.subject), len(row.source), row.code) == (200, 120, "ValidationError")


async def test_a_parked_message_can_be_given_up_with_a_reason_and_its_subject_goes_on(toy_live: Harness) -> None:
    await toy_live.receive(
        *(toy_live.envelope(raised("a", height, owner=owner)) for height, owner in ((1, "BAD"), (2, "X1")))
    )
    operator = toy_live.token(Role.OPERATOR)
    shown = (await toy_live.client.get("/toy/v1/messages/parked", headers=operator)).json()["items"]
    here = f"/toy/v1/messages/parked/{shown[0]['event_id']}"
    given_up = await toy_live.client.put(f"{here}/dismissal", json={"reason": "Sent by mistake"}, headers=operator)
    assert (given_up.status_code, given_up.json()["code"]) == (200, "Dismissed")
    assert (
        await toy_live.client.put(f"{here}/dismissal", json={"reason": "Again"}, headers=operator)
    ).status_code == 404
    rest = f"/toy/v1/messages/parked/{shown[1]['event_id']}/replay"
    assert (await toy_live.client.put(rest, headers=operator)).json()["replayed"] == 1
    trail = (await toy_live.client.get("/toy/v1/audit", headers=operator)).json()["items"]
    assert [(entry["action"], entry["subject"]) for entry in trail] == [("dismissed", "alice")]


async def test_what_arrives_while_its_subject_is_replayed_is_never_left_behind(toy_live: Harness) -> None:
    for turn in range(5):
        subject = f"r{turn}"
        await toy_live.receive(*(toy_live.envelope(raised(subject, height, owner="BAD")) for height in range(3)))
        async with toy_live.session() as session:
            await session.execute(text("UPDATE parked SET envelope = jsonb_set(envelope, '{data,owner}', '\"X1\"')"))
        late = [toy_live.envelope(raised(subject, 3 + height)) for height in range(4)]
        await asyncio.gather(
            toy_live.runtime.receiver.replay("pcn.toy", subject), *(toy_live.receive(envelope) for envelope in late[:1])
        )
        for envelope in late[1:]:
            await toy_live.receive(envelope)
        async with toy_live.session() as session:
            waiting = await session.scalar(
                select(func.count()).where(Parked.replayed_at.is_(None), Parked.subject == subject)
            )
            row = await session.get(Seen, subject)
        assert waiting == 0
        assert row is not None
        assert row.history == "0,1,2,3,4,5,6"
