"""Answers for the subject: plays a recorded session so that each trial shown now gets its recorded samples.

It hears the markers of the session that runs. Its streams are a little behind the clock, so that an onset
is known before the samples that belong to it are due.
"""

from __future__ import annotations

import time

import pylsl

from closedloop.errors import ClosedLoopError, StreamError
from closedloop.replay.following import FollowedSession, LiveTrial, RecordedTrial
from hardware.lsl.marker_ear import HeardMarker, MarkerEar
from hardware.lsl.player_outlets import PlayedStream, describe
from hardware.lsl.player_records import PlayStatus
from hardware.stage.priority import raise_priority

_TICK_S = 0.004
_LINGER_S = 0.5  # liblsl gives no sign when a sample is out


class Follower:
    """Plays one session for another. ``play`` blocks; ``stop`` and ``status`` may be called meanwhile.

    Args:
        recorded: the session that answers.
        session: name of the one that is followed; None: the only other one that sends markers.
        source_id_suffix: appended to each source id.

    Attributes:
        laid: trials that got their recorded samples.
        unanswered: what could not be answered for, and why.
        slowest_s: the longest time from an onset to our hearing of it.
    """

    def __init__(
        self, recorded: FollowedSession, session: str | None = None, source_id_suffix: str = ""
    ) -> None:
        self._recorded, self._suffix = recorded, source_id_suffix
        self._ear = MarkerEar(recorded.session, session)
        self._tracks = [recorded.track(stream) for stream in range(len(recorded.streams))]
        self._outlets: list[PlayedStream] = []
        self._stopped = self._flows = False
        self._state = "opening"
        self._last_trial: int | None = None
        self._position_s = 0.0
        self._latest_s = 0.0
        self.laid, self.slowest_s = 0, 0.0
        self.unanswered: list[str] = []

    def stop(self) -> None:
        """End playing."""
        self._stopped = True

    def status(self) -> PlayStatus:
        """Return how it goes; ``latest_ms`` is the time from an onset to our hearing of it. Resets that."""
        latest_s, self._latest_s = self._latest_s, 0.0
        return PlayStatus(
            state=self._state,
            position_s=self._position_s,
            duration_s=self._recorded.duration_s,
            passes=0,
            sent=tuple(outlet.sent for outlet in self._outlets),
            heard=tuple(outlet.has_listeners() for outlet in self._outlets),
            latest_ms=latest_s * 1e3,
        )

    def play(self) -> None:
        """Follow a session until it ends, or until told to stop (blocks).

        Raises:
            AmbiguousStreamError: there is more than one that could be meant.
            StreamError: an onset was heard so late that silence was taken for an answer.
            SessionError: the recording can't be read any further.
        """
        # before the outlets are made: liblsl's threads, which send, inherit it
        raise_priority()
        self._outlets = [
            PlayedStream(describe(stream, self._recorded.path, 1.0, self._suffix))
            for stream in self._recorded.streams
        ]
        self._ear.start()
        try:
            while not self._stopped and not self._hear():
                self._send()
                time.sleep(_TICK_S)
            until_s = time.monotonic() + (0.0 if self._stopped else _LINGER_S)
            while time.monotonic() < until_s:
                self._send()
                time.sleep(_TICK_S)
        finally:
            self._state = "ended"
            self._ear.close()
            for outlet in self._outlets:
                outlet.close()

    # --- inside

    def _hear(self) -> bool:
        """Take what was heard; True if the session has ended."""
        while not self._ear.heard.empty():
            marker = self._ear.heard.get()
            if isinstance(marker, ClosedLoopError):
                raise marker
            event = marker.payload.get("event")
            if event == "session_end":
                return True
            if event == "stimulus_on":
                self._answer(marker)
        return False

    def _send(self) -> None:
        """Send what is due. While no marker would be heard, nothing: no trial may rest on our silence."""
        hears = self._ear.hears
        self._state = "following" if hears else "waiting for a session's markers"
        # an onset may have been told just before the stream ended, so what is laid is sent in any case
        now_s = float(pylsl.local_clock()) - self._recorded.lag_s
        if hears and not self._flows:
            for track in self._tracks:
                track.start(now_s)
        self._flows = hears
        if not hears:
            return
        for track, outlet in zip(self._tracks, self._outlets, strict=True):
            stamps_s, values = track.until(now_s)
            if len(stamps_s):
                outlet.send(values, stamps_s)

    def _answer(self, marker: HeardMarker) -> None:
        live = _live_trial(marker)
        if live is None:
            return
        self._latest_s = max(self._latest_s, float(pylsl.local_clock()) - live.onset_s)
        self.slowest_s = max(self.slowest_s, self._latest_s)
        missed = self._last_trial is not None and live.trial > self._last_trial + 1
        self._last_trial = live.trial
        if missed and any(self._recorded.spikes):
            raise _too_late(f"the onset of trial {live.trial - 1} was not heard")
        recorded = self._recorded.trials.answer(live)
        if recorded is None:
            why = f"no valid trial of image {live.image} in generation {live.generation} of {live.thread}"
            self._leave(live, f"the recording has {why}")
        elif not self._lay(recorded, live):
            self._recorded.trials.take_back(live)
        else:
            self.laid += 1
            self._position_s = self._recorded.position_s(recorded)

    def _lay(self, recorded: RecordedTrial, live: LiveTrial) -> bool:
        for stream, track in enumerate(self._tracks):
            lay = self._recorded.lay(stream, recorded, live)
            if lay is None:
                self._leave(live, f"recorded trial {recorded.trial} is not covered by its samples")
                return False
            if not track.lay(lay):
                self._leave(
                    live,
                    f"its onset was heard {1000 * (float(pylsl.local_clock()) - live.onset_s):.0f} ms after it, or its windows touch another trial's",
                )
                return False
        return True

    def _leave(self, live: LiveTrial, why: str) -> None:
        """Let a trial become invalid: by what stands between trials, or by silence where that says enough."""
        self.unanswered.append(f"trial {live.trial}: {why}")
        ends_s = live.onset_s + self._recorded.longest_s
        for track, spikes in zip(self._tracks, self._recorded.spikes, strict=True):
            if spikes and track.reached_s >= ends_s:
                raise _too_late(f"trial {live.trial} was over before its onset was heard")
            if spikes:
                track.hush(max(ends_s, track.reached_s) + self._recorded.silence_s + _TICK_S)


def _live_trial(marker: HeardMarker) -> LiveTrial | None:
    payload = marker.payload
    try:
        return LiveTrial(
            trial=int(payload["trial"]),
            thread=str(payload["thread"]),
            generation=int(payload["generation"]),
            image=int(payload["image"]),
            onset_s=marker.time_s,
        )
    except (KeyError, TypeError, ValueError):
        return None  # not by closedloop, whatever it is


def _too_late(found: str) -> StreamError:
    return StreamError(
        "markers of the session that is followed",
        found=found,
        expected="to hear of each onset in time: until then no spikes are sent, which may count as an answer",
        remedy="Do not use that session. Run both programs on one machine, with less else going on.",
    )
