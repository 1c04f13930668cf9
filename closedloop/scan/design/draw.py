"""Draws what each run of a scan session shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from closedloop.errors import TimingError
from closedloop.protocol.scan import ScanProtocol
from closedloop.protocol.sections.scan_design import Block, Choice, EventRelated, Events, Localiser
from closedloop.protocol.sections.scan_runs import Run
from closedloop.protocol.sections.scan_task import FixationTask, OneBack
from closedloop.scan.design.bag import Bag, images_of_run
from closedloop.scan.design.blocks import block_design
from closedloop.scan.design.clock import RunClock
from closedloop.scan.design.event_related import event_related
from closedloop.scan.design.fixation import fixation_changes
from closedloop.scan.design.one_back import marked
from closedloop.scan.design.sparse import sparse
from closedloop.scan.design.table import table_events, table_of
from closedloop.scan.efficiency import Measured, measure
from closedloop.scan.frames import plan_run_frames
from closedloop.scan.records import PlannedEvent, RunPlan
from closedloop.seeds import Purpose, random_for


def draw_runs(
    protocol: ScanProtocol,
    names: Mapping[str, Sequence[str]],
    period_s: float | None = None,
    *,
    measured: bool = True,
) -> list[RunPlan]:
    """Return what each run of a protocol shows: the same for the same seed and names.

    Of ``efficiency.candidates`` designs the most efficient one is taken. A design is drawn from the
    protocol's seed and the number of its run, or from the run's own seed alone.

    Args:
        protocol: what is to be done.
        names: names of the stimuli of each condition, as in ``StimulusSet.by_condition``.
        period_s: time of a frame; where given, the plan is also tried on whole frames.
        measured: tell the efficiency even of a design without rivals (takes some seconds at first).

    Raises:
        TimingError: it does not fit into the scanner's volumes, or on whole frames.
        ProtocolError: no order keeps the limits, or a table of events can't be used.
    """
    plans = [
        _draw_run(protocol, names, number, run, measured) for number, run in enumerate(protocol.runs.planned)
    ]
    if period_s is not None:
        for plan in plans:
            plan_run_frames(plan, period_s)
    return plans


def _draw_run(
    protocol: ScanProtocol, names: Mapping[str, Sequence[str]], number: int, run: Run, measured: bool
) -> RunPlan:
    design, scanner = protocol.design, protocol.scanner
    volumes = run.volumes or scanner.volumes
    clock = RunClock(run.label, scanner.tr_s, volumes, design.units, design.lead_in, design.lead_out)
    # a run's own seed alone: two runs with the same one have the same design
    seed, generation = (protocol.seed, number) if run.seed is None else (run.seed, 0)
    rng = random_for(seed, Purpose.DESIGN, 0, generation)
    candidates = protocol.efficiency.candidates
    best: tuple[list[PlannedEvent], float, int] | None = None
    rating: Measured | None = None
    misfit: TimingError | None = None
    for candidate in range(candidates):
        events = _draw(protocol, names, run, number, clock, rng)
        try:
            duration_s = clock.duration_s(events)
        except TimingError as error:
            misfit = error
            continue
        found = measure(events, protocol, volumes) if measured or candidates > 1 else None
        if best is None or (found is not None and rating is not None and found.total > rating.total):
            best, rating = (events, duration_s, candidate), found
    if best is None:
        assert misfit is not None  # noqa: S101  # there is at least one candidate
        raise misfit
    events, duration_s, candidate = best
    if isinstance(protocol.task, FixationTask):
        chance = random_for(seed, Purpose.FIXATION_TASK, 0, generation)
        changes = fixation_changes(protocol.task, duration_s, chance)
        events = sorted([*events, *changes], key=lambda event: event.onset_s)
    drawn = {
        "design": design.kind,
        "seed": seed,
        "candidates": candidates,
        "candidate": candidate,
        "efficiency": None if rating is None else rating.as_dict(),
    }
    return RunPlan(run.label, tuple(events), duration_s, volumes, drawn)


def _draw(
    protocol: ScanProtocol,
    names: Mapping[str, Sequence[str]],
    run: Run,
    number: int,
    clock: RunClock,
    rng: np.random.Generator,
) -> list[PlannedEvent]:
    """Draw one candidate."""
    design = protocol.design
    share = protocol.task.share if isinstance(protocol.task, OneBack) else 0.0
    if isinstance(design, Events):
        bags = {condition: Bag(images, rng) for condition, images in names.items() if images}
        return table_events(design, table_of(design, run), clock, bags)
    shown = _images(design, protocol.seed, names, number)
    if isinstance(design, EventRelated):
        events = event_related(design, shown, clock, share, rng)
    elif isinstance(design, Block | Localiser):
        events = block_design(design, shown, clock, share, rng)
    else:
        assert protocol.scanner.acquisition_s is not None  # noqa: S101  # the protocol says so
        events = sparse(design, shown, clock, protocol.scanner.acquisition_s, rng)
    return marked(events) if isinstance(protocol.task, OneBack) else events


def _images(
    design: Choice, seed: int, names: Mapping[str, Sequence[str]], number: int
) -> dict[str, list[str]]:
    # which images a run takes hangs on the protocol's seed alone, so that the runs take turns
    turns = random_for(seed, Purpose.REFERENCE_CHOICE)
    return images_of_run(names, design.images_per_condition, turns, number)
