"""Where Alembic finds the tables of workforce."""

from services.workforce.arrears import model as arrears
from services.workforce.base import Base
from services.workforce.baselines import model as baselines
from services.workforce.candidates import model as candidates
from services.workforce.claims import model as claims
from services.workforce.networks import model as networks
from services.workforce.plans import model as plans
from services.workforce.posts import model as posts
from services.workforce.rates import model as rates
from services.workforce.roles import model as roles
from services.workforce.vacancies import model as vacancies
from shared.migrations import run

MODELS = (arrears, baselines, candidates, claims, networks, plans, posts, rates, roles, vacancies)

run(Base.metadata, "workforce")
