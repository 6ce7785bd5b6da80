from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.stack import Stack, running


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack with the sample in it, in a path with a space."""
    with running(tmp_path_factory.mktemp("a home with spaces")) as stack:
        yield stack


@pytest.fixture(scope="module")
def england(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> Iterator[Stack]:
    """The stack with all of England in it."""
    with running(tmp_path_factory.mktemp("england"), "--data", str(real_data)) as stack:
        yield stack
