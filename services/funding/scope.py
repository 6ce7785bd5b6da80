"""Whom a caller may see: every list is narrowed by these conditions, and what lies outside does not exist for them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import ColumnElement, or_, select, true

from services.funding.heirs.model import Succession, SystemPlace, Tenure
from services.funding.networks.model import Commissioner, Membership, Network, Practice
from shared.facts import currently_known
from shared.identity import Caller, Role


def inherited(codes: Collection[str]) -> Any:
    """A subquery of the commissioners or systems that these took over, and those which they had taken over."""
    taken = select(Succession.commissioner.label("code")).where(Succession.successor.in_(codes)).cte(recursive=True)
    earlier = select(Succession.commissioner).join(taken, Succession.successor == taken.c.code)
    return select(taken.union(earlier).c.code)


def commissioned_by(caller: Caller, commissioner: Any) -> list[ColumnElement[bool]]:
    """Ways in which a commissioner's code is the caller's: its own, taken over by it, or in its system, once or now."""
    codes = sorted(caller.organisations)
    return _ways(caller, commissioner, lambda code: or_(code.in_(codes), code.in_(inherited(codes))))


def _ways(caller: Caller, commissioner: Any, held: Callable[[Any], ColumnElement[bool]]) -> list[ColumnElement[bool]]:
    ways: list[ColumnElement[bool]] = []
    if caller.has(Role.COMMISSIONER):
        ways.append(held(commissioner))
    if caller.has(Role.SYSTEM):
        ways.append(commissioner.in_(select(Commissioner.code).where(held(Commissioner.system))))
        ways.append(commissioner.in_(select(SystemPlace.commissioner).where(held(SystemPlace.system))))
    return ways


def networks_seen(caller: Caller) -> ColumnElement[bool]:
    """True of the networks (`Network` must be in the query) a caller may see.

    Its own, those of commissioners it took over from, and those it once commissioned itself: an heir of a part does not
    see what the other heirs were given.
    """
    if caller.everywhere:
        return true()
    codes = sorted(caller.organisations)
    seen = commissioned_by(caller, Network.commissioner)
    once = _ways(caller, Tenure.commissioner, lambda code: code.in_(codes))
    if once:
        seen.append(Network.code.in_(select(Tenure.network).where(or_(*once))))
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
    # a practice outside every network stands under its own code
    outside = commissioned_by(caller, Practice.commissioner)
    if outside:
        seen.append(line.network.in_(select(Practice.code).where(or_(*outside), Practice.code == line.practice)))
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
    seen = commissioned_by(caller, commissioner)
    if caller.has(Role.NETWORK):
        members = select(Membership.practice).where(Membership.network.in_(codes), currently_known(Membership))
        seen.append(practice.in_(members))
    if caller.has(Role.PRACTICE):
        seen.append(practice.in_(codes))
    return or_(*seen) if seen else ~true()
