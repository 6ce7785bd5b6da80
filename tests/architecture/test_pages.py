"""What the pages tell people to open or to type is there."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer.main

from deploy.cli import app
from tests.architecture.rules import words_without_a_thing
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_target_and_command_a_page_names_is_there(page: Path) -> None:
    assert words_without_a_thing(ROOT, page.read_text(), COMMANDS) == []


def test_a_page_that_leads_nowhere_is_seen() -> None:
    page = (
        "See `tests/registry/test_rounds.py`, `services/<name>/main.py`, `shared/http.py` and `nowhere.py`;\n"
        "run `make tea`, `make test`, `pcn fly` or\n\n    .venv/bin/pcn up\n\nhttp://x/docs/none, ../shared/data."
    )
    assert words_without_a_thing(ROOT, page, COMMANDS) == [
        "file nowhere.py",
        "make tea",
        "path tests/registry/test_rounds.py",
        "pcn fly",
    ]
