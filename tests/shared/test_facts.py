"""Dated facts: what was true on a day as known on a day, whatever is corrected later."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError

from shared.facts import as_at, days, parts_outside, record, since, withdraw
from tests.harness import Harness
from tests.shared.toy import Label

START = date(2022, 4, 1)
NOW = datetime(2022, 4, 1, tzinfo=UTC)


def day(number: int) -> date:
    return START + timedelta(days=number)


spans = st.tuples(st.integers(0, 30), st.none() | st.integers(0, 30)).map(
    lambda span: days(day(span[0]), None if span[1] is None else day(span[0] + span[1]))
)


@given(spans, spans)
def test_the_parts_outside_are_what_is_left_and_nothing_else(held: Range[date], taken: Range[date]) -> None:
    parts = parts_outside(held, taken)
    for number in range(-1, 100):
        inside = held.contains(day(number)) and not taken.contains(day(number))
        assert sum(part.contains(day(number)) for part in parts) == int(inside)


steps = st.lists(st.tuples(spans, st.sampled_from("abc") | st.none()), min_size=1, max_size=8)


@settings(max_examples=25)
@given(steps)
async def test_any_answer_stays_reproducible_after_later_corrections(
    toy_live: Harness, steps: list[tuple[Range[date], str | None]]
) -> None:
    counter = f"c{id(steps)}-{len(steps)}-{datetime.now(UTC).timestamp()}"[:32]
    truth: dict[int, str] = {}
    believed: list[tuple[datetime, dict[int, str]]] = []
    for turn, (span, label) in enumerate(steps):
        now = NOW + timedelta(hours=turn)
        async with toy_live.session() as session:
            if label is None:
                await withdraw(session, Label, now=now, days=span, counter=counter)
            else:
                await record(session, Label(counter=counter, text=label, valid=span), key=["counter"], now=now)
        for number in range(80):
            if span.contains(day(number)):
                truth.pop(number, None)
                if label is not None:
                    truth[number] = label
        believed.append((now, dict(truth)))
    async with toy_live.session() as session:
        for now, then in believed:
            for number in (0, 7, 15, 30, 45, 79):
                found = await session.scalar(
                    select(Label.text).where(Label.counter == counter, as_at(Label, day(number), now))
                )
                assert found == then.get(number)
        for number in (0, 15, 30, 79):
            current = await session.scalar(
                select(Label.text).where(Label.counter == counter, as_at(Label, day(number)))
            )
            assert current == truth.get(number)


async def test_the_database_refuses_two_truths_of_one_day(toy_live: Harness) -> None:
    async with toy_live.session() as session:
        session.add(Label(counter="a", text="x", valid=days(day(0)), known=since(NOW)))
        session.add(Label(counter="a", text="y", valid=days(day(5), day(5)), known=since(NOW)))
        with pytest.raises(IntegrityError, match="ex_labels_overlap"):
            await session.flush()
        await session.rollback()


def test_a_last_day_is_included() -> None:
    label = Label(counter="a", text="x", valid=days(day(0), day(0)))
    assert (label.valid_from, label.valid_to) == (day(0), day(0))
    with pytest.raises(ValueError, match="lies before"):
        days(day(1), day(0))
