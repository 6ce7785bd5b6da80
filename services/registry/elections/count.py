"""Counting a secret ballot: the same ballots, method and lot give the same rounds and the same winner, to anybody."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class CountingMethod(StrEnum):
    """First past the post: most first choices win. Instant run-off: the last is out until one has over half."""

    FIRST_PAST_THE_POST = "first_past_the_post"
    INSTANT_RUNOFF = "instant_runoff"


class TieBreak(StrEnum):
    """By lot at once, or by who had more in the latest earlier round that tells them apart, then by lot."""

    LOT = "lot"
    EARLIER_ROUNDS = "earlier_rounds"


@dataclass(frozen=True, slots=True)
class CountedRound:
    """One round: votes of everybody still standing, ballots naming none of them, and who is out."""

    votes: dict[str, int]
    exhausted: int
    eliminated: str | None = None
    broken_by: TieBreak | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    rounds: tuple[CountedRound, ...]
    winner: str | None


def lot_order(seed: str, candidates: Iterable[str]) -> list[str]:
    """The candidates as the lot puts them: sorted by SHA-256 of `seed:candidate`; of a tie the first one stays."""
    return sorted(candidates, key=lambda candidate: hashlib.sha256(f"{seed}:{candidate}".encode()).hexdigest())


def count(
    ballots: Iterable[Sequence[str]],
    candidates: Sequence[str],
    method: CountingMethod,
    tie_break: TieBreak,
    seed: str,
) -> Outcome:
    """Count ballots, each its choices in order of preference; who is not among the candidates is passed over."""
    cast, standing = [tuple(choices) for choices in ballots], list(candidates)
    rounds: list[CountedRound] = []
    while True:
        votes = Counter(dict.fromkeys(standing, 0))
        only_first = method is CountingMethod.FIRST_PAST_THE_POST
        first = [next((c for c in (b[:1] if only_first else b) if c in standing), None) for b in cast]
        votes.update(choice for choice in first if choice is not None)
        exhausted = first.count(None)
        here = CountedRound(dict(votes), exhausted)
        if len(cast) == exhausted:
            return Outcome((*rounds, here), None)
        if only_first:
            winner, broken = _of_tied(votes, max, rounds, tie_break, seed)
            return Outcome((*rounds, CountedRound(dict(votes), exhausted, None, broken)), winner)
        leader = max(standing, key=lambda c: votes[c])
        if votes[leader] * 2 > len(cast) - exhausted or len(standing) == 1:
            return Outcome((*rounds, here), leader)
        last, broken = _of_tied(votes, min, rounds, tie_break, seed)
        rounds.append(CountedRound(dict(votes), exhausted, last, broken))
        standing.remove(last)


def _of_tied(
    votes: Counter[str],
    extreme: Callable[[Iterable[int]], int],
    earlier: Sequence[CountedRound],
    tie_break: TieBreak,
    seed: str,
) -> tuple[str, TieBreak | None]:
    """Who has most, or fewest, votes, and what broke the tie if there was one."""
    tied = [candidate for candidate, number in votes.items() if number == extreme(votes.values())]
    if len(tied) == 1:
        return tied[0], None
    if tie_break is TieBreak.EARLIER_ROUNDS:
        for past in reversed(earlier):
            number = extreme(past.votes[candidate] for candidate in tied)
            tied = [candidate for candidate in tied if past.votes[candidate] == number]
            if len(tied) == 1:
                return tied[0], TieBreak.EARLIER_ROUNDS
    order = lot_order(seed, tied)
    return order[0] if extreme is max else order[-1], TieBreak.LOT
