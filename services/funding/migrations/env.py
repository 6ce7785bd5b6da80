from services.funding import main  # noqa: F401 - with it comes every noun's model
from services.funding.base import Base
from services.funding.budgets import model as budgets  # noqa: F401
from shared.migrations import run

run(Base.metadata, "funding")
