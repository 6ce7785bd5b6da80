"""What operators set. Each service subclasses `ServiceSettings` with its own prefix; secrets have no default."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.database import WAIT_SECONDS
from shared.keys import KeysMissing, ReplyKeys

EMBEDDED_ISSUER = "pcn-embedded"
"""The issuer of the embedded default; a production setting refuses it."""


class CommonSettings(BaseSettings):
    """What all services of one stack share, prefix `PCN_`."""

    model_config = SettingsConfigDict(env_prefix="PCN_", extra="ignore", populate_by_name=True)

    environment: Literal["development", "production"] = "development"
    home: Path = Path(".local")
    issuer: str = EMBEDDED_ISSUER
    audience: str = "pcn"
    jwks_url: str | None = None
    log_level: str = "INFO"
    kafka_bootstrap_servers: str | None = Field(default=None, validation_alias="KAFKA_BOOTSTRAP_SERVERS")
    kafka_topic_prefix: str = ""
    kafka_max_poll_seconds: int = Field(default=300, ge=1, description="A handler that takes longer counts as gone")
    kafka_partitions: int = Field(default=6, ge=1)
    reply_keys: SecretStr | None = Field(default=None, description="Mark kept replies; the newest first")
    reply_keys_file: Path | None = Field(default=None, description="The same, one a line")
    kafka_replicas: int = Field(default=1, ge=1, description="3 in production; of topics made by us")

    @model_validator(mode="after")
    def refuse_embedded_issuer_in_production(self) -> CommonSettings:
        if self.environment == "production" and (self.issuer == EMBEDDED_ISSUER or not self.jwks_url):
            raise ValueError("production needs PCN_ISSUER and PCN_JWKS_URL of a real issuer")
        return self

    @model_validator(mode="after")
    def refuse_what_is_no_key(self) -> CommonSettings:
        if self.reply_keys is not None:
            ReplyKeys.given(self.reply_keys.get_secret_value())
        return self

    @property
    def keys_file(self) -> Path | None:
        """Where the keys that mark kept replies stand, unless they were given as text."""
        if self.reply_keys is not None:
            return None
        return self.reply_keys_file or self.home / "keys" / "reply-keys"

    @property
    def reply_key_ring(self) -> ReplyKeys:
        """The keys at hand; without any the embedded default makes one. Raises `KeysMissing` in production."""
        if self.reply_keys is not None:
            return ReplyKeys.given(self.reply_keys.get_secret_value())
        if self.reply_keys_file is not None:
            return ReplyKeys.of_file(self.reply_keys_file)
        if self.environment == "production":  # several machines must mark alike
            raise KeysMissing("Production needs PCN_REPLY_KEYS or PCN_REPLY_KEYS_FILE.")
        return ReplyKeys.made_at(self.home / "keys" / "reply-keys")


class ServiceSettings(BaseSettings):
    """What one service needs; the prefix is the service's name."""

    model_config = SettingsConfigDict(extra="ignore")

    database_url: str
    pool_size: int = Field(default=5, ge=1, le=100)
    wait_seconds: int = Field(
        default=WAIT_SECONDS, ge=1, le=600, description="For a connection; then a caller is told to come again"
    )
    max_body_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    relay_batch: int = Field(default=500, ge=1, le=5000)
    relay_poll_seconds: float = Field(default=5.0, gt=0)
