"""No sequence of joins, leaves, splits, corrections, closures and mergers breaks what the register promises."""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.networks.model import Membership as FundingMembership
from services.registry.members import operations as members
from services.registry.members.moves import Spell
from services.registry.networks import operations as networks
from services.registry.networks.model import Membership, Network, NetworkEntry, NetworkNotClosed
from services.registry.practice_life import closing
from services.registry.practices.model import (
    Practice,
    PracticeCommissioner,
    PracticeEntry,
    PracticeNotClosed,
    PracticeStatus,
)
from services.registry.splits import operations as splits
from services.registry.splits.model import Portion
from shared.errors import DomainError
from shared.events import Event
from shared.events.registry import NetworkRestated, PracticeJoined, PracticeLeft
from shared.facts import currently_known, days, since
from shared.identity import Caller, Role
from tests.harness import Harness

NATIONAL = Caller("nina", frozenset({Role.NATIONAL}), frozenset())
START = date(2022, 1, 1)
LEARNT = datetime(2022, 1, 1, tzinfo=UTC)
SHARES = [Decimal(share) for share in ("1", "1", "0.5", "0.3", "0.7")]
_example = count(1)
taken: Counter[str] = Counter()
"""How often each step was taken and not refused: a property of refusals alone would show little."""

day = st.integers(0, 9).map(lambda quarters: START + timedelta(days=90 * quarters))
later = st.one_of(st.none(), day)
which = st.integers(0, 2)
share = st.sampled_from(SHARES)
step = st.one_of(
    st.tuples(st.just("join"), which, which, day, later, share),
    st.tuples(st.just("leave"), which, st.integers(0, 5), day),
    st.tuples(st.just("correct"), which, st.integers(0, 5), day, later, share),
    st.tuples(st.just("withdraw"), which, st.integers(0, 5)),
    st.tuples(st.just("split"), which, which, day, later, st.sampled_from(["0.5", "0.3", "0.25"])),
    st.tuples(st.just("end_split"), which, which, day),
    st.tuples(st.just("close"), which, day),
    st.tuples(st.just("reopen"), which),
    st.tuples(st.just("merge"), which, which, day),
    st.tuples(st.just("close_network"), which, day),
    st.tuples(st.just("reopen_network"), which),
)


BEGINNING: list[tuple[Any, ...]] = [
    ("join", 0, 0, START, None, Decimal(1)),
    ("join", 1, 1, START, None, Decimal(1)),
    ("split", 2, 1, START, None, "0.5"),
]


