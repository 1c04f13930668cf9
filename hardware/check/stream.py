"""The protocol's response stream: is it there, is it the right one, and does it look alive."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
import pylsl

from closedloop.loop.rules import tolerance_of
from closedloop.ports import StreamInfo
from closedloop.protocol.models import Protocol
from closedloop.scoring import ResponseRule
from hardware.check.finding import Finding, Verdict, at_most, told
from hardware.lsl.contract import check_response
from hardware.lsl.discover import find, probe_clock
from hardware.lsl.liveness import FUTURE_S

UNCERTAINTY_MS = 2.0
"""Of the clock offset: more would smear the response window's edges."""

RATE_SHARE = 0.05
"""The rate of a regular stream, measured over a second, may differ from its nominal one by this at most."""

_LISTEN_S = 1.5
LISTEN_VOLUMES = 3.5
_PROBE_S = 3.0


def judge_stream(protocol: Protocol) -> Sequence[Finding]:
    """Find the stream, hold it to the contract, and listen to it for a moment (blocks some seconds).

    Raises:
        StreamError: none, more than one, or one that is not what the protocol says.
    """
    response = protocol.response
    raw, info = find("response", response.kind, response.stream, protocol.limits.wait_for_stream_s)
    check_response(
        info, response, sorted({unit for thread in protocol.threads for unit in thread.units.units})
    )
    inlet = pylsl.StreamInlet(raw, max_buflen=10, recover=False)
    try:
        inlet.open_stream(timeout=_PROBE_S)
        probe = probe_clock(inlet, _PROBE_S)
        volumes = response.volumes
        listen_s = _LISTEN_S if volumes is None else max(_LISTEN_S, LISTEN_VOLUMES * volumes.tr_s)
        stamps_s, values, received_s = listen(inlet, listen_s)
    except (pylsl.util.LostError, pylsl.util.TimeoutError) as error:
        return [
            _there(info),
            Finding(
                "response stream: connection",
                str(error) or "no answer",
                "",
                Verdict.UNKNOWN,
                f"samples and clock within {_PROBE_S:g} s",
                "Restart the sender; let the firewall pass TCP and UDP ports 16571 to 16604.",
            ),
        ]
    ages_s = pylsl.local_clock() - (stamps_s + probe.offset_s)
    return [
        _there(info),
        at_most(
            "response stream: clock uncertainty",
            probe.uncertainty_s / 2 * 1e3,
            UNCERTAINTY_MS,
            "ms",
            "Connect the recording computer by cable, without a busy switch between.",
        ),
        told("response stream: clock offset", probe.offset_s * 1e3, "ms"),
        _ahead(stamps_s + probe.offset_s - received_s, probe.uncertainty_s / 2),
        *(
            _regular(info, stamps_s, ages_s, protocol)
            if info.nominal_hz > 0
            else _irregular(stamps_s, listen_s)
        ),
        _values(values),
    ]


def listen(inlet: pylsl.StreamInlet, seconds: float = _LISTEN_S) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the raw stamps (n,), values (n, channels) and receipts (n,) of a moment (blocks so long)."""
    chunks, stamps, receipts = [], [], []
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        values, stamps_s = inlet.pull_chunk(timeout=0.05, max_samples=1024)
        if stamps_s:
            chunks.append(np.asarray(values, float))
            stamps.append(np.asarray(stamps_s, float))
            receipts.append(np.full(len(stamps_s), pylsl.local_clock()))
    if not stamps:
        return np.empty(0), np.empty((0, inlet.channel_count)), np.empty(0)
    return np.concatenate(stamps), np.concatenate(chunks), np.concatenate(receipts)


def _there(info: StreamInfo) -> Finding:
    rate = f"{info.nominal_hz:g} Hz" if info.nominal_hz > 0 else "irregular"
    words = f"{info.name!r} on {info.hostname}: {info.kind}, {rate}, {info.channels} x {info.dtype}"
    return Finding("response stream", words, "", Verdict.OK, "the one that the protocol selects")


def _regular(
    info: StreamInfo, stamps_s: np.ndarray, ages_s: np.ndarray, protocol: Protocol
) -> Sequence[Finding]:
    late_ms = protocol.response.liveness_in_use.late_after_ms
    span_s = float(stamps_s[-1] - stamps_s[0]) if len(stamps_s) > 1 else math.nan
    rate_hz = (len(stamps_s) - 1) / span_s if span_s > 0 else math.nan
    off = abs(rate_hz / info.nominal_hz - 1)
    slack_s, share = slack(info.nominal_hz, protocol)
    return [
        at_most(
            "response stream: jitter of stamps",
            float(np.abs(np.diff(stamps_s) - 1 / info.nominal_hz).max()) * 1e3
            if len(stamps_s) > 1
            else math.nan,
            slack_s * 1e3,
            "ms",
            "Let the sender stamp its samples by its own sample clock (first stamp + samples / rate), not by "
            "the moment at which it pushes them; trials with worse stamps are invalid.",
        ),
        at_most(
            "response stream: age of newest sample",
            float(ages_s[-1]) * 1e3 if len(ages_s) else math.nan,
            late_ms,
            "ms",
            "Let the sender push smaller chunks, or raise response.liveness.late_after_ms.",
        ),
        Finding(
            "response stream: rate",
            rate_hz,
            "Hz",
            Verdict.UNKNOWN if math.isnan(off) else Verdict.OK if off <= share else Verdict.BAD,
            f"{info.nominal_hz:g} Hz within {share:.1%}",
            "Correct the nominal rate that the sender announces, or see why samples are lost.",
        ),
    ]


def slack(nominal_hz: float, protocol: Protocol) -> tuple[float, float]:
    """Return how far a step between stamps (s), and the rate (a share), may be off before trials are invalid.

    Scoring wants the number of samples that the length of a window makes due, so a rate that is off by
    more than its slack in the longest window would spoil every trial.
    """
    response = protocol.response
    slack_s = max(tolerance_of(response) / nominal_hz, ResponseRule.tolerance_s)
    windows = (response.window_in_use, response.baseline_in_use)
    longest_s = max(window.end_ms - window.start_ms for window in windows if window is not None) / 1000
    return slack_s, min(RATE_SHARE, slack_s / longest_s)


def _ahead(ahead_s: np.ndarray, uncertainty_s: float) -> Finding:
    return at_most(
        "response stream: stamps in the future",
        max(0.0, float(ahead_s.max())) * 1e3 if len(ahead_s) else 0.0,
        (FUTURE_S + uncertainty_s) * 1e3,
        "ms",
        "Correct the sender's stamps: LSL's local_clock at the end of the bin or at the spike.",
    )


def _irregular(stamps_s: np.ndarray, listen_s: float) -> Sequence[Finding]:
    # a silent unit is no fault, so nothing is required of it
    return [told("response stream: samples heard", len(stamps_s) / listen_s, "per s")]


def _values(values: np.ndarray) -> Finding:
    finite = float(np.isfinite(values).mean()) * 100 if values.size else 100.0
    return Finding(
        "response stream: values that are numbers",
        finite,
        "%",
        Verdict.OK if finite == 100.0 else Verdict.BAD,
        "100 %",
        "The sender sends NaN or infinity; see which channels are not connected.",
    )
