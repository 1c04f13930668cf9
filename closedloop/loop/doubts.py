"""When a stream was not to be trusted."""

from __future__ import annotations

from closedloop.ports import StreamState, StreamStateChange


class Doubts:
    """The spans of time in which one stream was not LIVE, from its state changes."""

    def __init__(self) -> None:
        self.state: StreamState | None = None
        self.reason = "it has not been heard yet"
        self.since_s = float("-inf")
        self._spans: list[tuple[float, float, str]] = []

    @property
    def live(self) -> bool:
        """The stream can be trusted now."""
        return self.state is StreamState.LIVE

    def take(self, change: StreamStateChange) -> None:
        """Take a change of state."""
        if not self.live and self.state is not None:
            self._spans.append((self.since_s, change.time_s, self.reason))
        if change.state is not self.state:
            self.since_s = change.time_s
        self.state = change.state
        self.reason = change.reason

    def lost_samples(self, time_s: float, reason: str) -> None:
        """Take note that samples around a moment are missing though the stream is live."""
        self._spans.append((time_s - 1.0, time_s + 1.0, reason))

    def during(self, start_s: float, end_s: float) -> str | None:
        """Return why the stream was in doubt somewhere in a span, or None."""
        if not self.live and self.since_s <= end_s:
            return self.reason
        for begin, finish, reason in self._spans:
            if begin <= end_s and finish >= start_s:
                return reason
        return None

    def forget(self, before_s: float) -> None:
        """Drop spans that ended before a time."""
        self._spans = [span for span in self._spans if span[1] >= before_s]
