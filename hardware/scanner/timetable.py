"""What the simulated scanner and its subject do in one run, and when."""

from __future__ import annotations

from dataclasses import dataclass

from closedloop.scan.simulation import SimulatedPulse, pulse_times
from closedloop.seeds import Purpose, random_for
from hardware.scanner.options import ScannerOptions

_HUMAN_HOLD_S = 0.08  # how long people press a key


@dataclass(frozen=True)
class Deed:
    """One thing that is sent.

    Attributes:
        time_s: from the nominal first pulse.
        kind: a ``PulseKind``, or ``press`` for the subject's.
        volume: that a pulse belongs to; None where it belongs to none.
        key: of a press; None for a pulse.
        hold_s: keyboard: how long the key is down.
        number: of a pulse, where pulses are to bear one; a doubled one bears that of the first.
    """

    time_s: float
    kind: str
    volume: int | None
    key: str | None
    hold_s: float
    number: int | None = None


def timetable(options: ScannerOptions, run: int) -> list[Deed]:
    """Return everything that a run sends, in order of time; the same for the same seed and run."""
    pulses = pulse_times(
        options.tr_s,
        options.volumes,
        options.dummies,
        options.jitter_s,
        options.faults,
        random_for(options.seed, Purpose.SIMULATION, generation=2 * run),
        slices=options.slices,
        acquisition_s=options.acquisition_s,
    )
    deeds = [
        Deed(
            pulse.time_s,
            pulse.kind,
            pulse.volume,
            None,
            _HUMAN_HOLD_S if pulse.kind == "human" else options.hold_s,
            _number(options, pulse),
        )
        for pulse in pulses
    ]
    deeds += [Deed(time_s, "press", None, key, _HUMAN_HOLD_S) for time_s, key in options.presses]
    return sorted(deeds + _drawn_presses(options, run), key=lambda deed: deed.time_s)


def _number(options: ScannerOptions, pulse: SimulatedPulse) -> int | None:
    if options.numbered_from is None or pulse.volume is None:
        return None
    return options.numbered_from + pulse.volume * options.slices + pulse.within


def _drawn_presses(options: ScannerOptions, run: int) -> list[Deed]:
    rng = random_for(options.seed, Purpose.SIMULATION, generation=2 * run + 1)
    whole_s = options.tr_s * (options.dummies + options.volumes)
    count = int(rng.poisson(options.presses_per_min * whole_s / 60))
    times_s = rng.uniform(0, whole_s, count)
    keys = rng.choice(options.press_keys, count) if count else ()
    return [
        Deed(float(time_s), "press", None, str(key), _HUMAN_HOLD_S)
        for time_s, key in zip(times_s, keys, strict=True)
    ]
