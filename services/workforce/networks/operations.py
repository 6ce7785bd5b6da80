"""Keep what the registry announces, whatever order it comes in, and say who may see which network."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, func, or_, select, text, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.workforce.networks.model import Commissioner, ListSize, Membership, Network, NetworkNotApproved
from shared.errors import NotFound
from shared.events import registry
from shared.identity import Caller, Role
from shared.years import snapshot_of


async def note_commissioner(session: AsyncSession, event: registry.CommissionerRegistered, sequence: int) -> None:
    statement = insert(Commissioner).values(
        commissioner=event.commissioner,
        valid_from=event.valid_from,
        name=event.commissioner_name,
        system=event.system,
        region=event.region,
        valid_to=event.valid_to,
        sequence=sequence,
    )
    new = statement.excluded
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["commissioner", "valid_from"],
            set_={c: new[c] for c in ("name", "system", "region", "valid_to", "sequence")},
            where=Commissioner.sequence < new.sequence,
        )
    )


_PRACTICES = text(
    """
    INSERT INTO practices AS held (practice, name, commissioner, sequence)
    SELECT facts.*, :sequence
    FROM unnest(CAST(:practices AS text[]), CAST(:names AS text[]), CAST(:commissioners AS text[])) AS facts
    ON CONFLICT (practice) DO UPDATE SET
        name = excluded.name, commissioner = excluded.commissioner, sequence = excluded.sequence
    WHERE held.sequence < excluded.sequence
    """
)

_LISTS = text(
    """
    INSERT INTO list_sizes AS held (practice, snapshot, patients, sequence)
    SELECT sizes.practice, :snapshot, sizes.patients, :sequence
    FROM unnest(CAST(:practices AS text[]), CAST(:patients AS numeric[])) AS sizes (practice, patients)
    ON CONFLICT (practice, snapshot) DO UPDATE SET patients = excluded.patients, sequence = excluded.sequence
    WHERE held.sequence < excluded.sequence
    """
)

_NETWORK = text(
    """
    WITH taken AS (
        INSERT INTO networks AS held (network, name, commissioner, valid_from, approved_on, closed_on, sequence)
        VALUES (:network, :name, :commissioner, :valid_from, :approved_on, :closed_on, :sequence)
        ON CONFLICT (network) DO UPDATE SET
            name = excluded.name, commissioner = excluded.commissioner, valid_from = excluded.valid_from,
            approved_on = CASE WHEN :decided THEN excluded.approved_on ELSE held.approved_on END,
            closed_on = excluded.closed_on, sequence = excluded.sequence
        WHERE held.sequence < excluded.sequence
        RETURNING network
    ), gone AS (
        DELETE FROM memberships USING taken WHERE memberships.network = taken.network
    )
    SELECT network FROM taken
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


async def note_practices(session: AsyncSession, practices: list[registry.PracticeFact], sequence: int) -> None:
    facts = {p.practice: p for p in practices}
    await session.execute(
        _PRACTICES,
        {
            "practices": list(facts),
            "names": [p.practice_name for p in facts.values()],
            "commissioners": [p.commissioner for p in facts.values()],
            "sequence": sequence,
        },
    )


async def note_list_sizes(session: AsyncSession, event: registry.ListSizesPublished, sequence: int) -> None:
    """Registered lists only: they decide the caps that depend on a network's size."""
    if event.basis != "registered":
        return
    sizes = {size.practice: size.value for size in event.sizes}
    await session.execute(
        _LISTS,
        {
            "practices": list(sizes),
            "patients": list(sizes.values()),
            "snapshot": event.snapshot,
            "sequence": sequence,
        },
    )


async def note_network(
    session: AsyncSession, event: registry.NetworkApproved | registry.NetworkRestated, sequence: int
) -> None:
    """The network and its whole membership history take the place of what was held of them."""
    decided = isinstance(event, registry.NetworkApproved)
    taken = await session.scalar(
        _NETWORK,
        {
            "network": event.network,
            "name": event.network_name,
            "commissioner": event.commissioner,
            "valid_from": event.valid_from,
            "approved_on": event.approved_on if isinstance(event, registry.NetworkApproved) else event.valid_from,
            "decided": decided,
            "closed_on": event.valid_to,
            "sequence": sequence,
        },
    )
    if taken is None:
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


