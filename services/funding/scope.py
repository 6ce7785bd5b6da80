"""Whom a caller may see: every list is narrowed by these conditions, and what lies outside does not exist for them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, or_, select, true

from services.funding.networks.model import Commissioner, Membership, Network
from shared.facts import currently_known
from shared.identity import Caller, Role


def networks_seen(caller: Caller) -> ColumnElement[bool]:
    """True of the networks (`Network` must be in the query) a caller may see."""
    if caller.everywhere:
        return true()
    codes = sorted(caller.organisations)
    seen: list[ColumnElement[bool]] = []
    if caller.has(Role.COMMISSIONER):
        seen.append(Network.commissioner.in_(codes))
    if caller.has(Role.SYSTEM):
        seen.append(Network.commissioner.in_(select(Commissioner.code).where(Commissioner.system.in_(codes))))
    if caller.has(Role.NETWORK):
        seen.append(Network.code.in_(codes))
    return or_(*seen) if seen else ~true()


def network_codes_seen(caller: Caller) -> Any:
    """A subquery of the codes of the networks a caller may see."""
    return select(Network.code).where(networks_seen(caller))


def lines_seen(caller: Caller, line: Any) -> ColumnElement[bool]:
    """True of the payment lines a caller may see: its networks', its own practice's, its own as payee."""
    if caller.everywhere:
        return true()
    codes = sorted(caller.organisations)
    seen: list[ColumnElement[bool]] = []
    if caller.has(Role.COMMISSIONER, Role.SYSTEM, Role.NETWORK):
        seen.append(line.network.in_(network_codes_seen(caller)))
    if caller.has(Role.PRACTICE):
        seen.append(line.practice.in_(codes))
    if caller.has(Role.PAYEE):
        seen.append(line.payee.in_(codes))
    return or_(*seen) if seen else ~true()


def practices_seen(caller: Caller, practice: Any, commissioner: Any) -> ColumnElement[bool]:
    """True of practices a caller may see: of its commissioners, of its networks now or ever, or its own."""
    if caller.everywhere:
        return true()
    codes = sorted(caller.organisations)
    seen: list[ColumnElement[bool]] = []
    if caller.has(Role.COMMISSIONER):
        seen.append(commissioner.in_(codes))
    if caller.has(Role.SYSTEM):
        seen.append(commissioner.in_(select(Commissioner.code).where(Commissioner.system.in_(codes))))
    if caller.has(Role.NETWORK):
        members = select(Membership.practice).where(Membership.network.in_(codes), currently_known(Membership))
        seen.append(practice.in_(members))
    if caller.has(Role.PRACTICE):
        seen.append(practice.in_(codes))
    return or_(*seen) if seen else ~true()
