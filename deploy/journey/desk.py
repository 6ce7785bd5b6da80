"""One person's way into the stack: a token, and calls that can be repeated without a second effect."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import httpx

from deploy.issuer import EmbeddedIssuer
from shared.identity import Role


class CallRefused(RuntimeError):
    """A call was refused; the message is what the service said."""

    def __init__(self, answer: httpx.Response) -> None:
        try:
            said = answer.json()
            faults = "".join(f"\n  {fault['field']}: {fault['message']}" for fault in said.get("errors", []))
            detail = f"{said.get('code', '')}: {said.get('detail', '')}{faults}"
        except ValueError:
            detail = answer.text[:500]
        super().__init__(f"{answer.request.method} {answer.request.url.path} -> {answer.status_code} {detail}")
        self.status = answer.status_code


class Desk:
    """Somebody with these roles and organisations, sitting before the API."""

    def __init__(
        self, client: httpx.Client, issuer: EmbeddedIssuer, *roles: Role, organisation: str = "", subject: str
    ) -> None:
        self._client = client
        token = issuer.token(roles, [organisation] if organisation else [], subject=subject)
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """One resource."""
        found: dict[str, Any] = self._said(self._client.get(path, params=params, headers=self._headers)).json()
        return found

    def items(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list, page after page."""
        cursor = None
        while True:
            page = self.get(path, limit=1000, **params, **({"cursor": cursor} if cursor else {}))
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def first(self, path: str, **params: Any) -> dict[str, Any] | None:
        return next(self.items(path, **params), None)

    def create(self, path: str, json: Any = None, **more: Any) -> dict[str, Any]:
        """POST under a key made from what is asked, so that asking again gives the first answer."""
        key = hashlib.sha256(repr((path, json, sorted(more.get("data", {}).items()))).encode()).hexdigest()
        for name, (file_name, content) in more.get("files", {}).items():
            key = hashlib.sha256(f"{key}{name}{file_name}{hashlib.sha256(content).hexdigest()}".encode()).hexdigest()
        headers = {**self._headers, "Idempotency-Key": key}
        made: dict[str, Any] = self._said(self._client.post(path, json=json, headers=headers, **more)).json()
        return made

    def change(self, resource: str, what: str, json: Any = None) -> dict[str, Any]:
        """PUT a state change on the version of the resource that stands now."""
        tag = self._said(self._client.get(resource, headers=self._headers)).headers["etag"]
        headers = {**self._headers, "If-Match": tag}
        answer = self._client.put(f"{resource}/{what}", json=json, headers=headers)
        changed: dict[str, Any] = self._said(answer).json()
        return changed

    @staticmethod
    def _said(answer: httpx.Response) -> httpx.Response:
        if answer.is_error:
            raise CallRefused(answer)
        return answer
