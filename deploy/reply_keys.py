"""Marking kept replies with a new key."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import func, select

from shared.database import engine_for, sessions_for
from shared.keys import new_key, read_keys, write_keys
from shared.messaging.tables import KeptReply
from shared.settings import CommonSettings


async def rotate(settings: CommonSettings, databases: Mapping[str, str], *, forget: bool) -> int:
    """Put a new key in front of those in the file, and say how many there are then.

    What an older key marked cannot be marked anew, because the requests are not kept: the older keys stay for as long
    as a reply marked with them is. `forget` drops those no kept reply of any service needs.
    Keys given as text are the operator's to order, newest first.
    """
    ring, file = settings.reply_key_ring, settings.keys_file
    if file is None:
        return len(ring.at_hand())
    write_keys(file, [new_key(), *read_keys(file)])
    if forget:
        needed = await _needed(databases)
        newest = ring.at_hand()[0]
        write_keys(file, [key for name, key in ring.names().items() if key == newest or name in needed])
    return len(read_keys(file))


async def _needed(databases: Mapping[str, str]) -> set[str]:
    """The names of the keys that marked a reply still kept by any service."""
    names: set[str] = set()
    for url in databases.values():
        engine = engine_for(url, pool_size=1)
        try:
            async with sessions_for(engine).begin() as session:
                names |= set(await session.scalars(select(func.split_part(KeptReply.fingerprint, ":", 1)).distinct()))
        finally:
            await engine.dispose()
    return names
