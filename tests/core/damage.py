"""Damage done to a well-formed request: what must be refused, and what must at least not break anything."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$")
MONTH = re.compile(r"^\d{4}-\d{2}$")
CODE = re.compile(r"^[UZR][A-Z]?\d+$")
NUMBER = re.compile(r"^\d+(\.\d+)?$")

BAD_DAYS = ("0000-01-01", "0001-01-01", "9999-12-31", "2022-13-01", "2022-02-30", "-2022-01-01", "99999999999", "now")
BAD_MONTHS = ("2022-13", "0000-01", "9999-12", "2022-00", "2022", "２０２２-04", "20２２-04", "20٢٢-05")
BAD_YEARS = ("0000-01", "9999-00", "2022-24", "1999-00", "2022", "20٢٢-23", "2022-２３")
BAD_CODES = ("U९०००१", "U9000١", "u90001", "U90001\u200b", "Z8000１")
BAD_NUMBERS = ("NaN", "sNaN", "Infinity", "-Infinity", "1e400", "-1", "1" + "0" * 40, "1" * 5000, "0.0000001", "", "½")
UNSTORABLE = ("\x00", "a\x00b", "\ud800", "a\udfffb")
WRONG: tuple[Any, ...] = ([], {}, [[]], {"a": {"b": []}}, True, 7, 1.5)
LONG = "x" * 100_000


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Where each value stands in a body, and what it is."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, place))
    else:
        yield path, value


def put(body: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """The body with another value in one place."""
    changed = copy.deepcopy(body)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


def refusable(field: str, good: Any) -> list[Any]:
    """Values that are never right where `good` stood."""
    if isinstance(good, bool):
        return [[], {}, "perhaps", 7, *UNSTORABLE]
    bad: list[Any] = [value for value in WRONG if not isinstance(value, int | float) or isinstance(value, bool)]
    bad += UNSTORABLE
    if not isinstance(good, str):
        return bad
    if DAY.match(good):
        return [*bad, *BAD_DAYS, 1.5, 10**30]
    if field == "contract_year":
        return [*bad, *BAD_YEARS, 7]
    if MONTH.match(good):
        return [*bad, *BAD_MONTHS, 7]
    if NUMBER.match(good):
        return [*bad, *BAD_NUMBERS, float("nan"), float("inf")]
    if CODE.match(good):
        bad += BAD_CODES
    return [*bad, 7, 1.5]


def doubtful(good: Any) -> list[Any]:
    """Values that may be taken or refused, but clearly."""
    return [None, "", " ", LONG, "💥", "' OR 1=1 --", "%s", "{}", "\u202e", "a\tb\nc", 0, -1, 10**400]


def damaged_bodies(good: Any) -> Iterator[tuple[str, bytes, bool]]:
    """What was done, the bytes to send, and whether they must be refused."""
    for path, value in leaves(good):
        field = str(next((part for part in reversed(path) if isinstance(part, str)), ""))
        where = ".".join(map(str, path))
        for bad in refusable(field, value):
            yield f"{where}={bad!r:.40}", _bytes(put(good, path, bad)), True
        for odd in doubtful(value):
            yield f"{where}={odd!r:.40}", _bytes(put(good, path, odd)), False
    for key in good:
        for bad in (7, "x", True):
            if isinstance(good[key], dict | list):
                yield f"{key}={bad!r}", _bytes({**good, key: bad}), True
        yield f"without {key}", _bytes({k: v for k, v in good.items() if k != key}), False
        if isinstance(good[key], list):
            yield f"{key} a thousand times", _bytes({**good, key: (good[key] or ["x"]) * 1000}), False
    yield "an unknown field", _bytes({**good, "colour": "red"}), True
    yield "an unknown NUL", _bytes({**good, "\x00": "\x00"}), True
    yield "a surrogate as a key", _bytes({**good, "\ud800": 1}), True


def _bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


RAW: dict[str, bytes] = {
    "a list": b"[]",
    "text": b'"x"',
    "a number": b"1e400",
    "no number": b"NaN",
    "cut short": b'{"a": ',
    "two at once": b"{}{}",
    "not UTF-8": b'{"a": "\xff\xfe"}',
    "bytes": bytes(range(256)),
    "deep lists": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "deep in a field": b'{"note": ' + b"[" * 200 + b"]" * 200 + b"}",
    "a number of many digits": b'{"a": ' + b"9" * 10_000 + b"}",
    "many keys": b"{" + b",".join(b'"k%d": 1' % n for n in range(20_000)) + b"}",
}

IDS = (
    "%00",
    "a%00b",
    "%2F",
    "..%2F..%2Fetc%2Fpasswd",
    "%C3%A9",
    "%F0%9F%92%A5",
    "%ED%A0%80",
    "%FF",
    "%25",
    "%20",
    "-1",
    "null",
    "NaN",
    "1e400",
    "'%20OR%201=1--",
    "%E2%80%AE",
    "x" * 10_000,
)

ASKED_ODD = (
    "%00",
    "%ED%A0%80",
    "%F0%9F%92%A5",
    "x" * 5000,
    "-1",
    "1e400",
    "'%20OR%201=1--",
    "",
    "%25",
    "NaN",
    "%5B%5D",
)
ASKED_DAYS = ("0000-01-01", "0001-01-01", "9999-12-31", "2022-13-01", "NaN", "99999999999999999999", "1e400")
ASKED_LIMITS = ("0", "-1", "1001", "1e3", "9" * 5000, "NaN", "", "1.5", "٣٣٣٣٣")
CURSORS = (
    "x",
    "e30",
    "W10",
    "bnVsbA",
    "WzEsMl0",
    "WzEsMiwzLDRd",
    "WyJhXHUwMDAwIl0",
    "WyJhXHVkODAwIl0",
    "W251bGxd",
    "WzFlNDAwXQ",
    "W05hTl0",
    "W1tdLHt9XQ",
    "WyJhIiwiYiJd",
    "WyJhIiwxZTQwMF0",
    "WyJhIiw5OTk5OTk5OTk5OTk5OTk5OTk5OTk5XQ",
    "WyJhIiwtMV0",
    "%ff",
    "A" * 900,
    "A" * 1001,
    "W1tbW1tbW1tbW1tb",
)
MATCHES = (b'"0"', b"*", b'"', b'W/"1"', b'""', b"x" * 5000, b'"1', b'\xe9"1"', b'"99999999999999999999"', b"1", b",,,")
KEYS = (None, b"", b"short", b"x" * 201, b"\xe9" * 12, b"two words", b"a\tb c d e f", b"        ")
