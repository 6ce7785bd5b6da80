"""The workforce service, wired."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.workforce.arrears.routes import router as arrears
from services.workforce.base import Base
from services.workforce.baselines.routes import router as baselines
from services.workforce.candidates.routes import router as candidates
from services.workforce.claimability.routes import router as claimability
from services.workforce.claims.routes import router as claims
from services.workforce.handlers import HANDLERS
from services.workforce.plans.routes import router as plans
from services.workforce.posts.routes import router as posts
from services.workforce.roles.operations import load_catalogue
from services.workforce.roles.routes import router as roles
from services.workforce.settings import Settings
from services.workforce.vacancies.routes import router as vacancies
from shared.events import workforce
from shared.service import Service


async def seed(session: AsyncSession, now: datetime) -> None:
    """Load the shipped catalogue of roles."""
    await load_catalogue(session)


def service(settings: Settings) -> Service:
    return Service(
        name="workforce",
        base=Base,
        settings=settings,
        routers=[roles, plans, vacancies, candidates, posts, claims, arrears, baselines, claimability],
        handlers=HANDLERS,
        announces=[
            workforce.PlanSubmitted,
            workforce.VacancyOpened,
            workforce.RoleRecruited,
            workforce.PostEnded,
            workforce.ClaimMade,
            workforce.ArrearsClaimed,
        ],
        seed=seed,
    )
