"""What travels with one piece of work across services: the correlation id and the W3C trace context."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar
from dataclasses import dataclass

_TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$")
_CORRELATION = re.compile(r"^[A-Za-z0-9._:-]{1,64}$")


@dataclass(frozen=True, slots=True)
class Trace:
    """One span of a W3C trace: `traceparent` is what the next hop is told."""

    trace_id: str
    span_id: str
    flags: str = "01"

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


@dataclass(frozen=True, slots=True)
class Context:
    correlation_id: str
    trace: Trace


_current: ContextVar[Context | None] = ContextVar("pcn_context", default=None)


def begin(correlation_id: str | None = None, traceparent: str | None = None) -> Context:
    """Start a hop: take over what the caller sent where it is well formed, make up the rest."""
    sent = _TRACEPARENT.match(traceparent or "")
    if sent and sent[1] != "0" * 32 and sent[2] != "0" * 16:
        trace = Trace(sent[1], secrets.token_hex(8), sent[3])
    else:
        trace = Trace(secrets.token_hex(16), secrets.token_hex(8))
    known = correlation_id if correlation_id and _CORRELATION.match(correlation_id) else trace.trace_id
    context = Context(known, trace)
    _current.set(context)
    return context


def current() -> Context:
    """The context of the work in hand; begins one where there is none."""
    return _current.get() or begin()
