"""What a simulated scanner and a simulated subject do in a run, as the protocol says."""

from __future__ import annotations

from closedloop.protocol.scan import ScanProtocol
from closedloop.protocol.sections.scan_simulation import Simulation
from closedloop.scan.asked import right_keys
from closedloop.scan.records import RunPlan
from closedloop.scan.simulation import ScannerFaults
from closedloop.seeds import Purpose, random_for


def faults_of(simulation: Simulation) -> ScannerFaults:
    """Return the faults that a protocol asks of its simulated scanner."""
    return ScannerFaults(
        drop_first=simulation.drop_first,
        drop=simulation.drop,
        drop_share=simulation.drop_share,
        double=simulation.double,
        double_share=simulation.double_share,
        double_after_s=simulation.double_after_ms / 1000,
        extra_s=simulation.extra_s,
        human_s=simulation.human_s,
        tr_error=simulation.tr_error,
        drift=simulation.drift,
        stop_after=simulation.stop_after,
    )


def presses_of(protocol: ScanProtocol, plan: RunPlan, number: int) -> tuple[tuple[float, str], ...]:
    """Return when a simulated subject presses which key in a run, in order.

    It answers a share of what asks for an answer, after a reaction time drawn evenly between two limits.

    Args:
        protocol: with a simulated scanner; without one nobody presses.
        plan: of the run.
        number: of the run, from 0.

    Returns:
        Times in seconds from the nominal first pulse, dummies included, and keys.
    """
    simulation = protocol.scanner.simulate
    if simulation is None or not simulation.answer_share:
        return ()
    rng = random_for(protocol.seed, Purpose.SIMULATION, 0, number)
    dummies_s = protocol.scanner.dummies * protocol.scanner.tr_s
    presses = []
    for event in plan.events:
        keys = right_keys(protocol.task, event)
        if keys and rng.random() < simulation.answer_share:
            at_s = dummies_s + event.onset_s + float(rng.uniform(*simulation.answer_after_s))
            presses.append((at_s, keys[0]))
    return tuple(sorted(presses))
