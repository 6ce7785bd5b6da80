"""Every refusal the system knows. The class name is the stable code callers may rely on; the message is for people.

DomainError (409)
├── NotFound (404)             no such thing, or none the caller may see
├── Unauthenticated (401)      no token, or one that cannot be trusted
├── Forbidden (403)            seen, but not this caller's to do
├── Conflict (409)             clashes with what is stored
├── Refused (409)              a rule of the business says no
├── PreconditionFailed (412)   the thing has changed since the caller read it
├── Invalid (422)              malformed input, every fault listed at once
├── PreconditionMissing (428)  a change without saying which version it changes
└── Unavailable (503)          something this service stands on does not answer
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request: where, a stable code, and a sentence."""

    field: str
    code: str
    message: str


class DomainError(Exception):
    """A clear no. Raised by rules and turned into problem+json at the edge."""

    status = 409
    title = "The request was refused"

    def __init__(self, detail: str = "", *, errors: Sequence[Fault] = ()) -> None:
        super().__init__(detail or self.title)
        self.errors = tuple(errors)

    @property
    def code(self) -> str:
        return type(self).__name__


class NotFound(DomainError):
    status = 404
    title = "Not found"


class Unauthenticated(DomainError):
    status = 401
    title = "A valid bearer token is needed"


class Forbidden(DomainError):
    status = 403
    title = "Not allowed"


class Conflict(DomainError):
    title = "The request clashes with what is stored"


class Refused(DomainError):
    title = "A rule refuses this"


class PreconditionFailed(DomainError):
    status = 412
    title = "The resource has changed"


class Invalid(DomainError):
    status = 422
    title = "The request is not valid"


class PreconditionMissing(DomainError):
    status = 428
    title = "If-Match is needed"


class Unavailable(DomainError):
    status = 503
    title = "Try again shortly"
