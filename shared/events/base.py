"""The envelope every event travels in, and the catalogue of all events.

The envelope is CloudEvents 1.0. Within version 1 of an event only optional fields may be added; anything else is a
new class beside the old one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.errors import DomainError

MONTH_PATTERN = r"^[0-9]{4}-(0[1-9]|1[0-2])$"
YEAR_PATTERN = r"^[0-9]{4}-[0-9]{2}$"


class UnknownEvent(DomainError):
    """No event of that type is in the catalogue."""


class Fact(BaseModel):
    """A part of an event: frozen, tolerant of fields a later version adds."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Fact):
    """Something that happened, named in the past tense by the service that decided it.

    `publisher` and `noun` make the topic, `pcn.<publisher>.<noun>`; `name` and `version` make the type,
    `pcn.<publisher>.<name>.v<version>`.
    """

    publisher: ClassVar[str]
    noun: ClassVar[str]
    name: ClassVar[str]
    version: ClassVar[int] = 1

    def subject(self) -> str:
        """The one record the event is about; events of one subject arrive in order."""
        raise NotImplementedError

    @classmethod
    def topic(cls) -> str:
        return f"pcn.{cls.publisher}.{cls.noun}"

    @classmethod
    def event_type(cls) -> str:
        return f"pcn.{cls.publisher}.{cls.name}.v{cls.version}"


class Envelope(BaseModel):
    """One event on its way, as CloudEvents JSON. `sequence` is the place in its publisher's log, zero-padded."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: str = "1.0"
    id: UUID
    source: str
    type: str
    subject: str
    time: datetime
    sequence: str = Field(pattern=r"^[0-9]{20}$")
    datacontenttype: str = "application/json"
    correlationid: str | None = None
    traceparent: str | None = None
    data: dict[str, Any]

    @property
    def position(self) -> int:
        return int(self.sequence)


CATALOGUE: dict[str, type[Event]] = {}


def catalogued(event: type[Event]) -> type[Event]:
    """Enter an event class into the catalogue, once per type."""
    kind = event.event_type()
    if kind in CATALOGUE:
        raise ValueError(f"{kind} is in the catalogue already")
    CATALOGUE[kind] = event
    return event


def parse(envelope: Envelope) -> Event:
    """The event inside an envelope.

    Raises `UnknownEvent` for a type outside the catalogue and pydantic's `ValidationError` for data that does not fit.
    """
    event = CATALOGUE.get(envelope.type)
    if event is None:
        raise UnknownEvent(f"No event of type {envelope.type} is known.")
    return event.model_validate(envelope.data)
