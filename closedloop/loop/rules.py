"""From the protocol's response section and the stream that was found to the rule of a response."""

from __future__ import annotations

from closedloop.errors import StreamMismatchError
from closedloop.ports import StreamInfo
from closedloop.protocol.models import Response, Units, WindowMs
from closedloop.protocol.sections.response import RATE_TOLERANCE
from closedloop.scoring import Kind, ResponseRule, Window, combine_response
from closedloop.scoring import Response as Measured

VOLUME_TOLERANCE = 0.1


def rule_of(spec: Response, units: Units, stream: StreamInfo) -> ResponseRule:
    """Return how the responses of a thread are measured.

    Args:
        spec: the protocol's response section.
        units: the thread's units.
        stream: the response stream as it presents itself.

    Raises:
        StreamMismatchError: a unit that counts is not in the stream.
    """
    kind = Kind(spec.kind)
    unit_count = _unit_count(spec, units, stream, kind)
    if max(units.units) >= unit_count:
        raise StreamMismatchError(
            f"threads, units {list(units.units)}",
            found=f"unit {max(units.units)}, in a stream of {unit_count} units ({stream.name})",
            expected=f"units from 0 to {unit_count - 1}",
            remedy="Correct the thread's units, or select another stream.",
        )
    if kind.binned:
        _require_a_bin(spec, stream)
    below = spec.baseline_in_use
    baseline = None if below is None or kind is Kind.TRIALS else _window(below)
    return ResponseRule(
        kind=kind,
        window=_window(spec.window_in_use),
        unit_count=unit_count,
        units=units.units,
        baseline=baseline,
        bin_s=1 / stream.nominal_hz if kind.binned else None,
        max_silence_s=spec.liveness.max_silence_ms / 1000 if kind is Kind.SPIKES else None,
        max_rate_hz=spec.artefact.max_rate_hz,
        all_units_known=kind is Kind.SPIKES and spec.unit_count is not None,
        stamped_early_s=_stamped_early_s(spec) if kind.binned else 0.0,
        tolerance_bins=tolerance_of(spec),
        in_percent=spec.volumes is not None and spec.volumes.percent_signal_change,
    )


def value_of(spec: Response, units: Units, response: Measured) -> float:
    """Return the one number of a trial: its units combined as the protocol says.

    Args:
        spec: the protocol's response section.
        units: the thread's units.
        response: rates and baseline, as measured by the rule of both.
    """
    relative = spec.volumes is not None and spec.volumes.percent_signal_change
    return combine_response(
        response,
        units.combine,
        units.units,
        units.weights,
        subtract_baseline=spec.subtract_baseline and spec.kind != "trials",
        percent=relative and spec.kind != "trials",
    )


def tolerance_of(spec: Response) -> float:
    """Return how far the step between two stamps may be off, as a share of a bin.

    A window of a volume or two would not miss one of which it needs half, so with volumes little is forgiven:
    enough for a TR that is not quite what was said, and for stamps taken by a busy program.
    """
    return ResponseRule.tolerance_bins if spec.volumes is None else VOLUME_TOLERANCE


def _stamped_early_s(spec: Response) -> float:
    """How long before the end of its volume a sample is stamped."""
    return spec.volumes.tr_s if spec.volumes is not None and spec.volumes.stamped == "start" else 0.0


def _require_a_bin(spec: Response, stream: StreamInfo) -> None:
    bin_ms = 1000 / stream.nominal_hz
    for name, window in (("window", spec.window_in_use), ("baseline", spec.baseline_in_use)):
        if window is not None and window.end_ms - window.start_ms < bin_ms * (1 - RATE_TOLERANCE):
            raise StreamMismatchError(
                f"response.{name}",
                found=f"{window.end_ms - window.start_ms:g} ms, on a stream of {stream.nominal_hz:g} Hz",
                expected=f"at least one bin of the stream, {bin_ms:g} ms",
                remedy="Make the window longer, or send finer bins.",
            )


def _unit_count(spec: Response, units: Units, stream: StreamInfo, kind: Kind) -> int:
    if kind is Kind.SPIKES:
        # a stream of spikes does not say how many units it has; without the protocol's word, as many as count
        return spec.unit_count or max(units.units) + 1
    return stream.channels - 1 if kind is Kind.TRIALS else stream.channels


def _window(spec: WindowMs) -> Window:
    return Window(spec.start_ms / 1000, spec.end_ms / 1000)
