"""The projections come out the same whatever order the publishers' topics arrive in, and when they are rebuilt."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from services.reporting.base import Base
from services.reporting.rebuild import clear_projections
from shared.events import Envelope, Event, funding, registry, workforce
from shared.facts import ONE_DAY
from tests.harness import Harness
from tests.reporting.builders import (
    a_variation,
    claims_and_queries,
    commissioner,
    england,
    lists,
    network,
    practices,
    recruited,
    taken_over,
    varied,
)


async def everything(app: Harness) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every projection."""
    async with app.session() as session:
        return {
            table.name: sorted((tuple(row) for row in await session.execute(table.select())), key=repr)
            for table in Base.metadata.sorted_tables
        }


def shuffled(envelopes: list[Envelope], seed: int) -> list[Envelope]:
    """Another order in which the events of each subject and topic still follow each other, as Kafka gives them."""
    streams: dict[tuple[str, str], list[Envelope]] = defaultdict(list)
    for envelope in envelopes:
        streams[envelope.source, envelope.subject].append(envelope)
    turns = random.Random(seed)  # noqa: S311 - an order, not a secret
    waiting = [list(stream) for stream in streams.values()]
    order = []
    while waiting:
        stream = turns.choice(waiting)
        order.append(stream.pop(0))
        waiting = [s for s in waiting if s]
    return order


async def parked(app: Harness) -> int:
    async with app.session() as session:
        return int((await session.execute(text("SELECT count(*) FROM parked"))).scalar_one())


CONFIRMED = funding.PaymentConfirmed(
    instruction="run-1-i000001",
    run="run-1",
    month="2022-04",
    contract_year="2022-23",
    payee="U00002",
    amount=Decimal("2812.56"),
    parts=[funding.SettledPart(network="U00002", amount=Decimal("2812.56"))],
    confirmed_on=date(2022, 5, 4),
)
REDIRECTED = funding.PaymentRedirected(
    redirection="rdr-1",
    instruction="run-1-i000002",
    run="run-1",
    month="2022-04",
    contract_year="2022-23",
    network="U00002",
    payee="A80001",
    redirected_to="U00002",
    amount=Decimal("10.00"),
    decided_on=date(2022, 5, 4),
)
WRITTEN_OFF = funding.DebtSettled(
    decision="debt-1",
    instruction="run-1-i000003",
    run="run-1",
    month="2022-04",
    contract_year="2022-23",
    payee="A80001",
    amount=Decimal("5.00"),
    outcome="written-off",
    parts=[funding.SettledPart(network="U00002", amount=Decimal("5.00"))],
    settled_on=date(2022, 5, 4),
    decided_on=date(2022, 5, 4),
)

GONE = practices("BB2", "B80009", closed=date(2021, 3, 31), dispersed=[registry.Dispersed(valid_from=date(2021, 4, 1))])


async def test_a_rebuild_comes_out_the_same(reporting_app: Harness) -> None:
    app = reporting_app
    told = (*england(), *claims_and_queries(), CONFIRMED, REDIRECTED, WRITTEN_OFF, *taken_over(), GONE)
    told = (*told, a_variation(), varied("U00001", "variation-1", False, "A80001"))
    envelopes = [app.envelope(event) for event in told]
    await app.receive(*envelopes)
    before = await everything(app)
    assert all(before[name] for name in before), [name for name in before if not before[name]]
    async with app.session() as session:
        await clear_projections(session)
    assert not any((await everything(app)).values())
    await app.receive(*envelopes)
    assert await everything(app) == before
    await app.receive(*envelopes)  # and again: nothing is counted twice
    assert await everything(app) == before
    assert await parked(app) == 0


@pytest.mark.parametrize("seed", range(8))
async def test_any_order_across_subjects_gives_the_same(reporting_app: Harness, seed: int) -> None:
    app = reporting_app
    envelopes = [app.envelope(event) for event in (*england(), *claims_and_queries(), *taken_over())]
    await app.receive(*envelopes)
    before = await everything(app)
    async with app.session() as session:
        await clear_projections(session)
    for envelope in shuffled(envelopes, seed):
        await app.receive(envelope)
    assert await everything(app) == before
    assert await parked(app) == 0


