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
        number: of the scan run in its session, from 0.

    Returns:
        Times in seconds from the nominal first pulse, dummies included, and keys.
    """
    simulation = protocol.scanner.simulate
    if simulation is None or not simulation.answer_share:
        return ()
    # thread 0 is the scanner's own: its pulses stay the same, whatever the subject does
    rng = random_for(protocol.seed, Purpose.SIMULATION, 1, number)
    start_s = protocol.scanner.dummies * protocol.scanner.tr_s * (1 + simulation.tr_error)
    presses = []
    for event in plan.events:
        keys = right_keys(protocol.task, event)
        answers, after_s = rng.random(), float(rng.uniform(*simulation.answer_after_s))
        if keys and answers < simulation.answer_share:
            presses.append((start_s + event.onset_s + after_s, keys[0]))
    return tuple(sorted(presses))
