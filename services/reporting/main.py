"""The reporting service, wired."""

from __future__ import annotations

from services.reporting.base import Base
from services.reporting.claims.routes import router as claims
from services.reporting.coverage.routes import router as coverage
from services.reporting.deadlines.routes import router as deadlines
from services.reporting.handlers import HANDLERS, finish
from services.reporting.queries.routes import router as queries
from services.reporting.settings import Settings
from services.reporting.spend.routes import router as spend
from services.reporting.variations.routes import router as variations
from services.reporting.workforce.routes import router as workforce
from shared.service import Service


def service(settings: Settings) -> Service:
    return Service(
        name="reporting",
        base=Base,
        settings=settings,
        routers=[coverage, spend, claims, queries, workforce, deadlines, variations],
        handlers=HANDLERS,
        finish=finish,
    )
