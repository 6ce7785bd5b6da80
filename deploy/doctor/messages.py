"""Outbox and inbox: what was announced has left, and has arrived once wherever it is listened to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from deploy.doctor.finding import Announced, Finding, Patient, Row, State, judged

Patients = Mapping[str, Patient]


def outbox_published(patients: Patients, patience: float) -> Finding:
    """Every announced event has left for the broker, or is younger than the patience asked for."""
    waiting = [event for patient in patients.values() for event in patient.outbox.values() if not event.published]
    late = sorted((event for event in waiting if event.age > patience), key=lambda event: -event.age)
    total = sum(len(patient.outbox) for patient in patients.values())
    looked_at = f"{total} events announced"
    if waiting:
        looked_at += f", the oldest of {len(waiting)} waiting is {max(event.age for event in waiting):.0f} s old"
    return judged("outbox-published", looked_at, map(_shown, late))


def outbox_unique(patients: Patients) -> Finding:
    """No event stands in a log twice: its receivers would take the second for a repeat of the first."""
    twice: list[Row] = []
    for patient in patients.values():
        twice += (
            {"service": patient.name, **row}
            for row in patient.announced(
                "SELECT event_id, count(*) AS times FROM outbox GROUP BY event_id HAVING count(*) > 1"
            )
        )
    return judged("outbox-unique", "the four event logs", twice)


def events_received(patients: Patients, patience: float) -> Finding:
    """Every event that has left is in the inbox, or among the parked, of every service that listens to it."""
    missing: list[Row] = []
    effects = 0
    for patient in patients.values():
        for event in heard_by(patient, patients):
            effects += 1
            here = (event.event_id in patient.inbox) + (event.event_id in patient.parked)
            if here == 0 and event.published and event.age > patience:
                missing.append({"service": patient.name, "fault": "never arrived", **_shown(event)})
            elif here == 2:
                missing.append({"service": patient.name, "fault": "handled and parked", **_shown(event)})
    return judged("events-received", f"{effects} effects of events", missing)


def inbox_announced(patients: Patients) -> Finding:
    """Nothing was received that nobody announced."""
    known = {event.event_id: event.type for patient in patients.values() for event in patient.outbox.values()}
    strange = [
        {"service": patient.name, "event_id": event_id, "type": kind}
        for patient in patients.values()
        for event_id, kind in patient.inbox.items()
        if known.get(event_id) != kind
    ]
    return judged("inbox-announced", f"{sum(len(p.inbox) for p in patients.values())} events received", strange)


def nothing_parked(patients: Patients) -> Finding:
    """No message waits for somebody to mend it."""
    parked: list[Row] = []
    for patient in patients.values():
        parked += (
            {"service": patient.name, **row}
            for row in patient.received(
                "SELECT source, subject, type, code, event_id FROM parked WHERE replayed_at IS NULL ORDER BY id"
            )
        )
    return judged("nothing-parked", "the four services", parked)


def heard_by(patient: Patient, patients: Patients) -> Iterator[Announced]:
    """The events of all logs that a service listens to, but for those an operator gave up there."""
    kinds, given_up = patient.listens_to, patient.dismissed
    for publisher in patients.values():
        yield from (
            event for event in publisher.outbox.values() if event.type in kinds and event.event_id not in given_up
        )


def under_way(patient: Patient, patients: Patients) -> int:
    """How many events a service has still to handle."""
    return sum(event.event_id not in patient.inbox for event in heard_by(patient, patients))


def unless_under_way(finding: Finding, under_way: int) -> Finding:
    """A difference counts only where nothing is on its way that would explain it."""
    if finding.state is State.BROKEN and under_way:
        return Finding(finding.check, State.UNSETTLED, f"{under_way} events are on their way: ask again", [])
    return finding


def _shown(event: Announced) -> Row:
    return {
        "source": event.source,
        "position": event.position,
        "type": event.type,
        "event_id": event.event_id,
        "seconds": round(event.age),
    }
