"""The state of the streams in time, and their clocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from closedloop.ports import Float64
from closedloop.report.figures import style

STATES = {"live": "#4b9b6e", "late": "#e8b84a", "recovering": "#7fb2d9", "lost": style.BAD}
UNKNOWN = "#d5dbe1"


@dataclass(frozen=True)
class Span:
    """A stream was in a state from one time to another, seconds from the session's start."""

    state: str
    start_s: float
    end_s: float


def draw_states(roles: Mapping[str, Sequence[Span]]) -> bytes:
    """Draw one lane a stream."""
    with style.look():
        figure, (axis,) = style.panels(1, 0.9 + 0.35 * len(roles))
        scale, label = style.time_scale(max(span.end_s for spans in roles.values() for span in spans))
        for lane, spans in enumerate(roles.values()):
            for span in spans:
                color = STATES.get(span.state, UNKNOWN)
                axis.barh(lane, (span.end_s - span.start_s) / scale, 0.6, span.start_s / scale, color=color)
        axis.set_yticks(range(len(roles)), list(roles))
        axis.set_ylim(len(roles) - 0.5, -0.5)
        axis.grid(visible=False)
        axis.spines["left"].set_visible(False)
        axis.margins(x=0)
        axis.set_xlabel(label)
        seen = [
            state
            for state in STATES
            if any(span.state == state for spans in roles.values() for span in spans)
        ]
        for state in seen:
            axis.barh(-9, 0, color=STATES[state], label=state)
        axis.legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncols=len(STATES), handlelength=0.9, handleheight=0.9
        )
        return style.svg(figure)


@dataclass(frozen=True, eq=False)
class ClockTrack:
    """Probes of one stream in one segment: (k,) seconds from start, offset and uncertainty in ms."""

    label: str
    time_s: Float64
    offset_ms: Float64
    uncertainty_ms: Float64


def draw_clock(tracks: Sequence[ClockTrack]) -> bytes:
    """Draw offsets, each against its track's median, with their uncertainty."""
    with style.look():
        figure, (axis,) = style.panels(1, 2.4)
        scale, label = style.time_scale(max(float(track.time_s.max()) for track in tracks))
        for index, track in enumerate(tracks):
            color = style.THREADS[index % len(style.THREADS)]
            axis.errorbar(
                track.time_s / scale,
                track.offset_ms - np.median(track.offset_ms),
                track.uncertainty_ms,
                fmt="o",
                markersize=3,
                elinewidth=0.9,
                color=color,
                label=track.label,
            )
        axis.set_xlabel(label)
        axis.set_ylabel("clock offset − median (ms)")  # noqa: RUF001 - a minus sign is what is meant
        if len(tracks) > 1:
            axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), labelcolor="linecolor", handlelength=0.8)
        return style.svg(figure)
