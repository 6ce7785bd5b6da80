"""Keep the map from the registry's events."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.areas.model import (
    Commissioner,
    Membership,
    Network,
    NetworkLead,
    PracticeSuccession,
    Succession,
)
from services.reporting.coverage.operations import recount
from shared.events import registry


async def note_commissioner(session: AsyncSession, event: registry.CommissionerRegistered, sequence: int) -> None:
    statement = insert(Commissioner).values(
        commissioner=event.commissioner,
        valid_from=event.valid_from,
        valid_to=event.valid_to,
        name=event.commissioner_name,
        system=event.system,
        system_name=event.system_name,
        region=event.region,
        region_name=event.region_name,
        sequence=sequence,
    )
    names = ("valid_to", "name", "system", "system_name", "region", "region_name", "sequence")
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["commissioner", "valid_from"],
            set_={name: statement.excluded[name] for name in names},
            where=Commissioner.sequence < statement.excluded.sequence,
        )
    )


_PRACTICES = text(
    """
    INSERT INTO practices AS held (practice, name, commissioner, status, opened_on, closed_on, sequence)
    SELECT facts.*, :sequence
    FROM unnest(CAST(:practice AS text[]), CAST(:name AS text[]), CAST(:commissioner AS text[]),
                CAST(:status AS text[]), CAST(:opened AS date[]), CAST(:closed AS date[])) AS facts
    ON CONFLICT (practice) DO UPDATE SET
        name = excluded.name, commissioner = excluded.commissioner, status = excluded.status,
        opened_on = excluded.opened_on, closed_on = excluded.closed_on, sequence = excluded.sequence
    WHERE held.sequence < excluded.sequence
    RETURNING new.practice, old.closed_on IS DISTINCT FROM new.closed_on AS moved
    """
)


async def note_practices(session: AsyncSession, practices: list[registry.PracticeFact], sequence: int) -> None:
    """Keep practices as announced; coverage is counted again where a closing day changed."""
    facts = {p.practice: p for p in practices}
    rows = await session.execute(
        _PRACTICES,
        {
            "practice": list(facts),
            "name": [p.practice_name for p in facts.values()],
            "commissioner": [p.commissioner for p in facts.values()],
            "status": [p.status for p in facts.values()],
            "opened": [p.opened_on for p in facts.values()],
            "closed": [p.closed_on for p in facts.values()],
            "sequence": sequence,
        },
    )
    taken: dict[str, bool] = dict(rows.all())
    recount(session, [practice for practice, moved in taken.items() if moved])
    # before successions were told with their practice, one taken back was told as a practice that does not close
    named = [p for p in taken if facts[p].went_over is not None or facts[p].closed_on is None]
    if named:
        over = [(practice, spell) for practice in named for spell in facts[practice].went_over or ()]
        moved = await session.execute(
            _WENT_OVER,
            {
                "named": named,
                "practices": [practice for practice, _ in over],
                "firsts": [spell.valid_from for _, spell in over],
                "lasts": [spell.valid_to for _, spell in over],
                "successors": [spell.successor for _, spell in over],
                "sequence": sequence,
            },
        )
        recount(session, {code for row in moved for code in row if code is not None})
    dated = [facts[practice] for practice in taken if facts[practice].commissioned]
    if dated:
        spells = [(fact.practice, spell) for fact in dated for spell in fact.commissioned]
        changed = await session.scalars(
            _SPELLS,
            {
                "named": [fact.practice for fact in dated],
                "practices": [practice for practice, _ in spells],
                "firsts": [spell.valid_from for _, spell in spells],
                "lasts": [spell.valid_to for _, spell in spells],
                "commissioners": [spell.commissioner for _, spell in spells],
            },
        )
        recount(session, changed)


_WENT_OVER = text(
    """
    WITH told AS (
        SELECT * FROM unnest(CAST(:practices AS text[]), CAST(:firsts AS date[]), CAST(:lasts AS date[]),
                             CAST(:successors AS text[])) AS told (practice, succeeded_on, valid_to, successor)
    ), gone AS (
        DELETE FROM practice_successions held
        WHERE practice = ANY(CAST(:named AS text[])) AND sequence < :sequence
            AND (practice, succeeded_on) NOT IN (SELECT practice, succeeded_on FROM told)
        RETURNING practice, successor
    ), kept AS (
        INSERT INTO practice_successions AS held (practice, succeeded_on, valid_to, successor, sequence)
        SELECT practice, succeeded_on, valid_to, successor, :sequence FROM told
        ON CONFLICT (practice, succeeded_on) DO UPDATE SET
            valid_to = excluded.valid_to, successor = excluded.successor, sequence = excluded.sequence
        WHERE held.sequence < excluded.sequence
        RETURNING new.practice, new.successor, old.successor AS before
    )
    SELECT practice, successor, NULL FROM gone UNION SELECT practice, successor, before FROM kept
    """
)

_SPELLS = text(
    """
    WITH told AS (
        SELECT * FROM unnest(CAST(:practices AS text[]), CAST(:firsts AS date[]), CAST(:lasts AS date[]),
                             CAST(:commissioners AS text[])) AS told (practice, valid_from, valid_to, commissioner)
    ), gone AS (
        DELETE FROM practice_commissioners held WHERE practice = ANY(CAST(:named AS text[]))
            AND NOT EXISTS (SELECT FROM told WHERE told.practice = held.practice AND told.valid_from = held.valid_from)
        RETURNING practice
    ), kept AS (
        INSERT INTO practice_commissioners AS held (practice, valid_from, valid_to, commissioner)
        SELECT practice, valid_from, valid_to, commissioner FROM told
        ON CONFLICT (practice, valid_from) DO UPDATE SET
            valid_to = excluded.valid_to, commissioner = excluded.commissioner
        WHERE (held.valid_to, held.commissioner) IS DISTINCT FROM (excluded.valid_to, excluded.commissioner)
        RETURNING practice
    )
    SELECT practice FROM gone UNION SELECT practice FROM kept
    """
)


async def note_practice_succession(session: AsyncSession, event: registry.PracticeSucceeded, sequence: int) -> None:
    """A practice's patients are its successor's from a day on, also before their lists are counted together."""
    of_practice = PracticeSuccession.practice == event.practice
    newest = await session.scalar(select(func.max(PracticeSuccession.sequence)).where(of_practice))
    if newest is not None and newest >= sequence:
        return
    replaced = delete(PracticeSuccession).where(
        of_practice, func.coalesce(PracticeSuccession.valid_to >= event.succeeded_on, True)
    )
    before = await session.scalars(replaced.returning(PracticeSuccession.successor))
    recount(session, [event.practice, event.successor, *before])
    await session.execute(
        insert(PracticeSuccession).values(
            practice=event.practice, successor=event.successor, succeeded_on=event.succeeded_on, sequence=sequence
        )
    )


async def note_succession(session: AsyncSession, event: registry.CommissionerSucceeded, sequence: int) -> None:
    """The newest word of who took over from a commissioner stands in place of those before it."""
    held = select(Succession.sequence).where(Succession.commissioner == event.commissioner).limit(1)
    newest = await session.scalar(held)
    if newest is not None and newest >= sequence:
        return
    await session.execute(delete(Succession).where(Succession.commissioner == event.commissioner))
    await session.execute(
        insert(Succession),
        [
            {
                "commissioner": event.commissioner,
                "successor": successor,
                "succeeded_on": event.succeeded_on,
                "sequence": sequence,
            }
            for successor in sorted({heir.commissioner for heir in event.successors})
        ],
    )


_CLOSED = text(
    """
    INSERT INTO practices AS held (practice, name, commissioner, status, closed_on, sequence)
    VALUES (:practice, '', :commissioner, 'closed', :closed_on, :sequence)
    ON CONFLICT (practice) DO UPDATE SET
        status = excluded.status, closed_on = excluded.closed_on, sequence = excluded.sequence
    WHERE held.sequence < excluded.sequence
    RETURNING practice
    """
)


async def close_practice(session: AsyncSession, event: registry.PracticeClosed, sequence: int) -> None:
    """A practice has seen its last day: its patients no longer count as its own from the next on."""
    values = {
        "practice": event.practice,
        "commissioner": event.commissioner,
        "closed_on": event.closed_on,
        "sequence": sequence,
    }
    recount(session, list(await session.scalars(_CLOSED, values)))


_NETWORK = text(
    """
    WITH taken AS (
        INSERT INTO networks AS held (
            network, name, commissioner, approved_on, valid_from, closed_on, decided_by, payee, sequence
        )
        VALUES (
            :network, :name, :commissioner, :approved_on, :valid_from, :closed_on, :decided_by, :payee, :sequence
        )
        ON CONFLICT (network) DO UPDATE SET
            name = excluded.name, commissioner = excluded.commissioner,
            approved_on = CASE WHEN :decided THEN excluded.approved_on ELSE held.approved_on END,
            valid_from = excluded.valid_from, closed_on = excluded.closed_on,
            decided_by = CASE WHEN :decided THEN excluded.decided_by ELSE held.decided_by END,
            payee = excluded.payee, sequence = excluded.sequence
        WHERE held.sequence < excluded.sequence
        RETURNING network
    ), gone AS (
        DELETE FROM memberships USING taken WHERE memberships.network = taken.network RETURNING practice
    )
    SELECT EXISTS (SELECT FROM taken), ARRAY(SELECT practice FROM gone)
    """
)

_MEMBERS = text(
    """
    INSERT INTO memberships (network, practice, valid_from, valid_to, share)
    SELECT :network, members.*
    FROM unnest(CAST(:practices AS text[]), CAST(:firsts AS date[]), CAST(:lasts AS date[]), CAST(:shares AS numeric[]))
         AS members
    """
)


_ALLOCATED = text("SELECT practice FROM allocations WHERE network = :network")


async def note_network(
    session: AsyncSession, event: registry.NetworkApproved | registry.NetworkRestated, sequence: int
) -> None:
    """The network and its whole membership history take the place of what was held."""
    values = {
        **_decision(event),
        "network": event.network,
        "name": event.network_name,
        "commissioner": event.commissioner,
        "valid_from": event.valid_from,
        "closed_on": event.valid_to,
        "sequence": sequence,
    }
    taken, gone = (await session.execute(_NETWORK, values)).one()
    if not taken:
        return
    await session.execute(delete(NetworkLead).where(NetworkLead.network == event.network))
    leads = [
        {
            "network": event.network,
            "valid_from": entry.valid_from,
            "valid_to": entry.valid_to,
            "commissioner": entry.commissioner,
        }
        for entry in {entry.valid_from: entry for entry in event.entries}.values()
    ]
    if leads:
        await session.execute(insert(NetworkLead), leads)
    members = {(m.practice, m.valid_from): m for m in event.members}
    await session.execute(
        _MEMBERS,
        {
            "network": event.network,
            "practices": [practice for practice, _ in members],
            "firsts": [first for _, first in members],
            "lasts": [m.valid_to for m in members.values()],
            "shares": [m.share for m in members.values()],
        },
    )
    allocated = await session.scalars(_ALLOCATED, {"network": event.network})
    recount(session, [*gone, *allocated, *(practice for practice, _ in members)])


def _decision(event: registry.NetworkApproved | registry.NetworkRestated) -> dict[str, Any]:
    """When and how the network was decided, which putting its facts right leaves as it was, and who is paid."""
    if isinstance(event, registry.NetworkApproved):
        return {
            "decided": True,
            "approved_on": event.approved_on,
            "decided_by": event.decided_by,
            "payee": event.payee,
        }
    payee = max(event.payees, key=lambda appointed: appointed.valid_from, default=None)
    return {
        "decided": False,
        "approved_on": event.valid_from,
        "decided_by": "register",
        "payee": None if payee is None else payee.payee,
    }


_TURN = text(
    """
    INSERT INTO networks AS held (network, sequence) VALUES (:network, :sequence)
    ON CONFLICT (network) DO UPDATE SET sequence = excluded.sequence WHERE held.sequence < excluded.sequence
    RETURNING network
    """
)


async def is_news(session: AsyncSession, network: str, sequence: int) -> bool:
    """Whether an event of a network is newer than what was last taken; from now on it is what was last taken."""
    taken = await session.scalar(_TURN, {"network": network, "sequence": sequence})
    return taken is not None


async def close_network(session: AsyncSession, event: registry.NetworkClosed, sequence: int) -> None:
    if await is_news(session, event.network, sequence):
        await _set(session, event.network, "closed_on", event.closed_on)
        recount(session, await _served(session, event.network))


async def _served(session: AsyncSession, network: str) -> list[str]:
    """Every practice that was ever a member of a network or allocated to it."""
    found = await session.scalars(
        text(
            "SELECT practice FROM memberships WHERE network = :network "
            "UNION SELECT practice FROM allocations WHERE network = :network"
        ),
        {"network": network},
    )
    return list(found)


async def note_payee(session: AsyncSession, event: registry.PayeeAppointed, sequence: int) -> None:
    if await is_news(session, event.network, sequence):
        await _set(session, event.network, "payee", event.payee)


async def _set(session: AsyncSession, network: str, column: str, value: str | date) -> None:
    statement = Network.__table__.update().where(Network.network == network).values({column: value})  # type: ignore[attr-defined]
    await session.execute(statement)


async def note_membership(
    session: AsyncSession, event: registry.PracticeJoined | registry.PracticeLeft, sequence: int
) -> None:
    if not await is_news(session, event.network, sequence):
        return
    joined = isinstance(event, registry.PracticeJoined)
    statement = insert(Membership).values(
        network=event.network,
        practice=event.practice,
        valid_from=event.valid_from,
        valid_to=event.valid_to,
        share=event.share if isinstance(event, registry.PracticeJoined) else 1,
    )
    changed = ("valid_to", "share") if joined else ("valid_to",)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["network", "practice", "valid_from"],
            set_={name: statement.excluded[name] for name in changed},
        )
    )
    recount(session, [event.practice])