class Register:
    """Three practices and three networks of their own, and what may become of them."""

    def __init__(self, app: Harness, number: int) -> None:
        self.app = app
        self.networks = [f"U{10_000 + 3 * number + n}" for n in range(3)]
        self.practices = [f"H{10_000 + 3 * number + n}" for n in range(3)]
        self.now = LEARNT

    async def set_up(self, session: AsyncSession) -> None:
        fact: dict[str, Any] = {"valid": days(START), "known": since(LEARNT)}
        for code in self.networks:
            session.add(Network(code=code, changed_at=LEARNT))
            session.add(NetworkEntry(network=code, name=code, commissioner="SA1", **fact))
        for code in self.practices:
            session.add(Practice(code=code, setting="4"))
            session.add(PracticeEntry(practice=code, name=code, status=PracticeStatus.ACTIVE, **fact))
            session.add(PracticeCommissioner(practice=code, commissioner="SA1", **fact))

    async def held(self, session: AsyncSession, known_at: datetime | None = None) -> frozenset[Spell]:
        belief = currently_known(Membership) if known_at is None else Membership.known.contains(known_at)
        rows = await session.scalars(select(Membership).where(Membership.practice.in_(self.practices), belief))
        return frozenset(Spell(m.network, m.practice, m.valid_from, m.valid_to, m.share) for m in rows)

    async def one_of(self, session: AsyncSession, practice: int, turn: int) -> Membership | None:
        rows = (
            await session.scalars(
                select(Membership)
                .where(Membership.practice == self.practices[practice], currently_known(Membership))
                .order_by(func.lower(Membership.valid), Membership.network)
            )
        ).all()
        return rows[turn % len(rows)] if rows else None

    async def version(self, session: AsyncSession, kind: type[Network] | type[Practice], code: str) -> str:
        found: Network | Practice = await session.get_one(kind, code)
        return f'"{found.version}"'

    async def take(self, session: AsyncSession, asked: tuple[Any, ...]) -> None:
        """One step, or its refusal. Raises `DomainError`."""
        verb, *rest = asked
        self.now += timedelta(minutes=1)
        change: Callable[..., Awaitable[None]] = getattr(self, f"_{verb}")
        await change(session, *rest, reason="drawn", caller=NATIONAL, now=self.now)

    async def _join(
        self, session: AsyncSession, p: int, n: int, first: date, last: date | None, share: Decimal, **by: Any
    ) -> None:
        await members.join_network(
            session, self.networks[n], self.practices[p], first=first, last=last, share=share, **by
        )

    async def _leave(self, session: AsyncSession, p: int, turn: int, last: date, **by: Any) -> None:
        held = await self.one_of(session, p, turn)
        if held is not None:
            by |= {"notified_on": None, "agreement": "agreed", "if_match": f'"{held.version}"'}
            await members.end_membership(session, *held_at(held), last_day=last, **by)

    async def _correct(
        self, session: AsyncSession, p: int, turn: int, first: date, last: date | None, share: Decimal, **by: Any
    ) -> None:
        held = await self.one_of(session, p, turn)
        if held is not None:
            by |= {"valid": members.span_of(first, last), "share": share, "if_match": f'"{held.version}"'}
            await members.correct_membership(session, *held_at(held), **by)

    async def _withdraw(self, session: AsyncSession, p: int, turn: int, **by: Any) -> None:
        held = await self.one_of(session, p, turn)
        if held is not None:
            await members.withdraw_membership(session, *held_at(held), if_match=f'"{held.version}"', **by)

    async def _split(
        self, session: AsyncSession, p: int, n: int, first: date, last: date | None, share: str, **by: Any
    ) -> None:
        code, part = self.practices[p], Decimal(share)
        parts = [Portion(self.networks[n], part), Portion(self.networks[(n + 1) % 3], 1 - part)]
        match = await self.version(session, Practice, code)
        await splits.declare_split(session, code, parts, first=first, last=last, if_match=match, **by)

    async def _end_split(self, session: AsyncSession, p: int, n: int, last: date, **by: Any) -> None:
        code = self.practices[p]
        match = await self.version(session, Practice, code)
        await splits.end_split(session, code, last, self.networks[n], if_match=match, **by)

    async def _close(self, session: AsyncSession, p: int, last: date, **by: Any) -> None:
        code = self.practices[p]
        await closing.close_practice(session, code, last, if_match=await self.version(session, Practice, code), **by)

    async def _reopen(self, session: AsyncSession, p: int, **by: Any) -> None:
        """One of those that have closed, if any has."""
        for code in self.practices[p:] + self.practices[:p]:
            match = await self.version(session, Practice, code)
            with contextlib.suppress(PracticeNotClosed):
                await closing.reopen_closed(session, code, if_match=match, **by)
                return

    async def _merge(self, session: AsyncSession, p: int, other: int, first: date, **by: Any) -> None:
        code = self.practices[p]
        match = await self.version(session, Practice, code)
        await closing.succeed_practice(session, code, self.practices[other], first, if_match=match, **by)

    async def _close_network(self, session: AsyncSession, n: int, last: date, **by: Any) -> None:
        code = self.networks[n]
        await networks.close_network(session, code, last, if_match=await self.version(session, Network, code), **by)

    async def _reopen_network(self, session: AsyncSession, n: int, **by: Any) -> None:
        for code in self.networks[n:] + self.networks[:n]:
            match = await self.version(session, Network, code)
            with contextlib.suppress(NetworkNotClosed):
                await networks.reopen_network(session, code, if_match=match, **by)
                return


