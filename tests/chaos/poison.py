"""A poisoned subject: one message nobody can handle, with real ones behind it, mended and replayed in order."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from psycopg.types.json import Jsonb

from shared.events.registry import CommissionerRegistered
from tests.chaos.clients import Person
from tests.chaos.faults import CONSUMERS, ask
from tests.chaos.stacks import Stack

WAIT_SECONDS = 60.0


@dataclass
class Poison:
    """Announced for an area before its files are in: whatever the files say of the area waits behind it."""

    stack: Stack
    area: str
    parked: int = 0
    left: int = 0
    in_order: bool = True

    def __post_init__(self) -> None:
        self._event = uuid4()
        self._kind = CommissionerRegistered.event_type()

    def announce(self) -> None:
        ask(
            self.stack, "registry",
            "INSERT INTO outbox (time, event_id, type, topic, subject, data) SELECT now(), %s, %s, %s, %s, %s "
            "WHERE NOT EXISTS (SELECT FROM outbox WHERE event_id = %s)",
            [self._event, self._kind, CommissionerRegistered.topic(), self.area, Jsonb({"commissioner": self.area}),
             self._event],
        )  # fmt: skip

    def mend(self, operator: Person) -> None:
        """Once it and what follows it are parked everywhere: say it right in the log and where it lies, and replay."""
        deadline = time.monotonic() + WAIT_SECONDS
        while min(map(self._waiting, CONSUMERS)) < 3 and time.monotonic() < deadline:
            time.sleep(0.2)
        self.parked = sum(map(self._waiting, CONSUMERS))
        ((right,), *_) = ask(
            self.stack, "registry", "SELECT data FROM outbox WHERE type = %s AND subject = %s AND event_id <> %s",
            [self._kind, self.area, self._event],
        )  # fmt: skip
        ask(self.stack, "registry", "UPDATE outbox SET data = %s WHERE event_id = %s", [Jsonb(right), self._event])
        for name in CONSUMERS:
            ask(
                self.stack, name,
                "UPDATE parked SET envelope = jsonb_set(envelope, '{data}', %s) WHERE event_id = %s",
                [Jsonb(right), self._event],
            )  # fmt: skip
            self._replay(operator, name)
            rows = ask(self.stack, name, "SELECT replayed_at FROM parked WHERE subject = %s ORDER BY id", [self.area])
            moments = [row[0] for row in rows if isinstance(row[0], datetime)]
            self.left += len(rows) - len(moments)
            self.in_order &= moments == sorted(moments)

    def _replay(self, operator: Person, name: str) -> None:
        """Through the API, until nothing of the area is left: more may park while we replay."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self._waiting(name) and time.monotonic() < deadline:
            parked = [i for i in operator.items(f"/{name}/v1/messages/parked") if i["subject"] == self.area]
            if parked:
                operator.put(f"/{name}/v1/messages/parked/{parked[0]['event_id']}/replay")

    def _waiting(self, name: str) -> int:
        found = ask(
            self.stack, name, "SELECT count(*) FROM parked WHERE replayed_at IS NULL AND subject = %s", [self.area]
        )
        return int(str(found[0][0]))
