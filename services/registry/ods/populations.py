"""List sizes: registered and adjusted from the adjusted-populations workbook, weighted from the payments file."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Text, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.list_sizes.model import Basis, Confidence, ListSize
from services.registry.networks.model import Membership
from services.registry.ods.practice_events import PracticeRow, tell_practices
from services.registry.ods.practices import register_practices
from services.registry.ods.readers import (
    BadCell,
    Outcome,
    Source,
    find_table,
    head_count,
    network,
    open_sheets,
    organisation,
    refused,
    text,
)
from services.registry.ods.reconcile import Key, Piece, from_day, held_pieces, reconcile
from services.registry.practices.model import Practice, PracticeContract, PracticeEntry, PracticeStatus
from shared.events.registry import ListSize as PublishedSize
from shared.events.registry import ListSizesPublished
from shared.facts import as_at, currently_known

SIZES_IN_AN_EVENT = 200
VALUES = ("value", "commissioner", "network", "source", "confidence")
ADJUSTED = {
    "member": ("PCN member 1 Jan 22", "PCN member"),
    "practice": ("Practice Code",),
    "name": ("Practice Name",),
    "network": ("PCN Code Jan 22", "PCN Code"),
    "commissioner": ("Practice Parent Jan 22 CCG Code", "Practice Parent CCG Code"),
    "registered": ("Raw list size from PCSE 1 Jan 22", "Raw list size"),
    "adjusted": ("PCN adjusted population I January 22", "PCN adjusted population"),
}
PAYMENTS = {
    "practice": ("Practice Code",),
    "name": ("Practice Name",),
    "commissioner": ("CCG Code",),
    "contract": ("Contract Type",),
    "weighted": ("Number of Weighted Patients (Last Known Figure)",),
}
NO_NETWORK = {"", "U", "UNALLOCATED", "UNKNOWN OR NO PCN", "UNKNOWN"}


@dataclass(frozen=True, slots=True)
class Line:
    """One practice of a population file: name, commissioner, the network it names, a head count a basis."""

    practice: str
    name: str
    commissioner: str
    network: str | None
    counts: tuple[tuple[Basis, Decimal], ...]


def _snapshot(source: Source) -> date:
    if source.snapshot is None:
        raise refused("snapshot_missing", "Say in `snapshot` which day the lists are of.")
    return source.snapshot


async def load_adjusted_populations(session: AsyncSession, source: Source, now: datetime) -> Outcome:
    """Registered and adjusted populations per practice, as the cells have them, with the network the sheet names."""
    table = find_table(open_sheets(source.upload), ADJUSTED)
    if table is None:
        raise refused("not_adjusted_populations", "No practice sheet with raw list and adjusted population was found.")
    snapshot = _snapshot(source)
    outcome, lines = Outcome(), dict[str, Line]()
    for number, cell in table.records():
        try:
            code = organisation(cell("practice"), "practice")
            named = str(cell("network")).strip()
            lines_named = None if named.upper() in NO_NETWORK else network(named, "network")
            line = Line(
                code,
                text(cell("name"), "name"),
                organisation(cell("commissioner"), "commissioner"),
                lines_named,
                (
                    (Basis.REGISTERED, head_count(cell("registered"), "registered")),
                    (Basis.ADJUSTED, head_count(cell("adjusted"), "adjusted")),
                ),
            )
            if line.counts[0][1] != line.counts[0][1].to_integral_value():
                raise BadCell("registered", "not_whole", f"{line.counts[0][1]} is not a whole number of patients.")
            _keep(lines, line)
        except BadCell as error:
            outcome.refuse(table.sheet, number, error)
        outcome.rows += 1
    await _enter_unknown(session, lines, source, snapshot, now, outcome)
    words = f"PCN adjusted populations, lists of {snapshot}"
    await _store(session, lines, source, snapshot, now, outcome, words, Confidence.ONE_SOURCE)
    await _compare(session, lines, snapshot, outcome)
    return outcome


async def load_weighted_lists(session: AsyncSession, source: Source, now: datetime) -> Outcome:
    """The weighted list of each practice, standing in for the unpublished one of the snapshot day, and its contract."""
    table = find_table(open_sheets(source.upload), PAYMENTS)
    if table is None:
        raise refused("not_practice_payments", "No table with practice, contract and weighted patients was found.")
    snapshot = _snapshot(source)
    outcome, lines, contracts = Outcome(), dict[str, Line](), dict[str, str]()
    for number, cell in table.records():
        outcome.rows += 1
        try:
            weighted = head_count(cell("weighted"), "weighted")
            line = Line(
                organisation(cell("practice"), "practice"),
                text(cell("name"), "name"),
                organisation(cell("commissioner"), "commissioner"),
                None,
                ((Basis.WEIGHTED, weighted),),
            )
            _keep(lines, line)
            if cell("contract").upper() != "UNKNOWN":
                contracts[line.practice] = cell("contract").upper()
        except BadCell as error:
            outcome.refuse(table.sheet, number, error)
    lines = await _with_a_list(session, lines, snapshot, outcome)
    words = f"Weighted patients of practice payments, a stand-in for the unpublished weighted list of {snapshot}"
    await _store(session, lines, source, snapshot, now, outcome, words, Confidence.DERIVED)
    outcome.changes["contracts noted"] = await _note_contracts(session, contracts, source, now)
    return outcome


async def _with_a_list(
    session: AsyncSession, lines: dict[str, Line], snapshot: date, outcome: Outcome
) -> dict[str, Line]:
    """Without registered patients on the snapshot day there is no list for a figure of the year to stand in for."""
    listed = set(
        (
            await session.scalars(
                select(ListSize.practice).where(
                    as_at(ListSize, snapshot), ListSize.basis == Basis.REGISTERED, ListSize.value > 0
                )
            )
        ).all()
    )
    if not listed:
        raise refused(
            "no_lists_yet", f"Publish the registered lists of {snapshot} first; these figures stand beside them."
        )
    kept = {code: line for code, line in lines.items() if code in listed}
    outcome.changes["left out, no list on the snapshot day"] = len(lines) - len(kept)
    return kept


def _keep(lines: dict[str, Line], line: Line) -> None:
    if line.practice in lines:
        raise BadCell("practice", "repeated", f"{line.practice} stands further up.")
    lines[line.practice] = line


async def _enter_unknown(
    session: AsyncSession, lines: dict[str, Line], source: Source, snapshot: date, now: datetime, outcome: Outcome
) -> None:
    """A place with registered patients that the practice file did not bring is entered from this sheet."""
    known = set(
        (
            await session.scalars(select(Practice.code).where(Practice.code == any_(literal(list(lines), ARRAY(Text)))))
        ).all()
    )
    rows = [
        PracticeRow(code, line.name, PracticeStatus.ACTIVE, line.commissioner, (snapshot, None), (snapshot, None), None)
        for code, line in lines.items()
        if code not in known
    ]
    if rows:
        await register_practices(session, rows, source, now)
        outcome.changes["practices entered from this file"] = len(rows)
        outcome.events.extend(tell_practices(rows, source.published_on))


async def _store(
    session: AsyncSession,
    lines: dict[str, Line],
    source: Source,
    snapshot: date,
    now: datetime,
    outcome: Outcome,
    words: str,
    confidence: Confidence,
) -> None:
    if not lines:
        raise refused("no_rows", "The file holds no list size that can be read.")
    span = (snapshot, snapshot + timedelta(days=1))
    desired: dict[Key, list[Piece]] = {
        (practice, basis.value): [Piece(span, (count, line.commissioner, line.network, words, confidence))]
        for practice, line in lines.items()
        for basis, count in line.counts
    }
    done = await reconcile(
        session,
        ListSize,
        key=("practice", "basis"),
        values=VALUES,
        desired=desired,
        published=source.published,
        now=now,
        within=[ListSize.valid.contains(snapshot)],
    )
    changed = {practice for practice, _ in done.changed}
    outcome.loaded, outcome.unchanged = len(changed), len(lines) - len(changed)
    outcome.changes["list sizes"] = len(done.changed)
    grouped: dict[tuple[str, Basis], list[PublishedSize]] = defaultdict(list)
    for practice, basis in sorted(done.changed):
        line = lines[practice]
        count = dict(line.counts)[Basis(basis)]
        grouped[line.commissioner, Basis(basis)].append(
            PublishedSize(practice=practice, network=line.network, value=count)
        )
    outcome.events.extend(
        ListSizesPublished(
            commissioner=commissioner,
            basis=basis.value,
            snapshot=snapshot,
            known_from=source.published_on,
            source=words,
            confidence=confidence.value,
            sizes=sizes[at : at + SIZES_IN_AN_EVENT],
        )
        for (commissioner, basis), sizes in sorted(grouped.items())
        for at in range(0, len(sizes), SIZES_IN_AN_EVENT)
    )


async def _compare(session: AsyncSession, lines: dict[str, Line], snapshot: date, outcome: Outcome) -> None:
    """List where sheet and register name different networks on the day; the register stands."""
    statement = select(Membership.practice, Membership.network).where(as_at(Membership, snapshot))
    members = dict((await session.execute(statement)).all())
    for code, line in sorted(lines.items()):
        if members.get(code) != line.network:
            outcome.differences.append(
                {"practice": code, "name": line.name, "sheet": line.network, "register": members.get(code)}
            )
    outcome.changes["memberships that differ from the register"] = len(outcome.differences)


async def _note_contracts(session: AsyncSession, contracts: dict[str, str], source: Source, now: datetime) -> int:
    """The contracts the file names, from its snapshot day on; the first to name one speaks for the time before too."""
    first = _snapshot(source)
    opened = dict(
        (
            await session.execute(
                select(PracticeEntry.practice, func.min(func.lower(PracticeEntry.valid)))
                .where(
                    currently_known(PracticeEntry),
                    PracticeEntry.practice == any_(literal(list(contracts), ARRAY(Text))),
                )
                .group_by(PracticeEntry.practice)
            )
        ).all()
    )
    held = await held_pieces(session, PracticeContract, "practice", ("contract",), list(opened))
    done = await reconcile(
        session,
        PracticeContract,
        key=("practice",),
        values=("contract",),
        desired={
            (code,): from_day(held.get(code, []), first, (min(day, first), None), (contracts[code],))
            for code, day in opened.items()
        },
        published=source.published,
        now=now,
    )
    return len(done.changed)
