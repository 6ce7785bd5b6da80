"""Keep the map from the registry's events, and say which part of it a caller may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.areas.model import Commissioner, Membership, Network
from services.reporting.coverage.operations import recount
from shared.events import registry
from shared.identity import Caller, Role

MAP = """
    SELECT DISTINCT ON (commissioner) commissioner, name, system, system_name, region, region_name
    FROM commissioners
    ORDER BY commissioner, valid_from <= :map_of DESC, abs(valid_from - CAST(:map_of AS date))
"""
"""Each commissioner on the map of a day: its newest entry by then, or its first one where it came later."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The commissioners and networks a caller may see; `everywhere` for national users and operators."""

    everywhere: bool
    commissioners: list[str]
    networks: list[str]

    def sees(self, *, network: str | None = None, commissioner: str = "commissioner") -> str:
        """The condition for rows the caller may see; the columns are named by the query, the values bound later.

        Only what applies is written, so that a prepared plan uses the index of the one area asked about.
        """
        if self.everywhere:
            return "TRUE"
        ways = [f"{commissioner} = ANY(CAST(:commissioners AS text[]))"]
        if network is not None and self.networks:
            ways.append(f"{network} = ANY(CAST(:networks AS text[]))")
        return f"({' OR '.join(ways)})"

    def params(self) -> dict[str, Any]:
        return {"commissioners": self.commissioners, "networks": self.networks}


def bound(statement: str, values: Mapping[str, Any]) -> TextClause:
    """A statement with those of the values bound that it names."""
    clause = text(statement)
    return clause.bindparams(**{name: value for name, value in values.items() if name in clause._bindparams})


async def scope_of(session: AsyncSession, caller: Caller) -> Scope:
    commissioners: set[str] = set()
    if caller.has(Role.COMMISSIONER):
        commissioners |= caller.organisations
    if caller.has(Role.SYSTEM) and not caller.everywhere:
        found = await session.execute(
            text(
                "SELECT commissioner FROM (SELECT DISTINCT ON (commissioner) commissioner, system FROM commissioners "
                "ORDER BY commissioner, valid_from DESC) newest WHERE system = ANY(CAST(:systems AS text[]))"
            ),
            {"systems": sorted(caller.organisations)},
        )
        commissioners |= set(found.scalars())
    networks = sorted(caller.organisations) if caller.has(Role.NETWORK) else []
    return Scope(caller.everywhere, sorted(commissioners), networks)


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
    recount(session, [practice for practice, moved in rows if moved])


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
