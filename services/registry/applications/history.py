"""What happened to an application, and what was known of it at any moment."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from pydantic_core import to_jsonable_python
from sqlalchemy import BigInteger, ColumnElement, ForeignKey, Identity, ScalarSelect, func, insert, inspect, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, mapped_column

from services.registry.applications.form import Form
from services.registry.base import Base
from shared.database import Code, Timestamp, Words, text_enum


class RefusalGround(StrEnum):
    """Why a commissioner refuses. The content of the network agreement is the members' own and no ground."""

    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    BOUNDARY = "boundary"
    COVERAGE = "coverage"
    MEMBERS = "members"
    ONE_PRACTICE = "one_practice"
    PAYEE = "payee"
    DIRECTOR = "director"
    INCOMPLETE = "incomplete"
    AGREEMENT_CONTENT = "agreement_content"
    OTHER = "other"


class Step(StrEnum):
    """What happened to an application, in the words of the form."""

    SUBMITTED = "submitted"
    RETURNED = "returned"
    FOUND_APPROVABLE = "found_approvable"
    OPINION = "opinion"
    APPROVED = "approved"
    REFUSED = "refused"


class ApplicationStep(Base):
    """One step an application took: who, when, why, and at a submission the form as it was handed in."""

    __tablename__ = "application_steps"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    application: Mapped[Code] = mapped_column(ForeignKey("applications.id", ondelete="CASCADE"), index=True)
    step: Mapped[Step] = mapped_column(text_enum(Step))
    taken_on: Mapped[date]
    taken_at: Mapped[Timestamp]
    taken_by: Mapped[Words]
    reason: Mapped[Words | None]
    ground: Mapped[RefusalGround | None] = mapped_column(text_enum(RefusalGround))
    form: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))


class ApplicationVersion(Base):
    """All an application said from a moment on, drafts too, so that what was known of it then can be asked."""

    __tablename__ = "application_versions"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    application: Mapped[Code] = mapped_column(ForeignKey("applications.id", ondelete="CASCADE"), index=True)
    since: Mapped[Timestamp]
    state: Mapped[dict[str, Any]] = mapped_column(JSONB)

    @classmethod
    def latest(cls, known_at: datetime) -> ScalarSelect[int]:
        """The version in force at a moment of the application a statement is about."""
        later = aliased(cls)
        newest = select(func.max(later.id)).where(later.application == cls.application, later.since <= known_at)
        return newest.correlate(cls).scalar_subquery()

    @classmethod
    def says(cls, field: str) -> ColumnElement[str]:
        said: ColumnElement[str] = cls.state[field].astext
        return said


def practice_lines(form: Form) -> list[dict[str, Any]]:
    """The practices of a form, with the shares they bring and the lists that were counted."""
    return [
        {
            "practice": line.practice,
            "share": str(line.share),
            "leaves": line.leaves,
            "patients": None if line.patients is None else str(line.patients),
        }
        for line in form.practices
    ]


async def keep(session: AsyncSession, applications: Iterable[Form], now: datetime) -> None:
    """Keep what these applications say from now on; the change itself is audited with the application."""
    await session.flush()
    states = [
        {
            "application": made.id,
            "since": now,
            "state": to_jsonable_python(
                {a.key: getattr(made, a.key) for a in inspect(type(made)).column_attrs}
                | {"practices": practice_lines(made)}
            ),
        }
        for made in applications
    ]
    if states:
        await session.execute(insert(ApplicationVersion), states)
