"""Puts trials on the stage and records what it did with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from closedloop.errors import ProcessDiedError, StageError, WindowClosedError
from closedloop.ports import (
    Clock,
    KeyPress,
    Marker,
    MarkerSink,
    Onset,
    Pixels,
    Showing,
    Shown,
    Stage,
    StageClosed,
)
from closedloop.session import SessionStore, TrialRecord

# Far beyond any frame. The stage speaks when a trial begins and when it ends, so its length comes on top.
SILENT_S = 20.0


@dataclass(frozen=True)
class Presented:
    """A trial that was ordered: its record, its place in the file's markers, where it stands on the screen."""

    record: TrialRecord
    label: Mapping[str, Any]
    position_deg: tuple[float, float]
    size_deg: float
    flicker_frames: tuple[int, int] | None = None


class Screen:
    """The stage as the loop uses it: slots handed out and taken back, every event recorded and marked.

    Args:
        stage: an opened stage.
        markers: where markers go.
        store: the session file.
        clock: the one clock.
        session_id: named in every marker.
        on_key: told of keys that were pressed in the window.
        period_s: of a frame.
    """

    def __init__(
        self,
        stage: Stage,
        markers: MarkerSink,
        store: SessionStore,
        clock: Clock,
        session_id: str,
        on_key: Callable[[KeyPress], None],
        period_s: float,
    ) -> None:
        self._stage = stage
        self._markers = markers
        self._store = store
        self._clock = clock
        self._session_id = session_id
        self._on_key = on_key
        self._period_s = period_s
        self._free = list(range(stage.slots - 1, -1, -1))
        self._ordered: dict[int, tuple[Presented, int]] = {}
        self.missed_frames = 0
        self.last_onset_s: float | None = None
        self._begun: int | None = None  # the trial that came on last
        self._heard_s = clock.now()

    @property
    def waiting(self) -> int:
        """Trials ordered that are not over yet."""
        return len(self._ordered)

    @property
    def full(self) -> bool:
        """No slot is free."""
        return not self._free

    @property
    def ahead_s(self) -> float:
        """How long the trials ordered will keep the stage busy."""
        lasts_s = sum(self._lasts_s(presented.record) for presented, _ in self._ordered.values())
        if self._begun in self._ordered and self.last_onset_s is not None:
            lasts_s -= self._clock.now() - self.last_onset_s
        return lasts_s

    def order(self, presented: Presented, pixels: Pixels) -> None:
        """Record a trial, then hand it to the stage."""
        slot = self._free.pop()
        record = presented.record
        if not self._ordered:
            self._heard_s = self._clock.now()
        self._store.order_trial(record, self._clock.now())
        self._ordered[record.trial] = (presented, slot)
        self._stage.load(slot, pixels)
        self._stage.show(
            Showing(
                trial=record.trial,
                slot=slot,
                on_frames=record.on_frames,
                off_frames=record.off_frames,
                position_deg=presented.position_deg,
                size_deg=(presented.size_deg, presented.size_deg),
                flicker_frames=presented.flicker_frames,
            )
        )

    def watch(self) -> Sequence[Shown]:
        """Record what happened on the stage since the last call; return the trials that are over.

        Raises:
            WindowClosedError: the window was closed by hand.
            ProcessDiedError: the stage's process is gone, or hangs.
        """
        over: list[Shown] = []
        for event in self._stage.poll():
            self._heard_s = self._clock.now()
            if isinstance(event, Onset):
                self._began(event)
            elif isinstance(event, Shown):
                self._ended(event)
                over.append(event)
            elif isinstance(event, KeyPress):
                self._on_key(event)
            elif isinstance(event, StageClosed):
                raise _gone(event)
        self._check_that_it_lives()
        return over

    def mark(self, event: str, time_s: float, **detail: Any) -> None:
        """Record a marker, then send it."""
        marker = Marker(time_s, {"event": event, "session": self._session_id, **detail})
        self._store.add_marker(marker)
        self._store.after_commit(lambda: self._markers.send(marker))

    def _began(self, onset: Onset) -> None:
        presented, _ = self._known(onset.trial)
        with self._store.transaction():
            self._store.set_onset(onset.trial, onset.time_s)
            self.mark("stimulus_on", onset.time_s, **presented.label)
        self.last_onset_s = onset.time_s
        self._begun = onset.trial

    def _ended(self, shown: Shown) -> None:
        presented, slot = self._known(shown.trial)
        del self._ordered[shown.trial]
        self._free.append(slot)
        self.missed_frames += shown.missed
        with self._store.transaction():
            self._store.set_shown(shown)
            if shown.complete:
                self.mark("stimulus_off", shown.offset_s, **presented.label)

    def _check_that_it_lives(self) -> None:
        """A stage that hangs (a stopped process, a graphics driver) says nothing, so its silence must."""
        if not self._ordered:
            return
        silent_s = self._clock.now() - self._heard_s
        longest_s = max(self._lasts_s(presented.record) for presented, _ in self._ordered.values())
        if silent_s > SILENT_S + longest_s:
            raise ProcessDiedError(
                "stage process",
                found=f"no word of trial {next(iter(self._ordered))} for {silent_s:.0f} s",
                expected=f"the next flip of a trial within {SILENT_S + longest_s:g} s",
                remedy="The stage hangs. The session is closed and everything up to here is in its file.",
            )

    def _lasts_s(self, record: TrialRecord) -> float:
        return (record.on_frames + record.off_frames) * self._period_s

    def _known(self, trial: int) -> tuple[Presented, int]:
        try:
            return self._ordered[trial]
        except KeyError:
            raise StageError(
                "stage",
                found=f"an event of trial {trial}, which was not ordered or is over",
                expected=f"one of {sorted(self._ordered)}",
                remedy="This is an error of the program; the session is closed so that nothing is recorded wrongly.",
            ) from None


def _gone(event: StageClosed) -> Exception:
    if event.by_hand:
        return WindowClosedError(
            "stimulus window",
            found="it was closed by hand",
            expected="it to stay open until the session ends",
            remedy="Use the keys e (end after this generation) or a (abort) to end a session early.",
        )
    return ProcessDiedError(
        "stage process",
        found=event.reason,
        expected="it to run as long as the session",
        remedy="The session is closed and everything up to here is in its file.",
    )