def told_close_together() -> list[Event]:
    """A network approved, joined, left, put right, paid elsewhere and closed, and people who come and go, at once."""
    first, last = date(2019, 7, 1), date(2023, 3, 31)
    whole: dict[str, Any] = {"network": "U00009", "commissioner": "AA1", "valid_from": first}
    entries = [registry.Entry(network_name="Put right", commissioner="AA1", valid_from=first)]
    kept = [registry.Member(practice="A80001", valid_from=first), registry.Member(practice="A80002", valid_from=first)]
    joined = registry.PracticeJoined(**whole | {"practice": "A80002", "valid_from": date(2020, 1, 1)})
    left = workforce.PostEnded(post="p-1", network="U00009", role="dietitian", ended_on=date(2022, 6, 20))
    return [
        commissioner("AA1", "QA1"),
        commissioner("AA1", "QA2"),
        practices("AA1", "A80001", "A80002", "A80003"),
        lists("AA1", {"A80001": 1000, "A80002": 2000, "A80003": 3000}),
        network("U00009", "AA1", {"A80001": "1", "A80003": "1"}, decided_by="round", payee="A80001"),
        recruited("p-1", "U00009", "dietitian"),
        joined,
        left,
        registry.NetworkRestated(**whole, network_name="Put right", entries=entries, members=kept, payees=[]),
        recruited("p-2", "U00009", "pharmacist"),
        left.model_copy(update={"post": "p-2"}),
        registry.PayeeAppointed(**whole, payee="A80002"),
        recruited("p-1", "U00009", "pharmacist", wte="0.5"),
        registry.NetworkClosed(network="U00009", commissioner="AA1", closed_on=last),
    ]


@pytest.mark.parametrize("size", [2, 3, 5, 100])
async def test_a_batch_does_what_its_events_do_one_by_one(reporting_app: Harness, size: int) -> None:
    app = reporting_app
    envelopes = [app.envelope(event) for event in told_close_together()]
    for envelope in envelopes:
        await app.receive(envelope)
    alone = await everything(app)
    async with app.session() as session:
        row = (
            await session.execute(text("SELECT name, approved_on, decided_by, payee, closed_on FROM networks"))
        ).one()
        ends = (await session.execute(text("SELECT post, wte, ended_on FROM posts ORDER BY post"))).all()
        await clear_projections(session)
    assert tuple(row) == ("Put right", date(2019, 6, 28), "round", "A80002", date(2023, 3, 31))
    assert [tuple(end) for end in ends] == [
        ("p-1", Decimal("0.5"), date(2022, 6, 20)),
        ("p-2", Decimal("1"), date(2022, 6, 20)),
    ]
    for start in range(0, len(envelopes), size):
        await app.receive(*envelopes[start : start + size])
    assert await everything(app) == alone
    assert await parked(app) == 0


async def test_what_only_a_correction_told_of_a_network_does_not_depend_on_who_spoke_first(
    reporting_app: Harness,
) -> None:
    """Workforce may speak of a network before the register does."""
    app = reporting_app
    first = date(2019, 7, 1)
    restated = registry.NetworkRestated(
        network="U00009",
        network_name="Put right",
        commissioner="AA1",
        valid_from=first,
        entries=[],
        members=[],
        payees=[],
    )
    told = [app.envelope(recruited("p-1", "U00009", "dietitian")), app.envelope(restated)]
    for order in (told, told[::-1]):
        for envelope in order:
            await app.receive(envelope)
        async with app.session() as session:
            row = (await session.execute(text("SELECT approved_on, decided_by FROM networks"))).one()
            await clear_projections(session)
        assert tuple(row) == (first, "register")


async def test_an_older_word_on_a_practice_changes_nothing(reporting_app: Harness) -> None:
    app = reporting_app
    newer = app.envelope(practices("AA1", "A80001"), position=20)
    older = app.envelope(practices("BB2", "A80001", closed=date(2020, 1, 1)), position=10)
    await app.receive(newer)
    await app.receive(older)
    async with app.session() as session:
        row = (await session.execute(text("SELECT commissioner, closed_on FROM practices"))).one()
    assert tuple(row) == ("AA1", None)


