"""What other services' events do in funding."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.accounts.operations import appoint_payee, open_account, replace_payees
from services.funding.agreements.operations import keep_agreement
from services.funding.arrears.operations import take_arrears
from services.funding.budgets.operations import ask_for_years, lists_arrived, set_budgets, years_with_lists
from services.funding.claims.operations import recheck_waiting, submit_claim
from services.funding.distributions.agreement import note_agreement, note_agreement_ended
from services.funding.forecasts.operations import end_post, keep_post
from services.funding.heirs import operations as heirs
from services.funding.local_terms.operations import one_at_a_time, settle_local_terms
from services.funding.networks import allocations, members, withdrawals
from services.funding.networks import operations as networks
from services.funding.populations.operations import keep_populations
from shared.clock import london_day
from shared.events.base import Event
from shared.events.registry import (
    AgreementEnded,
    AgreementSigned,
    AllocationEnded,
    CommissionerRegistered,
    CommissionerSucceeded,
    EntitlementRestored,
    EntitlementWithdrawn,
    ListSizesPublished,
    NetworkApproved,
    NetworkClosed,
    NetworkRestated,
    PatientsAllocated,
    PayeeAppointed,
    PracticeClosed,
    PracticeFact,
    PracticeJoined,
    PracticeLeft,
    PracticeRegistered,
    PracticesPublished,
    PracticeSucceeded,
)
from shared.events.workforce import ArrearsClaimed, ClaimMade, PostEnded, RoleRecruited
from shared.messaging import Arrival, Handler
from shared.years import year_of_day

_BUDGETS = "funding.budgets_asked_for"


async def know_commissioner(session: AsyncSession, event: CommissionerRegistered, arrival: Arrival) -> None:
    await networks.keep_commissioner(session, event, arrival.envelope.position)
    await heirs.keep_system_place(session, event, arrival.envelope.position)


async def inherit_commissioner(session: AsyncSession, event: CommissionerSucceeded, arrival: Arrival) -> None:
    """What the predecessor left open is its heirs' to see and decide."""
    await heirs.keep_succession(session, event, arrival.envelope.position)


async def know_practices(session: AsyncSession, event: PracticesPublished, arrival: Arrival) -> None:
    await _keep_practices(session, event.practices, arrival)


async def know_practice(session: AsyncSession, event: PracticeRegistered, arrival: Arrival) -> None:
    await _keep_practices(session, [event.practice], arrival)


async def _keep_practices(session: AsyncSession, practices: Sequence[PracticeFact], arrival: Arrival) -> None:
    """Sums are counted anew of practices whose lists another publishes, and where patients are not, or no longer, a
    successor's."""
    touched = await networks.keep_practices(session, practices, arrival.envelope.position)
    touched |= await networks.keep_successions(session, practices, arrival.envelope.position, arrival.now)
    if touched:
        served = await members.networks_of(session, await members.with_heirs(session, touched))
        _set_budgets_later(session, served)


async def close_practice(session: AsyncSession, event: PracticeClosed, arrival: Arrival) -> None:
    await networks.close_practice(session, event, arrival.envelope.position)


async def succeed_practice(session: AsyncSession, event: PracticeSucceeded, arrival: Arrival) -> None:
    """Its patients count with the practice it went over into."""
    touched = await networks.succeed_practice(session, event, arrival.envelope.position, arrival.now)
    if touched:
        served = await members.networks_of(session, await members.with_heirs(session, touched))
        _set_budgets_later(session, served)


async def open_network_account(session: AsyncSession, event: NetworkApproved, arrival: Arrival) -> None:
    """An approved network gets an account, its payee and its budgets."""
    position, now = arrival.envelope.position, arrival.now
    if not await networks.approve_network(session, event, position, now):
        return
    if event.entries:
        await heirs.keep_tenures(session, event.network, event.entries)
    else:
        await heirs.keep_tenure(session, event.network, event.commissioner, event.valid_from, london_day(now))
    await open_account(session, event.network, on=event.approved_on, now=now)
    if event.payees is not None:
        await replace_payees(session, event.network, event.payees, position=position, now=now)
    elif event.payee is not None:
        await appoint_payee(session, event.network, event.payee, event.valid_from, None, position=position, now=now)
    await ask_for_years(session, event.network, {event.contract_year})
    _set_budgets_later(session, [event.network])


async def restate_network(session: AsyncSession, event: NetworkRestated, arrival: Arrival) -> None:
    """What the register put right of a network takes the place of what was held; its budgets follow."""
    position, now = arrival.envelope.position, arrival.now
    if not await networks.restate_network(session, event, position, now):
        return
    await heirs.keep_tenures(session, event.network, event.entries)
    await open_account(session, event.network, on=event.valid_from, now=now)
    await replace_payees(session, event.network, event.payees, position=position, now=now)
    _set_budgets_later(session, [event.network])


async def close_network(session: AsyncSession, event: NetworkClosed, arrival: Arrival) -> None:
    await networks.close_network(session, event, arrival.envelope.position)
    _set_budgets_later(session, [event.network])


async def join_network(session: AsyncSession, event: PracticeJoined, arrival: Arrival) -> None:
    await members.join_network(session, event, arrival.envelope.position, arrival.now)
    await _budgets_of_years(session, event.network, event.valid_from)


async def leave_network(session: AsyncSession, event: PracticeLeft, arrival: Arrival) -> None:
    await members.leave_network(session, event, arrival.envelope.position, arrival.now)
    await _budgets_of_years(session, event.network, event.valid_to)


