"""``closedloop replay``: what can be done with a recorded session."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.sessions import session_folder


def replay(
    recording: Annotated[
        Path,
        typer.Argument(
            metavar="SESSION",
            help="Session folder, or the session.sqlite in it; with --stream also an XDF file.",
        ),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="With --rescore: what to change, window.end_ms=150."),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Breed, render, measure and score it again, and compare.")
    ] = False,
    rescore: Annotated[
        bool, typer.Option("--rescore", help="Score it again another way: windows, units, normalisation.")
    ] = False,
    stream: Annotated[bool, typer.Option("--stream", help="Play its samples and markers over LSL.")] = False,
    screen: Annotated[bool, typer.Option("--screen", help="Show its trials again in a window.")] = False,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="--rescore: write the page here instead of rescore.html.")
    ] = None,
    speed: Annotated[
        float, typer.Option("--speed", help="--stream, --screen: 10 is ten times as fast.")
    ] = 1.0,
    loop: Annotated[bool, typer.Option("--loop", help="--stream: begin again at the end.")] = False,
    from_s: Annotated[
        float, typer.Option("--from", min=0.0, metavar="SECONDS", help="--stream, --screen: where to begin.")
    ] = 0.0,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="STREAM", help="--stream: a stream's name, role or source id."),
    ] = None,
    source_id_suffix: Annotated[
        str, typer.Option("--source-id-suffix", metavar="TEXT", help="--stream: appended to each source id.")
    ] = "",
    wait: Annotated[bool, typer.Option("--wait", help="--stream: begin only when somebody listens.")] = False,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", help="--stream: give each trial of a session that runs its recorded samples."
        ),
    ] = False,
    session: Annotated[
        str | None, typer.Option("--session", metavar="NAME", help="--follow: the session that runs.")
    ] = None,
    lag: Annotated[
        float | None,
        typer.Option(
            "--lag", min=20.0, metavar="MS", help="--follow: how far behind the clock; 82 as a rule."
        ),
    ] = None,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="--screen: leave out trials that did not count.")
    ] = False,
) -> None:
    """Work with a recorded session: verify it, score it again, play it over LSL, show it again.

    Exactly one of --verify, --rescore, --stream and --screen is given. --verify ends with 11 if anything
    differs, and names the first difference. --rescore takes the keys of the protocol's response and units
    sections. docs/replay.md tells more.

    For example:
    ```
    closedloop replay sessions/demo_evolution_20261121-1000 --verify
    closedloop replay sessions/demo_evolution_20261121-1000 --rescore window.start_ms=70 units=[3]
    closedloop replay recording.xdf --stream --speed 10
    ```
    """
    wanted = [name for name, on in _modes(verify, rescore, stream, screen) if on]
    if len(wanted) != 1:
        raise typer.BadParameter("give exactly one of --verify, --rescore, --stream and --screen")
    if settings and not rescore:
        raise typer.BadParameter(f"'{settings[0]}' is only of use with --rescore")
    if (follow and not stream) or not (follow or (session is None and lag is None)):
        raise typer.BadParameter("--follow goes with --stream, --session and --lag with --follow")
    if follow and (speed != 1.0 or loop or from_s or only):
        raise typer.BadParameter("--follow goes by the session that runs: no --speed, --loop, --from, --only")
    if verify:
        from experiments.replay_verify import verify_session

        verify_session(session_folder(recording))
    elif rescore:
        from experiments.replay_rescore import rescore_session

        rescore_session(session_folder(recording), settings or [], out_file)
    elif follow:
        from experiments.replay_follow import follow_session

        follow_session(
            session_folder(recording), session=session, source_id_suffix=source_id_suffix, lag_ms=lag
        )
    elif stream:
        from experiments.replay_stream import stream_recording

        stream_recording(
            recording,
            speed=speed,
            loop=loop,
            from_s=from_s,
            streams=only or (),
            source_id_suffix=source_id_suffix,
            wait_for_listener=wait,
        )
    else:
        from experiments.replay_screen import show_session

        show_session(session_folder(recording), speed=speed, from_s=from_s, skip_invalid=skip_invalid)


def _modes(verify: bool, rescore: bool, stream: bool, screen: bool) -> list[tuple[str, bool]]:
    return [("--verify", verify), ("--rescore", rescore), ("--stream", stream), ("--screen", screen)]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(replay)
