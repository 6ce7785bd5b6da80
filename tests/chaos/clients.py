"""People before the API who do not give up: what is uncertain is asked again, under the same key."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from deploy.issuer import EmbeddedIssuer
from shared.identity import Role

PATIENCE_SECONDS = 240.0
SAID_SECONDS = 30.0


class GaveUp(RuntimeError):
    """No certain answer within the patience of a client."""


@dataclass(frozen=True)
class Asked:
    """One request as its caller sees it: `correlation` is the same for all its repetitions."""

    service: str
    correlation: str
    what: str
    answer: int


@dataclass
class Ledger:
    """What was answered: `accepted` must be there afterwards, of `refused` nothing may be."""

    accepted: list[Asked] = field(default_factory=list)
    refused: list[Asked] = field(default_factory=list)
    troubles: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, asked: Asked) -> None:
        with self._lock:
            (self.accepted if asked.answer < 300 else self.refused).append(asked)

    def trouble(self, kind: str) -> None:
        with self._lock:
            self.troubles[kind] = self.troubles.get(kind, 0) + 1


class Person:
    """Somebody with a token. Each person is used by one thread."""

    def __init__(
        self, url: str, home: Path, ledger: Ledger, *roles: Role, organisation: str = "", subject: str
    ) -> None:
        token = EmbeddedIssuer(home).token(roles, [organisation] if organisation else [], subject=subject)
        self._client = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=httpx.Timeout(SAID_SECONDS, connect=5)
        )
        self._ledger = ledger
        self.subject = subject

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, **params: Any) -> httpx.Response:
        """An answer that is certain; raises `GaveUp`."""
        return self._insist(lambda: self._client.get(path, params=params))

    def put(self, path: str) -> httpx.Response:
        """A change that may be made twice."""
        return self._insist(lambda: self._client.put(path))

    def items(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        cursor: dict[str, str] = {}
        while True:
            page = self.get(path, limit=1000, **params, **cursor).json()
            yield from page["items"]
            if page["next"] is None:
                return
            cursor = {"cursor": page["next"]}

    def create(self, path: str, json: Any = None, *, expect: str | None = None, **more: Any) -> dict[str, Any]:
        """POST, repeated with its key until the answer is certain; `expect` is the code of the refusal it must meet."""
        key = hashlib.sha256(repr((self.subject, path, json, sorted(more), more.get("data"), expect)).encode())
        for name, (file_name, content) in more.get("files", {}).items():
            key.update(f"{name}{file_name}".encode() + content)
        headers = {"Idempotency-Key": key.hexdigest(), "X-Correlation-Id": f"chaos-{key.hexdigest()[:40]}"}
        answer = self._insist(lambda: self._client.post(path, json=json, headers=headers, **more))
        return self._judge(answer, path, headers["X-Correlation-Id"], expect)

    def change(
        self,
        resource: str,
        what: str,
        json: Any = None,
        *,
        done: Callable[[dict[str, Any]], bool],
        expect: str | None = None,
    ) -> dict[str, Any]:
        """PUT a change of state; after an uncertain answer the resource says whether it was made."""
        mark = hashlib.sha256(repr((self.subject, resource, what, json, expect)).encode()).hexdigest()
        correlation = f"chaos-{mark[:40]}"
        deadline = time.monotonic() + PATIENCE_SECONDS
        uncertain = False
        while True:
            now = self.get(resource)
            if uncertain and done(now.json()):
                self._ledger.note(Asked(_service(resource), correlation, f"PUT {resource}/{what}", 200))
                found: dict[str, Any] = now.json()
                return found
            headers = {"If-Match": now.headers["etag"], "X-Correlation-Id": correlation}
            answer = self._once(partial(self._client.put, f"{resource}/{what}", json=json, headers=headers))
            if answer is None:
                uncertain = True
            elif answer.status_code != 412:
                return self._judge(answer, f"{resource}/{what}", correlation, expect)
            if time.monotonic() > deadline:
                raise GaveUp(f"PUT {resource}/{what}")
            time.sleep(0.2)

    def _insist(self, send: Callable[[], httpx.Response]) -> httpx.Response:
        deadline, pause = time.monotonic() + PATIENCE_SECONDS, 0.1
        while (answer := self._once(send)) is None:
            if time.monotonic() > deadline:
                raise GaveUp(f"{self.subject} had no certain answer for {PATIENCE_SECONDS:.0f} s")
            time.sleep(pause)
            pause = min(pause * 1.5, 1.0)
        return answer

    def _once(self, send: Callable[[], httpx.Response]) -> httpx.Response | None:
        try:
            answer = send()
        except httpx.TransportError as error:
            self._ledger.trouble(type(error).__name__)
            return None
        if answer.status_code >= 500:
            self._ledger.trouble(f"HTTP {answer.status_code}")
            return None
        return answer

    def _judge(self, answer: httpx.Response, path: str, correlation: str, expect: str | None) -> dict[str, Any]:
        said: dict[str, Any] = answer.json()
        self._ledger.note(Asked(_service(path), correlation, f"{answer.request.method} {path}", answer.status_code))
        met = said.get("code") if answer.is_error else None
        if met != expect:
            raise AssertionError(f"{answer.request.method} {path}: {answer.status_code} {answer.text[:800]}")
        return said


def _service(path: str) -> str:
    return path.split("/", 2)[1]
