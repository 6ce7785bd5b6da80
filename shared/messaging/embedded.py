"""The embedded transport: one process runs all services, and a relay hands each batch straight to the receivers.

A row counts as sent only when every subscriber has committed, so it is as durable as a broker would be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from shared.events.base import Envelope
from shared.messaging.inbox import Receiver


class EmbeddedTransport:
    def __init__(self) -> None:
        self._receivers: list[Receiver] = []

    def subscribe(self, receiver: Receiver) -> None:
        self._receivers.append(receiver)

    async def send(self, batch: Sequence[Envelope]) -> None:
        results = await asyncio.gather(*(r.receive(batch) for r in self._receivers), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
