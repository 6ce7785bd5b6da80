"""Safe retries: the same Idempotency-Key and body get the first answer again, another body under it is refused.

The key's row, the effect and the answer share one transaction, so ten requests at once have one effect: nine wait for
the first to commit and then read its answer. A refusal keeps nothing, so a request put right may use its key again.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Header, Request
from fastapi.responses import Response
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.errors import Fault, Invalid, Unavailable
from shared.identity import authenticated
from shared.keys import KeysMissing, ReplyKeys
from shared.messaging.tables import KeptReply

_CLAIM = "pcn_idempotency"
_BOUNDARY = re.compile(r'^multipart/.*?boundary="?([^";]{8,70})', re.IGNORECASE)
_KEPT_HEADERS = ("content-type", "etag", "location")


class Replay(Exception):
    """The key was used before with the same request: here is what was answered."""

    def __init__(self, response: Response) -> None:
        super().__init__("replayed")
        self.response = response


class Claim:
    """A key taken by the request in hand; `keep` stores its answer beside the effect."""

    def __init__(self, session: AsyncSession, caller: str, key: str) -> None:
        self._session = session
        self._caller = caller
        self._key = key

    async def keep(self, response: Response) -> None:
        headers = {name: value for name, value in response.headers.items() if name in _KEPT_HEADERS}
        await self._session.execute(
            update(KeptReply)
            .where(KeptReply.caller == self._caller, KeptReply.key == self._key)
            .values(status=response.status_code, headers=headers, body=bytes(response.body))
            .execution_options(synchronize_session=False)
        )


async def claim_key(request: Request, session: AsyncSession, key: str) -> None:
    """Take the key for this request.

    Raises `Replay` for a repeat, `Invalid` where the key means something else and `Unavailable` where that cannot be
    told any more.
    """
    caller = (await authenticated(request)).subject
    keys: ReplyKeys = request.app.state.reply_keys
    body = _without_boundary(await request.body(), request.headers.get("content-type", ""))
    asked = f"{request.method} {request.url.path}?{request.url.query}\n".encode() + body
    taken = await session.scalar(
        insert(KeptReply)
        .values(caller=caller, key=key, fingerprint=keys.mark(asked), created_at=datetime.now(UTC))
        .on_conflict_do_nothing()
        .returning(KeptReply.key)
    )
    if taken is not None:
        request.scope[_CLAIM] = Claim(session, caller, key)
        return
    kept = (
        await session.execute(
            select(KeptReply.fingerprint, KeptReply.status, KeptReply.headers, KeptReply.body).where(
                KeptReply.caller == caller, KeptReply.key == key
            )
        )
    ).one()
    try:
        agrees = keys.agrees(kept.fingerprint, asked)
    except KeysMissing as error:
        raise Unavailable(str(error)) from error
    if not agrees:
        raise Invalid(
            "This Idempotency-Key was used for another request.",
            errors=[Fault("header.Idempotency-Key", "key_reused", "Use a new key for a new request.")],
        )
    raise Replay(
        Response(kept.body, kept.status or 200, headers={**(kept.headers or {}), "idempotency-replayed": "true"})
    )


def _without_boundary(body: bytes, content_type: str) -> bytes:
    """A form's body as it would be under any boundary: a client that sends a file again makes up a new one."""
    boundary = _BOUNDARY.search(content_type)
    return body.replace(boundary[1].encode("latin-1"), b"") if boundary else body


def claim_of(request: Request) -> Claim | None:
    claim: Claim | None = request.scope.get(_CLAIM)
    return claim


IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="One key for one intended effect; a repeat within seven days gets the first answer again.",
    ),
]
