"""A log handed to a service once more: what it never had takes effect, what it had or gave up does not again."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import delete, func, select, update

from deploy.redelivering import Redelivered, redeliver
from services.funding.networks.model import Membership, PracticeHeir
from shared.events import Event
from shared.events.registry import PracticeSucceeded
from shared.messaging import announce
from shared.messaging.tables import Inbox, Outbox, Parked
from tests.funding.builders import COMMISSIONER, a_commissioner, an_approved_network, some_practices
from tests.harness import Harness


def over(practice: str, on: date) -> PracticeSucceeded:
    return PracticeSucceeded(practice=practice, successor="A00001", commissioner=COMMISSIONER, succeeded_on=on)


async def announced(app: Harness, *events: Event) -> None:
    """As if the events had left long ago."""
    async with app.session() as session:
        for event in events:
            announce(session, event)
        await session.flush()
        await session.execute(update(Outbox).values(published_at=datetime.now(UTC)))


async def count(app: Harness, model: type[Any]) -> int:
    async with app.session() as session:
        return await session.scalar(select(func.count()).select_from(model)) or 0


async def test_what_came_before_anybody_listened_takes_effect_once(
    registry_live: Harness, funding_live: Harness
) -> None:
    urls = {
        name: app.service.settings.database_url
        for name, app in (("registry", registry_live), ("funding", funding_live))
    }
    registry = [
        a_commissioner(), some_practices(["A00001", "A00002", "A00003"]), an_approved_network(),
        over("A00002", date(2022, 6, 1)), over("A00003", date(2022, 7, 1)),
    ]  # fmt: skip
    await announced(registry_live, *registry)
    assert await redeliver(urls, "funding", "registry") == Redelivered(read=5, effects=5, parked=0)
    assert await redeliver(urls, "funding", "registry") == Redelivered(read=5, effects=0, parked=0)
    # as it was before funding listened to that kind
    kind = PracticeSucceeded.event_type()
    async with funding_live.session() as session:
        await session.execute(delete(Inbox).where(Inbox.type == kind))
        await session.execute(delete(PracticeHeir))
    members = await count(funding_live, Membership)
    async with registry_live.session() as session:
        last = await session.scalar(select(func.max(Outbox.position)))
    assert await redeliver(urls, "funding", "registry", first=last or 0) == Redelivered(read=1, effects=1, parked=0)
    assert await redeliver(urls, "funding", "registry") == Redelivered(read=5, effects=1, parked=0)
    assert (await count(funding_live, PracticeHeir), await count(funding_live, Membership)) == (2, members)


async def test_what_an_operator_gave_up_stays_given_up_and_what_is_parked_stays_parked(
    registry_live: Harness, funding_live: Harness
) -> None:
    urls = {
        name: app.service.settings.database_url
        for name, app in (("registry", registry_live), ("funding", funding_live))
    }
    await announced(registry_live, a_commissioner(), over("A00002", date(2022, 6, 1)), over("A00003", date(2022, 7, 1)))
    async with registry_live.session() as session:
        rows = (await session.scalars(select(Outbox).order_by(Outbox.position))).all()
    envelopes = [registry_live.envelope(over(code, date(2022, 6, 1))) for code in ("A00002", "A00003")]
    for envelope, row in zip(envelopes, rows[1:], strict=True):
        envelope = envelope.model_copy(update={"id": row.event_id})
        await funding_live.runtime.receiver.park(envelope, "ValueError", "broken")
    async with funding_live.session() as session:
        await funding_live.runtime.receiver.dismiss(session, rows[1].event_id, "it was never meant")
    assert await redeliver(urls, "funding", "registry") == Redelivered(read=3, effects=0, parked=2), "one record's"
    assert await count(funding_live, PracticeHeir) == 0
    assert await count(funding_live, Parked) == 3
