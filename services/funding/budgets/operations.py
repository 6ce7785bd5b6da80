"""Setting budgets whenever something they depend on arrives, and announcing only those that changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, or_, select, text, tuple_
from sqlalchemy.dialects.postgresql import Range, insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.budgets.counted import load_counted
from services.funding.budgets.model import Budget, BudgetVersion, BudgetYear, Sum, with_moves
from services.funding.budgets.sums import Agreed, sums_of_network
from services.funding.claims.operations import recheck_waiting
from services.funding.consents.queries import scopes_of
from services.funding.networks.model import Network
from services.funding.redistributions.model import Redistribution, RedistributionStep
from services.funding.tariffs.model import NATIONAL, Tariff, TariffKind
from services.funding.tariffs.shipped import posts
from shared.clock import london_day
from shared.events.funding import BudgetSet
from shared.facts import days
from shared.messaging import announce_many
from shared.years import snapshot_of, year_end, year_start

_LISTED = text("""
SELECT y.contract_year FROM unnest(CAST(:years AS text[]), CAST(:snapshots AS date[])) AS y (contract_year, snapshot)
WHERE EXISTS (SELECT FROM populations AS p WHERE p.snapshot = y.snapshot AND p.basis IN ('weighted', 'registered'))
""")
_KEPT = "funding.years_with_lists"
_NOTHING = Decimal("0.00")
_KEPT_SUMS = "funding.sums"


async def ask_for_years(session: AsyncSession, network: str, years: Iterable[str]) -> None:
    """Something happened to a network in these years: it has sums of them once it is known to have lived in them."""
    asked = [{"network": network, "contract_year": year} for year in sorted(years)]
    await session.execute(insert(BudgetYear).on_conflict_do_nothing(), asked)


async def set_budgets(
    session: AsyncSession, networks: Collection[str], now: datetime, *, years: Collection[str] | None = None
) -> list[BudgetSet]:
    """Compute the budgets of networks, of all their years or of `years`, keep what changed and announce it.

    A network has sums of the years it lived in for which lists are held or something of it was told. A sum of any other
    year, set before its life was known, ends.
    """
    if not networks:
        return []
    columns = (Budget.network, Budget.contract_year, Budget.scope, Budget.commissioner)
    figures = (Budget.amount, Budget.held_reason, Budget.trace)
    before_now = (await session.execute(select(*columns, *figures).where(Budget.network.in_(networks)))).all()
    held = {(b.network, b.contract_year, b.scope): b for b in before_now}
    wanted = await _years_of(session, networks, now)
    chosen = sorted({year for _, year in wanted})
    counted = {
        key: of_network
        for key, of_network in (await load_counted(session, sorted(networks), chosen)).items()
        if key in wanted
    }
    ended = {key: b.commissioner for key, b in held.items() if key[:2] not in counted}
    if years is not None:
        counted = {key: of_network for key, of_network in counted.items() if key[1] in years}
    chosen = sorted({year for _, year in counted})
    tariffs = await _tariffs(session, chosen)
    agreed = await _agreed(session, chosen, tariffs)
    moves = await _moves(session, networks, chosen)
    changed: dict[tuple[str, str], list[Sum]] = {}
    values: list[dict[str, Any]] = []
    for (network, year), of_network in counted.items():
        given, received = moves.get((network, year), (_NOTHING, _NOTHING))
        sums = [
            with_moves(made, given, received)
            for made in sums_of_network(year, of_network, tariffs, agreed.get(year, {}), london_day(now))
        ]
        for made in sums:
            before = held.get((network, year, made.scope))
            if before is None or (before.commissioner, before.amount, before.trace, before.held_reason) != (
                of_network.commissioner,
                made.amount,
                made.trace,
                made.hold.detail if made.hold else None,
            ):
                values.append(_values(network, of_network.commissioner, year, made, now))
            if before is None or (before.commissioner, before.amount, before.held_reason) != (
                of_network.commissioner,
                made.amount,
                made.hold.detail if made.hold else None,
            ):
                changed[network, year] = sums
    if values:
        upsert = insert(Budget)
        names = ("commissioner", "amount", "held_code", "held_reason", "trace", "set_at")
        await session.execute(
            upsert.on_conflict_do_update(
                index_elements=["network", "contract_year", "scope"],
                set_={**{name: upsert.excluded[name] for name in names}, "version": Budget.version + 1},
            ),
            values,
        )
        versions = [{name: value for name, value in row.items() if name != "version"} for row in values]
        await session.execute(insert(BudgetVersion), versions)
    events = [
        _announcement(network, counted[network, year].commissioner, year, sums)
        for (network, year), sums in changed.items()
    ]
    events += await _end(session, ended, now)
    await announce_many(session, events)
    return events


async def _years_of(session: AsyncSession, networks: Collection[str], now: datetime) -> set[tuple[str, str]]:
    """By network the years it has sums of, if it lived in them: the same in whatever order the news came."""
    asked = select(BudgetYear.network, BudgetYear.contract_year).where(BudgetYear.network.in_(networks))
    listed = await years_with_lists(session, now)
    return {(network, year) for network, year in await session.execute(asked)} | {
        (network, year) for network in networks for year in listed
    }


async def _end(session: AsyncSession, ended: Mapping[tuple[str, str, str], str], now: datetime) -> list[BudgetSet]:
    """Take away sums of years in which their network never was; that it once was believed stays known."""
    if not ended:
        return []
    key = tuple_(Budget.network, Budget.contract_year, Budget.scope)
    await session.execute(delete(Budget).where(key.in_(list(ended))))
    gone: list[dict[str, Any]] = [
        {
            **{"network": network, "contract_year": year, "scope": scope, "commissioner": commissioner},
            **{"amount": None, "held_code": None, "held_reason": None, "trace": {}, "set_at": now},
        }
        for (network, year, scope), commissioner in ended.items()
    ]
    await session.execute(insert(BudgetVersion), gone)
    return [
        BudgetSet(network=network, commissioner=commissioner, contract_year=year, amount=None)
        for (network, year), commissioner in {key[:2]: who for key, who in ended.items()}.items()
    ]


def _values(network: str, commissioner: str, year: str, made: Sum, now: datetime) -> dict[str, Any]:
    return {
        "network": network,
        "contract_year": year,
        "scope": made.scope,
        "commissioner": commissioner,
        "amount": made.amount,
        "held_code": made.hold.code if made.hold else None,
        "held_reason": made.hold.detail if made.hold else None,
        "trace": made.trace,
        "set_at": now,
        "version": 1,
    }


def _announcement(network: str, commissioner: str, year: str, sums: Iterable[Sum]) -> BudgetSet:
    """One announcement for a year: the sums together, or held while one of them is."""
    made = list(sums)
    reasons = [s.hold.detail for s in made if s.hold is not None]
    amounts = [s.amount for s in made if s.amount is not None]
    return BudgetSet(
        network=network,
        commissioner=commissioner,
        contract_year=year,
        amount=None if reasons else sum(amounts, Decimal("0.00")),
        held_reason=" ".join(reasons) or None,
    )


async def _moves(
    session: AsyncSession, networks: Collection[str], years: Collection[str]
) -> dict[tuple[str, str], tuple[Decimal, Decimal]]:
    """What networks gave up and took on, by network and year, as agreed by their commissioner."""
    found = await session.execute(
        select(
            Redistribution.giver, Redistribution.receiver, Redistribution.contract_year, Redistribution.amount
        ).where(
            Redistribution.status == RedistributionStep.APPROVED,
            Redistribution.contract_year.in_(years),
            or_(Redistribution.giver.in_(networks), Redistribution.receiver.in_(networks)),
        )
    )
    moves: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
    for giver, receiver, year, amount in found:
        for network, part in ((giver, (amount, _NOTHING)), (receiver, (_NOTHING, amount))):
            given, received = moves.get((network, year), (_NOTHING, _NOTHING))
            moves[network, year] = (given + part[0], received + part[1])
    return moves


async def _tariffs(session: AsyncSession, years: Collection[str]) -> list[Tariff]:
    """The sums of those years, local ones among them, and the ceilings of posts where a year has no sum per head;
    looked up once."""
    kept: dict[tuple[str, ...], list[Tariff]] = session.info.setdefault(_KEPT_SUMS, {})
    if tuple(years) in kept:
        return kept[tuple(years)]
    sums = (Tariff.kind == TariffKind.ARRS_SUM) & Tariff.contract_year.in_(years)
    roles = {post.role for post in posts() if post.contract_year in years}
    wanted = (
        sums
        if not roles
        else sums | ((Tariff.kind == TariffKind.ROLE_MAXIMUM) & Tariff.code.in_(roles) & (Tariff.scope == NATIONAL))
    )
    kept[tuple(years)] = list((await session.scalars(select(Tariff).where(wanted))).all())
    return kept[tuple(years)]


async def _agreed(session: AsyncSession, years: Collection[str], tariffs: list[Tariff]) -> dict[str, Agreed]:
    """By year in which a local variation has a sum of its own: who agreed to which."""
    varied = {t.contract_year for t in tariffs if t.kind is TariffKind.ARRS_SUM and t.variation is not None}
    return {year: await scopes_of(session, year) for year in years if year in varied}


async def follow_tariff(session: AsyncSession, tariff: Tariff, now: datetime) -> None:
    """A new sum sets the budgets that rest on it; a new ceiling changes what waiting claims would be paid."""
    await session.flush()
    session.info.pop(_KEPT_SUMS, None)
    if tariff.kind is TariffKind.ARRS_SUM:
        networks = (await session.scalars(select(Network.code).where(Network.approved_on.is_not(None)))).all()
        await set_budgets(session, networks, now, years={tariff.contract_year})
        await recheck_waiting(session, now, networks=networks)
    elif tariff.kind is TariffKind.ROLE_MAXIMUM:
        await recheck_waiting(session, now, role=tariff.code)


async def follow_rule(session: AsyncSession, valid: Range[date], now: datetime) -> None:
    """A rule by which sums count, or months they count by, was published: those set of these days are set again."""
    await session.flush()
    years = (await session.scalars(select(Budget.contract_year).distinct())).all()
    touched = {year for year in years if valid.overlaps(days(year_start(year), year_end(year)))}
    if touched:
        networks = (await session.scalars(select(Budget.network).distinct())).all()
        events = await set_budgets(session, networks, now, years=touched)
        await recheck_waiting(session, now, networks={event.network for event in events})


async def years_with_lists(session: AsyncSession, now: datetime) -> frozenset[str]:
    """The contract years for which any weighted or registered population is held; looked up once in a transaction."""
    kept: frozenset[str] | None = session.info.get(_KEPT)
    if kept is None:
        years = [f"{start}-{(start + 1) % 100:02d}" for start in range(2019, now.year + 1)]
        found = await session.scalars(_LISTED, {"years": years, "snapshots": [snapshot_of(year) for year in years]})
        kept = session.info[_KEPT] = frozenset(found.all())
    return kept


def lists_arrived(session: AsyncSession) -> None:
    """Forget which years have lists: more have come in this transaction."""
    session.info.pop(_KEPT, None)
