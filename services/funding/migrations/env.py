from services.funding import main  # noqa: F401 - with it comes every noun's model
from services.funding.base import Base
from shared.migrations import run

run(Base.metadata, "funding")
