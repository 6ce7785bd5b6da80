from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from sqlalchemy import create_engine

from deploy.issuer import EmbeddedIssuer
from shared.migrations import create_plumbing
from shared.service import Runtime
from tests.conftest import drop_database, make_database
from tests.harness import Harness
from tests.shared import toy


class _Op:
    """Just enough of Alembic's `op` to make the plumbing where there is no history."""

    def __init__(self, connection: object) -> None:
        self.execute = connection.execute  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def toy_template(worker: str) -> Iterator[str]:
    name = f"toy_{worker}"
    engine = create_engine(make_database(name))
    with engine.begin() as connection:
        create_plumbing(_Op(connection))
        toy.Base.metadata.create_all(connection)
    engine.dispose()
    yield name
    drop_database(name)


@pytest.fixture
async def toy_live(toy_template: str, issuer: EmbeddedIssuer) -> AsyncIterator[Harness]:
    """The toy over a database of its own, committing for real."""
    name = f"toy_live_{uuid4().hex[:12]}"
    runtime = Runtime(toy.service(make_database(name, toy_template)))
    harness = Harness(runtime, issuer, None)
    yield harness
    await harness.client.aclose()
    await runtime.stop()
    drop_database(name)
