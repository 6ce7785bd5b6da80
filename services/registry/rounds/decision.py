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
from services.registry.members.moves import moves_since, spells_of
from services.registry.networks.model import (
    Membership,
    Network,
    NetworkCodeTaken,
    NetworkEntry,
    NetworkNotFound,
    Payee,
    PracticeAlreadyMember,
)
from services.registry.networks.operations import settle_register
from services.registry.networks.queries import leads_of, member_histories, payee_histories, payees_on
from services.registry.rounds.consequences import close_empty, require_wholly_divided, settle_forms
from services.registry.rounds.model import Round
from services.registry.scope import heir_of
from shared.events import Event
from shared.events.registry import Member, NetworkApproved
from shared.facts import another, as_at, currently_known, days, record_many, since, withdraw, withdraw_many
from shared.messaging import announce
from shared.messaging.outbox import announce_many


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
            moves, left = await _move_members(session, round, approved, codes, lead, now)
    except IntegrityError as error:
        if "ex_memberships_overlap" in str(error.orig):
            raise PracticeAlreadyMember("A practice would be a member of two networks at once.") from error
        raise
    payees = await _appoint_payees(session, round, approved, codes, now)
    await announce_many(session, moves)
    await settle_forms(session, round, approved, codes, lead, by, now)
    announce(session, *await close_empty(session, round, left, now))
    histories = await member_histories(session, list(codes.values()))
    lives = await _lives(session, codes.values())
    paid = await payees_on(session, list(codes.values()), round.starts_on)
    paid_through = await payee_histories(session, list(codes.values()))
    told: list[Event] = []
    for application in approved:
        code = codes[application.id]
        opened, closes, entries = lives[code]
        told.append(
            NetworkApproved(
                network=code,
                network_name=application.network_name,
                commissioner=lead,
                contract_year=round.contract_year,
                approved_on=on,
                valid_from=opened,
                valid_to=closes,
                payee=paid.get(code),
                members=[
                    Member(practice=m.practice, valid_from=m.valid_from, valid_to=m.valid_to, share=m.share)
                    for m in histories.get(code, [])
                ],
                decided_by="round",
                round=round.id,
                application=application.id,
                entries=[entry.told() for entry in entries],
                payees=[payee.told() for payee in paid_through[code]],
            )
        )
    await announce_many(session, told)
    for application in approved:
        await _appoint_directors(session, round, application, codes[application.id], by, now)
    announce(session, *payees, *await settle_allocations(session, codes, [a.id for a in refused], now))
    await settle_register(session)


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
        codes[application.id] = code
    there = select(Network).where(Network.code.in_(codes.values())).order_by(Network.code).with_for_update()
    held = {network.code: network for network in await session.scalars(there)}
    current = select(NetworkEntry).where(NetworkEntry.network.in_(held), as_at(NetworkEntry, round.starts_on))
    entries = {entry.network: entry for entry in await session.scalars(current)}
    renamed = []
    for application in approved:
        code = codes[application.id]
        if application.network and code not in held:
            raise NetworkNotFound(f"No network {code}.")
        if code in held and not application.network:
            raise NetworkCodeTaken(f"The code {code} belongs to another network.")
        if code in held:
            held[code].changed_at = now
        else:
            session.add(Network(code=code, changed_at=now))
        entry = entries.get(code)
        if entry is None or (entry.name, entry.commissioner) != (application.network_name, lead):
            name, valid = application.network_name, days(round.starts_on)
            renamed.append(NetworkEntry(network=code, name=name, commissioner=lead, valid=valid))
        application.approve(code, on=on, by=by)
        session.add(application.step(Step.APPROVED, at=now, on=on, by=by))
    await session.flush()
    await record_many(session, renamed, key="network", now=now)
    return codes


async def _move_members(
    session: AsyncSession,
    round: Round,
    approved: Sequence[Application],
    codes: dict[str, str],
    lead: str,
    now: datetime,
) -> tuple[list[Event], dict[str, str]]:
    """From the day the round takes effect, each practice is where its application puts it; what holds already stays.

    Gives what readers are to be told, and the networks somebody left with who leads each.
    """
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
    moving = [p for p in sorted(set(wanted) | set(holds)) if not _same(holds[p], wanted[p])]
    leads = await leads_of(session, {m.network for p in moving for m in holds[p]}, round.starts_on)
    left = {m.network: leads.get(m.network, lead) for p in moving for m in holds[p]}
    before_moving = await spells_of(session, moving)
    spans = dict.fromkeys(moving, from_then)
    await withdraw_many(session, Membership, now=now, days=spans, key="practice")
    for membership in [m for p in moving for m in wanted[p]]:
        membership.known = Range(now, None)
        session.add(membership)
    return await moves_since(session, before_moving, moving), left


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


async def _appoint_payees(
    session: AsyncSession, round: Round, approved: Sequence[Application], codes: dict[str, str], now: datetime
) -> list[Event]:
    """Who an application names receives its network's money, unless they do so already."""
    current = select(Payee.network, Payee.payee).where(
        Payee.network.in_(codes.values()), as_at(Payee, round.starts_on), func.upper_inf(Payee.valid)
    )
    held = dict((await session.execute(current)).all())
    payees = [
        Payee(network=codes[a.id], payee=a.payee, valid=days(round.starts_on))
        for a in approved
        if a.payee is not None and held.get(codes[a.id]) != a.payee
    ]
    await record_many(session, payees, key="network", now=now)
    return [
        (await session.get_one(Network, payee.network)).appoint_payee(payee.payee, round.starts_on, None)
        for payee in payees
    ]


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


async def _lives(
    session: AsyncSession, codes: Iterable[str]
) -> dict[str, tuple[date, date | None, list[NetworkEntry]]]:
    """The first and the last day of each network, and its entries in order, over all that is believed of it."""
    entries = select(NetworkEntry).where(NetworkEntry.network.in_(list(codes)), currently_known(NetworkEntry))
    pieces: dict[str, list[NetworkEntry]] = defaultdict(list)
    for piece in await session.scalars(entries):
        pieces[piece.network].append(piece)
    found = {}
    for code, held in pieces.items():
        last = None if any(p.valid_to is None for p in held) else max(p.valid_to for p in held if p.valid_to)
        in_order = sorted(held, key=lambda piece: piece.valid_from)
        found[code] = (in_order[0].valid_from, last, in_order)
    return found


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
        decided = another(allocation, allocation.valid, since(now))
        await withdraw(session, Allocation, now=now, days=allocation.valid, id=allocation.id)
        if code is not None:
            session.add(decided)
            events.append(decided.served_by(code))
    return events
