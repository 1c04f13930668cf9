"""Shows a session's trials again, for demonstration: ``closedloop replay SESSION --screen``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from closedloop.errors import SessionError
from closedloop.exports.columns import rows
from closedloop.exports.session_time import zero_of_runs
from closedloop.ports import Clock, KeyPress, Pixels, Showing, Shown, Stage, StageClosed
from closedloop.protocol.sections.display import Display
from closedloop.protocol.sections.presentation import Flicker, Presentation
from closedloop.replay.recorded import protocol_of
from closedloop.scan.recorded import is_scan, scan_protocol_of
from closedloop.session import SessionReader
from closedloop.session.soundness import damage_told
from experiments.console import err, out
from experiments.replay_speed import check_speed

# Runs of a resumed session may lie hours apart; here so long.
BETWEEN_RUNS_S = 2.0
LOOKAHEAD = 4
QUIT_KEYS = ("q", "escape")
_IDLE_S = 0.002


@dataclass(frozen=True)
class TrialOnScreen:
    """A trial as it was shown.

    Attributes:
        trial: its number in the session.
        image: number of its image.
        onset_s: from the first one.
        on_s: how long the image stood.
        off_s: at least so much background after it.
        position_deg: of its middle.
        size_deg: width and height.
    """

    trial: int
    image: int
    onset_s: float
    on_s: float
    off_s: float
    position_deg: tuple[float, float]
    size_deg: tuple[float, float]


@dataclass(frozen=True)
class Looks:
    """How a session's images looked.

    Attributes:
        display, presentation: sections of the protocol.
        places: middle, and width and height, in degrees, of each thread's images.
    """

    display: Display
    presentation: Presentation
    places: tuple[tuple[tuple[float, float], tuple[float, float]], ...]


def show_session(
    session: Path, *, speed: float = 1.0, from_s: float = 0.0, skip_invalid: bool = False
) -> int:
    """Open the window of the session's protocol and show its trials again; ``q`` or Esc ends it.

    Args:
        session: its folder, or its session file.
        speed: 10 is ten times as fast, as far as whole frames allow.
        from_s: where to begin, in seconds from the first onset.
        skip_invalid: leave out trials that did not count; the screen stays empty in their time.

    Returns:
        How many trials were shown.

    Raises:
        RecordingError: the speed is none that a session can be shown at.
        SessionError: the file can't be read, or nothing was shown in the session.
        StageError: the display can't be opened or can't be trusted.
    """
    check_speed(speed)
    from hardware.clock import LslClock
    from hardware.stage import PsychopyStage

    with damage_told(session), SessionReader(session) as reader, reader.snapshot():
        looks = looks_of(reader)
        trials = [
            trial for trial in trials_of(reader, looks, skip_invalid=skip_invalid) if trial.onset_s >= from_s
        ]
        if not trials:
            raise SessionError(
                str(reader.path),
                found=f"no trial that was shown from {from_s:g} s on",
                expected="a session in which images were shown",
                remedy="Begin earlier, or look what it holds with `closedloop info`.",
            )
        pixels = pixels_of(reader)
        stage = PsychopyStage(looks.display, looks.presentation, pixels(trials[0].image).shape)
        with err.status("opening the window ...") as status:
            shown = play(
                stage,
                LslClock(),
                trials,
                pixels,
                speed=speed,
                flicker=looks.presentation.flicker,
                say=lambda n: status.update(f"trial {n} of {len(trials)}; q in the window ends it"),
            )
    out.print(f"{shown} of {len(trials)} trials were shown", highlight=False)
    return shown


def looks_of(reader: SessionReader) -> Looks:
    """Return where a session showed its images.

    Raises:
        SessionSchemaError: its protocol can't be read.
    """
    if not is_scan(reader):
        protocol = protocol_of(reader)
        places = tuple((spec.position_deg, (spec.size_deg, spec.size_deg)) for spec in protocol.threads)
        return Looks(protocol.display, protocol.presentation, places)
    scan = scan_protocol_of(reader)
    sizes = reader.table("images")[["height_px", "width_px"]].dropna()
    height, width = (int(sizes[name].iloc[0]) for name in sizes) if len(sizes) else (1, 1)
    scale = scan.stimuli.size_deg / max(height, width)
    place = (scan.stimuli.position_deg, (width * scale, height * scale))
    return Looks(scan.display, Presentation(fixation=scan.fixation), (place,))


def trials_of(reader: SessionReader, looks: Looks, *, skip_invalid: bool) -> list[TrialOnScreen]:
    """Return the trials that came on the screen, in the order and at the times of their onsets."""
    table = reader.table("trials")
    table = table[table["onset_s"].notna()].sort_values(["run", "onset_s"])
    zero = zero_of_runs(reader)
    found: list[TrialOnScreen] = []
    last_run, taken_s, end_s = None, 0.0, 0.0
    for row in rows(table):
        run, onset_s = int(row["run"]), float(row["onset_s"]) - zero[int(row["run"])]
        if run != last_run:
            taken_s = onset_s - (end_s + BETWEEN_RUNS_S if last_run is not None else 0.0)
            last_run = run
        flips = reader.flips(int(row["trial"]), run)
        last_s = float(flips[-1]) if len(flips) else float(row["onset_s"])
        offset_s = row["offset_s"] if np.isfinite(float(row["offset_s"])) else last_s
        position_deg, size_deg = looks.places[int(row["thread"])]
        trial = TrialOnScreen(
            trial=int(row["trial"]),
            image=int(row["image"]),
            onset_s=onset_s - taken_s,
            on_s=float(offset_s) - float(row["onset_s"]),
            off_s=last_s - float(offset_s),
            position_deg=position_deg,
            size_deg=size_deg,
        )
        end_s = onset_s - taken_s + trial.on_s + trial.off_s
        if row["status"] == "valid" or not skip_invalid:
            found.append(trial)
    return found


def pixels_of(reader: SessionReader) -> Callable[[int], Pixels]:
    """Return what gives the pixels of an image that was shown."""

    def pixels(image: int) -> Pixels:
        found = reader.pixels(image)
        if found is None:
            raise SessionError(
                f"{reader.path}: image {image}",
                found="no pixels",
                expected="those of an image that was shown",
                remedy="They may have been lost in a salvage; `closedloop info` tells what is there.",
            )
        return found

    return pixels


def orders(
    trials: Sequence[TrialOnScreen], period_s: float, speed: float, flicker: Flicker | None = None
) -> Iterator[Showing]:
    """Yield the orders that show trials at their spacing, in whole frames of this display.

    Frames are counted from the first onset, so rounding never adds up. Slots are filled in later.
    """
    frame_s = period_s * speed
    begins = [round((trial.onset_s - trials[0].onset_s) / frame_s) for trial in trials]
    place = 0  # where the trial before has ended
    for index, trial in enumerate(trials):
        begin = max(begins[index], place)
        on = max(1, round(trial.on_s / frame_s))
        last = index + 1 == len(trials)
        off = round(trial.off_s / frame_s) if last else max(begins[index + 1] - begin - on, 0)
        place = begin + on + off
        yield Showing(
            index, -1, on, off, trial.position_deg, trial.size_deg, flicker_frames=_flashes(flicker, frame_s)
        )


def _flashes(flicker: Flicker | None, frame_s: float) -> tuple[int, int] | None:
    if flicker is None:
        return None
    there, away = (max(1, round(ms / 1000 / frame_s)) for ms in (flicker.on_ms, flicker.off_ms))
    return there, away


def play(
    stage: Stage,
    clock: Clock,
    trials: Sequence[TrialOnScreen],
    pixels: Callable[[int], Pixels],
    *,
    speed: float = 1.0,
    flicker: Flicker | None = None,
    say: Callable[[int], None] = lambda _count: None,
) -> int:
    """Show trials on a stage, which is opened and closed here.

    Args:
        stage: real or simulated, not open yet.
        clock: that the stage keeps.
        trials: in the order of their onsets.
        pixels: gives the pixels of an image.
        speed: 10 is ten times as fast.
        flicker: of the session's images, if they come and go.
        say: told how many are over.

    Returns:
        How many trials were shown to their end.
    """
    report = stage.open()
    try:
        waiting = orders(trials, report.period_s, speed, flicker)
        ordered = over = 0
        while over < len(trials):
            for event in stage.poll():
                if isinstance(event, Shown):
                    over += 1
                    say(over)
                elif isinstance(event, StageClosed) or (
                    isinstance(event, KeyPress) and event.key in QUIT_KEYS
                ):
                    return over
            if ordered < len(trials) and ordered - over < min(LOOKAHEAD, stage.slots):
                order = next(waiting)
                slot = ordered % min(LOOKAHEAD, stage.slots)
                stage.load(slot, pixels(trials[ordered].image))
                stage.show(replace(order, slot=slot))
                ordered += 1
            else:
                clock.sleep(_IDLE_S)
        return over
    finally:
        stage.close()