async def serve_patients(session: AsyncSession, event: PatientsAllocated, arrival: Arrival) -> None:
    await allocations.allocate_patients(session, event, arrival.envelope.position, arrival.now)
    await _budgets_of_years(session, event.network, event.valid_from)


async def serve_no_longer(session: AsyncSession, event: AllocationEnded, arrival: Arrival) -> None:
    await allocations.end_allocation(session, event, arrival.envelope.position, arrival.now)
    await _budgets_of_years(session, event.network, event.valid_from, event.valid_to)


async def stop_paying(session: AsyncSession, event: EntitlementWithdrawn, arrival: Arrival) -> None:
    await withdrawals.withdraw_entitlement(session, event, arrival.envelope.position, arrival.now)
    _set_budgets_later(session, [event.network])


async def pay_again(session: AsyncSession, event: EntitlementRestored, arrival: Arrival) -> None:
    await withdrawals.restore_entitlement(session, event, arrival.envelope.position, arrival.now)
    _set_budgets_later(session, [event.network])


async def pay_another(session: AsyncSession, event: PayeeAppointed, arrival: Arrival) -> None:
    await appoint_payee(
        session,
        event.network,
        event.payee,
        event.valid_from,
        event.valid_to,
        position=arrival.envelope.position,
        now=arrival.now,
    )


async def keep_list_sizes(session: AsyncSession, event: ListSizesPublished, arrival: Arrival) -> None:
    """Populations arrive or are restated; budgets that rest on them are set again."""
    known = await years_with_lists(session, arrival.now)
    changed = await keep_populations(session, event, arrival.envelope.position, arrival.now)
    lists_arrived(session)
    if changed and event.basis != "adjusted" and (event.snapshot.month, event.snapshot.day) == (1, 1):
        year = f"{event.snapshot.year}-{(event.snapshot.year + 1) % 100:02d}"
        if year not in known:
            served = await members.all_networks(session)
        else:
            served = await members.networks_of(session, await members.with_heirs(session, changed))
            if event.basis == "registered":  # of whom this commissioner's lists say nothing has no patients
                served |= await members.networks_around(session, event.commissioner)
        _set_budgets_later(session, served, [year])


async def take_claim(session: AsyncSession, event: ClaimMade, arrival: Arrival) -> None:
    await submit_claim(session, event, arrival.envelope.position, arrival.now)


async def take_arrears_claim(session: AsyncSession, event: ArrearsClaimed, arrival: Arrival) -> None:
    await take_arrears(session, event, arrival.envelope.position, arrival.now)


async def know_post(session: AsyncSession, event: RoleRecruited, arrival: Arrival) -> None:
    await keep_post(session, event, arrival.envelope.position)


async def know_post_ended(session: AsyncSession, event: PostEnded, arrival: Arrival) -> None:
    await end_post(session, event, arrival.envelope.position)


async def know_agreement(session: AsyncSession, event: AgreementSigned, arrival: Arrival) -> None:
    await note_agreement(session, event, arrival.envelope.position)
    await keep_agreement(session, event, arrival.envelope.position, arrival.now)


async def know_agreement_ended(session: AsyncSession, event: AgreementEnded, arrival: Arrival) -> None:
    await note_agreement_ended(session, event, arrival.envelope.position)
    await keep_agreement(session, event, arrival.envelope.position, arrival.now)


def _set_budgets_later(session: AsyncSession, codes: Collection[str], years: Collection[str] | None = None) -> None:
    """Have budgets of these networks set when the transaction's events are handled: of these years, or of all."""
    asked: dict[frozenset[str] | None, set[str]] = session.info.setdefault(_BUDGETS, {})
    asked.setdefault(None if years is None else frozenset(years), set()).update(codes)


async def _budgets_of_years(session: AsyncSession, network: str, *days: date) -> None:
    """A network has sums of the years of these days."""
    await ask_for_years(session, network, {year_of_day(day) for day in days})
    _set_budgets_later(session, [network])


async def set_asked_budgets(session: AsyncSession, now: datetime) -> None:
    """Set every budget the events of this transaction asked for: many events, a few statements."""
    asked: dict[frozenset[str] | None, set[str]] = session.info.pop(_BUDGETS, {})
    if asked:
        await one_at_a_time(session)
    for years, codes in asked.items():
        if codes:
            events = await set_budgets(session, sorted(codes), now, years=years)
            touched = {event.network for event in events} | await settle_local_terms(session, codes, now)
            if touched:
                await recheck_waiting(session, now, networks=touched)


HANDLERS: dict[type[Event], Handler] = {
    CommissionerRegistered: know_commissioner,
    CommissionerSucceeded: inherit_commissioner,
    PracticesPublished: know_practices,
    PracticeRegistered: know_practice,
    PracticeClosed: close_practice,
    PracticeSucceeded: succeed_practice,
    ListSizesPublished: keep_list_sizes,
    NetworkApproved: open_network_account,
    NetworkRestated: restate_network,
    NetworkClosed: close_network,
    PracticeJoined: join_network,
    PracticeLeft: leave_network,
    PatientsAllocated: serve_patients,
    AllocationEnded: serve_no_longer,
    EntitlementWithdrawn: stop_paying,
    EntitlementRestored: pay_again,
    PayeeAppointed: pay_another,
    AgreementSigned: know_agreement,
    AgreementEnded: know_agreement_ended,
    ClaimMade: take_claim,
    ArrearsClaimed: take_arrears_claim,
    RoleRecruited: know_post,
    PostEnded: know_post_ended,
}