def by_hand(events: list[Event], day: date) -> dict[str, tuple[Decimal, ...]]:
    """Coverage of a day per practice, counted from the events with none of the service's code."""
    sizes: dict[str, dict[date, Decimal]] = defaultdict(dict)
    closed: dict[str, date | None] = {}
    gone: dict[str, list[registry.Dispersed]] = {}
    shares: dict[str, dict[str, list[registry.Member]]] = defaultdict(dict)
    served: dict[tuple[str, str, date], date | None] = {}
    ended = {event.network: event.closed_on for event in events if isinstance(event, registry.NetworkClosed)}
    for event in events:
        if isinstance(event, registry.ListSizesPublished):
            for size in event.sizes:
                sizes[size.practice][event.snapshot] = size.value
        elif isinstance(event, registry.NetworkApproved):
            shares[event.network] = {
                "all": [m for m in event.members if event.network not in ended or day <= ended[event.network]]
            }
        elif isinstance(event, registry.PatientsAllocated):
            served[event.practice, event.network, event.valid_from] = event.valid_to
        elif isinstance(event, registry.PracticesPublished):
            for fact in event.practices:
                closed[fact.practice] = fact.closed_on
                gone[fact.practice] = fact.dispersed or []
    counts = {snapshot for snapshots in sizes.values() for snapshot in snapshots}
    found: dict[str, tuple[Decimal, ...]] = {}
    for practice, snapshots in sizes.items():
        counted = [s for s in snapshots if s <= day]
        if not counted or not snapshots[max(counted)]:
            continue
        end = closed.get(practice)
        if end is not None and max(counted) <= end and any(end < count <= day for count in counts):
            continue
        patients = snapshots[max(counted)]
        members = itertools.chain.from_iterable(m["all"] for m in shares.values())
        share = sum(
            (
                m.share
                for m in members
                if m.practice == practice and m.valid_from <= day and (m.valid_to is None or m.valid_to >= day)
            ),
            Decimal(0),
        )
        helped = any(
            p == practice and f <= day and (t is None or t >= day) and (n not in ended or day <= ended[n])
            for (p, n, f), t in served.items()
        )
        rest = patients * (1 - min(share, Decimal(1)))
        elsewhere = any(max(counted) < d.valid_from <= day <= (d.valid_to or day) for d in gone.get(practice, []))
        twice = patients if helped and share >= 1 else patients * max(share - 1, Decimal(0))
        found[practice] = (
            patients,
            patients * min(share, Decimal(1)),
            rest if helped else Decimal(0),
            rest if elsewhere and not helped else Decimal(0),
            Decimal(0) if elsewhere or helped else rest,
            twice,
        )
    return found


@pytest.mark.parametrize("seed", range(25))
async def test_any_history_is_counted_as_by_hand(reporting_app: Harness, seed: int) -> None:
    """Random histories: the kept rows, the sums per area and the count by hand agree on every day of change."""
    app = reporting_app
    events = random_history(seed)
    for event in events:
        await app.deliver(event)
    turns = random.Random(seed)  # noqa: S311
    days = [date(2021, 6, 1).fromordinal(date(2021, 6, 1).toordinal() + turns.randrange(600)) for _ in range(12)]
    async with app.session() as session:
        for day in days:
            rows = await session.execute(
                text(
                    "SELECT practice, registered, covered, allocated, dispersed, uncovered, twice "
                    "FROM practice_coverage WHERE first <= :day AND (until IS NULL OR until > :day)"
                ),
                {"day": day},
            )
            held = {row[0]: tuple(Decimal(v) for v in row[1:]) for row in rows}
            assert held == by_hand(events, day), day
            total = (
                await session.execute(
                    text(
                        "SELECT sum(registered), sum(uncovered), sum(practices), sum(dispersed) FROM coverage_changes "
                        "WHERE day <= :day"
                    ),
                    {"day": day},
                )
            ).one()
            assert (total[0] or 0) == sum(v[0] for v in held.values())
            assert (total[1] or 0) == sum(v[4] for v in held.values())
            assert (total[2] or 0) == len(held)
            assert (total[3] or 0) == sum(v[3] for v in held.values())


def random_history(seed: int) -> list[Event]:
    turns = random.Random(seed)  # noqa: S311 - reproducible, not secret
    codes = ["A80001", "A80002", "A80003"]

    def day() -> date:
        return date.fromordinal(date(2021, 6, 1).toordinal() + turns.randrange(550))

    events: list[Event] = []
    snapshots = [day() for _ in range(3)]
    for snapshot in snapshots:
        events.append(lists(turns.choice(["AA1", "BB2"]), {c: turns.randrange(30_000) for c in codes}, snapshot))
    for number in range(3):
        members = []
        for code in turns.sample(codes, turns.randrange(4)):
            first, last = sorted((day(), day()))
            share = turns.choice([Decimal(1), Decimal("0.5"), Decimal("0.25")])
            members.append(
                registry.Member(practice=code, valid_from=first, valid_to=turns.choice([None, last]), share=share)
            )
        events.append(network(f"U0000{number}", "AA1", {}).model_copy(update={"members": members}))
    for number in range(2):
        first, last = sorted((day(), day()))
        events.append(
            registry.PatientsAllocated(
                network=f"U0000{number}",
                commissioner="AA1",
                practice=turns.choice(codes),
                valid_from=first,
                valid_to=last,
            )
        )
    closing_on = turns.choice([None, day()])
    left = None if closing_on is None else registry.Dispersed(valid_from=max(closing_on + ONE_DAY, day()))
    said = [left] if left is not None and turns.random() < 0.7 else []
    events.append(practices("AA1", turns.choice(codes), closed=closing_on, dispersed=said))
    turns.shuffle(events)
    closing = registry.NetworkClosed(network="U00001", commissioner="AA1", closed_on=day())
    place = next(n for n, e in enumerate(events) if isinstance(e, registry.NetworkApproved) and e.network == "U00001")
    events.insert(turns.randrange(place + 1, len(events) + 1), closing)
    return events
