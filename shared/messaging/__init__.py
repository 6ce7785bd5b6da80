"""Events between services: announced into the outbox, relayed in order, received once."""

from shared.messaging.inbox import Arrival, Handler, Receiver
from shared.messaging.outbox import Relay, Transport, announce, announce_many

__all__ = ["Arrival", "Handler", "Receiver", "Relay", "Transport", "announce", "announce_many"]
