"""A trigger without a device: it plays given pulses and presses on any clock."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from closedloop.errors import TriggerError
from closedloop.ports import Clock
from closedloop.scan.ports import ButtonPress, Pulse, TriggerDied, TriggerEvent, TriggerInfo, TriggerNotice


class SimulatedTrigger:
    """Passes the same contract tests as the real ones, on any clock, and is deterministic.

    Args:
        clock: real or virtual.
        pulses_s: times of pulses, in seconds after ``open``.
        presses: times, likewise, and keys of the subject's presses.
        latency_s: from an event to where ``poll`` can return it.
        uncertainty_s: that the stamps are said to have; they are exact.
        mark: of the pulses.
        window_keys: keys of the subject that it leaves to the stimulus window, as on a rig without X11.
    """

    def __init__(
        self,
        clock: Clock,
        pulses_s: Iterable[float] = (),
        presses: Iterable[tuple[float, str]] = (),
        *,
        latency_s: float = 0.001,
        uncertainty_s: float = 0.0005,
        mark: str = "5",
        window_keys: Sequence[str] = (),
    ) -> None:
        self._clock = clock
        self._latency_s, self._uncertainty_s, self._mark = latency_s, uncertainty_s, mark
        self._window_keys = tuple(window_keys)
        self._count = itertools.count()
        self._due: list[tuple[float, int, TriggerEvent]] = []
        self._first = (tuple(pulses_s), tuple(presses))
        self._open = self._died = False
        self._held_s = (math.inf, math.inf)
        self._heard_until_s = -math.inf

    def open(self) -> TriggerInfo:
        """Begin to listen; the times that it was made with count from now.

        Raises:
            TriggerError: it is open.
        """
        if self._open:
            raise TriggerError(
                "trigger",
                found="open",
                expected="closed",
                remedy="This is a fault of the program; please report it.",
            )
        self._open, self._died = True, False
        self._heard_until_s = self._clock.now()
        pulses_s, presses = self._first
        self._first = ((), ())
        self.play(pulses_s, presses)
        return TriggerInfo(
            "simulated",
            "simulated trigger",
            1e-9,
            self._uncertainty_s,
            {"latency_s": self._latency_s},
            self._window_keys,
        )

    def play(
        self,
        pulses_s: Iterable[float],
        presses: Iterable[tuple[float, str]] = (),
        *,
        start_s: float | None = None,
    ) -> None:
        """Play more pulses and presses, as for a further run.

        Args:
            pulses_s: seconds after ``start_s``.
            presses: seconds, likewise, and key.
            start_s: on the clock; None: now.
        """
        begin_s = self._clock.now() if start_s is None else start_s
        for pulse_s in pulses_s:
            time_s = begin_s + float(pulse_s)
            received_s = time_s + self._latency_s
            self._add(received_s, Pulse(time_s, self._uncertainty_s, time_s, received_s, self._mark))
        for press_s, key in presses:
            time_s = begin_s + float(press_s)
            received_s = time_s + self._latency_s
            self._add(received_s, ButtonPress(key, time_s, self._uncertainty_s, received_s))

    def stop(self) -> None:
        """Forget what has not come yet: the scanner is stopped."""
        self._due = [entry for entry in self._due if entry[0] <= self._clock.now()]
        heapq.heapify(self._due)

    def die(self, after_s: float = 0.0, reason: str = "the trigger process died, as told to") -> None:
        """Let the reader die some time from now."""
        time_s = self._clock.now() + after_s
        self._add(time_s, TriggerDied(reason, time_s))

    def hold_up(self, for_s: float, after_s: float = 0.0) -> None:
        """Let the reader's processor be taken away some time from now: what comes meanwhile is handed over afterwards."""
        begin_s = self._clock.now() + after_s
        self._held_s = (begin_s, begin_s + for_s)

    def notice(self, words: str, after_s: float = 0.0) -> None:
        """Let the reader say something of itself some time from now."""
        time_s = self._clock.now() + after_s
        self._add(time_s, TriggerNotice(words, time_s))

    @property
    def heard_until_s(self) -> float:
        """Up to when all that came in has been returned by ``poll``."""
        return self._heard_until_s

    def poll(self) -> Sequence[TriggerEvent]:
        """Return what came in since the last call, in order of arrival."""
        events: list[TriggerEvent] = []
        now_s, (held_s, free_s) = self._clock.now(), self._held_s
        until_s = held_s if held_s <= now_s < free_s else now_s
        if self._open and not self._died:
            # like the real ones, it speaks for the time that it was held up only after listening for as long
            unsure = held_s <= now_s < free_s + (free_s - held_s)
            self._heard_until_s = held_s if unsure else now_s
        while self._open and not self._died and self._due and self._due[0][0] <= until_s:
            arrived_s, _, event = heapq.heappop(self._due)
            if held_s <= arrived_s < free_s and isinstance(event, Pulse | ButtonPress):
                event = replace(event, received_s=free_s)
            events.append(event)
            self._died = isinstance(event, TriggerDied)
        return events

    def close(self) -> None:
        """Stop to listen. Safe to call twice."""
        self._open = False

    def _add(self, arrives_s: float, event: TriggerEvent) -> None:
        heapq.heappush(self._due, (arrives_s, next(self._count), event))
