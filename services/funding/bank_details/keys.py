"""The keys that seal bank details at rest: several at once, the newest seals, all open."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from shared.errors import Unavailable


class KeysMissing(Unavailable):
    """The keys that open bank details are not at hand."""


class KeyRing:
    """Seals and opens. Keys of a file are read again when it changes, so that a rotation needs no restart."""

    def __init__(self, keys: Sequence[str], file: Path | None = None) -> None:
        self._file = file
        self._read: tuple[int, int] | None = None
        if keys:
            self._take(keys)

    @classmethod
    def given(cls, text: str) -> KeyRing:
        """Keys as text, separated by commas or lines. Raises `ValueError` for what is no key."""
        return cls(_split(text))

    @classmethod
    def of_file(cls, file: Path) -> KeyRing:
        return cls([], file)

    @classmethod
    def made_at(cls, file: Path) -> KeyRing:
        """The keys of a file, made with one key in it and readable by its owner only unless it is there."""
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            # another process may be doing the same: the first one's key stays
            with contextlib.suppress(FileExistsError):
                write_keys(file, [new_key()], exclusive=True)
        return cls.of_file(file)

    def _take(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("at least one key is needed")
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._newest = hashlib.sha256(keys[0].encode()).hexdigest()[:16]

    def _fresh(self) -> MultiFernet:
        if self._file is not None:
            try:
                stat = self._file.stat()
                if (stat.st_mtime_ns, stat.st_size) != self._read:
                    self._take(read_keys(self._file))
                    self._read = (stat.st_mtime_ns, stat.st_size)
            except (OSError, ValueError) as error:
                raise KeysMissing("The keys of bank details cannot be read.") from error
        return self._fernet

    @property
    def newest(self) -> str:
        """A fingerprint of the key that seals now, from which the key cannot be told."""
        self._fresh()
        return self._newest

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


def new_key() -> str:
    return Fernet.generate_key().decode()


def _split(text: str) -> list[str]:
    return [key.strip() for key in text.replace("\n", ",").split(",") if key.strip()]


def read_keys(file: Path) -> list[str]:
    return _split(file.read_text())


def write_keys(file: Path, keys: Sequence[str], *, exclusive: bool = False) -> None:
    """Put the keys into a file only its owner can read, whole or not at all."""
    target = file if exclusive else file.with_suffix(".new")
    mode = os.O_EXCL if exclusive else os.O_TRUNC
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | mode, 0o600)
    with os.fdopen(handle, "w") as out:
        out.write("\n".join(keys) + "\n")
    if not exclusive:
        target.replace(file)
