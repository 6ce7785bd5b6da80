"""What a joint decision changes: networks, members, payees and allocations, all in the transaction that decides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.registry.allocations.model import Allocation
from services.registry.applications.model import Application, Step
from services.registry.clinical_directors.model import Method
from services.registry.clinical_directors.operations import Director, take_office
from services.registry.codes import local_network_code
from services.registry.networks.model import (
    Membership,
    Network,
    NetworkCodeTaken,
    NetworkEntry,
    NetworkNotFound,
    Payee,
    PracticeAlreadyMember,
)
from services.registry.networks.queries import lead_of, member_histories
from services.registry.rounds.consequences import close_empty, require_wholly_divided, settle_forms
from services.registry.rounds.model import Round
from services.registry.scope import heir_of
from shared.events import Event
from shared.events.registry import Member, NetworkApproved, PracticeLeft
from shared.facts import ONE_DAY, as_at, currently_known, days, record, withdraw
from shared.messaging import announce


async def put_into_effect(
    session: AsyncSession,
    round: Round,
    approved: Sequence[Application],
    refused: Sequence[Application],
    *,
    on: date,
    by: str,
    now: datetime,
) -> None:
    """Create or continue the approved networks with their members, payees and allocated patients, and announce them."""
    lead = await heir_of(session, round.commissioner, round.starts_on)
    await require_wholly_divided(session, round, approved)
    codes = await _name_networks(session, round, approved, lead, on=on, by=by, now=now)
    try:
        async with session.begin_nested():
            moves = await _move_members(session, round, approved, codes, lead, now)
    except IntegrityError as error:
        if "ex_memberships_overlap" in str(error.orig):
            raise PracticeAlreadyMember("A practice would be a member of two networks at once.") from error
        raise
    payees: list[Event] = []
    for application in approved:
        payees.extend(await _appoint_payee(session, round, application, codes[application.id], now))
    announce(session, *moves)
    await settle_forms(session, round, approved, codes, lead, by, now)
    left = {event.network: event.commissioner for event in moves if isinstance(event, PracticeLeft)}
    announce(session, *await close_empty(session, round, left, now))
    histories = await member_histories(session, list(codes.values()))
    for application in approved:
        code = codes[application.id]
        opened, closes = await _life(session, code)
        announce(
            session,
            NetworkApproved(
                network=code,
                network_name=application.network_name,
                commissioner=lead,
                contract_year=round.contract_year,
                approved_on=on,
                valid_from=opened,
                valid_to=closes,
                payee=application.payee,
                members=[
                    Member(practice=m.practice, valid_from=m.valid_from, valid_to=m.valid_to, share=m.share)
                    for m in histories.get(code, [])
                ],
                decided_by="round",
                round=round.id,
                application=application.id,
            ),
        )
    for application in approved:
        await _appoint_directors(session, round, application, codes[application.id], by, now)
    announce(session, *payees, *await settle_allocations(session, codes, [a.id for a in refused], now))


async def _name_networks(
    session: AsyncSession, round: Round, approved: Sequence[Application], lead: str, *, on: date, by: str, now: datetime
) -> dict[str, str]:
    """The code of each approved network: its own, the one ODS gave, or the next free local one."""
    taken = set((await session.scalars(select(Network.code))).all())
    taken |= {a.proposed_code for a in approved if a.proposed_code}
    codes: dict[str, str] = {}
    for application in approved:
        code = application.network or application.proposed_code or local_network_code(taken)
        if code is None:
            raise NetworkCodeTaken("No local network code is free.")
        taken.add(code)
        held = await session.get(Network, code, with_for_update=True)
        if application.network and held is None:
            raise NetworkNotFound(f"No network {code}.")
        if held is not None and not application.network:
            raise NetworkCodeTaken(f"The code {code} belongs to another network.")
        if held is None:
            session.add(Network(code=code, changed_at=now))
        else:
            held.changed_at = now
        current = await session.scalar(
            select(NetworkEntry).where(NetworkEntry.network == code, as_at(NetworkEntry, round.starts_on))
        )
        if current is None or (current.name, current.commissioner) != (application.network_name, lead):
            entry = NetworkEntry(
                network=code,
                name=application.network_name,
                commissioner=lead,
                valid=days(round.starts_on),
            )
            await record(session, entry, key=["network"], now=now)
        application.approve(code, on=on, by=by)
        session.add(application.step(Step.APPROVED, at=now, on=on, by=by))
        codes[application.id] = code
    return codes


async def _move_members(
    session: AsyncSession,
    round: Round,
    approved: Sequence[Application],
    codes: dict[str, str],
    lead: str,
    now: datetime,
) -> list[Event]:
    """From the day the round takes effect, each practice is where its application puts it; what holds already stays."""
    wanted: dict[str, list[Membership]] = defaultdict(list)
    for application in approved:
        for line in application.practices:
            taken = sum((m.share for m in wanted[line.practice]), Decimal(0))
            wanted[line.practice].append(
                Membership(
                    network=codes[application.id],
                    practice=line.practice,
                    portion=Range(taken, taken + line.share),
                    round=round.id,
                    application=application.id,
                    valid=days(round.starts_on),
                )
            )
    again = set(codes.values())
    leaving = {moved for application in approved for moved in application.leaving()}
    from_then = days(round.starts_on)
    believed = (currently_known(Membership), Membership.valid.overlaps(from_then))
    before = select(Membership.practice).where(*believed, Membership.network.in_(again))
    held = (
        await session.scalars(
            select(Membership)
            .where(*believed, Membership.practice.in_(wanted) | Membership.practice.in_(before))
            .order_by(Membership.practice, func.lower(Membership.valid))
        )
    ).all()
    holds: dict[str, list[Membership]] = defaultdict(list)
    for membership in held:
        holds[membership.practice].append(membership)
        share = sum((m.share for m in wanted[membership.practice]), Decimal(0))
        stays = membership.network not in again and (membership.practice, membership.network) not in leaving
        if stays and membership.share < 1 and share + membership.share <= 1:
            wanted[membership.practice].append(_continued(membership, share, round))
    events: list[Event] = []
    for practice in sorted(set(wanted) | set(holds)):
        now_in, goes_to = holds[practice], wanted[practice]
        if _same(now_in, goes_to):
            continue
        for membership in now_in:
            left_with = await lead_of(session, membership.network, round.starts_on) or lead
            events.append(membership.left(left_with, max(round.starts_on - ONE_DAY, membership.valid_from - ONE_DAY)))
        await withdraw(session, Membership, now=now, days=from_then, practice=practice)
        for membership in goes_to:
            membership.known = Range(now, None)
            session.add(membership)
            events.append(membership.joined(lead))
        await session.flush()
    return events


def _continued(membership: Membership, taken: Decimal, round: Round) -> Membership:
    """The part of a split list that stays with a network which does not apply again, beside the parts that move."""
    return Membership(
        network=membership.network,
        practice=membership.practice,
        portion=Range(taken, taken + membership.share),
        round=membership.round,
        application=membership.application,
        valid=days(max(round.starts_on, membership.valid_from), membership.valid_to),
    )


def _same(held: Sequence[Membership], wanted: Sequence[Membership]) -> bool:
    """Whether a practice is already where it is wanted, with the same share and no end in sight."""
    return sorted((m.network, m.share) for m in held if m.valid_to is None) == sorted(
        (m.network, m.share) for m in wanted
    ) and all(m.valid_to is None and m.valid_from <= w.valid_from for m, w in zip(held, wanted, strict=False))


async def _appoint_payee(
    session: AsyncSession, round: Round, application: Application, code: str, now: datetime
) -> list[Event]:
    network = await session.get_one(Network, code)
    current = await session.scalar(
        select(Payee.payee).where(Payee.network == code, as_at(Payee, round.starts_on), func.upper_inf(Payee.valid))
    )
    if application.payee is None or current == application.payee:
        return []
    payee = Payee(network=code, payee=application.payee, valid=days(round.starts_on))
    await record(session, payee, key=["network"], now=now)
    return [network.appoint_payee(application.payee, round.starts_on, None)]


async def _appoint_directors(
    session: AsyncSession, round: Round, application: Application, code: str, by: str, now: datetime
) -> None:
    """The directors the application names hold the office from the day the round takes effect, in equal parts unless
    it says otherwise.
    """
    named = application.clinical_directors
    equal = (Decimal(1) / len(named)).quantize(Decimal("0.0001"), ROUND_DOWN) if named else Decimal(1)
    directors = [
        Director(
            name=director["name"],
            practice=director["practice"],
            registration_body=None,
            registration_number=director.get("professional_registration"),
            method=Method.APPOINTED,
            portion=Decimal(director["share"]) if director.get("share") else equal,
            valid_from=round.starts_on,
            valid_to=None,
        )
        for director in named
    ]
    await take_office(session, code, directors, application=application.id, by=by, now=now)


async def _life(session: AsyncSession, code: str) -> tuple[date, date | None]:
    pieces = (
        await session.scalars(select(NetworkEntry).where(NetworkEntry.network == code, currently_known(NetworkEntry)))
    ).all()
    last = None if any(p.valid_to is None for p in pieces) else max(p.valid_to for p in pieces if p.valid_to)
    return min(p.valid_from for p in pieces), last


async def settle_allocations(
    session: AsyncSession, codes: dict[str, str], refused: Iterable[str], now: datetime
) -> list[Event]:
    """Patients allocated to an approved application are its network's; those of a refused one are nobody's again."""
    waiting = (
        await session.scalars(
            select(Allocation)
            .where(
                currently_known(Allocation),
                Allocation.network.is_(None),
                Allocation.application.in_([*codes, *refused]),
            )
            .with_for_update()
        )
    ).all()
    events: list[Event] = []
    for allocation in waiting:
        code = codes.get(allocation.application or "")
        if code is not None:
            events.append(allocation.served_by(code))
        else:
            await withdraw(session, Allocation, now=now, days=allocation.valid, id=allocation.id)
    return events
