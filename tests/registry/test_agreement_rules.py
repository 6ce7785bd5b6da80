"""When an agreement is complete: whoever comes and goes, on the first day on which everybody there has signed."""

from __future__ import annotations

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from services.registry.agreements.model import AgreementStatus, AgreementVersion, Parties, Party, in_force_on_days
from shared.facts import ONE_DAY, days

DAYS = [date(2022, 4, 1) + ONE_DAY * n for n in range(25)]
PRACTICES = ("A", "B", "C")
DAY = st.sampled_from(DAYS)
PERIOD = st.tuples(DAY, DAY | st.none()).map(lambda p: days(p[0], p[1] if p[1] and p[1] >= p[0] else None))


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.sampled_from(PRACTICES), PERIOD), max_size=6),
    st.lists(st.tuples(st.just("par-1"), PERIOD), max_size=2),
    st.dictionaries(st.sampled_from([*map(Party, PRACTICES), Party("C", "Dr C"), Party(partner="par-1")]), DAY),
    st.booleans(),
    DAY,
)
def test_a_version_is_complete_on_the_first_day_on_which_every_party_of_that_day_has_signed(
    members: list[tuple[str, object]],
    partners: list[tuple[str, object]],
    signed: dict[Party, date],
    named: bool,
    start: date,
) -> None:
    persons = {"C": ["Dr C"]} if named else {}
    parties = Parties(members, partners, persons, signed)  # type: ignore[arg-type]

    def complete(day: date) -> bool:
        here = {p for p, held in members if held.contains(day)}  # type: ignore[attr-defined]
        needed = [Party("C", "Dr C") if p == "C" and named else Party(p) for p in here]
        needed += [Party(partner=p) for p, held in partners if held.contains(day)]  # type: ignore[attr-defined]
        return bool(here) and all(party in signed and signed[party] <= day for party in needed)

    by_hand = next((day for day in DAYS if day >= start and complete(day)), None)
    assert (parties.complete_from(start) if by_hand else None) == by_hand
    for day in DAYS:
        assert complete(day) == (any(p.practice for p in parties.on(day)) and not parties.missing(day))


@settings(max_examples=200)
@given(st.lists(st.tuples(DAY, DAY | st.none()) | st.none(), max_size=6))
def test_each_day_belongs_to_the_highest_version_begun_by_then_and_to_none_once_that_has_ended(
    turns: list[tuple[date, date | None] | None],
) -> None:
    versions = []
    for number, turn in enumerate(turns, 1):
        since, ended = turn or (None, None)
        ended = None if since is None or ended is None or ended < since else ended
        versions.append(
            AgreementVersion(
                network="U90001",
                number=number,
                status=AgreementStatus.SIGNED if turn else AgreementStatus.DRAFT,
                in_force_since=since,
                ended_on=ended,
            )
        )
    held = in_force_on_days(versions)
    begun = [(v.number, v.in_force_since, v.ended_on or date.max) for v in versions if v.in_force_since is not None]
    for day in DAYS:
        running = {number: first for number, first, last in begun if first <= day <= last}
        theirs = [
            number
            for number, first in running.items()
            if not any(other > number and start <= day and end >= first for other, start, end in begun)
        ]
        assert [number for number, part in held if part.contains(day)] == theirs
        highest = max((number for number, first, _ in begun if first <= day), default=0)
        if highest in running:
            assert theirs == [highest], "the highest one begun, while it lasts"
        assert len(theirs) <= 1
