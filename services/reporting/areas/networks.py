"""Keep networks, who leads them and who belongs to them from the registry's events."""

from __future__ import annotations

from datetime import date

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.areas.model import Membership, Network
from services.reporting.coverage.operations import recount
from shared.events import registry

Told = registry.NetworkApproved | registry.NetworkRestated

# putting a network's facts right leaves when and how it was decided as it was
_NETWORKS = text(
    """
    WITH told AS (
        SELECT * FROM unnest(
            CAST(:networks AS text[]), CAST(:names AS text[]), CAST(:commissioners AS text[]),
            CAST(:approved AS date[]), CAST(:firsts AS date[]), CAST(:closed AS date[]), CAST(:deciders AS text[]),
            CAST(:payees AS text[]), CAST(:sequences AS bigint[])
        ) AS told (network, name, commissioner, approved_on, valid_from, closed_on, decided_by, payee, sequence)
    ), taken AS (
        INSERT INTO networks AS held (
            network, name, commissioner, approved_on, valid_from, closed_on, decided_by, payee, sequence
        )
        SELECT * FROM told
        ON CONFLICT (network) DO UPDATE SET
            name = excluded.name, commissioner = excluded.commissioner,
            approved_on = CASE WHEN :decided THEN excluded.approved_on
                               ELSE coalesce(held.approved_on, excluded.approved_on) END,
            valid_from = excluded.valid_from, closed_on = excluded.closed_on,
            decided_by = CASE WHEN :decided THEN excluded.decided_by
                              ELSE coalesce(held.decided_by, excluded.decided_by) END,
            payee = excluded.payee, sequence = excluded.sequence
        WHERE held.sequence < excluded.sequence
        RETURNING network
    ), led AS (
        DELETE FROM network_leads USING taken WHERE network_leads.network = taken.network
    ), gone AS (
        DELETE FROM memberships USING taken WHERE memberships.network = taken.network RETURNING practice
    )
    SELECT ARRAY(SELECT network FROM taken), ARRAY(SELECT practice FROM gone)
    """
)

_LEADS_AND_MEMBERS = text(
    """
    WITH led AS (
        INSERT INTO network_leads (network, valid_from, valid_to, commissioner)
        SELECT * FROM unnest(CAST(:led AS text[]), CAST(:led_from AS date[]), CAST(:led_to AS date[]),
                             CAST(:leads AS text[])) AS led
    ), joined AS (
        INSERT INTO memberships (network, practice, valid_from, valid_to, share)
        SELECT * FROM unnest(CAST(:joined AS text[]), CAST(:practices AS text[]), CAST(:firsts AS date[]),
                             CAST(:lasts AS date[]), CAST(:shares AS numeric[])) AS members
        RETURNING practice
    )
    SELECT practice FROM joined UNION SELECT practice FROM allocations WHERE network = ANY(CAST(:taken AS text[]))
    """
)

_WAITING = "reporting.networks"


async def note_network(session: AsyncSession, event: Told, sequence: int) -> None:
    """The network and its whole membership history take the place of what was held, with others of this transaction."""
    if event.network in session.info.setdefault(_WAITING, {}):
        await write_networks(session)
    session.info.setdefault(_WAITING, {})[event.network] = (event, sequence)


async def write_networks(session: AsyncSession) -> None:
    """Write the networks that wait: before anything that builds on them, and at the end of the transaction."""
    waiting: dict[str, tuple[Told, int]] = session.info.pop(_WAITING, {})
    for decided in (True, False):
        told = [(e, sequence) for e, sequence in waiting.values() if isinstance(e, registry.NetworkApproved) is decided]
        if told:
            await _write(session, told, decided=decided)


async def _write(session: AsyncSession, told: list[tuple[Told, int]], *, decided: bool) -> None:
    events = [event for event, _ in told]
    decisions = [_decision(event) for event in events]
    values = {
        "networks": [event.network for event in events],
        "names": [event.network_name for event in events],
        "commissioners": [event.commissioner for event in events],
        "approved": [approved_on for approved_on, _, _ in decisions],
        "firsts": [event.valid_from for event in events],
        "closed": [event.valid_to for event in events],
        "deciders": [decided_by for _, decided_by, _ in decisions],
        "payees": [payee for _, _, payee in decisions],
        "sequences": [sequence for _, sequence in told],
        "decided": decided,
    }
    taken, gone = (await session.execute(_NETWORKS, values)).one()
    if not taken:
        return
    news = set(taken)
    leads = {(e.network, entry.valid_from): entry for e in events if e.network in news for entry in e.entries}
    members = {(e.network, m.practice, m.valid_from): m for e in events if e.network in news for m in e.members}
    touched = await session.scalars(
        _LEADS_AND_MEMBERS,
        {
            "led": [network for network, _ in leads],
            "led_from": [first for _, first in leads],
            "led_to": [entry.valid_to for entry in leads.values()],
            "leads": [entry.commissioner for entry in leads.values()],
            "joined": [network for network, _, _ in members],
            "practices": [practice for _, practice, _ in members],
            "firsts": [first for _, _, first in members],
            "lasts": [member.valid_to for member in members.values()],
            "shares": [member.share for member in members.values()],
            "taken": taken,
        },
    )
    recount(session, [*gone, *touched])


def _decision(event: Told) -> tuple[date, str, str | None]:
    """When and how the network was decided, as far as the event can say, and who is paid."""
    if isinstance(event, registry.NetworkApproved):
        return event.approved_on, event.decided_by, event.payee
    payee = max(event.payees, key=lambda appointed: appointed.valid_from, default=None)
    return event.valid_from, "register", None if payee is None else payee.payee


_TURN = text(
    """
    INSERT INTO networks AS held (network, sequence) VALUES (:network, :sequence)
    ON CONFLICT (network) DO UPDATE SET sequence = excluded.sequence WHERE held.sequence < excluded.sequence
    RETURNING network
    """
)


async def is_news(session: AsyncSession, network: str, sequence: int) -> bool:
    """Whether an event of a network is newer than what was last taken; from now on it is what was last taken."""
    await write_networks(session)
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
