"""What each event changes in the projections."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.areas import networks
from services.reporting.areas import operations as areas
from services.reporting.batches import write_waiting
from services.reporting.claims import operations as claims
from services.reporting.coverage import operations as coverage
from services.reporting.deadlines import operations as deadlines
from services.reporting.deadlines.model import ApplicationState
from services.reporting.queries import operations as queries
from services.reporting.spend import operations as spend
from services.reporting.variations import operations as variations
from services.reporting.workforce import operations as people
from shared.events import funding, registry, workforce
from shared.events.base import Event
from shared.messaging import Arrival, Handler


async def _commissioner(session: AsyncSession, event: registry.CommissionerRegistered, arrival: Arrival) -> None:
    await areas.note_commissioner(session, event, arrival.envelope.position)


async def _succeeded(session: AsyncSession, event: registry.CommissionerSucceeded, arrival: Arrival) -> None:
    await areas.note_succession(session, event, arrival.envelope.position)


async def _practice_succeeded(session: AsyncSession, event: registry.PracticeSucceeded, arrival: Arrival) -> None:
    await areas.note_practice_succession(session, event, arrival.envelope.position)


async def _practices(session: AsyncSession, event: registry.PracticesPublished, arrival: Arrival) -> None:
    await areas.note_practices(session, event.practices, arrival.envelope.position)


async def _practice(session: AsyncSession, event: registry.PracticeRegistered, arrival: Arrival) -> None:
    await areas.note_practices(session, [event.practice], arrival.envelope.position)


async def _list_sizes(session: AsyncSession, event: registry.ListSizesPublished, arrival: Arrival) -> None:
    await coverage.note_list_sizes(session, event, arrival.envelope.position)


async def _closed_practice(session: AsyncSession, event: registry.PracticeClosed, arrival: Arrival) -> None:
    await areas.close_practice(session, event, arrival.envelope.position)


async def _restated(session: AsyncSession, event: registry.NetworkRestated, arrival: Arrival) -> None:
    await networks.note_network(session, event, arrival.envelope.position)


async def _network(session: AsyncSession, event: registry.NetworkApproved, arrival: Arrival) -> None:
    await networks.note_network(session, event, arrival.envelope.position)
    if event.application is not None:
        await deadlines.note_state(
            session,
            application=event.application,
            round_id=event.round,
            state=ApplicationState.APPROVED,
            sequence=arrival.envelope.position,
        )


async def _closed(session: AsyncSession, event: registry.NetworkClosed, arrival: Arrival) -> None:
    await networks.close_network(session, event, arrival.envelope.position)


async def _payee(session: AsyncSession, event: registry.PayeeAppointed, arrival: Arrival) -> None:
    await networks.note_payee(session, event, arrival.envelope.position)


async def _membership(
    session: AsyncSession, event: registry.PracticeJoined | registry.PracticeLeft, arrival: Arrival
) -> None:
    await networks.note_membership(session, event, arrival.envelope.position)


async def _allocation(session: AsyncSession, event: registry.PatientsAllocated, arrival: Arrival) -> None:
    await coverage.note_allocation(session, event)


async def _allocation_ended(session: AsyncSession, event: registry.AllocationEnded, arrival: Arrival) -> None:
    await coverage.note_allocation_end(session, event)


async def _round(
    session: AsyncSession,
    event: registry.RoundOpened | registry.RoundDecided | registry.RoundAbandoned,
    arrival: Arrival,
) -> None:
    await deadlines.note_round(session, event)


async def _applied(session: AsyncSession, event: registry.NetworkApplied, arrival: Arrival) -> None:
    await deadlines.note_submission(session, event, arrival.envelope.position)


async def _application(
    session: AsyncSession, event: registry.NetworkReturned | registry.NetworkRefused, arrival: Arrival
) -> None:
    returned = isinstance(event, registry.NetworkReturned)
    await deadlines.note_state(
        session,
        application=event.application,
        round_id=event.round,
        state=ApplicationState.RETURNED if returned else ApplicationState.REFUSED,
        sequence=arrival.envelope.position,
    )


async def _payment(session: AsyncSession, event: funding.PaymentIssued, arrival: Arrival) -> None:
    await spend.note_payment(session, event)
    await claims.note_paid_achievements(session, event, arrival.envelope.position)


async def _settlement(
    session: AsyncSession, event: funding.PaymentConfirmed | funding.PaymentReturned, arrival: Arrival
) -> None:
    await spend.note_settlement(session, event, arrival.envelope.position)


async def _redirection(session: AsyncSession, event: funding.PaymentRedirected, arrival: Arrival) -> None:
    await spend.note_redirection(session, event)


async def _debt(session: AsyncSession, event: funding.DebtSettled, arrival: Arrival) -> None:
    await spend.note_debt(session, event)


async def _budget(session: AsyncSession, event: funding.BudgetSet, arrival: Arrival) -> None:
    await spend.note_budget(session, event, arrival.envelope.position)


async def _variation(session: AsyncSession, event: funding.VariationApproved, arrival: Arrival) -> None:
    await variations.note_variation(session, event, arrival.envelope.position)


async def _varied(session: AsyncSession, event: funding.NetworkVaried, arrival: Arrival) -> None:
    await variations.note_network(session, event, arrival.envelope.position)


async def _claim(session: AsyncSession, event: workforce.ClaimMade, arrival: Arrival) -> None:
    await claims.note_claim(session, event)


async def _arrears(session: AsyncSession, event: workforce.ArrearsClaimed, arrival: Arrival) -> None:
    await claims.note_arrears(session, event)


async def _achievement(session: AsyncSession, event: funding.AchievementApproved, arrival: Arrival) -> None:
    await claims.note_achievement(session, event, arrival.envelope.position)


async def _query(session: AsyncSession, event: funding.LineQueried, arrival: Arrival) -> None:
    await queries.note_query(session, event)


async def _query_ended(
    session: AsyncSession, event: funding.QueryAnswered | funding.QueryWithdrawn, arrival: Arrival
) -> None:
    await queries.note_end(session, event, arrival.envelope.position)


async def _outcome(session: AsyncSession, event: Any, arrival: Arrival) -> None:
    await claims.note_outcome(session, event, arrival.envelope.position)


async def _post(session: AsyncSession, event: workforce.RoleRecruited, arrival: Arrival) -> None:
    await people.note_post(session, event, arrival.envelope.position)


async def _ending(session: AsyncSession, event: workforce.PostEnded, arrival: Arrival) -> None:
    await people.note_ending(session, event, arrival.envelope.position)


async def _plan(session: AsyncSession, event: workforce.PlanSubmitted, arrival: Arrival) -> None:
    await people.note_plan(session, event, arrival.envelope.position)


async def finish(session: AsyncSession, now: datetime) -> None:
    """Write what the events of a transaction left to be written together, then count how practices are covered."""
    await networks.write_networks(session)
    await write_waiting(session)
    await coverage.count_touched(session, now)


HANDLERS: dict[type[Event], Handler] = {
    registry.CommissionerRegistered: _commissioner,
    registry.CommissionerSucceeded: _succeeded,
    registry.PracticesPublished: _practices,
    registry.PracticeRegistered: _practice,
    registry.PracticeClosed: _closed_practice,
    registry.PracticeSucceeded: _practice_succeeded,
    registry.ListSizesPublished: _list_sizes,
    registry.NetworkApproved: _network,
    registry.NetworkRestated: _restated,
    registry.NetworkClosed: _closed,
    registry.PayeeAppointed: _payee,
    registry.PracticeJoined: _membership,
    registry.PracticeLeft: _membership,
    registry.PatientsAllocated: _allocation,
    registry.AllocationEnded: _allocation_ended,
    registry.RoundOpened: _round,
    registry.RoundDecided: _round,
    registry.RoundAbandoned: _round,
    registry.NetworkApplied: _applied,
    registry.NetworkReturned: _application,
    registry.NetworkRefused: _application,
    funding.PaymentIssued: _payment,
    funding.PaymentConfirmed: _settlement,
    funding.PaymentReturned: _settlement,
    funding.PaymentRedirected: _redirection,
    funding.DebtSettled: _debt,
    funding.BudgetSet: _budget,
    funding.VariationApproved: _variation,
    funding.NetworkVaried: _varied,
    funding.ClaimApproved: _outcome,
    funding.ClaimReturned: _outcome,
    funding.ClaimRejected: _outcome,
    funding.ClaimPaid: _outcome,
    funding.ClaimTakenBack: _outcome,
    funding.ArrearsApproved: _outcome,
    funding.ArrearsRejected: _outcome,
    funding.ArrearsPaid: _outcome,
    funding.ArrearsTakenBack: _outcome,
    funding.PracticeClaimMade: _outcome,
    funding.PracticeClaimApproved: _outcome,
    funding.PracticeClaimReturned: _outcome,
    funding.PracticeClaimRejected: _outcome,
    funding.PracticeClaimWithdrawn: _outcome,
    funding.PracticeClaimPaid: _outcome,
    funding.AchievementApproved: _achievement,
    funding.LineQueried: _query,
    funding.QueryAnswered: _query_ended,
    funding.QueryWithdrawn: _query_ended,
    workforce.ClaimMade: _claim,
    workforce.ArrearsClaimed: _arrears,
    workforce.RoleRecruited: _post,
    workforce.PostEnded: _ending,
    workforce.PlanSubmitted: _plan,
}
