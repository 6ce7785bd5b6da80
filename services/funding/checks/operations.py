"""Receiving payment files and comparing them with what was due."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Iterable
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic_core import to_json
from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.accounts.model import AppointedPayee
from services.funding.checks.comparing import Comparison, compare
from services.funding.checks.files import MOST_REFUSED, FileKind, PaymentFile, RefusedRow, read_file
from services.funding.checks.model import (
    Check,
    CheckLine,
    CheckNotFound,
    CheckRow,
    CheckStatus,
    ComparisonNotFound,
    FileCheckedBefore,
    NothingOfYours,
    PublicationNotYours,
)
from services.funding.checks.queries import Facts, facts_of
from services.funding.networks.model import Network, Practice
from services.funding.scope import network_codes_seen, networks_seen, practices_seen
from shared.audit import audit
from shared.database import copy_rows, new_id
from shared.facts import currently_known
from shared.history import as_known
from shared.http import require_match
from shared.identity import Caller, Role
from shared.years import months_of

COLUMNS = (
    *("id", "check", "comparison", "payment", "practice", "network", "commissioner"),
    *("paid", "due", "difference", "evidence", "months", "said"),
)
ROW_COLUMNS = ("check", "line", "practice", "network", "commissioner", "registered", "weighted", "closed_on", "paid")


async def receive_file(
    session: AsyncSession,
    name: str,
    data: bytes,
    *,
    contract_year: str,
    through: str | None,
    caller: Caller,
    now: datetime,
) -> Check:
    """Take in a payment file and compare it with what was due.

    Raises `PaymentFileRefused` where it cannot be read, `NothingOfYours` and `PublicationNotYours` where it is about
    others, `FileCheckedBefore` for the same file once more.
    """
    read = await asyncio.to_thread(read_file, name, data)
    if read.kind is FileKind.PUBLISHED and not caller.everywhere:
        raise PublicationNotYours("A publication about all practices is received from national users.")
    if not caller.everywhere:
        await _only_own(session, read, caller)
    owner = "" if read.kind is FileKind.PUBLISHED else ",".join(sorted(caller.organisations))
    through = through or months_of(contract_year)[-1]
    sha256 = hashlib.sha256(data).hexdigest()
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{owner} {sha256}", 0))))
    before = await session.scalar(
        select(Check.id).where(
            Check.owner == owner,
            Check.sha256 == sha256,
            Check.contract_year == contract_year,
            Check.through == through,
        )
    )
    if before is not None:
        raise FileCheckedBefore(f"This file was received as {before}.")
    check = Check(
        id=new_id("chk"),
        contract_year=contract_year,
        through=through,
        kind=read.kind,
        owner=owner,
        organisations=[] if read.kind is FileKind.PUBLISHED else sorted(caller.organisations),
        file_name=name[:200],
        sha256=sha256,
        rows=len(read.rows),
        refused=[asdict(row) for row in read.refused[:MOST_REFUSED]],
        refused_rows=len(read.refused),
        status=CheckStatus.RECEIVED,
        received_by=caller.subject,
        received_at=now,
        comparison=0,
        habits={},
        rests_on=[],
        version=1,
    )
    session.add(check)
    await session.flush()
    await copy_rows(session, CheckRow.__table__, ROW_COLUMNS, _row_values(check, read))  # type: ignore[arg-type]
    audit(session, action="received", record=f"checks/{check.id}/rows", after={"rows": check.rows})
    await _compare(session, check, by=caller.subject, now=now)
    return check


def _row_values(check: Check, read: PaymentFile) -> Iterable[tuple[Any, ...]]:
    for row in read.rows:
        paid = to_json({key: str(amount) for key, amount in row.paid.items()}).decode()
        yield (
            *(check.id, row.line, row.practice, row.network, row.commissioner),
            *(row.registered, row.weighted, row.closed_on, paid),
        )


async def _only_own(session: AsyncSession, read: PaymentFile, caller: Caller) -> None:
    """Refuse the rows of a payee's file that are about organisations the caller may not see."""
    networks = set((await session.scalars(select(Network.code).where(networks_seen(caller)))).all())
    if caller.has(Role.PAYEE):
        theirs = select(AppointedPayee.network).where(
            AppointedPayee.payee.in_(sorted(caller.organisations)), currently_known(AppointedPayee)
        )
        networks.update((await session.scalars(theirs)).all())
    practices = set(
        (
            await session.scalars(
                select(Practice.code).where(practices_seen(caller, Practice.code, Practice.commissioner))
            )
        ).all()
    )
    own = [row for row in read.rows if row.network in networks or (row.network is None and row.practice in practices)]
    strange = {row.line for row in read.rows} - {row.line for row in own}
    read.rows = own
    read.refused += [
        RefusedRow(line, "network", "not_yours", "The row is about an organisation that is not yours.")
        for line in sorted(strange)
    ]
    if not own:
        raise NothingOfYours("No row of the file is about an organisation of yours.")


