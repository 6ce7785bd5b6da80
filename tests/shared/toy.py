"""A fifth service, for tests of the plumbing alone: it keeps counters, and announces when one is raised."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Annotated, ClassVar

from fastapi import Response
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database import Code, Money, Versioned, metadata, new_id
from shared.errors import Fault, Invalid, NotFound, Refused
from shared.events.base import Event, catalogued
from shared.facts import Dated, no_overlap
from shared.http import (
    Idempotent,
    IfMatch,
    In,
    MoneyIn,
    MoneyOut,
    Out,
    Page,
    Paging,
    Reading,
    Transaction,
    page,
    refusals,
    require_match,
    service_router,
    tag,
)
from shared.identity import ANY_ROLE, Caller, Role, allow
from shared.messaging import Arrival, announce
from shared.service import Service
from shared.settings import ServiceSettings


class Base(DeclarativeBase):
    metadata = metadata()


class Counter(Versioned, Base):
    __tablename__ = "counters"

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[Code]
    raised: Mapped[int] = mapped_column(default=0)
    price: Mapped[Money]

    def concerns(self) -> Iterable[str]:
        return [self.owner]

    def raise_by(self, number: int) -> CounterRaised:
        if number > 100:
            raise Invalid("Too much at once.", errors=[Fault("by", "too_much", "Raise by 100 at the most.")])
        if number < 1:
            fault = Fault("raised", "nothing", "A counter is raised by one or more.")
            raise NotRaised(f"{number} raises nothing.", errors=[fault])
        self.raised += number
        return CounterRaised(counter=self.id, owner=self.owner, raised=self.raised)


class Seen(Base):
    """What the toy knows of counters from their events."""

    __tablename__ = "seen"

    counter: Mapped[str] = mapped_column(primary_key=True)
    raised: Mapped[int]
    times: Mapped[int]
    history: Mapped[str]


class Label(Dated, Base):
    __tablename__ = "labels"
    __table_args__ = (no_overlap("labels", "counter"),)

    counter: Mapped[Code]
    text: Mapped[str]


class NotRaised(Refused):
    """A counter is raised by one or more."""


@catalogued
class CounterRaised(Event):
    publisher: ClassVar[str] = "toy"
    noun: ClassVar[str] = "counters"
    name: ClassVar[str] = "counter-raised"

    counter: str
    owner: str
    raised: int
    on: date | None = None

    def subject(self) -> str:
        return self.counter


class CounterIn(In):
    owner: str
    price: MoneyIn = Decimal("0.00")
    note: str = ""


class RaiseIn(In):
    by: int


class CounterOut(Out):
    id: str
    owner: str
    raised: int
    price: MoneyOut


router = service_router("toy", tags=["counters"])


@router.post("/counters", status_code=201)
async def create(
    body: CounterIn,
    session: Transaction,
    caller: Annotated[Caller, allow(Role.NATIONAL)],
    response: Response,
    _: Idempotent,
) -> CounterOut:
    counter = Counter(id=new_id("cnt"), owner=body.owner, price=body.price, raised=0)
    session.add(counter)
    await session.flush()
    announce(session, counter.raise_by(1))
    await session.flush()
    tag(response, counter)
    return CounterOut.model_validate(counter)


@router.put("/counters/{counter_id}/height", responses=refusals(NotFound, NotRaised))
async def raise_counter(
    counter_id: str,
    body: RaiseIn,
    session: Transaction,
    caller: Annotated[Caller, allow(Role.NATIONAL)],
    response: Response,
    if_match: IfMatch = None,
) -> CounterOut:
    counter = await session.get(Counter, counter_id, with_for_update=True)
    if counter is None:
        raise NotFound(f"No counter {counter_id}.")
    require_match(counter, if_match)
    announce(session, counter.raise_by(body.by))
    await session.flush()
    tag(response, counter)
    return CounterOut.model_validate(counter)


@router.get("/counters")
async def list_counters(
    session: Reading, caller: Annotated[Caller, allow(*ANY_ROLE)], paging: Paging
) -> Page[CounterOut]:
    statement = select(Counter)
    if not caller.everywhere:
        statement = statement.where(Counter.owner.in_(caller.organisations))
    rows, following = await page(session, statement, [Counter.id], paging)
    return Page(items=[CounterOut.model_validate(row[0]) for row in rows], next=following)


async def see(session: AsyncSession, event: CounterRaised, arrival: Arrival) -> None:
    if event.owner == "BAD":
        raise NotRaised("This owner is refused.")
    if event.owner == "BUG":
        raise ZeroDivisionError("a bug in the handler")
    statement = insert(Seen).values(counter=event.counter, raised=event.raised, times=1, history=f"{event.raised}")
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["counter"],
            set_={
                "raised": statement.excluded.raised,
                "times": Seen.times + 1,
                "history": Seen.history + "," + statement.excluded.history,
            },
        )
    )


def service(url: str) -> Service:
    return Service(
        name="toy",
        base=Base,
        settings=ServiceSettings(database_url=url),
        routers=[router],
        handlers={CounterRaised: see},
        announces=[CounterRaised],
    )
