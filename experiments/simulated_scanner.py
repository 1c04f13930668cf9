"""The simulated scanner of a protocol that asks for one: what it sends in each run, and when."""

from __future__ import annotations

from dataclasses import replace

from closedloop.ports import Clock
from closedloop.protocol.scan import ScanProtocol
from closedloop.protocol.sections.scan_simulation import Simulation
from closedloop.scan.asked import right_keys
from closedloop.scan.records import RunPlan
from closedloop.scan.simulation import ScannerFaults
from closedloop.seeds import Purpose, random_for
from hardware.scanner.at_call import AtCall
from hardware.scanner.from_protocol import expected_by
from hardware.scanner.options import ScannerOptions

_PRESSES = 1 << 16  # keeps the presses' generator apart from the pulses' ones


class ProtocolScanner:
    """Starts with each run that is armed, on the path of the protocol's trigger.

    Args:
        protocol: asks for a simulated scanner.
        clock: of the session.

    Raises:
        TriggerError: the trigger's path can't be simulated.
    """

    def __init__(self, protocol: ScanProtocol, clock: Clock) -> None:
        simulate = protocol.scanner.simulate
        if simulate is None:
            raise ValueError("the protocol asks for no simulated scanner")
        self._protocol = protocol
        self._simulate = simulate
        self._clock = clock
        self._options = _options(protocol, simulate)
        self._process = AtCall(self._options)

    def open(self) -> str:
        """Start it (blocks); return in words where its pulses come out."""
        return self._process.open()

    def armed(self, plan: RunPlan, scan: int) -> None:
        """A run is armed: begin to scan, some time from now."""
        options = replace(self._options, volumes=plan.volumes, presses=self._presses(plan, scan))
        self._process.play(options, scan, self._clock.now() + self._simulate.start_after_s)

    def disarmed(self) -> None:
        """The run is over: stop."""
        self._process.stop()

    def close(self) -> None:
        """End it. Safe to call twice."""
        self._process.close()

    def _presses(self, plan: RunPlan, scan: int) -> tuple[tuple[float, str], ...]:
        """Return when the simulated subject answers, from the first pulse on, and with which key."""
        scanner = self._protocol.scanner
        if not self._simulate.answer_share:
            return ()
        rng = random_for(self._protocol.seed, Purpose.SIMULATION, 0, _PRESSES + scan)
        tr_s = scanner.tr_s * (1 + self._simulate.tr_error)
        presses = []
        for event in plan.events:
            keys = right_keys(self._protocol.task, event)
            after_s, answers = rng.uniform(*self._simulate.answer_after_s), rng.random()
            if keys and answers < self._simulate.answer_share:
                presses.append((float(scanner.dummies * tr_s + event.onset_s + after_s), keys[0]))
        return tuple(presses)


def _options(protocol: ScanProtocol, simulate: Simulation) -> ScannerOptions:
    faults = ScannerFaults(
        drop_first=simulate.drop_first,
        drop=simulate.drop,
        drop_share=simulate.drop_share,
        double=simulate.double,
        double_share=simulate.double_share,
        double_after_s=simulate.double_after_ms / 1000,
        extra_s=simulate.extra_s,
        human_s=simulate.human_s,
        tr_error=simulate.tr_error,
        drift=simulate.drift,
        stop_after=simulate.stop_after,
    )
    return ScannerOptions(
        **{**expected_by(protocol), "runs": 1},
        jitter_s=simulate.jitter_ms / 1000,
        faults=faults,
        seed=protocol.seed,
        hold_s=simulate.press_ms / 1000,
    )
