from importlib import import_module
from pathlib import Path

from services.funding.achievement_overrides import model as achievement_overrides  # noqa: F401
from services.funding.achievements import model as achievements  # noqa: F401
from services.funding.base import Base
from services.funding.budgets import model as budgets  # noqa: F401
from services.funding.checks import model as checks  # noqa: F401
from services.funding.claims import model as claims  # noqa: F401
from services.funding.indicators import model as indicators  # noqa: F401
from services.funding.networks import model as networks  # noqa: F401
from services.funding.payments import model as payments  # noqa: F401
from services.funding.populations import model as populations  # noqa: F401
from services.funding.tariffs import model as tariffs  # noqa: F401
from shared.migrations import run

for model in sorted(Path(__file__).parents[1].glob("*/model.py")):
    import_module(f"services.funding.{model.parent.name}.model")
run(Base.metadata, "funding")
