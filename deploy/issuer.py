"""The embedded issuer: signs the bearer tokens of a stack on one machine. A production setting refuses its name."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.identity import Role
from shared.settings import EMBEDDED_ISSUER

LIFETIME = timedelta(hours=12)


class EmbeddedIssuer:
    """Keeps one signing key under `home` (readable by its owner only) and the public key set beside it."""

    def __init__(self, home: Path, *, audience: str = "pcn") -> None:
        self._folder = home / "identity"
        self._audience = audience

    @property
    def key_set(self) -> Path:
        return self._folder / "jwks.json"

    @property
    def jwks_url(self) -> str:
        return self.key_set.resolve().as_uri()

    def ensure(self) -> EmbeddedIssuer:
        """Make the key and its public set unless they are there."""
        secret = self._folder / "signing-key.pem"
        if not (secret.exists() and self.key_set.exists()):
            self._folder.mkdir(parents=True, exist_ok=True)
            key = Ed25519PrivateKey.generate()
            pem = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            _write(secret, pem, 0o600)
            public = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key()))
            public |= {"kid": secrets.token_hex(8), "use": "sig", "alg": "EdDSA"}
            _write(self.key_set, json.dumps({"keys": [public]}).encode(), 0o644)
        return self

    def token(
        self,
        roles: Iterable[Role],
        organisations: Iterable[str] = (),
        *,
        subject: str = "someone",
        lifetime: timedelta = LIFETIME,
    ) -> str:
        """A signed token for a subject with these roles and organisations."""
        kid = json.loads(self.key_set.read_text())["keys"][0]["kid"]
        now = datetime.now(UTC)
        return jwt.encode(
            {
                "iss": EMBEDDED_ISSUER,
                "aud": self._audience,
                "sub": subject,
                "iat": now,
                "exp": now + lifetime,
                "roles": [str(role) for role in roles],
                "organisations": list(organisations),
            },
            (self._folder / "signing-key.pem").read_bytes(),
            algorithm="EdDSA",
            headers={"kid": kid},
        )


def _write(path: Path, content: bytes, mode: int) -> None:
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
    fresh.replace(path)
