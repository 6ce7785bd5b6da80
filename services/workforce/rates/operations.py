"""Keep the ceilings and sums funding announces, and find the one that holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.workforce.rates.model import NATIONAL, Budget, Ceiling
from services.workforce.variations.operations import Span, spans_of
from shared.events import funding
from shared.years import first_day, month_of, year_of_day

LAST_DAY = date(9999, 12, 31)
"""Stands for the last day of what has none."""

LOCAL_ROLE = "local_"
"""How the codes of roles begin that a local variation opens."""


async def note_tariff(session: AsyncSession, event: funding.TariffPublished, sequence: int) -> None:
    """Role ceilings are kept; other rates are no concern of workforce."""
    if event.kind != "role_maximum":
        return
    await _keep(
        session,
        {
            "tariff": event.tariff,
            "role": event.code,
            "zone": event.zone,
            "scope": event.scope,
            "value": event.value,
            "valid_from": event.valid_from,
            "valid_to": event.valid_to,
            "known_from": event.known_from or event.valid_from,
            "confidence": event.confidence,
            "sequence": sequence,
        },
    )


async def note_agreed_ceiling(session: AsyncSession, event: funding.RoleAgreed, sequence: int) -> None:
    """The ceiling of a role agreed with one network holds everywhere in it, from the day it was agreed."""
    await _keep(
        session,
        {
            "tariff": f"{event.role}.{event.valid_from}.{event.agreed_on}",
            "role": event.role,
            "zone": "national",
            "scope": NATIONAL,
            "value": event.ceiling,
            "valid_from": event.valid_from,
            "valid_to": event.valid_to or LAST_DAY,
            "known_from": event.agreed_on,
            "confidence": "agreed",
            "sequence": sequence,
        },
    )


async def _keep(session: AsyncSession, values: dict[str, Any]) -> None:
    statement = insert(Ceiling).values(**values)
    new = statement.excluded
    names = ("role", "zone", "scope", "value", "valid_from", "valid_to", "known_from", "confidence", "sequence")
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["tariff"], set_={c: new[c] for c in names}, where=Ceiling.sequence < new.sequence
        )
    )


async def note_budget(session: AsyncSession, event: funding.BudgetSet, sequence: int) -> None:
    statement = insert(Budget).values(
        network=event.network,
        contract_year=event.contract_year,
        amount=event.amount,
        held_reason=event.held_reason,
        sequence=sequence,
    )
    new = statement.excluded
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["network", "contract_year"],
            set_={c: new[c] for c in ("amount", "held_reason", "sequence")},
            where=Budget.sequence < new.sequence,
        )
    )


@dataclass(frozen=True, slots=True)
class Rate:
    """One ceiling as the rules need it: £ per WTE a year, `None` where published as unknown."""

    role: str
    zone: str
    value: Decimal | None
    valid_from: date
    valid_to: date
    known_from: date
    sequence: int
    scope: str = NATIONAL


class Ceilings:
    """All ceilings of some roles, asked by role, zone and day; on the days of `spans` those of a local variation come
    before the national ones."""

    def __init__(self, rates: Iterable[Rate], spans: Iterable[Span] = ()) -> None:
        self._rates: dict[tuple[str, str], list[Rate]] = {}
        self._local: dict[tuple[str, str, str], list[Rate]] = {}
        self._spans = tuple(spans)
        for rate in rates:
            if rate.scope == NATIONAL:
                self._rates.setdefault((rate.role, rate.zone), []).append(rate)
            else:
                self._local.setdefault((rate.scope, rate.role, rate.zone), []).append(rate)

    def on(self, role: str, zone: str, day: date, *, known: date) -> Decimal | None:
        """The ceiling of a day by what had been published on the day `known`, of the variation the network stands under
        if it has one, else the national one."""
        own = self._varied(role, zone, day, known)
        return self._national(role, zone, day, known) if own is None else own

    def _varied(self, role: str, zone: str, day: date, known: date) -> Decimal | None:
        # a role that a variation opens has one ceiling in all of its area
        place = "national" if role.startswith(LOCAL_ROLE) else zone
        for span in self._spans:
            for rate in self._local.get((span.variation, role, place), ()):
                if span.holds(first_day(month_of(day))) and rate.valid_from <= day <= rate.valid_to:
                    return rate.value if rate.known_from <= known else None
        return None

    def _national(self, role: str, zone: str, day: date, known: date) -> Decimal | None:
        """The newest publication counts.

        Where one only ends because another followed that was not published by then, it still held to the end of the
        contract year: in June 2022 nobody knew that the ceilings of April would end in September.
        """
        there = [rate for rate in self._rates.get((role, zone), []) if rate.valid_from <= day <= rate.valid_to]
        held = [rate for rate in there if rate.known_from <= known]
        if held:
            return max(held, key=lambda rate: (rate.known_from, rate.valid_from, rate.sequence)).value
        if not there:
            return None
        before = min(rate.valid_from for rate in there) - timedelta(days=1)
        return self._national(role, zone, before, known) if year_of_day(before) == year_of_day(day) else None


async def ceilings_of(session: AsyncSession, network: str, roles: Iterable[str]) -> Ceilings:
    """The ceilings of some roles as a network has them."""
    spans = await spans_of(session, network)
    scopes = {NATIONAL, *(span.variation for span in spans)}
    found = await session.scalars(select(Ceiling).where(Ceiling.role.in_(set(roles)), Ceiling.scope.in_(scopes)))
    rates = (Rate(c.role, c.zone, c.value, c.valid_from, c.valid_to, c.known_from, c.sequence, c.scope) for c in found)
    return Ceilings(rates, spans)


async def budget_of(session: AsyncSession, network: str, year: str) -> Budget | None:
    """A network's budget of a year; none where it has not been told, or was taken away again."""
    held = await session.get(Budget, (network, year))
    return None if held is None or (held.amount is None and held.held_reason is None) else held
