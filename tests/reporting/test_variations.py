"""Which networks stand under which local variation, as the report has it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from shared.events.funding import NetworkVaried
from shared.identity import Role
from tests.harness import Harness
from tests.reporting.builders import a_variation, at, england, varied

VARIATIONS = "/reporting/v1/variations"


async def told(app: Harness, headers: dict[str, str] | None = None, **asked: str) -> list[dict[str, Any]]:
    reply = await app.client.get(VARIATIONS, params=asked, headers=headers or app.token(Role.NATIONAL))
    assert reply.status_code == 200, reply.text
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


@pytest.mark.parametrize("backwards", [False, True])
async def test_networks_are_told_with_the_members_that_agree(reporting_app: Harness, backwards: bool) -> None:
    app = reporting_app
    at(app, date(2022, 6, 30))
    await app.deliver(*england())
    envelopes = [
        app.envelope(event)
        for event in (
            a_variation(),
            varied("U00001", "variation-1", False, "A80001"),
            varied("U00001", "variation-1", True, "A80001", "A80002"),
            varied("U00002", "variation-1", False, "B80001"),
        )
    ]
    await app.receive(*(reversed(envelopes) if backwards else envelopes))
    await app.receive(*envelopes)
    found = await told(app)
    assert [(one["network"], one["practices"], one["every_member"]) for one in found] == [
        ("U00001", ["A80001", "A80002"], True),
        ("U00002", ["B80001"], False),
    ]
    assert (found[0]["variation_name"], found[0]["duties"]) == ("Care for frail people", ["frailty_rounds"])
    assert (found[0]["valid_from"], found[0]["valid_to"]) == ("2022-04-01", "2023-03-31")
    own = app.token(Role.COMMISSIONER, organisations=["BB2"])
    assert [one["network"] for one in await told(app, own)] == ["U00002"]
    assert [one["network"] for one in await told(app, commissioner="AA1")] == ["U00001"]
    assert len(await told(app, variation="variation-1")) == 2
    assert await told(app, variation="variation-x") == []
    assert await told(app, as_at="2023-04-01") == []


async def test_a_network_no_member_of_which_agrees_any_more_is_gone(reporting_app: Harness) -> None:
    app = reporting_app
    at(app, date(2022, 6, 30))
    await app.deliver(*england(), varied("U00001", "variation-1", True, "A80001"))
    (one,) = await told(app)
    assert (one["variation_name"], one["duties"]) == (None, []), "the variation itself was not heard of yet"
    await app.deliver(NetworkVaried(network="U00001", commissioner="AA1", spans=[]))
    assert await told(app) == []
