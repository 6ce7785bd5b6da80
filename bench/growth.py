"""How time grows with the country: England once, three and ten times over."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench import imports, money, reads, reports
from bench.country import invented, invented_files
from bench.ground import Ground
from bench.measure import Row, Target, exponent

SIZES = (1, 3, 10)
RUNS = 3
ASKED = 5


def _row(name: str, points: Sequence[tuple[float, float]]) -> Row:
    taken = {f"x{size:g}": seconds for size, seconds in points}
    return Row(
        f"growth x1 x3 x10, {name}", "power", [exponent(points)], Target(value_at_most=1.1), (), {"seconds": taken}
    )


async def growth(ground: Ground) -> list[Row]:
    """The exponents of a month's first run, of the import and of all reports asked once."""
    runs, loads, asked = [], [], []
    for size in SIZES:
        if size == reads.TEN:
            bench = await reads.tenfold_funding(ground)
            _, taken = await reads.tenfold_registry(ground)
            reporting = await reports.tenfold(ground)
        else:
            bench = await money.funded(ground, invented(size))
            async with ground.lent("registry") as registry:
                taken = sum((await imports.take_in(registry, invented_files(invented(size)))).values())
            reporting = await reports.filled(ground, size)
        loads.append((float(size), taken))
        seconds = []
        for _ in range(RUNS):
            spent, run = await money.calculate(bench, money.APRIL)
            await money.give_up(bench, run)
            seconds.append(spent)
        runs.append((float(size), median(seconds)))
        answers = await reports.answered(reporting, ASKED)
        asked.append((float(size), sum(median(spent) for _, spent in answers.values()) / 1000))
    return [_row("run", runs), _row("import", loads), _row("reports", asked)]