def held_at(membership: Membership) -> tuple[str, str, date]:
    return membership.network, membership.practice, membership.valid_from


def shares_by_day(held: Iterable[Spell]) -> dict[tuple[str, date], Decimal]:
    """How much of each practice's list is somewhere, on every day on which that changes."""
    spells = list(held)
    turns = {spell.first for spell in spells}
    total: dict[tuple[str, date], Decimal] = defaultdict(Decimal)
    for turn in turns:
        for spell in spells:
            if spell.first <= turn <= (spell.last or date.max):
                total[spell.practice, turn] += spell.share
    return total


def told(events: Iterable[Event]) -> frozenset[Spell]:
    """What a reader holds who heard these events from the beginning."""
    held: dict[tuple[str, str, date], tuple[date | None, Decimal]] = {}
    for event in events:
        if isinstance(event, PracticeJoined):
            held[event.network, event.practice, event.valid_from] = (event.valid_to, event.share)
        elif isinstance(event, PracticeLeft):
            key = (event.network, event.practice, event.valid_from)
            held[key] = (event.valid_to, held[key][1])
        elif isinstance(event, NetworkRestated):
            held = {key: value for key, value in held.items() if key[0] != event.network}
            held |= {(event.network, m.practice, m.valid_from): (m.valid_to, m.share) for m in event.members}
    return frozenset(Spell(n, p, first, last, share) for (n, p, first), (last, share) in held.items())


@settings(max_examples=40)
@given(steps=st.lists(step, min_size=3, max_size=14))
async def test_whatever_is_recorded_no_list_is_divided_twice_and_every_answer_can_be_given_again(
    registry_app: Harness, funding_app: Harness, steps: list[tuple[Any, ...]]
) -> None:
    register = Register(registry_app, next(_example))
    heard = len(await registry_app.announced())
    async with registry_app.session() as session:
        await register.set_up(session)
    answers: dict[datetime, frozenset[Spell]] = {}
    held: frozenset[Spell] = frozenset()
    for asked in BEGINNING + steps:
        try:
            async with registry_app.session() as session:
                await register.take(session, asked)
        except DomainError as refusal:
            note(f"{asked[0]} refused: {refusal.code}")
        before = held
        async with registry_app.session() as session:
            answers[register.now] = held = await register.held(session)
        taken[asked[0]] += held != before
        over = {place: total for place, total in shares_by_day(held).items() if total > 1}
        assert not over, f"after {asked}: {over}"
    async with registry_app.session() as session:
        for moment, answer in answers.items():
            assert await register.held(session, moment) == answer, f"of {moment}"
        now = await register.held(session)
    events = (await registry_app.announced())[heard:]
    assert told(events) == now
    await funding_app.deliver(*(e for e in events if type(e) in funding_app.service.handlers))
    async with funding_app.session() as session:
        rows = await session.scalars(
            select(FundingMembership).where(
                FundingMembership.network.in_(register.networks), currently_known(FundingMembership)
            )
        )
        copy = frozenset(Spell(m.network, m.practice, m.valid_from, m.valid_to, m.share) for m in rows)
    assert copy == now


def test_every_kind_of_step_was_taken() -> None:
    """Runs after the property, in the same process."""
    verbs = {
        *("join", "leave", "correct", "withdraw", "split", "end_split"),
        *("close", "reopen", "merge", "close_network", "reopen_network"),
    }
    assert min(taken[verb] for verb in verbs) > 0, taken


def test_a_list_divided_twice_would_be_seen() -> None:
    one = Spell("U1", "P", START, None, Decimal("0.6"))
    two = Spell("U2", "P", date(2022, 6, 1), date(2022, 6, 30), Decimal("0.5"))
    assert shares_by_day([one, two]) == {
        ("P", START): Decimal("0.6"),
        ("P", date(2022, 6, 1)): Decimal("1.1"),
    }
