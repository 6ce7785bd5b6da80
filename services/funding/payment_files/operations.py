"""Making payment files, and taking in what the bank says became of them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.bank_details.keys import KeyRing
from services.funding.bank_details.operations import details_on
from services.funding.bank_holidays.operations import working_days
from services.funding.instructions.model import BACS_MOST, InstructionState, PaymentInstruction, RunNotIssued
from services.funding.instructions.operations import NO_DETAILS
from services.funding.payment_files.bacs import Credit, Originator, as_csv, standard18
from services.funding.payment_files.model import Layout, NoProcessingDay, NothingToSend, PaymentFile
from services.funding.payments.model import PaymentRun, RunStatus
from shared.audit import audit
from shared.clock import london_day
from shared.database import new_id
from shared.errors import NotFound


class FileNotFound(NotFound):
    """No such payment file."""


async def make_file(
    session: AsyncSession,
    run: PaymentRun,
    originator: Originator,
    processing: date | None,
    *,
    keys: KeyRing,
    by: str,
    now: datetime,
) -> PaymentFile:
    """Put every instruction of an issued run (locked) that can leave and has not into a file; the rest is held.

    An instruction is in one file for ever, so that no file repeats a payment.
    Raises `RunNotIssued`, `NothingToSend` and `NoProcessingDay`.
    """
    if run.status is not RunStatus.ISSUED:
        raise RunNotIssued(f"The run is {run.status.value}.")
    today, calendar = london_day(now), await working_days(session)
    earliest = calendar.after(today, 1)
    day = processing or earliest
    if day < earliest or not calendar.works(day):
        raise NoProcessingDay(f"{day} is not a working day from {earliest} on.")
    waiting = (
        await session.scalars(
            select(PaymentInstruction)
            .where(
                PaymentInstruction.run == run.id,
                PaymentInstruction.state.in_([InstructionState.DUE, InstructionState.HELD]),
            )
            .order_by(PaymentInstruction.number)
            .with_for_update()
        )
    ).all()
    accounts = await details_on(session, [one.payee for one in waiting], day)
    file_id = new_id("pay")
    credits: list[Credit] = []
    leaving: list[tuple[PaymentInstruction, str]] = []
    for instruction in waiting:
        details = accounts.get(instruction.payee)
        if details is None:
            instruction.hold(*NO_DETAILS)
        elif instruction.amount > BACS_MOST:
            instruction.hold("above-bacs-limit", f"A Bacs credit carries £{BACS_MOST:,.2f} at the most.")
        else:
            account = details.account(keys)
            leaving.append((instruction, details.id))
            credits.append(
                Credit(
                    instruction=instruction.id,
                    payee=instruction.payee,
                    name=account.name,
                    sort_code=account.sort_code,
                    account_number=account.number,
                    roll_number=account.roll_number,
                    amount=instruction.amount,
                    reference=instruction.reference,
                )
            )
    if not credits:
        raise NothingToSend("No instruction of the run can leave that has not left.")
    made_before = await session.scalar(select(func.count()).select_from(PaymentFile)) or 0
    of_run = await session.scalar(select(func.count()).where(PaymentFile.run == run.id)) or 0
    bacs = standard18(originator, credits, serial=made_before + 1, made=today, processing=day)
    sheet = as_csv(credits, day)
    file = PaymentFile(
        id=file_id,
        run=run.id,
        number=of_run + 1,
        processing_day=day,
        instructions=len(credits),
        total=sum((credit.amount for credit in credits), Decimal("0.00")),
        sealed_bacs=keys.seal(bacs),
        sealed_csv=keys.seal(sheet),
        sealed_with=keys.newest,
        made_by=by,
        made_at=now,
    )
    session.add(file)
    await session.flush()
    for instruction, details_id in leaving:
        instruction.send(file.id, details_id)
    await session.flush()
    return file


async def file_seen(session: AsyncSession, file_id: str) -> PaymentFile:
    """A payment file. Raises `FileNotFound`."""
    file = await session.get(PaymentFile, file_id)
    if file is None:
        raise FileNotFound(f"No payment file {file_id}.")
    return file


async def content_of(
    session: AsyncSession, file_id: str, layout: Layout, *, keys: KeyRing
) -> tuple[PaymentFile, bytes]:
    """The bytes of a file, the same every time; that somebody took them is written down."""
    file = await file_seen(session, file_id)
    content = file.content(layout, keys)
    audit(session, action="downloaded", record=f"payment_files/{file.id}", after={"layout": layout.value})
    return file, content


async def reseal_files(session: AsyncSession, keys: KeyRing) -> int:
    """Put the content of files sealed with an older key under the newest; gives how many."""
    older = (
        await session.scalars(
            select(PaymentFile).where(PaymentFile.sealed_with != keys.newest).order_by(PaymentFile.id).with_for_update()
        )
    ).all()
    for file in older:
        file.reseal(keys)
    if older:
        audit(session, action="resealed", record="payment_files", after={"files": len(older), "key": keys.newest})
    await session.flush()
    return len(older)
