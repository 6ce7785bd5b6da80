"""What other services are told when a network file came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.networks.queries import member_histories, payees_on
from services.registry.ods.readers import Outcome, Source
from services.registry.ods.reconcile import Key, Reconciled, Span
from shared.events.registry import Member, NetworkApproved, NetworkClosed, PracticeJoined, PracticeLeft
from shared.facts import ONE_DAY
from shared.years import year_of_day


@dataclass(frozen=True, slots=True)
class NetworkRow:
    """A network as the file gives it; `span` is half-open."""

    code: str
    name: str
    commissioner: str
    span: Span


async def tell_changes(
    session: AsyncSession,
    networks: dict[str, NetworkRow],
    fresh: set[Any],
    entries: Reconciled,
    members: Reconciled,
    source: Source,
    outcome: Outcome,
) -> None:
    """New and renamed networks with their whole history; otherwise each join and leave by itself."""
    leads = {code: row.commissioner for code, row in networks.items()}
    told_whole = {code for (code,) in entries.changed}
    moves: list[PracticeJoined | PracticeLeft] = []
    for k in sorted(members.changed):
        joins, leaves, corrected = _moves(k, members, leads)
        told_whole |= corrected
        moves.extend(left for left in leaves if left.network not in fresh)
        moves.extend(join for join in joins if join.network not in fresh)
        outcome.changes["memberships begun"] += len(joins)
        outcome.changes["memberships ended"] += len(leaves)
        outcome.changes["memberships corrected"] += len(corrected)
    told_whole &= set(networks)
    histories = await member_histories(session, sorted(told_whole))
    payees = await payees_on(session, sorted(told_whole), source.published_on)
    published = source.published_on
    for code in sorted(told_whole):
        row = networks[code]
        closed = row.span[1] - ONE_DAY if row.span[1] else None
        outcome.events.append(
            NetworkApproved(
                network=code,
                network_name=row.name,
                commissioner=row.commissioner,
                contract_year=year_of_day(published),
                approved_on=row.span[0],
                valid_from=row.span[0],
                valid_to=closed,
                payee=payees.get(code),
                members=[
                    Member(practice=m.practice, valid_from=m.valid_from, valid_to=m.valid_to, share=m.share)
                    for m in histories.get(code, [])
                ],
                decided_by="register",
            )
        )
        was_open = any(piece.span[1] is None for piece in entries.before.get((code,), []))
        if closed is not None and (code in fresh or was_open):
            outcome.events.append(NetworkClosed(network=code, commissioner=row.commissioner, closed_on=closed))
            outcome.changes["networks closed"] += 1
    outcome.events.extend(moves)


def _moves(
    k: Key, members: Reconciled, leads: Mapping[str, str]
) -> tuple[list[PracticeJoined], list[PracticeLeft], set[str]]:
    """What became of one practice: networks joined, networks left, and networks whose history was put right instead."""
    practice = k[0]
    begun, ended = members.begun.get(k, []), members.ended.get(k, [])
    joins, leaves, corrected = [], [], set[str]()
    starts = {(piece.values[0], piece.span[0]): piece for piece in ended}
    for piece in begun:
        code, last = piece.values[0], piece.span[1] - ONE_DAY if piece.span[1] else None
        lead = leads.get(code, "")
        before = starts.pop((code, piece.span[0]), None)
        if before is None:
            joins.append(
                PracticeJoined(
                    network=code, commissioner=lead, practice=practice, valid_from=piece.span[0], valid_to=last
                )
            )
        elif before.span[1] is None and last is not None:
            leaves.append(
                PracticeLeft(
                    network=code, commissioner=lead, practice=practice, valid_from=piece.span[0], valid_to=last
                )
            )
        else:
            corrected.add(code)
    corrected |= {code for code, _ in starts}
    return joins, leaves, corrected
