"""Every migration of funding can be taken back, step by step, and made again."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from alembic import command

from shared.migrations import config_for, upgrade
from tests.conftest import drop_database, make_database


async def test_the_history_goes_back_to_nothing_and_forth_again() -> None:
    name = f"back_{uuid4().hex[:12]}"
    url = make_database(name)
    try:
        await asyncio.to_thread(upgrade, "funding", url)
        await asyncio.to_thread(command.downgrade, config_for("funding", url), "base")
        await asyncio.to_thread(upgrade, "funding", url)
    finally:
        drop_database(name)
