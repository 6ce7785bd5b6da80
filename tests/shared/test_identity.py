"""Who is asking: only tokens of the configured issuer, unexpired, rightly signed, for this audience."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from deploy.issuer import EmbeddedIssuer
from shared.errors import Unauthenticated
from shared.identity import Issuer, Role
from shared.settings import EMBEDDED_ISSUER, CommonSettings
from tests.harness import Harness

KEY = Ed25519PrivateKey.generate()


def claims(**changed: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    given = {
        "iss": EMBEDDED_ISSUER,
        "aud": "pcn",
        "sub": "alice",
        "iat": now,
        "exp": now + timedelta(hours=1),
        "roles": ["national"],
        "organisations": [],
    }
    return {name: value for name, value in {**given, **changed}.items() if value is not None}


@pytest.fixture
def trusted(tmp_path: Path) -> Issuer:
    public = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(KEY.public_key())) | {"kid": "k1", "alg": "EdDSA"}
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [public]}))
    return Issuer(issuer=EMBEDDED_ISSUER, audience="pcn", jwks_url=(tmp_path / "jwks.json").as_uri())


def signed(kid: str = "k1", key: Any = KEY, algorithm: str = "EdDSA", **changed: Any) -> str:
    return jwt.encode(claims(**changed), key, algorithm=algorithm, headers={"kid": kid})


async def test_a_good_token_names_its_caller(trusted: Issuer) -> None:
    caller = await trusted.caller(signed(roles=["commissioner", "unheard-of"], organisations=["SA1"]))
    assert (caller.subject, caller.roles, caller.organisations) == (
        "alice",
        frozenset({Role.COMMISSIONER}),
        frozenset({"SA1"}),
    )


def _unsigned() -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"none","kid":"k1"}').decode().rstrip("=")
    body = base64.urlsafe_b64encode(json.dumps(claims(iat=1, exp=9999999999)).encode()).decode().rstrip("=")
    return f"{head}.{body}."


BAD = {
    "signed with a secret": lambda: signed(key="x" * 32, algorithm="HS256"),
    "not signed": _unsigned,
    "signed by somebody else": lambda: signed(key=Ed25519PrivateKey.generate()),
    "a key unheard of": lambda: signed(kid="k2"),
    "another issuer": lambda: signed(iss="https://elsewhere.invalid"),
    "another audience": lambda: signed(aud="others"),
    "expired": lambda: signed(exp=datetime.now(UTC) - timedelta(seconds=5)),
    "not yet valid": lambda: signed(nbf=datetime.now(UTC) + timedelta(hours=1)),
    "no expiry": lambda: signed(exp=None),
    "no subject": lambda: signed(sub=None),
    "roles that are no list": lambda: signed(roles="national"),
    "organisations that are no text": lambda: signed(organisations=[5]),
    "no token at all": lambda: "garbage",
    "two dots and nothing": lambda: "..",
}


@pytest.mark.parametrize("token", BAD.values(), ids=BAD.keys())
async def test_a_token_that_cannot_be_trusted_is_refused(trusted: Issuer, token: Any) -> None:
    with pytest.raises(Unauthenticated):
        await trusted.caller(token())


async def test_no_token_is_401_and_no_role_is_403(toy_live: Harness) -> None:
    none = await toy_live.client.get("/toy/v1/counters")
    assert (none.status_code, none.headers["www-authenticate"]) == (401, 'Bearer realm="pcn"')
    basic = await toy_live.client.get("/toy/v1/counters", headers={"Authorization": "Basic YTpi"})
    assert basic.status_code == 401
    wrong_role = await toy_live.post("/toy/v1/counters", {"owner": "X1"}, toy_live.token(Role.PRACTICE))
    assert (wrong_role.status_code, wrong_role.json()["code"]) == (403, "Forbidden")
    no_role = await toy_live.client.get("/toy/v1/counters", headers=toy_live.token())
    assert no_role.status_code == 403


def test_the_embedded_issuer_keeps_its_key_to_itself_and_across_restarts(tmp_path: Path) -> None:
    first = EmbeddedIssuer(tmp_path).ensure().key_set.read_text()
    assert EmbeddedIssuer(tmp_path).ensure().key_set.read_text() == first
    assert (tmp_path / "identity" / "signing-key.pem").stat().st_mode & 0o077 == 0


def test_production_refuses_the_embedded_issuer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PCN_ENVIRONMENT", "production")
    with pytest.raises(ValidationError, match="real issuer"):
        CommonSettings()
    monkeypatch.setenv("PCN_ISSUER", "https://issuer.example")
    monkeypatch.setenv("PCN_JWKS_URL", "https://issuer.example/keys")
    assert CommonSettings().issuer == "https://issuer.example"


async def test_a_key_the_issuer_withdraws_is_not_trusted_for_ever(
    trusted: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = signed()
    await trusted.caller(token)
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": []}))
    assert (await trusted.caller(token)).subject == "alice"
    monkeypatch.setattr(Issuer, "KEYS_SECONDS", 0.0)
    monkeypatch.setattr(trusted, "_seen", {})
    with pytest.raises(Unauthenticated):
        await trusted.caller(token)
