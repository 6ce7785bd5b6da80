"""ePCN: networks and the whole history of their members, in the layouts of 2019 and 2022, or as a pair of CSV files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import Text, and_, any_, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.hierarchy.pieces import handed_over
from services.registry.networks.model import WHOLE, Membership, Network, NetworkEntry
from services.registry.ods.heirs import with_heirs
from services.registry.ods.network_events import NetworkRow, tell_changes
from services.registry.ods.practice_events import PracticeRow, tell_practices
from services.registry.ods.practices import register_practices
from services.registry.ods.readers import (
    BadCell,
    Outcome,
    Sheet,
    Source,
    day,
    find_table,
    network,
    open_sheets,
    organisation,
    refused,
    text,
)
from services.registry.ods.reconcile import Key, Piece, Span, from_day_on, held_pieces, reconcile
from services.registry.practices.model import Practice, PracticeStatus
from shared.facts import ONE_DAY, as_at, currently_known

WHOLE_LIST = "[0,1)"
DETAILS = {
    "network": ("PCN Code",),
    "name": ("PCN Name",),
    "commissioner": ("Current Clinical Commissioning Group Code", "Current Sub ICB Loc Code"),
    "open date": ("Open Date", "Open Date (YYYYMMDD)"),
    "close date": ("Close Date",),
}
PARTNERS = {
    "practice": ("Partner Organisation Code",),
    "name": ("Partner Name",),
    "commissioner": ("Practice Parent CCG Code", "Practice Parent Sub ICB Loc Code"),
    "network": ("PCN Code",),
    "start": ("Practice to PCN Relationship Start Date",),
    "end": ("Practice to PCN Relationship End Date",),
}


@dataclass(frozen=True, slots=True)
class PartnerRow:
    line: int
    practice: str
    name: str
    commissioner: str
    network: str
    span: Span


async def load_networks(session: AsyncSession, source: Source, now: datetime) -> Outcome:
    """Networks with their lead commissioner, and every membership the register has ever had."""
    sheets = open_sheets(source.upload)
    if source.partners is not None:
        sheets = [*sheets, *open_sheets(source.partners)]
    details, partners = find_table(sheets, DETAILS), find_table(sheets, PARTNERS)
    if details is None or partners is None:
        raise refused("not_epcn", "A table of networks and one of their core partners are needed.")
    outcome = Outcome()
    networks: dict[str, NetworkRow] = {}
    for line, cell in details.records():
        outcome.rows += 1
        try:
            row = _network_row(cell)
            if row.code in networks:
                raise BadCell("network", "repeated", f"{row.code} stands further up.")
            networks[row.code] = row
        except BadCell as error:
            outcome.refuse(details.sheet, line, error)
    on_register = set((await session.scalars(select(Network.code))).all())
    partner_rows: list[PartnerRow] = []
    named: set[str] = set()
    for line, cell in partners.records():
        outcome.rows += 1
        named.add(str(cell("practice")))
        try:
            partner = _partner_row(line, cell)
            if partner.network not in networks and partner.network not in on_register:
                raise BadCell("network", "unknown_network", f"{partner.network} is not among the networks.")
            partner_rows.append(partner)
        except BadCell as error:
            outcome.refuse(partners.sheet, line, error)
    await source.was_read(outcome.rows)
    if not networks:
        raise refused("no_rows", "The file holds no network that can be read.")
    decided_later = await decided_after(session, source.published_on)
    memberships = _without_overlaps(partner_rows, partners.sheet, outcome, decided_later)
    await _register_members(session, memberships, source, now, outcome)
    gone = await _no_longer_named(session, networks, named | set(decided_later), source, outcome)
    await _store(session, networks, memberships, gone, source, now, outcome)
    return outcome


def _network_row(cell: Any) -> NetworkRow:
    opened, closed = day(cell("open date"), "open date"), day(cell("close date"), "close date", required=False)
    if opened is None or (closed and closed < opened):
        raise BadCell("close date", "closed_before_open", f"{closed} lies before {opened}.")
    return NetworkRow(
        network(cell("network"), "network"),
        text(cell("name"), "name"),
        organisation(cell("commissioner"), "commissioner"),
        (opened, closed + ONE_DAY if closed else None),
    )


def _partner_row(line: int, cell: Any) -> PartnerRow:
    started, ended = day(cell("start"), "start"), day(cell("end"), "end", required=False)
    if started is None or (ended and ended < started):
        raise BadCell("end", "ends_before_start", f"{ended} lies before {started}.")
    return PartnerRow(
        line,
        organisation(cell("practice"), "practice"),
        text(cell("name"), "name"),
        organisation(cell("commissioner"), "commissioner"),
        network(cell("network"), "network"),
        (started, ended + ONE_DAY if ended else None),
    )


def _without_overlaps(
    rows: list[PartnerRow], sheet: Sheet, outcome: Outcome, decided_later: Mapping[str, date]
) -> dict[str, list[PartnerRow]]:
    """Memberships by practice; a row that overlaps one further up is refused, as is one a later round has decided."""
    by_practice: dict[str, list[PartnerRow]] = defaultdict(list)
    for row in rows:
        if row.practice in decided_later:
            reason = (
                f"The register knows the membership of {row.practice} better from {decided_later[row.practice]} on."
            )
            outcome.refuse(sheet, row.line, BadCell("practice", "decided_later", reason))
            continue
        clash = next((held for held in by_practice[row.practice] if _overlap(held.span, row.span)), None)
        if clash is not None:
            same = clash.network == row.network and clash.span == row.span
            reason = f"{row.practice} is in {clash.network} on these days, line {clash.line}."
            outcome.refuse(sheet, row.line, BadCell("practice", "repeated" if same else "overlaps", reason))
            continue
        by_practice[row.practice].append(row)
    return {practice: held for practice, held in by_practice.items() if held}


def _overlap(one: Span, other: Span) -> bool:
    return one[0] < (other[1] or date.max) and other[0] < (one[1] or date.max)


async def decided_after(session: AsyncSession, published_on: date) -> dict[str, date]:
    """Practices of whose membership the register knows better than a file of that day, and from when.

    A round or a person has decided later days, or recorded something since; or the list is split: no file can say so.
    """
    comes = func.lower(Membership.valid) > published_on
    learnt = func.lower(Membership.known) > datetime.combine(published_on, time(), tzinfo=UTC)
    statement = (
        select(Membership.practice, func.min(func.lower(Membership.valid)))
        .where(
            currently_known(Membership),
            or_(
                and_(Membership.round.is_not(None), comes),
                and_(Membership.recorded_by.is_not(None), or_(comes, learnt)),
                Membership.portion != WHOLE,
            ),
        )
        .group_by(Membership.practice)
    )
    return dict((await session.execute(statement)).all())


async def _no_longer_named(
    session: AsyncSession, networks: dict[str, NetworkRow], named: set[str], source: Source, outcome: Outcome
) -> dict[str, list[Piece]]:
    """The file gives every member its networks ever had. Whoever it does not name at all is none on its day; since when
    it does not say, so what was believed of the days before stays, and the report names the practice.
    """
    statement = select(Membership.practice, Membership.network).where(
        as_at(Membership, source.published_on), Membership.round.is_(None), Membership.network.in_(list(networks))
    )
    absent = {practice: network for practice, network in await session.execute(statement) if practice not in named}
    held = await held_pieces(session, Membership, "practice", ("network", "portion"), sorted(absent))
    outcome.changes["members no longer named"] = len(absent)
    outcome.differences += [
        {"practice": practice, "name": practice, "sheet": None, "register": network}
        for practice, network in sorted(absent.items())
    ]
    return {
        practice: handed_over(
            pieces,
            source.published_on,
            lambda values, code=absent[practice]: None if values[0] == code else values,  # type: ignore[misc]
        )
        for practice, pieces in held.items()
    }


async def _register_members(
    session: AsyncSession, memberships: dict[str, list[PartnerRow]], source: Source, now: datetime, outcome: Outcome
) -> None:
    """A member the practice file did not bring is entered from what this file says of it."""
    known = set(
        (
            await session.scalars(
                select(Practice.code).where(Practice.code == any_(literal(list(memberships), ARRAY(Text))))
            )
        ).all()
    )
    rows = []
    for practice, held in memberships.items():
        if practice not in known:
            latest = max(held, key=lambda row: row.span[0])
            first = min(row.span[0] for row in held)
            span = (first, None)
            rows.append(
                PracticeRow(practice, latest.name, PracticeStatus.ACTIVE, latest.commissioner, span, span, None)
            )
    if rows:
        await register_practices(session, rows, source, now)
        outcome.changes["practices entered from this file"] = len(rows)
        outcome.events.extend(tell_practices(rows, source.published_on))


async def _store(
    session: AsyncSession,
    networks: dict[str, NetworkRow],
    memberships: dict[str, list[PartnerRow]],
    gone: dict[str, list[Piece]],
    source: Source,
    now: datetime,
    outcome: Outcome,
) -> None:
    known = set((await session.scalars(select(Network.code))).all())
    fresh = [{"code": code, "changed_at": now, "version": 1} for code in networks if code not in known]
    if fresh:
        await session.execute(insert(Network), fresh)
    values = ("name", "commissioner")
    held = await held_pieces(session, NetworkEntry, "network", values, list(networks))
    read: dict[Key, list[Piece]] = {
        (row.code,): from_day_on(held.get(row.code, []), source.published_on, row.span, (row.name, row.commissioner))
        for row in networks.values()
    }
    entries = await reconcile(
        session,
        NetworkEntry,
        key=("network",),
        values=values,
        desired=await with_heirs(session, read, held, values.index("commissioner")),
        published=source.published,
        now=now,
    )
    members = await reconcile(
        session,
        Membership,
        key=("practice",),
        values=("network", "portion"),
        desired={
            **{(practice,): pieces for practice, pieces in gone.items()},
            **{
                (practice,): [Piece(row.span, (row.network, WHOLE_LIST)) for row in rows]
                for practice, rows in memberships.items()
            },
        },
        published=source.published,
        now=now,
    )
    begun = {(k[0], piece) for k, pieces in members.begun.items() if k[0] in memberships for piece in pieces}
    outcome.loaded = len(entries.changed) + len(begun)
    outcome.unchanged = len(networks) + sum(len(rows) for rows in memberships.values()) - outcome.loaded
    outcome.changes["networks entered"] = len(fresh)
    outcome.changes["network entries changed"] = len(entries.changed) - len(fresh)
    await tell_changes(session, networks, {row["code"] for row in fresh}, entries, members, source, outcome)
