"""Plays a recording over LSL for a person: ``closedloop replay RECORDING --stream``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from closedloop.replay.recordings import RecordedStream, Recording, open_recording
from closedloop.replay.recordings.select import only
from experiments.console import err, out
from experiments.lsl_quiet import quiet_lsl
from experiments.playback_display import PlaybackDisplay
from experiments.playing import attend_playing
from experiments.replay_speed import check_speed
from experiments.terminal import LEFT, RIGHT

_SEEK_S = 5.0


def stream_recording(
    path: Path,
    *,
    speed: float = 1.0,
    loop: bool = False,
    from_s: float = 0.0,
    streams: Sequence[str] = (),
    source_id_suffix: str = "",
    wait_for_listener: bool = False,
) -> None:
    """Play a session's or an XDF file's streams over LSL; returns when they have been played.

    Args:
        path: a session folder, its session file, or an XDF file.
        speed: 1 is as recorded, 10 ten times as fast.
        loop: begin again at the end, until told to quit.
        from_s: where in the recording to begin.
        streams: play only those with one of these names, roles or source ids; empty: all.
        source_id_suffix: appended to each source id.
        wait_for_listener: begin only when somebody listens.

    Raises:
        RecordingError: it is no recording, has nothing to play, or a value above does not fit it.
        SessionError: the session file can't be used.
    """
    check_speed(speed)
    recording = open_recording(path)
    if streams:
        recording = only(recording, streams)
    introduce(recording)
    quiet_lsl()
    from hardware.lsl.player import Player
    from hardware.lsl.player_records import PlayOptions

    player = Player(recording, PlayOptions(speed, loop, from_s, source_id_suffix, wait_for_listener))
    names = [_name(stream) for stream in recording.streams]
    orders = {
        " ": player.pause,
        LEFT: lambda: player.seek(-_SEEK_S),
        RIGHT: lambda: player.seek(_SEEK_S),
        "q": player.stop,
    }
    with PlaybackDisplay(names, speed) as display:
        attend_playing(player, display, orders)
    for damage in player.damages:
        err.print(f"[yellow]left out[/] {escape(damage.where)}: {escape(damage.what)}", soft_wrap=True)


def introduce(recording: Recording) -> None:
    """Say what is in the recording."""
    count = len(recording.streams)
    out.print(
        f"{escape(recording.path.name)}: {count} stream{'' if count == 1 else 's'}, {recording.duration_s:.1f} s",
        highlight=False,
        soft_wrap=True,
    )
    for stream in recording.streams:
        rate = f"{stream.nominal_hz:g} Hz" if stream.nominal_hz > 0 else "irregular"
        where = f"{stream.first_s:.1f} to {stream.last_s:.1f} s"
        source = f"source id '{stream.source_id}'" if stream.source_id else "without a source id"
        text = f"  {_name(stream)}: {rate}, {stream.channels} x {stream.dtype}, {where}, {source}"
        out.print(escape(text), highlight=False, soft_wrap=True)
    for left in recording.left_out:
        out.print(f"  [yellow]left out[/] {escape(left.name)}: {escape(left.reason)}", soft_wrap=True)
    for note in recording.notes:
        out.print(f"  {escape(note)}", highlight=False, soft_wrap=True)


def _name(stream: RecordedStream) -> str:
    return f"{stream.name} ({stream.role})" if stream.role else stream.name