async def _is_news(session: AsyncSession, network: str, sequence: int) -> bool:
    held = await session.scalar(select(Network.sequence).where(Network.network == network))
    return held is None or held < sequence


async def close_network(session: AsyncSession, event: registry.NetworkClosed, sequence: int) -> None:
    await session.execute(
        update(Network)
        .where(Network.network == event.network, Network.sequence < sequence)
        .values(closed_on=event.closed_on, sequence=sequence)
        .execution_options(synchronize_session=False)
    )


async def note_membership(
    session: AsyncSession, event: registry.PracticeJoined | registry.PracticeLeft, sequence: int
) -> None:
    if not await _is_news(session, event.network, sequence):
        return
    share = event.share if isinstance(event, registry.PracticeJoined) else Decimal(1)
    statement = insert(Membership).values(
        network=event.network,
        practice=event.practice,
        valid_from=event.valid_from,
        valid_to=event.valid_to,
        share=share,
    )
    changed = {"valid_to": statement.excluded.valid_to}
    if isinstance(event, registry.PracticeJoined):
        changed["share"] = statement.excluded.share
    await session.execute(
        statement.on_conflict_do_update(index_elements=["network", "practice", "valid_from"], set_=changed)
    )


def current_system(caller: Caller) -> ColumnElement[bool]:
    """True of the commissioner rows that belong to a system the caller acts for, latest row first."""
    latest = (
        select(Commissioner.commissioner, func.max(Commissioner.valid_from).label("valid_from"))
        .group_by(Commissioner.commissioner)
        .subquery()
    )
    return and_(
        Commissioner.system.in_(caller.organisations),
        select(latest.c.commissioner)
        .where(latest.c.commissioner == Commissioner.commissioner, latest.c.valid_from == Commissioner.valid_from)
        .exists(),
    )


def commissioned(caller: Caller, commissioner: SQLColumnExpression[str]) -> list[ColumnElement[bool]]:
    """The ways a caller may reach a record through its commissioner."""
    ways: list[ColumnElement[bool]] = []
    if caller.has(Role.COMMISSIONER):
        ways.append(commissioner.in_(caller.organisations))
    if caller.has(Role.SYSTEM):
        ways.append(commissioner.in_(select(Commissioner.commissioner).where(current_system(caller))))
    return ways


def of_caller(caller: Caller, network: SQLColumnExpression[str]) -> ColumnElement[bool]:
    """True of the records of networks the caller may see; `network` is the column that holds the code."""
    if caller.everywhere:
        return true()
    ways: list[ColumnElement[bool]] = []
    if caller.has(Role.NETWORK):
        ways.append(network.in_(caller.organisations))
    through = commissioned(caller, Network.commissioner)
    if through:
        ways.append(network.in_(select(Network.network).where(or_(*through))))
    return or_(*ways) if ways else ~true()


async def own_network(session: AsyncSession, code: str, caller: Caller, *, lock: bool = False) -> Network:
    """The approved network a caller acts for or may see.

    Raises `NotFound` for somebody else's and `NetworkNotApproved` for the caller's own that no commissioner approved.
    """
    network = await session.get(Network, code, with_for_update=lock)
    if network is None:
        if caller.has(Role.NETWORK) and code in caller.organisations:
            raise NetworkNotApproved(f"No commissioner has approved {code} so far.")
        raise NotFound(f"No network {code}.")
    if not await session.scalar(select(of_caller(caller, Network.network)).where(Network.network == code)):
        raise NotFound(f"No network {code}.")
    return network


async def patients_of(session: AsyncSession, network: str, year: str, day: date) -> Decimal | None:
    """The registered patients of the network's members of a day, on the snapshot of the year.

    `None` when the list of a member is not known: a size is never guessed.
    """
    rows = (
        await session.execute(
            select(Membership.share, ListSize.patients)
            .outerjoin(ListSize, and_(ListSize.practice == Membership.practice, ListSize.snapshot == snapshot_of(year)))
            .where(
                Membership.network == network,
                Membership.valid_from <= day,
                or_(Membership.valid_to.is_(None), Membership.valid_to >= day),
            )
        )
    ).all()
    if not rows or any(patients is None for _, patients in rows):
        return None
    return sum((share * patients for share, patients in rows), Decimal(0))
