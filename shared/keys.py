"""Secrets of an installation: several keys at once, the newest first, given as text or kept in a file."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

from cryptography.fernet import Fernet

from shared.errors import Unavailable


class KeysMissing(Unavailable):
    """The keys needed for this are not at hand."""


class Keys:
    """Keys for one purpose. Those of a file are read again when it changes, so that a rotation needs no restart."""

    purpose: ClassVar[str] = "this installation"

    def __init__(self, keys: Sequence[str], file: Path | None = None) -> None:
        self._file = file
        self._read: tuple[int, int] | None = None
        if keys:
            self._take(keys)

    @classmethod
    def given(cls, text: str) -> Self:
        """Keys as text, separated by commas or lines. Raises `ValueError` for what is no key."""
        return cls(_split(text))

    @classmethod
    def of_file(cls, file: Path) -> Self:
        return cls([], file)

    @classmethod
    def made_at(cls, file: Path) -> Self:
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
        for key in keys:
            Fernet(key)
        self._keys = tuple(keys)
        self._newest = hashlib.sha256(keys[0].encode()).hexdigest()[:16]

    def at_hand(self) -> tuple[str, ...]:
        """Every key, the newest first. Raises `KeysMissing` where their file cannot be read."""
        if self._file is not None:
            try:
                stat = self._file.stat()
                if (stat.st_mtime_ns, stat.st_size) != self._read:
                    self._take(read_keys(self._file))
                    self._read = (stat.st_mtime_ns, stat.st_size)
            except (OSError, ValueError) as error:
                raise KeysMissing(f"The keys of {self.purpose} cannot be read.") from error
        return self._keys

    @property
    def newest(self) -> str:
        """A fingerprint of the newest key, from which the key cannot be told."""
        self.at_hand()
        return self._newest


class ReplyKeys(Keys):
    """Mark requests so that a repeat is known again, and nothing of a request can be guessed from its mark.

    A plain digest would give away what has few possibilities, such as an account number in a body otherwise known.
    """

    purpose: ClassVar[str] = "kept replies"

    def mark(self, request: bytes) -> str:
        """The mark of a request under the newest key: which key, and 51 hexadecimal digits."""
        return _mark(self.at_hand()[0], request)

    def agrees(self, mark: str, request: bytes) -> bool:
        """Whether a mark is that of a request, under whichever key it was made.

        Raises `KeysMissing` where that key is not at hand any more.
        """
        for key in self.at_hand():
            if mark.partition(":")[0] == _name_of(key):
                return hmac.compare_digest(mark, _mark(key, request))
        if ":" in mark:
            raise KeysMissing("The key that marked the first request is not at hand; send this one under a new key.")
        # marked before there were keys; such replies are forgotten after a week
        return hmac.compare_digest(mark, hashlib.sha256(request).hexdigest())

    def names(self) -> dict[str, str]:
        """By the name that stands in marks every key at hand."""
        return {_name_of(key): key for key in self.at_hand()}


def _name_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def _mark(key: str, request: bytes) -> str:
    return f"{_name_of(key)}:{hmac.digest(key.encode(), request, 'sha256').hex()[:51]}"


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
