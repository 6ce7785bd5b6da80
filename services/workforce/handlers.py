"""What other services' events do here: copies of networks and rates, and the outcome of claims."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.workforce.arrears.operations import note_arrears
from services.workforce.claims.operations import note_outcome
from services.workforce.networks import operations as networks
from services.workforce.rates import operations as rates
from services.workforce.roles.operations import note_agreed_role, note_local_roles
from services.workforce.variations import operations as variations
from shared.events import funding, registry
from shared.events.base import Event
from shared.messaging import Arrival, Handler


async def _commissioner(session: AsyncSession, event: registry.CommissionerRegistered, arrival: Arrival) -> None:
    await networks.note_commissioner(session, event, arrival.envelope.position)


async def _practices(session: AsyncSession, event: registry.PracticesPublished, arrival: Arrival) -> None:
    await networks.note_practices(session, event.practices, arrival.envelope.position)


async def _practice(session: AsyncSession, event: registry.PracticeRegistered, arrival: Arrival) -> None:
    await networks.note_practices(session, [event.practice], arrival.envelope.position)


async def _list_sizes(session: AsyncSession, event: registry.ListSizesPublished, arrival: Arrival) -> None:
    await networks.note_list_sizes(session, event, arrival.envelope.position)


async def _network(
    session: AsyncSession, event: registry.NetworkApproved | registry.NetworkRestated, arrival: Arrival
) -> None:
    await networks.note_network(session, event, arrival.envelope.position)


async def _closed(session: AsyncSession, event: registry.NetworkClosed, arrival: Arrival) -> None:
    await networks.close_network(session, event, arrival.envelope.position)


async def _membership(
    session: AsyncSession, event: registry.PracticeJoined | registry.PracticeLeft, arrival: Arrival
) -> None:
    await networks.note_membership(session, event, arrival.envelope.position)


async def _tariff(session: AsyncSession, event: funding.TariffPublished, arrival: Arrival) -> None:
    await rates.note_tariff(session, event, arrival.envelope.position)


async def _agreed(session: AsyncSession, event: funding.RoleAgreed, arrival: Arrival) -> None:
    await note_agreed_role(session, event)
    await rates.note_agreed_ceiling(session, event, arrival.envelope.position)


async def _variation(session: AsyncSession, event: funding.VariationApproved, arrival: Arrival) -> None:
    await variations.note_variation(session, event, arrival.envelope.position)
    await note_local_roles(session, event)


async def _network_varied(session: AsyncSession, event: funding.NetworkVaried, arrival: Arrival) -> None:
    await variations.note_network_terms(session, event, arrival.envelope.position)


async def _budget(session: AsyncSession, event: funding.BudgetSet, arrival: Arrival) -> None:
    await rates.note_budget(session, event, arrival.envelope.position)


async def _outcome(session: AsyncSession, event: Any, arrival: Arrival) -> None:
    await note_outcome(session, event, arrival.envelope.position)


async def _arrears(session: AsyncSession, event: Any, arrival: Arrival) -> None:
    await note_arrears(session, event, arrival.envelope.position)


HANDLERS: dict[type[Event], Handler] = {
    registry.CommissionerRegistered: _commissioner,
    registry.PracticesPublished: _practices,
    registry.PracticeRegistered: _practice,
    registry.ListSizesPublished: _list_sizes,
    registry.NetworkApproved: _network,
    registry.NetworkRestated: _network,
    registry.NetworkClosed: _closed,
    registry.PracticeJoined: _membership,
    registry.PracticeLeft: _membership,
    funding.TariffPublished: _tariff,
    funding.BudgetSet: _budget,
    funding.RoleAgreed: _agreed,
    funding.VariationApproved: _variation,
    funding.NetworkVaried: _network_varied,
    funding.ClaimApproved: _outcome,
    funding.ClaimReturned: _outcome,
    funding.ClaimRejected: _outcome,
    funding.ClaimPaid: _outcome,
    funding.ClaimTakenBack: _outcome,
    funding.ArrearsApproved: _arrears,
    funding.ArrearsRejected: _arrears,
    funding.ArrearsPaid: _arrears,
    funding.ArrearsTakenBack: _arrears,
}
