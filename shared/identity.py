"""Who is asking: OAuth2 bearer tokens (JWT), checked against the keys of the configured issuer (RFC 7519, RFC 7517)."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import httpx
import jwt
from fastapi import Depends, Request

from shared.errors import Forbidden, Unauthenticated, Unavailable


class Role(StrEnum):
    NATIONAL = "national"
    SYSTEM = "system"
    COMMISSIONER = "commissioner"
    NETWORK = "network"
    PRACTICE = "practice"
    PAYEE = "payee"
    TRUST = "trust"
    LMC = "lmc"
    OPERATOR = "operator"


ANY_ROLE: tuple[Role, ...] = tuple(Role)


@dataclass(frozen=True, slots=True)
class Caller:
    """One person or system: `subject` tells two people apart, `organisations` are ODS codes it acts for."""

    subject: str
    roles: frozenset[Role]
    organisations: frozenset[str]

    def has(self, *roles: Role) -> bool:
        return not self.roles.isdisjoint(roles)

    @property
    def everywhere(self) -> bool:
        """National users and operators see every organisation."""
        return self.has(Role.NATIONAL, Role.OPERATOR)


class Issuer:
    """Checks tokens of one issuer.

    Keys are fetched again every ten minutes, so that one withdrawn is not trusted for ever, and for a key id not seen
    yet, at most every ten seconds. What a token said is remembered for five minutes at the most.
    """

    ALGORITHMS = ("RS256", "ES256", "EdDSA")
    REFRESH_SECONDS = 10.0
    KEYS_SECONDS = 600.0
    REMEMBERED_SECONDS = 300.0

    def __init__(self, *, issuer: str, audience: str, jwks_url: str) -> None:
        self._issuer = issuer
        self._audience = audience
        self._jwks_url = jwks_url
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = float("-inf")
        self._lock = asyncio.Lock()
        self._seen: dict[str, tuple[float, Caller]] = {}

    async def caller(self, token: str) -> Caller:
        """The caller a token speaks for. Raises `Unauthenticated` for anything that cannot be trusted."""
        seen = self._seen.get(token)
        if seen and seen[0] > time.time():
            return seen[1]
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in self.ALGORITHMS:
                raise Unauthenticated("The token is signed with an algorithm that is not accepted.")
            key = await self._key(str(header.get("kid", "")))
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm_name or header["alg"]],
                audience=self._audience,
                issuer=self._issuer,
                options={"require": ["exp", "iat", "sub", "iss", "aud"]},
            )
        except jwt.PyJWTError as error:
            raise Unauthenticated(f"The token is not valid: {error}.") from error
        caller = _caller(claims)
        if len(self._seen) > 4096:
            self._seen.clear()
        self._seen[token] = (min(float(claims["exp"]), time.time() + self.REMEMBERED_SECONDS), caller)
        return caller

    def _age(self) -> float:
        return time.monotonic() - self._fetched

    async def _key(self, kid: str) -> jwt.PyJWK:
        if kid not in self._keys or self._age() > self.KEYS_SECONDS:
            async with self._lock:
                if self._age() > (self.KEYS_SECONDS if kid in self._keys else self.REFRESH_SECONDS):
                    key_set = jwt.PyJWKSet.from_dict(await _fetch(self._jwks_url))
                    self._keys = {str(key.key_id): key for key in key_set.keys if key.public_key_use in (None, "sig")}
                    self._fetched = time.monotonic()
        key = self._keys.get(kid)
        if key is None:
            raise Unauthenticated("The token names a key its issuer does not publish.")
        return key


async def _fetch(url: str) -> dict[str, Any]:
    """The issuer's key set: over HTTP, or from a file where the issuer is the stack's own."""
    try:
        if url.startswith("file:"):
            document = await asyncio.to_thread(Path(url2pathname(urlsplit(url).path)).read_bytes)
        else:
            async with httpx.AsyncClient(timeout=5) as client:
                document = (await client.get(url)).raise_for_status().content
        keys: dict[str, Any] = json.loads(document)
        return keys
    except (OSError, httpx.HTTPError, ValueError) as error:
        raise Unavailable("The issuer's keys cannot be read.") from error


def _caller(claims: dict[str, Any]) -> Caller:
    names, organisations = claims.get("roles", []), claims.get("organisations", [])
    if not (
        isinstance(names, list)
        and isinstance(organisations, list)
        and all(isinstance(value, str) and value for value in [*names, *organisations])
    ):
        raise Unauthenticated("The claims roles and organisations must be lists of text.")
    known = {role.value for role in Role}
    return Caller(
        subject=str(claims["sub"]),
        roles=frozenset(Role(name) for name in names if name in known),
        organisations=frozenset(organisations),
    )


async def authenticated(request: Request) -> Caller:
    """The caller of this request. Raises `Unauthenticated`."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("Send a bearer token in the Authorization header.")
    issuer: Issuer = request.app.state.issuer
    caller = await issuer.caller(token.strip())
    request.state.caller = caller
    return caller


class Allowed:
    """A route's declaration of who may call it; tests list routes by it."""

    def __init__(self, roles: frozenset[Role]) -> None:
        self.roles = roles

    async def __call__(self, request: Request) -> Caller:
        caller = await authenticated(request)
        if not caller.has(*self.roles):
            raise Forbidden(f"This needs one of the roles {', '.join(sorted(self.roles))}.")
        return caller

    def __hash__(self) -> int:
        return hash(self.roles)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Allowed) and other.roles == self.roles


def allow(*roles: Role) -> Any:
    """Declare who may call a route: `caller: Annotated[Caller, allow(Role.NATIONAL)]`."""
    if not roles:
        raise ValueError("name at least one role")
    return Depends(Allowed(frozenset(roles)))
