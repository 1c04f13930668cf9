"""The simulated scanner of a protocol that asks for one: what it sends in each run, and when."""

from __future__ import annotations

from dataclasses import replace

from closedloop.ports import Clock
from closedloop.protocol.scan import ScanProtocol
from closedloop.protocol.sections.scan import Scanner
from closedloop.protocol.sections.scan_simulation import Simulation
from closedloop.scan.records import RunPlan
from closedloop.scan.simulated import faults_of, presses_of
from hardware.scanner.at_call import AtCall
from hardware.scanner.from_protocol import expected_by
from hardware.scanner.options import ScannerOptions


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

    def open(self) -> tuple[str, Scanner]:
        """Start it (blocks).

        Returns:
            In words where its pulses come out; and the protocol's scanner as it is heard there, never on a real
            device: bytes come out of a pseudo-terminal, whatever port the protocol names.
        """
        where, scanner = self._process.open(), self._protocol.scanner
        if scanner.trigger.path != "serial":
            return where, scanner
        trigger = scanner.trigger.model_copy(update={"port": where})
        return where, scanner.model_copy(update={"trigger": trigger})

    def armed(self, plan: RunPlan, scan: int) -> None:
        """A run is armed: begin to scan, some time from now."""
        options = replace(self._options, volumes=plan.volumes, presses=presses_of(self._protocol, plan, scan))
        self._process.play(options, scan, self._clock.now() + self._simulate.start_after_s)

    def disarmed(self) -> None:
        """The run is over: stop."""
        self._process.stop()

    def close(self) -> None:
        """End it. Safe to call twice."""
        self._process.close()


def _options(protocol: ScanProtocol, simulate: Simulation) -> ScannerOptions:
    return ScannerOptions(
        **{**expected_by(protocol), "runs": 1, "volumes_of_runs": ()},
        jitter_s=simulate.jitter_ms / 1000,
        faults=faults_of(simulate),
        seed=protocol.seed,
        hold_s=simulate.press_ms / 1000,
    )
