"""Payments in Bacs Standard 18, as a multi-day submission (records of 106 characters), and as CSV.

Labels VOL1, HDR1, HDR2 and UHL1, one credit (transaction code 99) a payment, one contra (17) that takes the sum from
the originator's account, labels EOF1, EOF2 and UTL1. Amounts are pence, right-justified with zeros; text is upper case
out of a small set of characters; a line ends with CR LF.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

_OUTSIDE = re.compile(r"[^A-Z0-9./& -]")
CREDIT, CONTRA = "99", "17"
CSV_HEAD = (
    *("instruction", "payee", "account_name", "sort_code", "account_number", "roll_number", "amount"),
    *("reference", "processing_day"),
)


class Originator(NamedTuple):
    """Who pays: Bacs service user number, account and name."""

    user_number: str
    sort_code: str
    account_number: str
    name: str


@dataclass(frozen=True, slots=True)
class Credit:
    """One payment to one account; a building society's roll number takes the place of the reference."""

    instruction: str
    payee: str
    name: str
    sort_code: str
    account_number: str
    roll_number: str | None
    amount: Decimal
    reference: str


def text_field(value: str, length: int) -> str:
    """Text as Bacs takes it: letters without accents in upper case, what it does not know as blanks, cut or filled."""
    plain = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode().upper()
    return _OUTSIDE.sub(" ", plain)[:length].ljust(length)


def pence(amount: Decimal, length: int) -> str:
    """Pounds as pence, filled with zeros. Raises `ValueError` for what does not fit."""
    whole = amount * 100
    if whole != whole.to_integral_value() or whole < 0 or whole >= 10**length:
        raise ValueError(f"{amount} cannot be written in {length} digits of pence")
    return f"{int(whole):0{length}d}"


def julian(day: date) -> str:
    """A day as Bacs writes it: a blank, two digits of the year, three of the day in it."""
    return f" {day:%y%j}"


def standard18(
    originator: Originator, credits: Sequence[Credit], *, serial: int, made: date, processing: date
) -> bytes:
    """The file as it is sent; the same payments give the same bytes."""
    total = sum((credit.amount for credit in credits), Decimal(0))
    volume = f"{serial % 1_000_000:06d}"
    identifier = f"A{originator.user_number}S  1{originator.user_number}"
    first = f"{identifier}{volume}00010001{'':6}{julian(made)}{julian(processing)} 000000{'':20}"
    second = f"F0200000106{'':35}00{'':28}"
    records = [
        f"VOL1{volume}{'':27}{'':4}{originator.user_number}{'':4}{'':28}1",
        f"HDR1{first}",
        f"HDR2{second}",
        f"UHL1{julian(processing)}999999{'':4}000000004 MULTI  001{'':7}{'':7}{'':26}",
    ]
    day = julian(processing)
    for credit in credits:
        reference = text_field(credit.roll_number or credit.reference, 18)
        records.append(
            f"{credit.sort_code}{credit.account_number}0{CREDIT}{originator.sort_code}{originator.account_number}"
            f"{'':4}{pence(credit.amount, 11)}{text_field(originator.name, 18)}{reference}"
            f"{text_field(credit.name, 18)}{day}"
        )
    records.append(
        f"{originator.sort_code}{originator.account_number}0{CONTRA}{originator.sort_code}{originator.account_number}"
        f"{'':4}{pence(total, 11)}{text_field(originator.name, 18)}{text_field('CONTRA', 18)}"
        f"{text_field(originator.name, 18)}{day}"
    )
    records += [
        f"EOF1{first}",
        f"EOF2{second}",
        f"UTL1{pence(total, 13)}{pence(total, 13)}{1:07d}{len(credits):07d}{'':36}",
    ]
    return "".join(f"{record}\r\n" for record in records).encode("ascii")


def as_csv(credits: Sequence[Credit], processing: date) -> bytes:
    """The same payments as CSV; the last row has their number and sum."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(CSV_HEAD)
    for credit in credits:
        row = (credit.instruction, credit.payee, credit.name, credit.sort_code, credit.account_number)
        writer.writerow((*row, credit.roll_number or "", f"{credit.amount:.2f}", credit.reference, processing))
    total = sum((credit.amount for credit in credits), Decimal(0))
    writer.writerow(("TOTAL", len(credits), "", "", "", "", f"{total:.2f}", "", ""))
    return out.getvalue().encode()
