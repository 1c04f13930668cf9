"""Plays a recorded session as the response source of one that runs: ``closedloop replay SESSION --stream --follow``."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from closedloop.replay.following import FollowedSession
from closedloop.session.soundness import damage_told
from experiments.console import err, out
from experiments.lsl_quiet import quiet_lsl
from experiments.playback_display import PlaybackDisplay
from experiments.playing import attend_playing

_HELP_LINE = "keys: q quit"
_MOST_NAMED = 20


def follow_session(
    folder: Path, *, session: str | None = None, source_id_suffix: str = "", lag_ms: float | None = None
) -> None:
    """Give each trial of a session that runs its recorded samples; returns when that session has ended.

    Args:
        folder: the recorded session's folder, or its session file.
        session: name of the session to follow; None: the only other one that sends markers.
        source_id_suffix: appended to each source id.
        lag_ms: how far its streams are behind the clock; None: by the recorded windows.

    Raises:
        RecordingError: the session has no trials that could answer.
        SessionError: the session file can't be used.
        StreamError: more than one session could be meant, or its onsets were heard too late.
    """
    with damage_told(folder):
        recorded = FollowedSession(folder, None if lag_ms is None else lag_ms / 1000)
    for stream in recorded.streams:
        text = f"  {stream.name} ({stream.role}): source id '{stream.source_id}{source_id_suffix}'"
        out.print(escape(text), highlight=False, soft_wrap=True)
    for note in recorded.notes:
        err.print(f"[yellow]note[/] {escape(note)}", soft_wrap=True)
    quiet_lsl()
    from hardware.lsl.follower import Follower

    follower = Follower(recorded, session, source_id_suffix)
    names = [f"{stream.name} ({stream.role})" for stream in recorded.streams]
    with PlaybackDisplay(names, 1.0, help_line=_HELP_LINE) as display:
        attend_playing(follower, display, {"q": follower.stop})
    out.print(
        f"{follower.laid} trials got their recorded samples; onsets were heard up to "
        f"{follower.slowest_s * 1000:.0f} ms after them",
        highlight=False,
        soft_wrap=True,
    )
    for text in follower.unanswered[:_MOST_NAMED]:
        err.print(f"[yellow]no answer[/] {escape(text)}", soft_wrap=True)
    if len(follower.unanswered) > _MOST_NAMED:
        err.print(f"and {len(follower.unanswered) - _MOST_NAMED} more without an answer")
