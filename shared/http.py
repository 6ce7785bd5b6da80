"""The HTTP edge every service shares: one transaction per request, one error shape, one way to page, retry and change.

With `identity`, `idempotency` and `paging` this is all of `shared` that knows FastAPI.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, model_validator
from sqlalchemy.ext.asyncio import AsyncSession

from shared.audit import Actor, act_as
from shared.clock import london_day
from shared.database import Versioned
from shared.errors import Fault, Invalid, PreconditionFailed, PreconditionMissing
from shared.facts import Dated
from shared.idempotency import IdempotencyKey, Replay, claim_key, claim_of
from shared.identity import Allowed, Caller
from shared.paging import Page, PageQuery, Paging, page
from shared.points import Points
from shared.problems import MALFORMED, Problem, faults_of, refusals, storable

__all__ = [
    "AsAt",
    "Idempotent",
    "IfMatch",
    "In",
    "Instant",
    "KnownAt",
    "Moment",
    "MoneyIn",
    "MoneyOut",
    "Now",
    "Out",
    "Page",
    "PageQuery",
    "Paging",
    "PointReads",
    "Problem",
    "Reading",
    "Today",
    "Transaction",
    "page",
    "refusals",
    "require_etag",
    "require_match",
    "service_router",
    "tag",
]


def _actor_of(request: Request) -> Actor | None:
    caller: Caller | None = getattr(request.state, "caller", None)
    if caller is None:
        return None
    return Actor(
        subject=caller.subject,
        roles=tuple(sorted(caller.roles)),
        organisations=tuple(sorted(caller.organisations)),
        address=request.client.host if request.client else None,
        request=f"{request.method} {request.url.path}",
    )


async def transaction(request: Request) -> AsyncIterator[AsyncSession]:
    """One request is one transaction, committed before the reply leaves; a failed commit is never a 200."""
    async with request.app.state.sessions.begin() as session:
        act_as(session, lambda: _actor_of(request))
        yield session


async def reading(request: Request) -> AsyncIterator[AsyncSession]:
    """A session that only reads, with no transaction to begin or end."""
    async with request.app.state.reading() as session:
        yield session


async def moment(request: Request) -> AsyncIterator[AsyncSession]:
    """A session that only reads, and whose every statement sees the same moment."""
    async with request.app.state.runtime.moment() as session:
        yield session


async def points(request: Request) -> Points:
    """Where single rows are read by the driver alone."""
    found: Points = request.app.state.points
    return found


# `scope="function"` ends the transaction before the reply is sent; the default would answer 200 and then fail to commit
Transaction = Annotated[AsyncSession, Depends(transaction, scope="function")]
Reading = Annotated[AsyncSession, Depends(reading, scope="function")]
Moment = Annotated[AsyncSession, Depends(moment, scope="function")]
PointReads = Annotated[Points, Depends(points)]


async def _idempotent(request: Request, session: Transaction, key: IdempotencyKey) -> None:
    await claim_key(request, session, key)


Idempotent = Annotated[None, Depends(_idempotent, scope="function")]


async def _now() -> datetime:
    return datetime.now(UTC)


async def _today() -> date:
    return london_day(datetime.now(UTC))


Now = Annotated[datetime, Depends(_now)]
Today = Annotated[date, Depends(_today)]


def guard_of(dependant: Dependant) -> Allowed | None:
    """Who may call a route, as it declares itself; None for health, metrics and descriptions."""
    for part in _parts(dependant):
        if isinstance(part.call, Allowed):
            return part.call
    return None


def _parts(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for inner in dependant.dependencies:
        yield from _parts(inner)


class PcnRoute(APIRoute):
    """A route that refuses query parameters it does not know, and keeps its answer where an Idempotency-Key came."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        handle = super().get_route_handler()
        guard = guard_of(self.dependant)
        asked = {field.alias: field for part in _parts(self.dependant) for field in part.query_params}

        async def refuse_unknown(request: Request) -> None:
            unknown = [key for key in dict.fromkeys(request.query_params) if key not in asked]
            if guard is None or not unknown:
                return
            await guard(request)  # a stranger learns nothing of what may be asked
            known = f"It takes {', '.join(sorted(asked))}." if asked else "It takes no parameters."
            shown = [storable(key[:100]) for key in unknown]
            faults = [
                Fault(f"query.{key}", "unknown_parameter", f"There is no parameter {key}. {known}") for key in shown
            ]
            _, malformed = request_params_to_args(list(asked.values()), request.query_params)
            raise Invalid(MALFORMED, errors=[*faults, *faults_of(malformed)])

        async def handler(request: Request) -> Response:
            if request.scope["query_string"]:
                await refuse_unknown(request)
            try:
                response: Response = await handle(request)
            except Replay as replay:
                return replay.response
            claim = claim_of(request)
            if claim is not None:
                await claim.keep(response)
            return response

        return handler


