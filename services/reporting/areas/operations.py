"""Keep the map from the registry's events."""

from __future__ import annotations

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.areas.model import PracticeSuccession, Succession
from services.reporting.batches import write_later
from services.reporting.coverage.operations import recount
from shared.events import registry

_COMMISSIONER = text(
    """
    INSERT INTO commissioners AS held (
        commissioner, valid_from, valid_to, name, system, system_name, region, region_name, sequence
    )
    VALUES (
        :commissioner, :valid_from, :valid_to, :commissioner_name, :system, :system_name, :region, :region_name,
        :sequence
    )
    ON CONFLICT (commissioner, valid_from) DO UPDATE SET
        valid_to = excluded.valid_to, name = excluded.name, system = excluded.system,
        system_name = excluded.system_name, region = excluded.region, region_name = excluded.region_name,
        sequence = excluded.sequence
    WHERE held.sequence < excluded.sequence
    """
)


async def note_commissioner(session: AsyncSession, event: registry.CommissionerRegistered, sequence: int) -> None:
    write_later(session, _COMMISSIONER, {**event.model_dump(), "sequence": sequence})


_PRACTICES = text(
    """
    INSERT INTO practices AS held (practice, name, commissioner, status, opened_on, closed_on, sequence)
    SELECT facts.*, :sequence
    FROM unnest(CAST(:practice AS text[]), CAST(:name AS text[]), CAST(:commissioner AS text[]),
                CAST(:status AS text[]), CAST(:opened AS date[]), CAST(:closed AS date[])) AS facts
    ON CONFLICT (practice) DO UPDATE SET
        name = excluded.name, commissioner = excluded.commissioner, status = excluded.status,
        opened_on = excluded.opened_on, closed_on = excluded.closed_on, sequence = excluded.sequence
    WHERE held.sequence < excluded.sequence
    RETURNING new.practice, old.closed_on IS DISTINCT FROM new.closed_on AS moved
    """
)


async def note_practices(session: AsyncSession, practices: list[registry.PracticeFact], sequence: int) -> None:
    """Keep practices as announced; coverage is counted again where a closing day changed."""
    facts = {p.practice: p for p in practices}
    rows = await session.execute(
        _PRACTICES,
        {
            "practice": list(facts),
            "name": [p.practice_name for p in facts.values()],
            "commissioner": [p.commissioner for p in facts.values()],
            "status": [p.status for p in facts.values()],
            "opened": [p.opened_on for p in facts.values()],
            "closed": [p.closed_on for p in facts.values()],
            "sequence": sequence,
        },
    )
    taken: dict[str, bool] = dict(rows.all())
    recount(session, [practice for practice, moved in taken.items() if moved])
    # before successions were told with their practice, one taken back was told as a practice that does not close
    named = [p for p in taken if facts[p].went_over is not None or facts[p].closed_on is None]
    if named:
        over = [(practice, spell) for practice in named for spell in facts[practice].went_over or ()]
        moved = await session.execute(
            _WENT_OVER,
            {
                "named": named,
                "practices": [practice for practice, _ in over],
                "firsts": [spell.valid_from for _, spell in over],
                "lasts": [spell.valid_to for _, spell in over],
                "successors": [spell.successor for _, spell in over],
                "sequence": sequence,
            },
        )
        recount(session, {code for row in moved for code in row if code is not None})
    closed = [p for p in taken if facts[p].dispersed is not None]
    if closed:
        elsewhere = [(practice, spell) for practice in closed for spell in facts[practice].dispersed or ()]
        dispersed = await session.scalars(
            _DISPERSED,
            {
                "named": closed,
                "practices": [practice for practice, _ in elsewhere],
                "firsts": [spell.valid_from for _, spell in elsewhere],
                "lasts": [spell.valid_to for _, spell in elsewhere],
            },
        )
        recount(session, dispersed)
    dated = [facts[practice] for practice in taken if facts[practice].commissioned]
    if dated:
        spells = [(fact.practice, spell) for fact in dated for spell in fact.commissioned]
        changed = await session.scalars(
            _SPELLS,
            {
                "named": [fact.practice for fact in dated],
                "practices": [practice for practice, _ in spells],
                "firsts": [spell.valid_from for _, spell in spells],
                "lasts": [spell.valid_to for _, spell in spells],
                "commissioners": [spell.commissioner for _, spell in spells],
            },
        )
        recount(session, changed)


_WENT_OVER = text(
    """
    WITH told AS (
        SELECT * FROM unnest(CAST(:practices AS text[]), CAST(:firsts AS date[]), CAST(:lasts AS date[]),
                             CAST(:successors AS text[])) AS told (practice, succeeded_on, valid_to, successor)
    ), gone AS (
        DELETE FROM practice_successions held
        WHERE practice = ANY(CAST(:named AS text[])) AND sequence < :sequence
            AND (practice, succeeded_on) NOT IN (SELECT practice, succeeded_on FROM told)
        RETURNING practice, successor
    ), kept AS (
        INSERT INTO practice_successions AS held (practice, succeeded_on, valid_to, successor, sequence)
        SELECT practice, succeeded_on, valid_to, successor, :sequence FROM told
        ON CONFLICT (practice, succeeded_on) DO UPDATE SET
            valid_to = excluded.valid_to, successor = excluded.successor, sequence = excluded.sequence
        WHERE held.sequence < excluded.sequence
        RETURNING new.practice, new.successor, old.successor AS before
    )
    SELECT practice, successor, NULL FROM gone UNION SELECT practice, successor, before FROM kept
    """
)

