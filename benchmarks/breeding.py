"""How long breeding takes: `tell` and `ask` of one generation, for several sizes.

Run with `python -m benchmarks.breeding`. Prints a table with the machine that it was measured on.
"""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from closedloop.optimizers import GeneticAlgorithm, GeneticParameters

REPEATS = 200
WARM_UP = 10
AIM_MS = 10.0

# population and code size; the aim is stated for 40 codes of 4,096 numbers
CASES = ((20, 100), (40, 100), (40, 4096), (100, 4096))


def breeding_ms(population: int, code_size: int, repeats: int = REPEATS) -> np.ndarray:
    """Return how long each of ``repeats`` generations took to breed, none conserved, so that all are bred.

    Returns:
        float64 (repeats, 2), milliseconds on the clock and of processor time.
    """
    parameters = GeneticParameters(preset="in-vivo", population=population, n_conserve=0)
    optimizer = GeneticAlgorithm(parameters, code_size=code_size, seed=1)
    scores = np.random.default_rng(1).gamma(2.0, 20.0, (WARM_UP + repeats, population))
    taken = []
    optimizer.ask()
    for row in scores:
        start, cpu = time.perf_counter(), time.process_time()
        optimizer.tell(row)
        optimizer.ask()
        taken.append(((time.perf_counter() - start) * 1000, (time.process_time() - cpu) * 1000))
    return np.array(taken[WARM_UP:])


def machine() -> str:
    """Return processor, cores, system and versions in one line."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line
        ]
        name = names[0] if names else name
    load = f"load {os.getloadavg()[0]:.1f}, " if hasattr(os, "getloadavg") else ""
    return f"{name}, {os.cpu_count()} cores, {load}{platform.system()}, Python {platform.python_version()}, numpy {np.__version__}"


def main() -> None:
    """Measure and print."""
    table = Table(
        "codes",
        "numbers each",
        "median ms",
        "95 % ms",
        "most ms",
        "median CPU ms",
        title="Breeding one generation",
    )
    for population, code_size in CASES:
        taken = breeding_ms(population, code_size)
        wall, cpu = taken.T
        figures = (np.median(wall), np.percentile(wall, 95), wall.max(), np.median(cpu))
        table.add_row(str(population), f"{code_size:,}", *(f"{figure:.2f}" for figure in figures))
    console = Console()
    console.print(table)
    console.print(
        f"{REPEATS} generations each, preset in-vivo with none conserved; aim: median below {AIM_MS:g} ms for 40 x 4,096."
    )
    console.print(machine(), highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
