"""What other services are told when a network file came in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Text, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.applications.model import Application, ApplicationStatus
from services.registry.networks.model import NetworkEntry
from services.registry.networks.queries import member_histories, payee_histories, payees_on
from services.registry.ods.readers import Outcome, Source
from services.registry.ods.reconcile import Key, Reconciled, Span
from shared.events import Event
from shared.events.registry import Member, NetworkApproved, NetworkClosed, PracticeJoined, PracticeLeft
from shared.facts import ONE_DAY, currently_known
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
    outcome.events.extend(await tell_networks(session, sorted(told_whole), source.published_on))
    for code in sorted(told_whole):
        row = networks[code]
        closed = row.span[1] - ONE_DAY if row.span[1] else None
        was_open = any(piece.span[1] is None for piece in entries.before.get((code,), []))
        if closed is not None and (code in fresh or was_open):
            outcome.events.append(NetworkClosed(network=code, commissioner=row.commissioner, closed_on=closed))
            outcome.changes["networks closed"] += 1
    outcome.events.extend(moves)


async def tell_networks(session: AsyncSession, codes: Sequence[str], day: date) -> list[Event]:
    """Networks with their whole history as the register has it now, each decided as it last was."""
    if not codes:
        return []
    wanted = any_(literal(list(codes), ARRAY(Text)))
    entries: dict[str, list[NetworkEntry]] = defaultdict(list)
    held = select(NetworkEntry).where(NetworkEntry.network == wanted, currently_known(NetworkEntry))
    for entry in await session.scalars(held.order_by(NetworkEntry.network, func.lower(NetworkEntry.valid))):
        entries[entry.network].append(entry)
    decided = (
        select(
            Application.network, Application.id, Application.round, Application.contract_year, Application.decided_on
        )
        .where(Application.network == wanted, Application.status == ApplicationStatus.APPROVED)
        .order_by(Application.decided_on, Application.id)
    )
    decisions = {row.network: row for row in await session.execute(decided)}
    histories, payees = await member_histories(session, codes), await payees_on(session, codes, day)
    paid = await payee_histories(session, codes)
    told: list[Event] = []
    for code in codes:
        pieces, decision = entries[code], decisions.get(code)
        told.append(
            NetworkApproved(
                network=code,
                network_name=pieces[-1].name,
                commissioner=pieces[-1].commissioner,
                contract_year=decision.contract_year if decision else year_of_day(day),
                approved_on=decision.decided_on if decision else pieces[0].valid_from,
                valid_from=pieces[0].valid_from,
                valid_to=pieces[-1].valid_to,
                payee=payees.get(code),
                members=[
                    Member(practice=m.practice, valid_from=m.valid_from, valid_to=m.valid_to, share=m.share)
                    for m in histories.get(code, [])
                ],
                decided_by="round" if decision else "register",
                round=decision.round if decision else None,
                application=decision.id if decision else None,
                entries=[piece.told() for piece in pieces],
                payees=[payee.told() for payee in paid[code]],
            )
        )
    return told


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
