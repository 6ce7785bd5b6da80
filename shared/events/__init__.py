"""Every event of the system, by the service that announces it."""

from shared.events import funding, registry, workforce
from shared.events.base import CATALOGUE, Envelope, Event, UnknownEvent, parse

__all__ = ["CATALOGUE", "Envelope", "Event", "UnknownEvent", "funding", "parse", "registry", "workforce"]
