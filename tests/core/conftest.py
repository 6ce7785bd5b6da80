"""Each service at work on a database of its own, made once for all tests of a module."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from deploy.issuer import EmbeddedIssuer
from tests.conftest import SERVICES, live
from tests.core.world import MAKERS, World


@pytest.fixture(scope="module", params=[pytest.param(s, marks=pytest.mark.xdist_group(f"core-{s}")) for s in SERVICES])
async def world(
    request: pytest.FixtureRequest, migrated: Callable[[str], str], issuer: EmbeddedIssuer
) -> AsyncIterator[World]:
    name: str = request.param
    async with live(name, migrated(name), issuer) as app:
        yield await MAKERS[name](app)
