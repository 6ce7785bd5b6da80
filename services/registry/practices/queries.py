from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Text, any_, func, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.registry.networks.model import Membership
from services.registry.practices.model import (
    Practice,
    PracticeCommissioner,
    PracticeContract,
    PracticeDispersal,
    PracticeEntry,
    PracticeStatus,
    PracticeSuccession,
)
from shared.errors import NotFound
from shared.facts import ONE_DAY, as_at, believed, currently_known, of_key

CODE = Practice.code

_WENT_OVER = text(
    """
    WITH RECURSIVE going AS (
        SELECT practice, successor FROM practice_successions WHERE valid @> CAST(:day AS date)
            AND CASE WHEN CAST(:known_at AS timestamptz) IS NULL THEN upper_inf(known)
                ELSE known @> CAST(:known_at AS timestamptz) END
    ),
    there AS (
        SELECT practice FROM practice_entries
        WHERE practice IN (SELECT practice FROM going UNION SELECT successor FROM going)
            AND valid @> CAST(:day AS date)
            AND CASE WHEN CAST(:known_at AS timestamptz) IS NULL THEN upper_inf(known)
                ELSE known @> CAST(:known_at AS timestamptz) END
    ),
    over (practice, heir) AS (
        SELECT practice, successor FROM going WHERE practice NOT IN (SELECT practice FROM there)
        UNION
        SELECT over.practice, going.successor FROM over JOIN going ON going.practice = over.heir
        WHERE over.heir NOT IN (SELECT practice FROM there)
    )
    SELECT practice, heir FROM over
    WHERE heir IN (SELECT practice FROM there) OR heir NOT IN (SELECT practice FROM going)
    """
)


class PracticeNotFound(NotFound):
    """No such practice on the register on that day."""


async def went_over(session: AsyncSession, day: date, known_at: datetime | None = None) -> dict[str, str]:
    """Practices that are no more on a day, each with the one it, or its successor in turn, went over into.

    That one is open, or has closed and went over into none.
    """
    given = {"day": day, "known_at": known_at}
    return {row.practice: row.heir for row in await session.execute(_WENT_OVER, given)}


async def commissioned_through_time(
    session: AsyncSession, codes: Sequence[str]
) -> dict[str, list[PracticeCommissioner]]:
    """Who commissioned each of these practices on which days, in order, as known now."""
    return await _through_time(session, PracticeCommissioner, codes)


async def successions_through_time(session: AsyncSession, codes: Sequence[str]) -> dict[str, list[PracticeSuccession]]:
    """Into whom each of these practices went over on which days, in order, as known now."""
    return await _through_time(session, PracticeSuccession, codes)


async def dispersals_through_time(session: AsyncSession, codes: Sequence[str]) -> dict[str, list[PracticeDispersal]]:
    """Since when the patients each of these practices was counted with are registered elsewhere, as known now."""
    return await _through_time(session, PracticeDispersal, codes)


async def _through_time(session: AsyncSession, model: type[Any], codes: Sequence[str]) -> dict[str, list[Any]]:
    statement = select(model).where(model.practice == any_(literal(list(codes), ARRAY(Text))), currently_known(model))
    found: dict[str, list[Any]] = defaultdict(list)
    for fact in await session.scalars(statement.order_by(func.lower(model.valid))):
        found[fact.practice].append(fact)
    return found


def _life(known_at: datetime | None) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """The first day of a practice and the day after its last, over all that is believed of it."""
    piece = aliased(PracticeEntry)
    belief = believed(piece, known_at)
    of_practice = (of_key(piece.practice, Practice.code), belief)
    opened = select(func.min(func.lower(piece.valid))).where(*of_practice).scalar_subquery()
    # max() passes over the null of an open piece, so whether one is open is asked first
    closed = (
        select(func.max(func.upper(piece.valid)))
        .where(*of_practice)
        .having(~func.bool_or(func.upper_inf(piece.valid)))
        .scalar_subquery()
    )
    return opened.label("opened_on"), closed.label("closed_after")


def _described(day: date, known_at: datetime | None) -> Select[Any]:
    networks = (
        select(func.array_agg(aggregate_order_by(Membership.network, Membership.network), type_=ARRAY(Text)))
        .where(of_key(Membership.practice, Practice.code), as_at(Membership, day, known_at))
        .scalar_subquery()
    )
    commissioner = (
        select(PracticeCommissioner.commissioner)
        .where(of_key(PracticeCommissioner.practice, Practice.code), as_at(PracticeCommissioner, day, known_at))
        .scalar_subquery()
    )
    contract = (
        select(PracticeContract.contract)
        .where(of_key(PracticeContract.practice, Practice.code), as_at(PracticeContract, day, known_at))
        .scalar_subquery()
    )
    return select(
        Practice.code,
        Practice.setting,
        contract.label("contract"),
        Practice.version,
        PracticeEntry.name,
        PracticeEntry.status,
        *_life(known_at),
        commissioner.label("commissioner"),
        networks.label("networks"),
    ).join(PracticeEntry, of_key(PracticeEntry.practice, Practice.code))


def practices_on(
    day: date, known_at: datetime | None, *, commissioner: str | None = None, network: str | None = None
) -> Select[Any]:
    """Practices open on a day as known at an instant, narrowed to a commissioner or a network."""
    found = _described(day, known_at).where(as_at(PracticeEntry, day, known_at))
    if commissioner is not None:
        of_commissioner = select(PracticeCommissioner.practice).where(
            as_at(PracticeCommissioner, day, known_at), PracticeCommissioner.commissioner == commissioner
        )
        found = found.where(Practice.code.in_(of_commissioner))
    if network is not None:
        members = select(Membership.practice).where(as_at(Membership, day, known_at), Membership.network == network)
        found = found.where(Practice.code.in_(members))
    return found


def shown(row: Row[Any], day: date) -> dict[str, Any]:
    """A practice as callers see it on a day: closed once its last day is past."""
    practice = dict(row._mapping)
    until = practice.pop("closed_after")
    closed = until is not None and until <= day
    return {
        **practice,
        "closed_on": None if until is None else until - ONE_DAY,
        "status": PracticeStatus.CLOSED if closed else practice["status"],
        "networks": practice["networks"] or [],
    }


async def read_practice(
    session: AsyncSession, code: str, day: date, known_at: datetime | None
) -> tuple[dict[str, Any], int]:
    """A practice on a day, or as it last was where it has closed, and its version."""
    belief = believed(PracticeEntry, known_at)
    begun = func.lower(PracticeEntry.valid) <= day
    statement = _described(day, known_at).where(Practice.code == code, belief, begun)
    row = (await session.execute(statement.order_by(func.lower(PracticeEntry.valid).desc()).limit(1))).first()
    if row is None:
        raise PracticeNotFound(f"No practice {code} on that day.")
    return shown(row, day), row.version
