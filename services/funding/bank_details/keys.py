"""The keys that seal bank details at rest: several at once, the newest seals, all open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from shared.keys import Keys, KeysMissing


class KeyRing(Keys):
    """Seals and opens."""

    purpose: ClassVar[str] = "bank details"

    def _take(self, keys: Sequence[str]) -> None:
        super()._take(keys)
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def _fresh(self) -> MultiFernet:
        self.at_hand()
        return self._fernet

    def seal(self, content: bytes) -> str:
        return self._fresh().encrypt(content).decode()

    def open(self, sealed: str) -> bytes:
        """Raises `KeysMissing` when none of the keys fits."""
        try:
            return self._fresh().decrypt(sealed)
        except InvalidToken as error:
            raise KeysMissing("None of the keys at hand opens these bank details.") from error

    def reseal(self, sealed: str) -> str:
        """The same content under the newest key. Raises `KeysMissing`."""
        return self.seal(self.open(sealed))