async def compare_again(
    session: AsyncSession, check_id: str, if_match: str | None, *, caller: Caller, now: datetime
) -> Check:
    """Compare a file once more with what is known now; earlier comparisons stay readable. Raises `CheckNotFound`."""
    check = await check_seen(session, check_id, caller, lock=True)
    require_match(check, if_match)
    await _compare(session, check, by=caller.subject, now=now)
    return check


async def _compare(session: AsyncSession, check: Check, *, by: str, now: datetime) -> None:
    facts = await facts_of(session, check, now)
    rows = (await session.scalars(select(CheckRow).where(CheckRow.check == check.id).order_by(CheckRow.line))).all()
    # in a thread, so that the service goes on answering while it compares
    compared = await asyncio.to_thread(compare, check.kind, rows, facts)
    habits = {
        payment: {commissioner: asdict(habit) for commissioner, habit in found.items()}
        for payment, found in compared.habits.items()
    }
    number = check.compared(habits, _rests_on(facts), by=by, at=now)
    await session.flush()
    await copy_rows(session, CheckLine.__table__, COLUMNS, _line_values(check.id, number, compared))  # type: ignore[arg-type]
    audit(session, action="compared", record=f"checks/{check.id}/lines", after={"lines": len(compared.lines)})


def _rests_on(facts: Facts) -> list[str]:
    """The publications and lists of patients a comparison used."""
    files = [f"payment file of {year} ({check})" for year, check in sorted(facts.named.items())]
    lists = [
        f"{basis} lists of {day}, {len(heads)} practices"
        for day, bases in sorted(facts.populations.items())
        for basis, heads in sorted(bases.items())
        if heads
    ]
    return files + lists


def _line_values(check: str, number: int, compared: Comparison) -> Iterable[tuple[Any, ...]]:
    for count, line in enumerate(compared.lines, start=1):
        account, verdict = line.account, line.verdict
        yield (
            *(f"{check}-{number}-{count:06d}", check, number, line.payment),
            *(account.practice, account.network, account.commissioner),
            *(account.paid, verdict.due, verdict.difference.value, verdict.evidence.value, verdict.months),
            to_json(list(verdict.said)).decode(),
        )


def checks_seen(caller: Caller, check: Any = Check) -> ColumnElement[bool]:
    """True of the checks a caller may see: publications, and files of its own organisations."""
    if caller.everywhere:
        return true()
    return or_(check.kind == FileKind.PUBLISHED, check.organisations.overlap(sorted(caller.organisations)))


def lines_seen(check: Check, caller: Caller) -> ColumnElement[bool]:
    """True of the lines of a check a caller may see: all of its own file, of a publication those about its own."""
    if caller.everywhere or check.kind is FileKind.PAYEE:
        return true()
    return or_(
        practices_seen(caller, CheckLine.practice, CheckLine.commissioner),
        CheckLine.network.in_(network_codes_seen(caller)) & CheckLine.practice.is_(None),
    )


async def check_seen(
    session: AsyncSession, check_id: str, caller: Caller, *, lock: bool = False, known_at: datetime | None = None
) -> Check:
    """A check the caller may see, now or as it stood then. Raises `CheckNotFound`."""
    stood = as_known(Check, known_at)
    statement = select(stood).where(stood.id == check_id, checks_seen(caller, stood))
    check = await session.scalar(statement.with_for_update() if lock else statement)
    if check is None:
        raise CheckNotFound(f"No check {check_id}.")
    return check


def comparison_asked(check: Check, comparison: int | None) -> int:
    """The comparison asked for, or the newest. Raises `ComparisonNotFound`."""
    if comparison is not None and comparison > check.comparison:
        raise ComparisonNotFound(f"{check.id} has been compared {check.comparison} times.")
    return comparison or check.comparison


async def totals_of(session: AsyncSession, check: Check, comparison: int, caller: Caller) -> Collection[Any]:
    """Lines and money of a comparison by payment, class and evidence, of what the caller may see."""
    due = func.coalesce(func.sum(CheckLine.due), Decimal("0.00"))
    return (
        await session.execute(
            select(
                CheckLine.payment,
                CheckLine.difference,
                CheckLine.evidence,
                func.count().label("lines"),
                func.count().filter(CheckLine.paid != 0).label("with_payment"),
                func.sum(CheckLine.paid).label("paid"),
                due.label("due"),
                func.coalesce(func.sum(CheckLine.paid).filter(CheckLine.due.is_not(None)), 0).label("paid_where_due"),
            )
            .where(CheckLine.check == check.id, CheckLine.comparison == comparison, lines_seen(check, caller))
            .group_by(CheckLine.payment, CheckLine.difference, CheckLine.evidence)
            .order_by(CheckLine.payment, CheckLine.difference, CheckLine.evidence)
        )
    ).all()
