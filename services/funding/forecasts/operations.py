"""Keeping the posts workforce announces, whatever order the news comes in."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.funding.forecasts.model import Post
from shared.events.workforce import PostEnded, RoleRecruited


async def keep_post(session: AsyncSession, event: RoleRecruited, position: int) -> None:
    """Somebody is in post; an end heard of before stays."""
    row = insert(Post).values(
        id=event.post,
        network=event.network,
        role=event.role,
        zone=event.zone,
        wte=event.wte,
        employer=event.employer,
        additional=event.additional,
        started_on=event.started_on,
        position=position,
        ending_position=0,
    )
    names = ("network", "role", "zone", "wte", "employer", "additional", "started_on", "position")
    await session.execute(
        row.on_conflict_do_update(
            index_elements=["id"],
            set_={name: row.excluded[name] for name in names},
            where=Post.position < row.excluded.position,
        )
    )


async def end_post(session: AsyncSession, event: PostEnded, position: int) -> None:
    """Somebody left; what is known of the post besides stays."""
    row = insert(Post).values(
        id=event.post,
        network=event.network,
        role=event.role,
        ended_on=event.ended_on,
        position=0,
        ending_position=position,
    )
    await session.execute(
        row.on_conflict_do_update(
            index_elements=["id"],
            set_={name: row.excluded[name] for name in ("ended_on", "ending_position")},
            where=Post.ending_position < row.excluded.ending_position,
        )
    )
