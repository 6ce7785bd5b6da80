"""The same waves in calm and in a storm, and everything that must be equal afterwards."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

import psycopg

from deploy.doctor import Finding, examine
from deploy.doctor.finding import State as Health
from shared.identity import Role
from tests.chaos.areas import wave
from tests.chaos.clients import Asked, Ledger
from tests.chaos.faults import CONSUMERS, Fault, LeftOut
from tests.chaos.flow import Counts, Flow
from tests.chaos.poison import Poison
from tests.chaos.stacks import Stack
from tests.chaos.states import State, differences, state_of

POISONED = "poisoned subject, mended, replayed"


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Weather:
    """How long a storm blows, how long a lasting fault lasts, the pause between faults, and how big a wave is.

    Without `seconds` every fault strikes once.
    """

    seconds: float | None
    lasting: float
    pause: tuple[float, float]
    areas: int


@dataclass
class Storm:
    """What a storm did, and what was found afterwards."""

    name: str
    counts: Counts
    ledger: Ledger
    faults: Counter[str] = field(default_factory=Counter)
    left_out: set[str] = field(default_factory=set)
    seconds: Counter[str] = field(default_factory=Counter)
    state: State = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    lost: list[Asked] = field(default_factory=list)
    ghosts: list[Asked] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    @property
    def broken(self) -> list[str]:
        """Everything that is not as it must be, each in a line."""
        return [
            *self.trouble,
            *(f"accepted and not there: {asked}" for asked in self.lost),
            *(f"refused and there: {asked}" for asked in self.ghosts),
            *self.differences,
            *(f"doctor: {finding}" for finding in self.findings if finding.state is not Health.OK),
        ]


def calm(stack: Stack, seed: int, waves: int, areas: int) -> tuple[Storm, dict[int, State]]:
    """The undisturbed run, and what it holds after each wave."""
    flow = Flow(stack.url, stack.home, seed)
    states = {}
    for number in range(waves):
        flow.run(wave(seed, number, areas))
        states[number + 1] = state_of(stack.urls)
    found = Storm("calm", flow.counts, flow.ledger)
    _examine(found, stack)
    return found, states


def blow(name: str, stack: Stack, faults: Mapping[str, Fault], seed: int, weather: Weather) -> Storm:
    """Waves under faults until the time is up; the wave in hand is finished, and the stack left to settle."""
    flow = Flow(stack.url, stack.home, seed)
    storm = Storm(name, flow.counts, flow.ledger)
    stop, blown, over = threading.Event(), threading.Event(), threading.Event()
    chance = Random(f"{seed}/{name}")  # noqa: S311 - printed, so that a storm can be had again
    until = time.monotonic() + (weather.seconds or 0)

    def rage() -> None:
        while not stop.is_set() and not blown.is_set():
            deck = sorted(faults)
            if weather.seconds is not None:  # what kills, twice as often
                deck += [name for name in deck if name.startswith("kill")]
            chance.shuffle(deck)
            for name in deck:
                if stop.is_set() or (weather.seconds is not None and time.monotonic() > until):
                    break
                _strike(storm, stack, name, faults, chance, weather.lasting)
                stop.wait(chance.uniform(*weather.pause))
            if time.monotonic() > until:
                blown.set()

    threads = [threading.Thread(target=rage, name="faults"), threading.Thread(target=flow.read_on, args=(over,))]
    for thread in threads:
        thread.start()
    try:
        number = 0
        while not blown.is_set():
            _wave(storm, flow, stack, seed, number, weather, poisoned=number % 3 == 0)
            number += 1
            say(f"  {name}: wave {number} done, {sum(storm.faults.values())} faults so far")
    except Exception:
        storm.trouble.append(traceback.format_exc())
    finally:
        stop.set()
        over.set()
        for thread in threads:
            thread.join()
    _examine(storm, stack)
    return storm


def _wave(storm: Storm, flow: Flow, stack: Stack, seed: int, number: int, weather: Weather, *, poisoned: bool) -> None:
    this = wave(seed, number, weather.areas)
    if not poisoned:
        flow.run(this)
        return
    poison = Poison(stack, this.areas[0].code)
    operator = flow.person(Role.OPERATOR, subject="operator-2")

    def mend() -> None:
        begun = time.monotonic()
        poison.mend(operator)
        storm.faults[POISONED] += 1
        storm.seconds[POISONED] += round(time.monotonic() - begun)
        if poison.left or not poison.in_order or poison.parked < len(CONSUMERS):
            storm.trouble.append(f"poison: {poison}")

    poison.announce()
    flow.run(this, files_in=mend)
    operator.close()


def _strike(storm: Storm, stack: Stack, name: str, faults: Mapping[str, Fault], chance: Random, lasting: float) -> None:
    begun = time.monotonic()
    try:
        did = faults[name](stack, chance, lasting)
    except LeftOut:
        storm.left_out.add(name)
        return
    except Exception:
        storm.trouble.append(f"{name}: {traceback.format_exc()}")
        return
    storm.faults[name] += 1
    storm.seconds[name] += round(time.monotonic() - begun)
    say(f"  {storm.name}: {did}, {time.monotonic() - begun:.1f} s")


def _examine(storm: Storm, stack: Stack) -> None:
    """Look at everything, as an operator would and as an auditor would."""
    try:
        storm.state = state_of(stack.urls)
        storm.findings = examine(stack.urls, patience=0)
        storm.lost, storm.ghosts = _accounted(storm.ledger, stack.urls)
    except Exception:
        storm.trouble.append(traceback.format_exc())


def _accounted(ledger: Ledger, urls: Mapping[str, str]) -> tuple[list[Asked], list[Asked]]:
    """Accepted requests that left no trace, and refused ones that left one."""
    traces: dict[str, set[str]] = {}
    for service in {asked.service for asked in (*ledger.accepted, *ledger.refused)}:
        with psycopg.connect(urls[service].replace("+psycopg", "")) as connection:
            found = connection.execute(
                "SELECT correlation_id FROM audit "
                "UNION SELECT correlation_id FROM outbox WHERE correlation_id IS NOT NULL"
            ).fetchall()
        traces[service] = {str(row[0]) for row in found}
    lost = [asked for asked in ledger.accepted if asked.correlation not in traces[asked.service]]
    ghosts = [asked for asked in ledger.refused if asked.correlation in traces[asked.service]]
    return lost, ghosts


def compare(storm: Storm, states: Mapping[int, State]) -> None:
    """Hold a storm's records against those of the undisturbed run after as many waves."""
    storm.differences = differences(states[storm.counts.waves], storm.state)
    lines = storm.state.get("funding.payment_lines", Counter())
    if not sum(lines.values()):
        storm.trouble.append("nothing was paid at all")
