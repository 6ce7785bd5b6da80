"""What a signed network agreement says about dividing the money: a suggestion for a rule, never a rule by itself."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.funding.distributions.model import AgreedTerms
from services.funding.distributions.sharing import HUNDRED, Method
from services.funding.money import plain
from shared.events.registry import AgreementEnded, AgreementSigned, FinanceTerms
from shared.history import as_known


def method_of(terms: FinanceTerms) -> tuple[Method, dict[str, str]]:
    """The method and parts a rule would have: shares are per cent here, sums are pounds a month."""
    if terms.rule == "shares":
        return Method.CUSTOM, {share.practice: plain(share.share * HUNDRED) for share in terms.shares}
    if terms.rule == "fixed":
        return Method.FIXED, {part.practice: plain(part.amount) for part in terms.sums}
    return Method(terms.rule), {}


async def note_agreement(session: AsyncSession, event: AgreementSigned, position: int) -> None:
    """A version of a network's agreement was signed, with or without a finance schedule."""
    method, parts = (None, {}) if event.finance is None else method_of(event.finance)
    values = {
        "in_force_from": event.in_force_from,
        "method": method.value if method else None,
        "parts": parts,
        "points_weighted": event.finance.points_weighted if event.finance else False,
        "costs_first": event.finance.costs_first if event.finance else True,
        "position": position,
    }
    key = {"network": event.network, "agreement_version": event.agreement_version}
    await session.execute(
        insert(AgreedTerms)
        .values(**key, **values, last_day=None, ended_position=0)
        .on_conflict_do_update(
            index_elements=["network", "agreement_version"], set_=values, where=AgreedTerms.position < position
        )
    )


async def note_agreement_ended(session: AsyncSession, event: AgreementEnded, position: int) -> None:
    """A version of a network's agreement is not in force after a day."""
    key = {"network": event.network, "agreement_version": event.agreement_version}
    values = {"last_day": event.last_day, "ended_position": position}
    nothing: dict[str, Any] = {
        "in_force_from": None,
        "method": None,
        "parts": {},
        "points_weighted": False,
        "costs_first": True,
    }
    await session.execute(
        insert(AgreedTerms)
        .values(**key, **values, **nothing, position=0)
        .on_conflict_do_update(
            index_elements=["network", "agreement_version"], set_=values, where=AgreedTerms.ended_position < position
        )
    )


def _last(terms: type[AgreedTerms]) -> ColumnElement[date]:
    """As `ends_on` of a row says, and the end of time where there is none."""
    ended = case((terms.ended_position > terms.position, terms.last_day))
    return func.coalesce(ended, date.max)


def terms_on(day: date, known_at: datetime | None) -> tuple[type[AgreedTerms], Select[AgreedTerms]]:
    """The finance schedule of each network's agreement of a day, and how to ask more of it.

    A version that a higher one took the place of is not the agreement again when that one ends.
    """
    terms = as_known(AgreedTerms, known_at)
    higher = aliased(AgreedTerms) if known_at is None else as_known(AgreedTerms, known_at)
    replaced = exists().where(
        higher.network == terms.network,
        higher.agreement_version > terms.agreement_version,
        higher.in_force_from <= day,
        _last(higher) >= higher.in_force_from,
        _last(higher) >= terms.in_force_from,
    )
    of_day = select(terms).where(terms.method.is_not(None), terms.in_force_from <= day, _last(terms) >= day, ~replaced)
    return terms, of_day
