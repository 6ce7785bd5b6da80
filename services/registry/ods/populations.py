"""List sizes: adjusted populations, practice totals, and what the payments file says of registered and weighted."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Text, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.list_sizes.model import Basis, Confidence, ListSize
from services.registry.networks.model import Membership
from services.registry.ods.list_lines import (
    Line,
    enter_unknown,
    extracted_on,
    keep,
    named_network,
    snapshot_of,
    store,
)
from services.registry.ods.readers import (
    BadCell,
    Outcome,
    Source,
    find_table,
    head_count,
    open_sheets,
    organisation,
    refused,
    text,
    whole_number,
)
from services.registry.ods.reconcile import from_day, held_pieces, reconcile
from services.registry.practices.model import PracticeContract, PracticeEntry
from shared.facts import as_at, currently_known

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


AVERAGES = {
    "practice": ("Practice Code",),
    "name": ("Practice Name",),
    "commissioner": ("CCG Code",),
    "network": ("PCN Code",),
    "registered": ("Number of Registered Patients (Last Known Figure)",),
    "weighted": ("Number of Weighted Patients (Last Known Figure)",),
}
TOTALS = {
    "day": ("EXTRACT_DATE",),
    "practice": ("CODE",),
    "commissioner": ("CCG_CODE", "SUB_ICB_LOCATION_CODE"),
    "sex": ("SEX",),
    "age": ("AGE",),
    "registered": ("NUMBER_OF_PATIENTS",),
}


async def load_adjusted_populations(session: AsyncSession, source: Source, now: datetime) -> Outcome:
    """Registered and adjusted populations per practice, as the cells have them, with the network the sheet names."""
    table = find_table(open_sheets(source.upload), ADJUSTED)
    if table is None:
        raise refused("not_adjusted_populations", "No practice sheet with raw list and adjusted population was found.")
    snapshot = snapshot_of(source)
    outcome, lines = Outcome(), dict[str, Line]()
    for number, cell in table.records():
        try:
            code = organisation(cell("practice"), "practice")
            line = Line(
                code,
                text(cell("name"), "name"),
                organisation(cell("commissioner"), "commissioner"),
                named_network(cell("network"), "network"),
                (
                    (Basis.REGISTERED, whole_number(cell("registered"), "registered")),
                    (Basis.ADJUSTED, head_count(cell("adjusted"), "adjusted")),
                ),
            )
            keep(lines, line)
        except BadCell as error:
            outcome.refuse(table.sheet, number, error)
        outcome.rows += 1
    await source.was_read(outcome.rows)
    await enter_unknown(session, lines, source, snapshot, now, outcome)
    words = f"PCN adjusted populations, lists of {snapshot}"
    await store(session, lines, source, snapshot, now, outcome, words, Confidence.ONE_SOURCE)
    await _compare(session, lines, snapshot, outcome)
    return outcome


async def load_practice_totals(session: AsyncSession, source: Source, now: datetime) -> Outcome:
    """Registered patients per practice on the day the publication bears; it names no network."""
    table = find_table(open_sheets(source.upload), TOTALS)
    if table is None:
        raise refused("not_practice_totals", "No table with practice, commissioner and number of patients was found.")
    outcome, lines, days = Outcome(), dict[str, Line](), dict[str, int]()
    for number, cell in table.records():
        outcome.rows += 1
        try:
            if (cell("sex"), cell("age")) != ("ALL", "ALL"):
                raise BadCell("sex", "not_a_total", "The row is a part of a practice's list.")
            code = organisation(cell("practice"), "practice")
            commissioner = organisation(cell("commissioner"), "commissioner")
            count = whole_number(cell("registered"), "registered")
            keep(lines, Line(code, code, commissioner, None, ((Basis.REGISTERED, count),)))
            days.setdefault(str(cell("day")), number)
        except BadCell as error:
            outcome.refuse(table.sheet, number, error)
    snapshot = extracted_on(days, source)
    await source.was_read(outcome.rows)
    await enter_unknown(session, lines, source, snapshot, now, outcome)
    words = f"Patients registered at a GP practice, totals of {snapshot}"
    await store(session, lines, source, snapshot, now, outcome, words, Confidence.ONE_SOURCE)
    return outcome


async def load_average_lists(session: AsyncSession, source: Source, now: datetime) -> Outcome:
    """A year's average registered and weighted lists of the payments file, for a day of which no list is published."""
    table = find_table(open_sheets(source.upload), AVERAGES)
    if table is None:
        raise refused("not_practice_payments", "No table with practice, registered and weighted patients was found.")
    snapshot = snapshot_of(source)
    outcome, lines = Outcome(), dict[str, Line]()
    for number, cell in table.records():
        outcome.rows += 1
        try:
            line = Line(
                organisation(cell("practice"), "practice"),
                text(cell("name"), "name"),
                organisation(cell("commissioner"), "commissioner"),
                named_network(cell("network"), "network"),
                (
                    (Basis.REGISTERED, head_count(cell("registered"), "registered")),
                    (Basis.WEIGHTED, head_count(cell("weighted"), "weighted")),
                ),
            )
            keep(lines, line)
        except BadCell as error:
            outcome.refuse(table.sheet, number, error)
    await source.was_read(outcome.rows)
    await enter_unknown(session, lines, source, snapshot, now, outcome)
    words = f"Average patients of practice payments, a stand-in for the unpublished lists of {snapshot}"
    await store(session, lines, source, snapshot, now, outcome, words, Confidence.DERIVED)
    return outcome


async def load_weighted_lists(session: AsyncSession, source: Source, now: datetime) -> Outcome:
    """The weighted list of each practice, standing in for the unpublished one of the snapshot day, and its contract."""
    table = find_table(open_sheets(source.upload), PAYMENTS)
    if table is None:
        raise refused("not_practice_payments", "No table with practice, contract and weighted patients was found.")
    snapshot = snapshot_of(source)
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
            keep(lines, line)
            if cell("contract").upper() != "UNKNOWN":
                contracts[line.practice] = cell("contract").upper()
        except BadCell as error:
            outcome.refuse(table.sheet, number, error)
    await source.was_read(outcome.rows)
    lines = await _with_a_list(session, lines, snapshot, outcome)
    words = f"Weighted patients of practice payments, a stand-in for the unpublished weighted list of {snapshot}"
    await store(session, lines, source, snapshot, now, outcome, words, Confidence.DERIVED)
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
    first = snapshot_of(source)
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
