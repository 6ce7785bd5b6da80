"""Answering a question about another year: loading what it rests on and refusing what makes no sense."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.budget_rules.model import BudgetRuleKind
from services.funding.budget_rules.operations import kinds_of
from services.funding.entitlements.queries import load_year, populations_of
from services.funding.networks.members import networks_of
from services.funding.networks.model import Network, Practice
from services.funding.payments.engine import Year
from services.funding.payments.heads import Serving
from services.funding.relabellings.operations import relabellings_of
from services.funding.relabellings.rules import relabel
from services.funding.scope import networks_seen, practices_seen
from services.funding.tariffs.model import NATIONAL, Tariff, TariffKind
from services.funding.tariffs.operations import sums_of
from services.funding.variations.model import Variation, VariationStatus
from services.funding.variations.operations import variation_seen
from services.funding.variations.published import tariffs_of
from services.funding.variations.totals import items_in
from services.funding.what_ifs.rules import Change, Move, NewConsent, NewList, NewRate, changed, compare
from services.funding.what_ifs.sums import SumChange, compare_sums
from shared.clock import london_day
from shared.errors import Fault, Invalid, NotFound
from shared.identity import Caller
from shared.years import months_between, snapshot_of

MOST_NETWORKS = 300


class NetworksNotFound(NotFound):
    """A network or area named does not exist, or the caller may not see it."""


class QuestionRefused(Invalid):
    """What is asked cannot be: every reason is listed."""


@dataclass(frozen=True, slots=True)
class Question:
    """What would differ, in these networks or in all of an area, through a month of a contract year."""

    contract_year: str
    through: str
    networks: tuple[str, ...]
    commissioner: str | None
    moves: tuple[Move, ...]
    rates: tuple[NewRate, ...]
    lists: tuple[NewList, ...]
    known_at: datetime | None = None
    consents: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    networks: list[str]
    changes: list[Change]
    sums: list[SumChange]


async def answer(session: AsyncSession, question: Question, *, caller: Caller, now: datetime) -> Answer:
    """Where payments would differ. Raises `NetworksNotFound` and `QuestionRefused`; stores nothing."""
    varied = await _variations(session, question, caller)
    networks = await _networks(session, question, caller)
    then = question.known_at
    year = await load_year(session, question.contract_year, question.through, now, networks=networks, known_at=then)
    faults = [
        *await _faults_of_moves(session, question, year, caller),
        *_faults_of_figures(question, year),
        *_faults_of_consents(question, varied),
    ]
    if faults:
        raise QuestionRefused("The question makes no sense as things stand; errors lists every reason.", errors=faults)
    consents = [
        await _consent(session, varied[name], practices, year, then or now) for name, practices in question.consents
    ]
    other = changed(year, question.moves, question.rates, (), consents)
    # whoever would be served must have figures in both years
    served = {
        network: {"now": _everybody(year, network), "then": _everybody(other, network)} for network in other.served
    }
    populations = await populations_of(session, snapshot_of(question.contract_year), served, year.commissioners, then)
    year, other = replace(year, populations=populations), replace(other, populations=populations)
    other = changed(other, (), (), question.lists)
    known_on = london_day(then or now)
    national = await sums_of(session, question.contract_year, known_on)
    local = await _local_sums(session, question.contract_year, varied.values(), known_on)
    kinds = await kinds_of(session, [question.contract_year])
    whole = kinds[question.contract_year] is BudgetRuleKind.YEAR
    sums = compare_sums(year, other, national, local, whole=whole)
    # in a thread, so that the service goes on answering while it compares
    return Answer(networks, await asyncio.to_thread(compare, year, other), sums)


async def _variations(session: AsyncSession, question: Question, caller: Caller) -> dict[str, Variation]:
    """The variations a question names. Raises `VariationNotFound` for one the caller may not see."""
    return {name: await variation_seen(session, name, caller) for name, _ in question.consents}


def _faults_of_consents(question: Question, varied: Mapping[str, Variation]) -> list[Fault]:
    faults = []
    for number, (name, practices) in enumerate(question.consents):
        variation, where = varied[name], f"body.consents.{number}"
        if variation.contract_year != question.contract_year or variation.status is VariationStatus.REFUSED:
            said = f"The variation is of {variation.contract_year} and {variation.status.value}."
            faults.append(Fault(f"{where}.variation", "variation_not_open", said))
        faults += [
            Fault(f"{where}.practices", "not_in_variation", f"{name} does not name {practice}.")
            for practice in practices
            if practice not in variation.practices
        ]
    return faults


async def _consent(
    session: AsyncSession, variation: Variation, practices: Collection[str], year: Year, now: datetime
) -> NewConsent:
    """What it would mean that practices agree to a variation, whether it is approved or not."""
    months = months_between(variation.valid_from, variation.valid_to)
    rates = tuple(items_in(variation, months).values())
    held = await relabellings_of(session, [variation.contract_year], london_day(now))
    by_month = relabel(dict.fromkeys([month for month in months if month in year.months], rates), held, {})
    return NewConsent(variation.id, frozenset(practices), by_month)


async def _local_sums(
    session: AsyncSession, contract_year: str, varied: Iterable[Variation], known_on: date
) -> list[Tariff]:
    """The sums of approved variations of a year, and those the variations asked about would have."""
    published = await session.scalars(
        select(Tariff).where(
            Tariff.kind == TariffKind.ARRS_SUM, Tariff.contract_year == contract_year, Tariff.scope != NATIONAL
        )
    )
    proposed = [tariff for variation in varied for tariff in tariffs_of(variation, known_on)]
    known = [tariff for tariff in published if tariff.known_on <= known_on]
    return [*known, *(tariff for tariff in proposed if tariff.kind is TariffKind.ARRS_SUM)]


def _everybody(year: Year, network: str) -> tuple[Serving, ...]:
    return tuple({who.practice: who for whom in year.served.get(network, {}).values() for who in whom}.values())


async def _networks(session: AsyncSession, question: Question, caller: Caller) -> list[str]:
    """The networks a question is about, all of which the caller must see."""
    named = {*question.networks}
    agreeing = {practice for _, practices in question.consents for practice in practices}
    if agreeing:
        of = await networks_of(session, agreeing)
        found_of = await session.scalars(select(Network.code).where(Network.code.in_(of), networks_seen(caller)))
        named |= set(found_of.all())
    for move in question.moves:
        named |= {network for network in (move.leaves, move.joins) if network is not None}
    seen = set(
        (await session.scalars(select(Network.code).where(Network.code.in_(named), networks_seen(caller)))).all()
    )
    if named - seen:
        raise NetworksNotFound(f"No network {', '.join(sorted(named - seen))}.")
    if question.commissioner is not None:
        area = await session.scalars(
            select(Network.code).where(
                Network.commissioner == question.commissioner, Network.approved_on.is_not(None), networks_seen(caller)
            )
        )
        found = set(area.all())
        if not found:
            raise NetworksNotFound(f"No networks of {question.commissioner}.")
        seen |= found
    if len(seen) > MOST_NETWORKS:
        fault = Fault(
            "body.commissioner", "too_many", f"That are {len(seen)} networks; ask for {MOST_NETWORKS} at the most."
        )
        raise QuestionRefused(fault.message, errors=[fault])
    return sorted(seen)


async def _faults_of_moves(session: AsyncSession, question: Question, year: Year, caller: Caller) -> Sequence[Fault]:
    practices = {move.practice for move in question.moves} | {new.practice for new in question.lists}
    known = set(
        (
            await session.scalars(
                select(Practice.code).where(
                    Practice.code.in_(practices), practices_seen(caller, Practice.code, Practice.commissioner)
                )
            )
        ).all()
    )
    known |= {who.practice for months in year.served.values() for whom in months.values() for who in whom}
    faults = []
    for number, move in enumerate(question.moves):
        where = f"body.members.{number}"
        if move.practice not in known:
            faults.append(Fault(f"{where}.practice", "practice_unknown", f"No practice {move.practice}."))
        if move.month not in year.months:
            faults.append(
                Fault(f"{where}.month", "outside_months", f"{move.month} is not among the months asked about.")
            )
            continue
        for field, network, there in (("leaves", move.leaves, False), ("joins", move.joins, True)):
            if network is None:
                continue
            whom = year.served.get(network, {}).get(move.month)
            if whom is None:
                faults.append(Fault(f"{where}.{field}", "network_not_paid", f"{network} is not paid for {move.month}."))
            elif any(who.practice == move.practice and who.how == "member" for who in whom) is there:
                said = "is a member" if there else "is no member"
                faults.append(
                    Fault(f"{where}.{field}", "membership", f"{move.practice} {said} of {network} in {move.month}.")
                )
    faults += [
        Fault(f"body.populations.{number}.practice", "practice_unknown", f"No practice {new.practice}.")
        for number, new in enumerate(question.lists)
        if new.practice not in known
    ]
    return faults


def _faults_of_figures(question: Question, year: Year) -> list[Fault]:
    faults = []
    for number, new in enumerate(question.rates):
        where = f"body.rates.{number}"
        months = [month for month in year.months if new.first <= month <= new.last]
        if not months:
            faults.append(Fault(f"{where}.first", "outside_months", "None of the months asked about lies there."))
        elif not any(rate.stream == new.stream for month in months for rate in year.rates.get(month, ())):
            faults.append(Fault(f"{where}.stream", "stream_not_in_force", f"{new.stream} is not paid in these months."))
    return faults
