"""Open a vacancy, follow its stages, appoint somebody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.workforce.baselines.operations import find_baseline
from services.workforce.candidates.operations import find_candidate
from services.workforce.claimability.operations import position_of
from services.workforce.claimability.rules import Wish, assess
from services.workforce.networks.model import Network, Practice
from services.workforce.networks.operations import of_caller, own_network
from services.workforce.plans.operations import find_plan, submitted_plan
from services.workforce.posts.model import FULL_TIME, OverFullTime, Post
from services.workforce.roles.model import Role
from services.workforce.vacancies.model import Check, Stage, Vacancy, VacancyRefused
from shared.database import new_id
from shared.errors import Fault, Invalid, NotFound
from shared.http import require_match
from shared.identity import Caller
from shared.messaging import announce
from shared.years import year_of_day


@dataclass(frozen=True, slots=True)
class Opening:
    """What a network asks for when it opens a vacancy."""

    network: str
    role: str
    wte: Decimal
    zone: str
    employer: str
    employer_kind: str | None
    opened_on: date
    plan: str | None
    baseline: str | None


@dataclass(frozen=True, slots=True)
class Appointment:
    """Who starts when, for how much of a week."""

    candidate: str
    started_on: date
    wte: Decimal
    zone: str | None
    salary_basis: str | None
    over_full_time_reason: str | None


def visible_vacancies(caller: Caller) -> Select[Vacancy]:
    return select(Vacancy).where(of_caller(caller, Vacancy.network))


async def find_vacancy(session: AsyncSession, vacancy_id: str, *, caller: Caller, lock: bool = False) -> Vacancy:
    statement = visible_vacancies(caller).where(Vacancy.id == vacancy_id)
    vacancy = await session.scalar(statement.with_for_update() if lock else statement)
    if vacancy is None:
        raise NotFound(f"No vacancy {vacancy_id}.")
    return vacancy


async def _employer_kind(session: AsyncSession, opening: Opening) -> str:
    """What sort of organisation the employer is: said, or plain from its code."""
    if opening.employer_kind is not None:
        return opening.employer_kind
    if opening.employer == opening.network:
        return "network"
    if await session.get(Practice, opening.employer) is not None:
        return "practice"
    raise Invalid(
        "The vacancy is not valid.",
        errors=[
            Fault(
                "body.employer_kind",
                "EmployerKindMissing",
                f"{opening.employer} is neither the network nor a known practice: say whether it is a federation, "
                "a trust or a supplier.",
            )
        ],
    )


async def open_vacancy(
    session: AsyncSession, opening: Opening, *, caller: Caller, now: datetime, today: date
) -> Vacancy:
    """Open a vacancy that the plan, the sum, the caps and the dates of the role allow.

    Raises `VacancyRefused` with every reason at once, and `NetworkNotApproved` for a network nobody approved.
    """
    network = await own_network(session, opening.network, caller, lock=True)
    kind = await _employer_kind(session, opening)
    role = await session.get(Role, opening.role)
    reasons: list[Fault] = []
    if role is not None and kind not in role.employers:
        allowed = ", ".join(role.employers)
        reasons.append(
            Fault("employer", "EmployerNotAllowed", f"A {role.name} is employed by: {allowed}; not a {kind}.")
        )
    plan = await submitted_plan(session, opening.network, year_of_day(opening.opened_on))
    if opening.plan is not None:
        named = await find_plan(session, opening.plan, caller=caller)
        if plan is None or named.id != plan.id:
            year = year_of_day(opening.opened_on)
            reasons.append(
                Fault(
                    "plan", "NotThePlanOfTheYear", f"{named.id} is not the submitted {year} plan of {opening.network}."
                )
            )
    if opening.baseline is None:
        reasons += await _money_reasons(session, network, opening, today)
    else:
        reasons += await _baseline_reasons(session, network, opening, role, caller)
    if reasons:
        raise VacancyRefused(" ".join(reason.message for reason in reasons), errors=reasons)
    vacancy = Vacancy(
        id=new_id("vac"),
        network=opening.network,
        plan=None if plan is None else plan.id,
        baseline=opening.baseline,
        role=opening.role,
        wte=opening.wte,
        zone=opening.zone,
        employer=opening.employer,
        employer_kind=kind,
        additional=opening.baseline is None,
        opened_on=opening.opened_on,
        created_at=now,
    )
    announce(session, vacancy.open())
    session.add(vacancy)
    await session.flush()
    return vacancy


async def _money_reasons(session: AsyncSession, network: Network, opening: Opening, today: date) -> list[Fault]:
    position = await position_of(session, network, opening.role, day=opening.opened_on, known=today)
    return assess(position, Wish(opening.role, opening.zone, opening.wte, opening.opened_on)).faults()


async def _baseline_reasons(
    session: AsyncSession, network: Network, opening: Opening, role: Role | None, caller: Caller
) -> list[Fault]:
    """A baseline post takes nothing of plan or sum, but the network and the post must be there."""
    refusal = network.refusal_on(opening.opened_on)
    reasons = [] if refusal is None else [Fault("network", refusal.code, str(refusal))]
    baseline = await find_baseline(session, opening.baseline or "", caller=caller)
    if role is None or baseline.role != opening.role:
        reasons.append(Fault("baseline", "OtherRole", f"{baseline.id} is a post of {baseline.role}."))
    return reasons


async def reach_stage(
    session: AsyncSession,
    vacancy_id: str,
    *,
    stage: Stage,
    on: date,
    checks: Mapping[Check, date],
    caller: Caller,
    if_match: str | None,
) -> Vacancy:
    vacancy = await find_vacancy(session, vacancy_id, caller=caller, lock=True)
    require_match(vacancy, if_match)
    vacancy.reach(stage, on, checks)
    await session.flush()
    return vacancy


async def withdraw_vacancy(
    session: AsyncSession, vacancy_id: str, *, on: date, reason: str, caller: Caller, if_match: str | None
) -> Vacancy:
    vacancy = await find_vacancy(session, vacancy_id, caller=caller, lock=True)
    require_match(vacancy, if_match)
    vacancy.withdraw(on, reason)
    await session.flush()
    return vacancy


async def appoint(
    session: AsyncSession,
    vacancy_id: str,
    appointment: Appointment,
    *,
    caller: Caller,
    if_match: str | None,
    now: datetime,
    today: date,
) -> Post:
    """Put a candidate in post: from now on there is one record of them for claims, returns and reports."""
    vacancy = await find_vacancy(session, vacancy_id, caller=caller)
    network = await own_network(session, vacancy.network, caller, lock=True)
    vacancy = await find_vacancy(session, vacancy_id, caller=caller, lock=True)
    require_match(vacancy, if_match)
    candidate = await find_candidate(session, appointment.candidate, caller=caller)
    if candidate.network != vacancy.network:
        raise NotFound(f"No candidate {appointment.candidate} of {vacancy.network}.")
    zone = appointment.zone or vacancy.zone
    post = Post(
        id=new_id("post"),
        vacancy=vacancy.id,
        candidate=candidate.id,
        network=vacancy.network,
        role=vacancy.role,
        wte=appointment.wte,
        zone=zone,
        employer=vacancy.employer,
        employer_kind=vacancy.employer_kind,
        started_on=appointment.started_on,
        ended_on=None,
        ending_reason=None,
        additional=vacancy.additional,
        days_to_hire=(appointment.started_on - vacancy.opened_on).days,
        salary_basis=appointment.salary_basis,
        over_full_time_reason=appointment.over_full_time_reason,
        created_at=now,
    )
    role = await session.get_one(Role, vacancy.role)
    event = vacancy.appoint(post, today=today, registered=role.professional_register)
    if vacancy.additional and zone != vacancy.zone:
        position = await position_of(
            session, network, vacancy.role, day=post.started_on, known=today, without=vacancy.id
        )
        reasons = [
            reason
            for reason in assess(position, Wish(vacancy.role, zone, post.wte, post.started_on)).faults()
            if reason.code in {"SumExceeded", "CeilingUnknown", "BudgetNotKnown", "CommitmentsNotKnown"}
        ]
        if reasons:
            raise VacancyRefused(" ".join(reason.message for reason in reasons), errors=reasons)
    await _must_fit_the_week(session, post)
    session.add(post)
    announce(session, event)
    await session.flush()
    return post


async def _must_fit_the_week(session: AsyncSession, post: Post) -> None:
    """One person works no more than full time over all posts of a network, unless somebody says why."""
    others = (await session.scalars(select(Post).where(Post.candidate == post.candidate))).all()
    running = [p for p in others if p.ended_on is None or p.ended_on >= post.started_on]
    days = {post.started_on, *(p.started_on for p in running if p.started_on > post.started_on)}
    most = max(
        sum((p.wte for p in running if p.started_on <= day and (p.ended_on or day) >= day), post.wte) for day in days
    )
    if most > FULL_TIME and post.over_full_time_reason is None:
        raise OverFullTime(
            f"The person would work {most} WTE; give an over_full_time_reason if that is meant.",
            errors=[Fault("over_full_time_reason", "OverFullTime", f"{most} WTE is more than full time.")],
        )