_DISPERSED = text(
    """
    WITH told AS (
        SELECT * FROM unnest(CAST(:practices AS text[]), CAST(:firsts AS date[]), CAST(:lasts AS date[]))
            AS told (practice, valid_from, valid_to)
    ), gone AS (
        DELETE FROM practice_dispersals WHERE practice = ANY(CAST(:named AS text[]))
            AND (practice, valid_from) NOT IN (SELECT practice, valid_from FROM told)
        RETURNING practice
    ), kept AS (
        INSERT INTO practice_dispersals AS held (practice, valid_from, valid_to) SELECT * FROM told
        ON CONFLICT (practice, valid_from) DO UPDATE SET valid_to = excluded.valid_to
        WHERE held.valid_to IS DISTINCT FROM excluded.valid_to
        RETURNING practice
    )
    SELECT practice FROM gone UNION SELECT practice FROM kept
    """
)

_SPELLS = text(
    """
    WITH told AS (
        SELECT * FROM unnest(CAST(:practices AS text[]), CAST(:firsts AS date[]), CAST(:lasts AS date[]),
                             CAST(:commissioners AS text[])) AS told (practice, valid_from, valid_to, commissioner)
    ), gone AS (
        DELETE FROM practice_commissioners held WHERE practice = ANY(CAST(:named AS text[]))
            AND NOT EXISTS (SELECT FROM told WHERE told.practice = held.practice AND told.valid_from = held.valid_from)
        RETURNING practice
    ), kept AS (
        INSERT INTO practice_commissioners AS held (practice, valid_from, valid_to, commissioner)
        SELECT practice, valid_from, valid_to, commissioner FROM told
        ON CONFLICT (practice, valid_from) DO UPDATE SET
            valid_to = excluded.valid_to, commissioner = excluded.commissioner
        WHERE (held.valid_to, held.commissioner) IS DISTINCT FROM (excluded.valid_to, excluded.commissioner)
        RETURNING practice
    )
    SELECT practice FROM gone UNION SELECT practice FROM kept
    """
)


async def note_practice_succession(session: AsyncSession, event: registry.PracticeSucceeded, sequence: int) -> None:
    """A practice's patients are its successor's from a day on, also before their lists are counted together."""
    of_practice = PracticeSuccession.practice == event.practice
    newest = await session.scalar(select(func.max(PracticeSuccession.sequence)).where(of_practice))
    if newest is not None and newest >= sequence:
        return
    replaced = delete(PracticeSuccession).where(
        of_practice, func.coalesce(PracticeSuccession.valid_to >= event.succeeded_on, True)
    )
    before = await session.scalars(replaced.returning(PracticeSuccession.successor))
    recount(session, [event.practice, event.successor, *before])
    await session.execute(
        insert(PracticeSuccession).values(
            practice=event.practice, successor=event.successor, succeeded_on=event.succeeded_on, sequence=sequence
        )
    )


async def note_succession(session: AsyncSession, event: registry.CommissionerSucceeded, sequence: int) -> None:
    """The newest word of who took over from a commissioner stands in place of those before it."""
    held = select(Succession.sequence).where(Succession.commissioner == event.commissioner).limit(1)
    newest = await session.scalar(held)
    if newest is not None and newest >= sequence:
        return
    await session.execute(delete(Succession).where(Succession.commissioner == event.commissioner))
    await session.execute(
        insert(Succession),
        [
            {
                "commissioner": event.commissioner,
                "successor": successor,
                "succeeded_on": event.succeeded_on,
                "sequence": sequence,
            }
            for successor in sorted({heir.commissioner for heir in event.successors})
        ],
    )


_CLOSED = text(
    """
    INSERT INTO practices AS held (practice, name, commissioner, status, closed_on, sequence)
    VALUES (:practice, '', :commissioner, 'closed', :closed_on, :sequence)
    ON CONFLICT (practice) DO UPDATE SET
        status = excluded.status, closed_on = excluded.closed_on, sequence = excluded.sequence
    WHERE held.sequence < excluded.sequence
    RETURNING practice
    """
)


async def close_practice(session: AsyncSession, event: registry.PracticeClosed, sequence: int) -> None:
    """A practice has seen its last day: its patients no longer count as its own from the next on."""
    values = {
        "practice": event.practice,
        "commissioner": event.commissioner,
        "closed_on": event.closed_on,
        "sequence": sequence,
    }
    recount(session, list(await session.scalars(_CLOSED, values)))
