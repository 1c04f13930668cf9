"""Which unit of the simulated subject, and which search, make a short demo evolve (no screen, no LSL).

The same generator, genetic algorithm, neurons and firing as in the demo; only screen and streams are left
out. Run from the repository's root::

    python -m benchmarks.demo_tuning units                  # each of the subject's units, with the chosen search
    python -m benchmarks.demo_tuning searches --unit 0      # a table of searches for one unit
    python -m benchmarks.demo_tuning units --layer features.17 --channels 179,40 --seeds 5

``first`` and ``last`` are the mean response in spikes/s of the first and last generation; ``references`` is
the last against the first generation's answer to pictures that do not evolve; ``shuffled`` is a control in
which scores are dealt to the wrong codes.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from closedloop.generators.base import Generator
from closedloop.generators.registry import make_generator
from closedloop.models import resolve
from closedloop.optimizers import make_optimizer, optimizer_parameters
from hardware.subject.firing import Firing, FiringOptions
from hardware.subject.neurons import Neurons
from hardware.subject.options import SubjectOptions

ON_S, PERIOD_S, WINDOW_S = 0.1, 0.25, (0.05, 0.2)
Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Search:
    """A search and how long it may go on."""

    label: str
    generations: int
    references: int
    preset: str
    values: dict[str, float]

    @property
    def pictures(self) -> int:
        """How many are shown in all."""
        return self.generations * (int(self.values["population"]) + self.references)


def in_vivo(population: int, generations: int, references: int, label: str = "", **values: float) -> Search:
    """Return a search with the in-vivo preset, a quarter of the codes conserved, and what is given besides."""
    n_conserve = int(values.pop("n_conserve", max(1, population // 4)))
    chosen = {"population": population, "n_conserve": n_conserve, **values}
    return Search(label or f"in-vivo, {population} codes", generations, references, "in-vivo", chosen)


DEMO = in_vivo(32, 14, 8, "in-vivo, 32 codes, 8 conserved")
SEARCHES = (
    in_vivo(40, 14, 0, "in-vivo as published"),
    DEMO,
    in_vivo(32, 14, 8, "as the demo, kT = 1 std", selectivity=1.0),
    in_vivo(32, 14, 8, "as the demo, kT = 0.5 std", selectivity=2.0),
    in_vivo(32, 14, 8, "as the demo, mutation 0.25/1.0", mutation_size=1.0),
    in_vivo(32, 14, 8, "as the demo, mutation 0.5/0.5", mutation_rate=0.5, mutation_size=0.5),
    in_vivo(32, 14, 8, "as the demo, 4 conserved", n_conserve=4),
    in_vivo(32, 14, 8, "as the demo, none conserved", n_conserve=0),
    in_vivo(24, 14, 6, "in-vivo, 24 codes, 6 conserved"),
    in_vivo(20, 14, 4, "in-vivo, 20 codes, 5 conserved"),
    in_vivo(20, 22, 4, "in-vivo, 20 codes, longer"),
    in_vivo(32, 10, 8, "as the demo, shorter"),
    Search("xdream as published", 22, 4, "xdream", {"population": 20}),
)


def evolve(
    search: Search, neurons: Neurons, generator: Generator, unit: int, seed: int, shuffled: bool = False
) -> tuple[Float, Float]:
    """Return the mean response of the codes and of the references, ``(generations,)`` each, in spikes/s."""
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(99,)))
    firing = Firing(len(neurons), FiringOptions(), random, start_s=0.0)
    parameters = optimizer_parameters("genetic", search.preset, search.values)
    optimizer = make_optimizer(parameters, code_size=generator.code_length, seed=seed)
    reference_codes = random.normal(size=(max(1, search.references), generator.code_length)).astype(
        np.float32
    )
    reference_rates = neurons.look_many(list(generator.render(reference_codes)))
    means, references = [], []
    for _ in range(search.generations):
        rates = neurons.look_many(list(generator.render(optimizer.ask().codes.copy())))
        scores = respond(firing, np.concatenate([rates, reference_rates]), unit)
        means.append(scores[: len(rates)].mean())
        references.append(scores[len(rates) :].mean())
        told = scores[: len(rates)]
        optimizer.tell(random.permutation(told) if shuffled else told)
    return np.array(means), np.array(references)


def respond(firing: Firing, rates: Float, unit: int) -> Float:
    """Show pictures that evoke ``rates`` ``(n, units)``; return the unit's rate in the window, ``(n,)``."""
    begin_s = firing.now_s
    onsets = begin_s + PERIOD_S * np.arange(len(rates))
    for onset_s, evoked in zip(onsets, rates, strict=True):
        firing.picture_on(float(onset_s), evoked)
        firing.picture_off(float(onset_s) + ON_S)
    times, units = firing.advance(begin_s + PERIOD_S * len(rates))
    mine = times[units == unit]
    edges = np.stack([onsets + WINDOW_S[0], onsets + WINDOW_S[1]])
    low, high = np.searchsorted(mine, edges)
    return np.asarray((high - low) / (WINDOW_S[1] - WINDOW_S[0]))


def line(
    label: str, search: Search, runs: list[tuple[Float, Float]], shuffled: list[tuple[Float, Float]]
) -> str:
    """Return one row of the table."""
    first, last = (np.mean([means[n] for means, _ in runs]) for n in (0, -1))
    gains = np.array([means[-1] / means[0] for means, _ in runs])
    flat = np.array([seen[-3:].mean() / seen[:3].mean() for _, seen in runs])
    control = np.array([means[-1] / means[0] for means, _ in shuffled])
    return (
        f"{label:34} {search.pictures:8} {first:6.1f} {last:6.1f}   {gains.mean():5.2f} {gains.min():5.2f}"
        f" {np.sum(gains >= 1.5):4}/{len(gains):<4} {flat.mean():6.2f} {control.mean():9.2f}"
    )


def main() -> None:
    """Print the table that the command line asks for."""
    default = SubjectOptions()
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("what", choices=["units", "searches"])
    parser.add_argument("--unit", type=int, default=0, help="for searches: index into the channels")
    parser.add_argument("--layer", default=default.layer)
    parser.add_argument("--channels", default=",".join(map(str, default.channels)))
    parser.add_argument("--readout", default=default.readout)
    parser.add_argument("--input-px", type=int, default=default.input_px)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--controls", type=int, default=3, help="seeds run again with shuffled scores")
    options = parser.parse_args()
    torch.set_num_threads(1)
    channels = [int(word) for word in options.channels.split(",")]
    neurons = Neurons(resolve(default.weights), options.layer, channels, options.readout, options.input_px)
    generator = make_generator("dcgan", threads=1)
    rows = (
        [(f"unit {unit} (channel {channel})", DEMO, unit) for unit, channel in enumerate(channels)]
        if options.what == "units"
        else [(search.label, search, options.unit) for search in SEARCHES]
    )
    print(f"{'':34} pictures  first   last    gain   min  >=1.5  references  shuffled")
    for label, search, unit in rows:
        runs = [evolve(search, neurons, generator, unit, seed) for seed in range(options.seeds)]
        controls = [evolve(search, neurons, generator, unit, seed, True) for seed in range(options.controls)]
        print(line(label, search, runs, controls), flush=True)


if __name__ == "__main__":
    main()
