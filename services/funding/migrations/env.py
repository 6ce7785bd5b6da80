from importlib import import_module
from pathlib import Path

from services.funding.base import Base
from shared.migrations import run

for model in sorted(Path(__file__).parents[1].glob("*/model.py")):
    import_module(f"services.funding.{model.parent.name}.model")
run(Base.metadata, "funding")
