"""Putting bank details under a new key."""

from __future__ import annotations

from services.funding.bank_details.operations import reseal_details
from services.funding.payment_files.operations import reseal_files
from services.funding.settings import Settings
from shared.database import engine_for, sessions_for
from shared.keys import new_key, read_keys, write_keys


async def rotate(settings: Settings, *, forget: bool) -> int:
    """Add a new key where the keys stand in a file, put all that older keys seal under the newest, and say how much.

    `forget` then leaves only the newest in the file. Keys given as text are the operator's to order, newest first.
    """
    ring, file = settings.key_ring, settings.keys_file
    if file is not None:
        write_keys(file, [new_key(), *read_keys(file)])
    engine = engine_for(settings.database_url, pool_size=1)
    try:
        async with sessions_for(engine).begin() as session:
            count = await reseal_details(session, ring) + await reseal_files(session, ring)
    finally:
        await engine.dispose()
    if file is not None and forget:
        write_keys(file, read_keys(file)[:1])
    return count