def service_router(service: str, **options: Any) -> APIRouter:
    """A router under the service's prefix, the same in every mode."""
    return APIRouter(prefix=f"/{service}/v1", route_class=PcnRoute, **options)


def _clean(value: Any, depth: int = 0) -> Any:
    """Refuse text no database can hold, wherever it stands in a request."""
    if depth > 40:
        raise ValueError("nested too deep")
    if isinstance(value, str):
        if "\x00" in value:
            raise ValueError("text must not contain NUL")
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError("text must not contain lone surrogates")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _clean(key, depth + 1)
            _clean(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _clean(inner, depth + 1)
    return value


class In(BaseModel):
    """Base of what callers send: nothing unknown, nothing the database cannot hold."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unstorable(cls, data: Any) -> Any:
        return _clean(data)


class Out(BaseModel):
    """Base of what callers get."""

    model_config = ConfigDict(from_attributes=True)


def _money_in(value: Any) -> Any:
    if isinstance(value, bool | float):
        raise ValueError('send money as text, like "1234.50"')
    return value


def _pennies(value: Decimal) -> Decimal:
    if not value.is_finite() or abs(value) >= Decimal(10) ** 12:
        raise ValueError("not an amount of money")
    if value != value.quantize(Decimal("0.01")):
        raise ValueError("money has two decimal places")
    return value.quantize(Decimal("0.01"))


MoneyIn = Annotated[Decimal, BeforeValidator(_money_in), AfterValidator(_pennies)]
MoneyOut = Annotated[Decimal, PlainSerializer(lambda value: f"{value:.2f}", return_type=str)]


def _day(value: date) -> date:
    if not 1900 <= value.year <= 2200:
        raise ValueError("the year must lie between 1900 and 2200")
    return value


AsAt = Annotated[
    date | None,
    Query(description="The day the answer is about; today unless given."),
    AfterValidator(lambda value: value if value is None else _day(value)),
]


def _instant(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    _day(value.date())
    return value if value.tzinfo else value.replace(tzinfo=UTC)


Instant = Annotated[datetime | None, AfterValidator(_instant)]
"""A moment in what callers send, in UTC where no zone is said."""
KnownAt = Annotated[
    datetime | None,
    Query(description="Answer with what was known then; what is known now unless given."),
    AfterValidator(_instant),
]

IfMatch = Annotated[str | None, Header(alias="If-Match", description="The ETag of the version to change")]


def etag(resource: Versioned | Dated) -> str:
    return f'"{resource.version}"'


def tag(response: Response, resource: Versioned | Dated) -> None:
    """Give the reply the resource's ETag."""
    response.headers["ETag"] = etag(resource)


def require_match(resource: Versioned | Dated, if_match: str | None) -> None:
    """Refuse a change to a version the caller has not seen.

    Raises `PreconditionMissing` (428) without If-Match and `PreconditionFailed` (412) for another version.
    """
    require_etag(etag(resource), if_match)


def require_etag(current: str, if_match: str | None) -> None:
    """The same for what has no version of its own, such as the newest belief in a dated fact."""
    if if_match is None:
        raise PreconditionMissing("Send If-Match with the ETag of the version you want to change.")
    if current not in [part.strip() for part in if_match.split(",")]:
        raise PreconditionFailed(f"The current version is {current}; read it again before you change it.")


def one_fault(field: str, code: str, message: str) -> Invalid:
    """A refusal of malformed input with a single fault."""
    return Invalid(message, errors=[Fault(field, code, message)])
