"""Agreeing rules and dividing issued payments by them."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.accounts.model import AppointedPayee
from services.funding.distributions.model import (
    GIVEN,
    AlreadyDistributed,
    Distribution,
    DistributionPart,
    DistributionRule,
    NoRuleAgreed,
    NotMembers,
    PopulationMissing,
)
from services.funding.distributions.sharing import Method, split
from services.funding.networks.mergers import mergers_on
from services.funding.networks.model import Membership, Network
from services.funding.payments.model import PaymentLine, PaymentRun, RunStatus
from services.funding.populations.model import Population
from services.funding.tariffs.model import Basis
from shared.database import new_id
from shared.errors import Fault, NotFound
from shared.facts import as_at, currently_known, record
from shared.http import one_fault
from shared.identity import Caller, Role
from shared.years import first_day, snapshot_of

BASES = {Method.REGISTERED: Basis.REGISTERED, Method.WEIGHTED: Basis.WEIGHTED}


class NetworkNotFound(NotFound):
    """No such network, or not the caller's."""


class PaymentNotFound(NotFound):
    """No such issued payment of the network, or none the caller may divide."""


class DistributionNotFound(NotFound):
    """No such distribution, or none the caller may see."""


def rules_seen(caller: Caller, rule: Any = DistributionRule.network) -> ColumnElement[bool]:
    """True of what the caller's own network agreed, and networks it is payee or member of; `rule` is their code."""
    codes, seen = sorted(caller.organisations), []
    if caller.has(Role.NETWORK):
        seen.append(rule.in_(codes))
    if caller.has(Role.PAYEE):
        paid = select(AppointedPayee.network).where(AppointedPayee.payee.in_(codes), currently_known(AppointedPayee))
        seen.append(rule.in_(paid))
    if caller.has(Role.PRACTICE):
        joined = select(Membership.network).where(Membership.practice.in_(codes), currently_known(Membership))
        seen.append(rule.in_(joined))
    return or_(*seen)


def distributions_seen(caller: Caller) -> ColumnElement[bool]:
    """True of what the caller's network or payee divided, and of what gives its practice a part."""
    codes, seen = sorted(caller.organisations), []
    if caller.has(Role.NETWORK):
        seen.append(Distribution.network.in_(codes))
    if caller.has(Role.PAYEE):
        seen.append(Distribution.payee.in_(codes))
    if caller.has(Role.PRACTICE):
        parts = select(DistributionPart.distribution).where(DistributionPart.practice.in_(codes))
        seen.append(Distribution.id.in_(parts))
    return or_(*seen)


async def agree_rule(
    session: AsyncSession, rule: DistributionRule, *, caller: Caller, now: datetime
) -> DistributionRule:
    """The members of the caller's network agreed how their money is divided.

    Raises `NetworkNotFound` and `OverDistributed`.
    """
    known = rule.network in caller.organisations and await session.get(Network, rule.network) is not None
    if not known:
        raise NetworkNotFound(f"No network {rule.network}.")
    rule.check()
    await record(session, rule, key=["network"], now=now)
    return rule


async def distribute(
    session: AsyncSession, run_id: str, network: str, payee: str | None, *, caller: Caller, now: datetime
) -> tuple[Distribution, list[DistributionPart]]:
    """Divide what an issued run paid a network's payee between the network's members, once.

    Practices' own payments are theirs already and no part of it. Raises `PaymentNotFound`, `NoRuleAgreed`,
    `NotMembers`, `PopulationMissing`, `OverDistributed`, `NothingToShareBy` and `AlreadyDistributed`.
    """
    run = await session.scalar(select(PaymentRun).where(PaymentRun.id == run_id, PaymentRun.status == RunStatus.ISSUED))
    statement = select(PaymentLine.payee, func.sum(PaymentLine.amount)).where(
        PaymentLine.run == run_id,
        PaymentLine.network == network,
        PaymentLine.practice.is_(None),
        PaymentLine.amount.is_not(None),
    )
    codes = sorted(caller.organisations)
    if not (caller.has(Role.NETWORK) and network in caller.organisations):
        statement = statement.where(
            PaymentLine.payee.in_(codes) if caller.has(Role.PAYEE) else PaymentLine.id.is_(None)
        )
    payments = {who: amount for who, amount in await session.execute(statement.group_by(PaymentLine.payee))}  # noqa: C416
    if payee is not None:
        payments = {who: amount for who, amount in payments.items() if who == payee}
    if run is None or not payments:
        raise PaymentNotFound(f"No payment of {run_id} to {network}.")
    if len(payments) > 1:
        raise one_fault("payee", "several", f"The run paid {', '.join(sorted(payments))}; say which is meant.")
    (who, amount), day = next(iter(payments.items())), first_day(run.month)
    rule = await session.scalar(
        select(DistributionRule).where(DistributionRule.network == network, as_at(DistributionRule, day))
    )
    if rule is None:
        raise NoRuleAgreed(f"{network} has agreed no rule for {run.month}.")
    snapshot = snapshot_of(run.contract_year) if rule.method in BASES else None
    weights = await _weights(session, rule, day, snapshot)
    done = split(amount or Decimal("0.00"), rule.method, weights, rule.cost_amounts)
    made, parts = Distribution.divide(
        new_id("dst"),
        rule,
        done,
        run=run_id,
        payee=who,
        month=run.month,
        snapshot=snapshot,
        by=caller.subject,
        at=now,
    )
    session.add(made)
    try:
        await session.flush()
    except IntegrityError as error:
        raise AlreadyDistributed(f"The payment of {run_id} to {network} has been divided.") from error
    session.add_all(parts)
    await session.flush()
    return made, parts


async def _weights(
    session: AsyncSession, rule: DistributionRule, day: date, snapshot: date | None
) -> dict[str, Decimal]:
    """Each member's weight on the first day of the month. Raises `NotMembers` and `PopulationMissing`."""
    rows = await session.execute(
        select(Membership.practice, Membership.share).where(Membership.network == rule.network, as_at(Membership, day))
    )
    members: dict[str, Decimal] = {practice: share for practice, share in rows}  # noqa: C416
    mergers = await mergers_on(session, day)
    if rule.method in GIVEN:
        given: dict[str, Decimal] = defaultdict(Decimal)
        for practice, part in rule.parts.items():
            # what was agreed for a practice is its heir's once it went over into another member
            given[practice if practice in members else mergers.heir_of(practice)] += Decimal(part)
        strangers = sorted(given.keys() - members.keys())
        if strangers:
            faults = [Fault(f"parts.{code}", "not_a_member", f"{code} is no member on {day}.") for code in strangers]
            raise NotMembers("The rule gives to practices that are not members.", errors=faults)
        return dict(given)
    if snapshot is None:
        return dict.fromkeys(members, Decimal(1))
    families = {code: {code, *(mergers.family_of(code) - members.keys())} for code in members}
    found = await session.execute(
        select(Population.practice, Population.value).where(
            Population.practice.in_({code for family in families.values() for code in family}),
            Population.basis == BASES[rule.method],
            Population.snapshot == snapshot,
            func.upper_inf(Population.known),
        )
    )
    heads: dict[str, Decimal] = {practice: value for practice, value in found}  # noqa: C416
    missing = sorted(code for code in members if not families[code] & heads.keys())
    if missing:
        faults = [Fault(f"members.{code}", "population_missing", f"{code} has no figure.") for code in missing]
        raise PopulationMissing(f"Patients at {snapshot} are not known of every member.", errors=faults)
    return {
        practice: share * sum((heads.get(code, Decimal(0)) for code in families[practice]), Decimal(0))
        for practice, share in members.items()
    }
