"""Where Alembic finds the tables of reporting."""

from services.reporting.areas import model as areas
from services.reporting.base import Base
from services.reporting.claims import model as claims
from services.reporting.coverage import model as coverage
from services.reporting.deadlines import model as deadlines
from services.reporting.queries import model as queries
from services.reporting.spend import model as spend
from services.reporting.variations import model as variations
from services.reporting.workforce import model as workforce
from shared.migrations import run

MODELS = (areas, claims, coverage, deadlines, queries, spend, variations, workforce)

run(Base.metadata, "reporting")
