"""What operators set for funding."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from services.funding.bank_details.keys import KeyRing
from shared.settings import ServiceSettings

SortCode = Annotated[str, Field(pattern=r"^[0-9]{6}$")]
AccountNumber = Annotated[str, Field(pattern=r"^[0-9]{8}$")]


class Settings(ServiceSettings):
    """Bank details are sealed with `bank_keys`, the newest first, or with those of a file that has one a line.

    Without either the embedded default keeps a key of its own under `PCN_HOME`; production refuses to begin without.
    """

    model_config = SettingsConfigDict(env_prefix="FUNDING_", extra="ignore", populate_by_name=True)

    environment: Literal["development", "production"] = Field("development", validation_alias="PCN_ENVIRONMENT")
    home: Path = Field(Path(".local"), validation_alias="PCN_HOME")
    bank_keys: SecretStr | None = None
    bank_keys_file: Path | None = None
    bacs_user_number: Annotated[str | None, Field(pattern=r"^[0-9]{6}$")] = None
    bacs_sort_code: SortCode | None = None
    bacs_account_number: AccountNumber | None = None
    bacs_name: Annotated[str, Field(pattern=r"^[A-Z0-9./& -]{1,18}$")] = "PCN PAYMENTS"

    @model_validator(mode="after")
    def refuse_keys_made_by_ourselves_in_production(self) -> Settings:
        if self.environment == "production" and self.bank_keys is None and self.bank_keys_file is None:
            raise ValueError("production needs FUNDING_BANK_KEYS or FUNDING_BANK_KEYS_FILE")
        if self.bank_keys is not None:
            KeyRing.given(self.bank_keys.get_secret_value())
        return self

    @property
    def keys_file(self) -> Path | None:
        """Where the keys stand, unless they were given as text."""
        if self.bank_keys is not None:
            return None
        return self.bank_keys_file or self.home / "keys" / "bank-keys"

    @cached_property
    def key_ring(self) -> KeyRing:
        if self.bank_keys is not None:
            return KeyRing.given(self.bank_keys.get_secret_value())
        if self.bank_keys_file is not None:
            return KeyRing.of_file(self.bank_keys_file)
        return KeyRing.made_at(self.home / "keys" / "bank-keys")
