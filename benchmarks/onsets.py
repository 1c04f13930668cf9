"""Logged onsets against what an independent observer saw on the screen.

Run: python -m benchmarks.onsets [--trials 1000] [--load none]   (Linux with X11)

A process of its own samples the photodiode patch through its own X connection (``python -m hardware.observer``),
the stage shows trials, and both logs are compared afterwards: how far each logged onset is from the seen one,
and for how many frames each image was seen. The observer's stamp is the middle of the interval that the change
must lie in; half that interval is its uncertainty.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.frames import LOADS, OFF, ON, SHAPE, SLOTS, _show, loaded
from closedloop.ports import DisplayReport, Float64, Shown
from closedloop.protocol.models import Display, Presentation
from hardware.display import has_display, virtual_display
from hardware.stage import PsychopyStage
from hardware.stage.geometry import patch_rect


def patch_pixel(display: Display, screen_px: tuple[int, int]) -> tuple[int, int]:
    """The middle of the patch on the whole screen, from its top left, for a window in the screen's middle."""
    x, y = patch_rect(display).center
    return round(screen_px[0] / 2 + x), round(screen_px[1] / 2 - y)


def watch(trials: int, rate_hz: float) -> tuple[DisplayReport, list[Shown], dict[str, Float64]]:
    """Show trials under observation (blocks); return the report, both logs and the observer's own figures."""
    display = Display()
    stage = PsychopyStage(display, Presentation(), SHAPE, SLOTS)
    with tempfile.TemporaryDirectory() as folder:
        seen_file = Path(folder) / "seen.npz"
        report = stage.open()
        try:
            x, y = patch_pixel(display, _screen_px(display))
            command = [sys.executable, "-m", "hardware.observer", "--x", str(x), "--y", str(y)]
            command += ["--out", str(seen_file), "--seconds", "100000", "--rate-hz", str(rate_hz)]
            observer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            _prioritise(observer.pid)
            for _ in observer.stdout or ():
                break  # it says when it is ready
            shown = _show(stage, trials, lambda: None)
            observer.send_signal(signal.SIGINT)
            observer.wait()
        finally:
            stage.close()
        with np.load(seen_file) as log:
            return report, shown, dict(log)


def compare(report: DisplayReport, shown: list[Shown], seen: dict[str, Float64]) -> str:
    """Match each trial to the transitions nearest to it and return the figures as lines."""
    bright = seen["level"] > 127
    middle = (seen["t_before"] + seen["t_after"]) / 2
    onsets, offsets = middle[bright], middle[~bright]
    half_ms = (seen["t_after"] - seen["t_before"])[bright] / 2e-3
    valid = [s for s in shown if s.missed == 0]
    at = np.array([np.abs(onsets - s.onset_s).argmin() for s in valid])
    off_ms = np.array([s.onset_s - onsets[n] for s, n in zip(valid, at, strict=True)]) * 1e3
    frames = np.array([(offsets[offsets > onsets[n]][0] - onsets[n]) / report.period_s for n in at])
    percent = [1, 50, 99, 100]
    p, q = np.percentile(off_ms, percent), np.percentile(np.abs(off_ms), percent)
    doubt_ms = [
        max(seen["t_before"][bright][n] - s.onset_s, s.onset_s - seen["t_after"][bright][n], 0.0) * 1e3
        for s, n in zip(valid, at, strict=True)
    ]
    as_planned = int((np.rint(frames) == ON).sum())
    rows = [
        ("trials shown, onsets seen", f"{len(shown)}, {len(onsets)}"),
        ("trials with a missed frame", f"{len(shown) - len(valid)}, left out below"),
        ("logged minus seen, ms (1, 50, 99 %, max)", ", ".join(f"{v:.2f}" for v in p)),
        ("its size, ms (1, 50, 99 %, max)", ", ".join(f"{v:.2f}" for v in q)),
        (
            "beyond the observer's interval, ms (50, 99 %, max)",
            f"{np.median(doubt_ms):.2f}, {np.percentile(doubt_ms, 99):.2f}, {max(doubt_ms):.2f}",
        ),
        ("seen for the planned frames", f"{as_planned} of {len(valid)}"),
        ("frames seen, min and max", f"{frames.min():.2f}, {frames.max():.2f} of {ON}"),
        (
            "uncertainty of the observer, ms (50, 99 %)",
            f"{np.median(half_ms):.2f}, {np.percentile(half_ms, 99):.2f}",
        ),
        ("samples of the observer", f"{seen['samples'] / seen['seconds']:.0f} Hz"),
    ]
    return "\n".join(f"  {name:52}{value}" for name, value in rows)


def _prioritise(pid: int) -> None:
    """Let nothing but stage and server come before the observer, or it looks away when the machine is busy."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(8))


def _screen_px(display: Display) -> tuple[int, int]:
    from Xlib.display import Display as Server

    server = Server()
    screen = server.screen(display.screen)
    size = (screen.width_in_pixels, screen.height_in_pixels)
    server.close()
    return size


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--rate-hz", type=float, default=4000.0, help="samples a second of the observer")
    parser.add_argument("--load", default="none", help=f"of {', '.join(LOADS)}; several joined by commas")
    options = parser.parse_args()
    print(f"{ON} frames on, {OFF} off, load: {options.load} (1 min average before: {os.getloadavg()[0]:.1f})")
    with contextlib.ExitStack() as stack:
        if not has_display():
            stack.enter_context(virtual_display())
        stack.enter_context(loaded(options.load.split(",")))
        print(compare(*watch(options.trials, options.rate_hz)))


if __name__ == "__main__":
    main()
