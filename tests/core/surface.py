"""Every route of a service under its version, with who may call it and what it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from shared.identity import Allowed, Role
from shared.operating import operating_router
from shared.service import Service
from tests.architecture.rules import routes_of


@dataclass(frozen=True)
class Door:
    """One method of one path."""

    method: str
    path: str
    roles: frozenset[Role]
    asked: tuple[str, ...]
    """Query parameters."""
    takes_body: bool
    body_required: bool

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def single(self) -> bool:
        """Whether it speaks of one thing that exists, and not of a list."""
        return "{" in self.path


def _all(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for inner in dependant.dependencies:
        yield from _all(inner)


def doors_of(service: Service) -> list[Door]:
    """What can be asked of a service, its operating routes included; health and metrics are nobody's data."""
    found = []
    for route in routes_of([*service.routers, operating_router(service.name)]):
        if route.path.startswith(f"/{service.name}/v1/"):
            found += [_door(route, method) for method in sorted(route.methods or ())]
    return found


def _door(route: APIRoute, method: str) -> Door:
    parts = list(_all(route.dependant))
    roles = next(part.call.roles for part in parts if isinstance(part.call, Allowed))
    return Door(
        method,
        route.path,
        roles,
        tuple(field.alias for part in parts for field in part.query_params),
        route.body_field is not None,
        route.body_field is not None and route.body_field.field_info.is_required(),
    )
