"""Decides whether a trial counts, and what the subject's answer was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from closedloop.loop.ears import Ears
from closedloop.loop.rules import rule_of, value_of
from closedloop.loop.threads import EvolutionThread
from closedloop.ports import Float64, Shown, StreamInfo
from closedloop.protocol.models import Response as ResponseSpec
from closedloop.scoring import (
    EDGE_S,
    Invalid,
    Response,
    ResponseRule,
    respond,
    respond_to_trial,
    still_open,
)


@dataclass(frozen=True, eq=False)
class Accepted:
    """A valid trial: rates of all units, in the window and the baseline, and the thread's one value."""

    rates_hz: Float64
    baseline_hz: Float64 | None
    value: float


@dataclass(frozen=True)
class Rejected:
    """An invalid trial, with the reason in one word and in a sentence."""

    reason: str
    detail: str


class Judge:
    """Judges trials that are over, from what was seen and heard.

    Args:
        spec: the protocol's response section.
        threads: the evolutions, for the units that they count.
        ears: where the samples are.
        streams: what the source has opened.
    """

    def __init__(
        self,
        spec: ResponseSpec,
        threads: Sequence[EvolutionThread],
        ears: Ears,
        streams: Sequence[StreamInfo],
    ) -> None:
        info = next(stream for stream in streams if stream.role == "response")
        self._spec = spec
        self._wait_s = spec.wait_in_use_s
        self._per_trial = spec.kind == "trials"
        self._ears = ears
        self._rules = {thread.index: rule_of(spec, thread.spec.units, info) for thread in threads}
        self._units = {thread.index: thread.spec.units for thread in threads}

    @property
    def lookback_s(self) -> float:
        """How long before an onset samples are needed."""
        return max(rule.lookback_s for rule in self._rules.values())

    @property
    def before_onset_s(self) -> float:
        """How long before an onset a trial's windows begin; 0 where none does."""
        starts = [
            min(rule.window.start_s, rule.baseline.start_s if rule.baseline else 0.0)
            for rule in self._rules.values()
        ]
        return max(0.0, -min(starts))

    def window_end(self, onset_s: float) -> float:
        """When the last window of a trial with this onset is over."""
        return max(rule.end_s(onset_s) for rule in self._rules.values())

    def verdict(self, shown: Shown, thread: int, now_s: float) -> Accepted | Rejected | None:
        """Judge a trial; None as long as samples that it needs may still come."""
        if not shown.complete:
            return Rejected("cut-off", "the trial was cut off on the screen")
        if shown.missed:
            return Rejected("missed-frame", f"{shown.missed} frames were missed while it was shown")
        rule = self._rules[thread]
        start_s, end_s = rule.start_s(shown.onset_s), rule.end_s(shown.onset_s)
        first_s = shown.onset_s + min(
            0.0, rule.window.start_s, rule.baseline.start_s if rule.baseline else 0.0
        )
        if self._waiting(shown, rule, end_s) and now_s < end_s + self._wait_s:
            return None
        for role, stream in self._ears.streams.items():
            doubt = stream.doubts.during(first_s, end_s)
            if doubt is not None:
                return Rejected("stream-in-doubt", f"the {role} stream: {doubt}")
        broken = self._fixation_broken(shown.onset_s, end_s)
        if broken is not None:
            return broken
        response = self._respond(rule, shown, (first_s, start_s, end_s), now_s)
        if isinstance(response, Rejected):
            return response
        if isinstance(response, Invalid):
            return Rejected(response.reason.value, response.detail)
        value = value_of(self._spec, self._units[thread], response)
        return Accepted(response.rates_hz, response.baseline_hz, value)

    def _respond(
        self, rule: ResponseRule, shown: Shown, span_s: tuple[float, float, float], now_s: float
    ) -> Response | Invalid | Rejected:
        first_s, start_s, end_s = span_s
        recent = self._ears.streams["response"].recent
        if self._per_trial:
            _, values, _ = recent.between(shown.onset_s, now_s)
            if not values.size:
                return Rejected("not-covered", f"no sample came for trial {shown.trial}")
            return respond_to_trial(rule, values, shown.trial)
        times, values, segments = recent.between(start_s, end_s)
        if not len(times):
            return Rejected("not-covered", "no sample came in the response window")
        inside = segments[(times >= first_s) & (times <= end_s)]
        if len(np.unique(inside)) > 1:
            return Rejected("stream-in-doubt", "the response stream was interrupted within the trial")
        return respond(rule, times, values, shown.onset_s)

    def _waiting(self, shown: Shown, rule: ResponseRule, end_s: float) -> bool:
        """Whether a stream has not come as far as the end of the trial's windows."""
        for role, stream in self._ears.streams.items():
            if role == "response" and self._per_trial:
                _, values, _ = stream.recent.between(shown.onset_s, np.inf)
                if not values.size or not (values[:, 0] == shown.trial).any():
                    return True
            else:
                needed_s = rule.last_stamp_s(shown.onset_s) if role == "response" else end_s
                if still_open(np.array([stream.recent.newest_s]), needed_s):
                    return True
        return False

    def _fixation_broken(self, start_s: float, end_s: float) -> Rejected | None:
        """Fixation counts from the last sample before onset to the end of the windows."""
        stream = self._ears.streams.get("fixation")
        if stream is None:
            return None
        times, values, _ = stream.recent.between(start_s, end_s)
        first = max(int(np.searchsorted(times, start_s, side="right")) - 1, 0)
        last = int(np.searchsorted(times, end_s, side="right"))
        held = values[first:last, 0] if len(times) else np.empty(0)
        if not len(held) or (len(times) and times[first] > start_s) or times[-1] < end_s - EDGE_S:
            return Rejected("fixation-unknown", "the fixation stream does not cover the trial")
        if not np.isfinite(held).all():
            return Rejected("fixation-unknown", "the fixation stream holds values that are no numbers")
        if (held < 0.5).any():
            at_ms = 1000 * (float(times[first:last][held < 0.5][0]) - start_s)
            return Rejected("fixation-broken", f"fixation was broken {at_ms:.0f} ms after onset")
        return None
