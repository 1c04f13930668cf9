"""Every onset of a scan run against its absolute plan, as logged and as an independent witness saw it.

Run: python -m benchmarks.scan_run [--volumes 300] [--tr 2]                        (Linux; about 10.5 minutes)
     python -m benchmarks.scan_run --volumes 20 --tr 1                             (a short try)
     python -m benchmarks.scan_run --events sub-01_task-faces_run-01_events.tsv    (a recorded run shown again)

``closedloop run`` is started from the command line with all its processes and the simulated scanner, in real
time; beside it ``hardware.observer`` samples the photodiode patch through its own X connection. The plan of an
onset is the stamp of the first stored volume plus the onset in the protocol's design, before it is put on a
frame: so the nearest frame is up to half a frame away, however long the run.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.hiccups import watched_machine
from benchmarks.lab import lab
from benchmarks.machine import headline, table
from benchmarks.sessions import START_S, Session, settings
from benchmarks.witness import compare, observed
from closedloop.ports import Float64
from closedloop.protocol.load import load_scan
from closedloop.scan.recorded import RecordedScan, read_scans
from closedloop.session import SessionReader

_PROTOCOL = """\
kind: scan
subject: {{id: benchmark}}
seed: 1
display: {{size_px: [1024, 768], refresh_hz: 60}}
scanner:
  tr_s: {tr_s}
  volumes: {volumes}
  dummies: 2
  trigger: {{path: keyboard, key: "5"}}
stimuli:
  conditions:
    - {{name: a, codes: 20, generator: {{name: pixels}}}}
    - {{name: b, codes: 20, generator: {{name: pixels}}}}
design:
  kind: event_related
  lead_in: 2
  image_s: 0.5
  isi: {{draw: uniform, shortest: 1.0, longest: 2.0}}
  repeats: {repeats}
"""
_EVENTS = """\
kind: scan
subject: {{id: benchmark}}
seed: 1
display: {{size_px: [1024, 768], refresh_hz: 60}}
scanner:
  tr_s: {tr_s}
  volumes: {volumes}
  dummies: 2
  trigger: {{path: keyboard, key: "5"}}
stimuli: {{size_px: [256, 256]}}
design: {{kind: events, file: {file}, folder: ., missing: placeholder, null_types: [Fix, 'null', rest]}}
"""
_KEYBOARD = "scanner.trigger={path: keyboard, key: '5'}"
_LSL = "scanner.trigger={path: lsl, stream: {source_id: closedloop-scanner}, marker: volume}"
_SIMULATE = "scanner.simulate={start_after_s: 2, jitter_ms: 1}"


Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Onsets:
    """Onsets of a run against their absolute plan, each ``(trials,)``, in frames.

    Attributes:
        planned_s: from the run's start.
        logged: by the session's file.
        seen: by the witness, the middle of the interval in which the patch went bright.
        doubt: half that interval.
        valid: bool; whether the trial counts.
    """

    planned_s: Float64
    logged: Float64
    seen: Float64
    doubt: Float64
    valid: Bools

    def lines(self) -> list[tuple[str, str]]:
        """Return the figures in words."""
        return [
            ("onset minus plan as logged, frames: first, last", _two(self.logged)),
            ("  worst", f"{_worst(self.logged):+.3f}"),
            ("  trend over the run", f"{_trend(self.planned_s, self.logged):+.4f}"),
            ("onset minus plan as seen, frames: first, last", _two(self.seen)),
            ("  worst", f"{_worst(self.seen):+.3f}"),
            ("  trend over the run", f"{_trend(self.planned_s, self.seen):+.4f}"),
            ("  the witness's doubt (50, 99 %, max)", _percentiles(self.doubt)),
            ("within one frame of the plan: logged, seen", f"{_within(self.logged)}, {_within(self.seen)}"),
            (
                "  the same of the valid trials",
                f"{_within(self.logged[self.valid])}, {_within(self.seen[self.valid])}",
            ),
        ]


def onsets(scan: RecordedScan, log: Path) -> Onsets:
    """Compare a run with its plan and with the witness's log of it."""
    shown = scan.shown
    planned_s = shown["planned_s"].to_numpy(dtype=np.float64)
    logged_s = shown["onset_s"].to_numpy(dtype=np.float64)
    with np.load(log) as seen:
        bright = seen["level"] > 127
        before_s, after_s = seen["t_before"][bright], seen["t_after"][bright]
    middle_s = (before_s + after_s) / 2
    nearest = np.abs(middle_s[None, :] - logged_s[:, None]).argmin(axis=1)
    due_s = scan.start_s + planned_s
    return Onsets(
        planned_s,
        (logged_s - due_s) / scan.period_s,
        (middle_s[nearest] - due_s) / scan.period_s,
        (after_s - before_s)[nearest] / 2 / scan.period_s,
        (shown["status"] == "valid").to_numpy(),
    )


def intervals(scan: RecordedScan) -> list[tuple[str, str]]:
    """Say how onsets follow each other, against the plan."""
    shown = scan.shown
    came = np.diff(shown["onset_s"].to_numpy(dtype=np.float64)) / scan.period_s
    planned = np.diff(shown["planned_s"].to_numpy(dtype=np.float64)) / scan.period_s
    return [
        ("onset to onset, frames off a whole number (99 %, max)", _percentiles(np.abs(came - np.rint(came)))),
        ("onset to onset minus planned, frames, worst", f"{_worst(came - planned):+.3f}"),
        ("  in whole frames, worst", f"{_worst(np.rint(came) - planned):+.3f}"),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--volumes", type=int, default=300)
    parser.add_argument("--tr", type=float, default=2.0, help="seconds")
    parser.add_argument("--path", choices=("keyboard", "lsl"), default="keyboard", help="of the pulses")
    parser.add_argument("--events", type=Path, help="show this table of events again, as it says")
    parser.add_argument("--rate-hz", type=float, default=2500.0, help="samples a second of the witness")
    options = parser.parse_args()
    with lab() as place:
        log, protocol = place.folder / "seen.npz", place.folder / "run.yaml"
        protocol.write_text(_text(options), encoding="utf-8")
        changes = [_SIMULATE, _KEYBOARD if options.path == "keyboard" else _LSL]
        changes.append("output={report: false, images: false, experiment: bench}")
        scanner = load_scan(protocol, changes).protocol.scanner
        minutes = scanner.tr_s * (scanner.volumes + scanner.dummies) / 60
        print(
            headline(
                f"a scan run of {scanner.volumes} volumes at TR {scanner.tr_s:g} s, {minutes:.1f} minutes"
            )
        )
        with observed(log, place.display, options.rate_hz), watched_machine() as machine:
            words = ["run", str(protocol), *settings(*changes)]
            with Session(words, place.folder / "sessions", place.environment) as session:
                code = session.wait(START_S + 60 * minutes + 60)
        if code:
            raise SystemExit(f"the session ended with {code}: {session.told}")
        with SessionReader(session.folder) as reader:
            scan = read_scans(reader)[0]
        shown = scan.shown
        print(
            table(
                [
                    ("trials planned, shown, valid", _counts(scan)),
                    ("frames missed while images were on", _missed(shown)),
                    ("volumes expected, pulses heard", f"{scan.volumes}, {len(scan.pulses)}"),
                    ("TR fitted, s", f"{scan.ledger['tr_fitted_s']:.6f}"),
                    *onsets(scan, log).lines(),
                    *intervals(scan),
                    *compare(session.folder, log).lines(),
                    *machine.lines(),
                ]
            )
        )


def _text(options: argparse.Namespace) -> str:
    """Return the protocol of the run."""
    if options.events is None:
        images, cycle_s = 40, 2.0  # an image with its interval, in the mean
        seconds = options.volumes * options.tr - 4
        repeats = int(seconds // (images * cycle_s))
        text = _PROTOCOL.format(tr_s=options.tr, volumes=options.volumes, repeats=max(1, repeats))
        # a short try has fewer images
        return text if repeats else text.replace("codes: 20", f"codes: {max(1, int(seconds // 4))}")
    rows = pd.read_csv(options.events, sep="\t")
    volumes = math.ceil((rows["onset"] + rows["duration"]).max() / options.tr) + 1
    return _EVENTS.format(tr_s=options.tr, volumes=volumes, file=options.events.resolve())


def _counts(scan: RecordedScan) -> str:
    return f"{len(scan.images)}, {len(scan.shown)}, {int((scan.shown['status'] == 'valid').sum())}"


def _missed(shown: pd.DataFrame) -> str:
    missed, flips = int(shown["missed"].sum()), int(shown["on_flips"].sum())
    return f"{missed} of {missed + flips} ({missed / (missed + flips):.2%})"


def _two(values: Float64) -> str:
    return f"{values[0]:+.3f}, {values[-1]:+.3f}"


def _worst(values: Float64) -> float:
    return float(values[np.abs(values).argmax()])


def _trend(planned_s: Float64, values: Float64) -> float:
    """How much the values change from the first to the last, by a straight line."""
    return float(np.polyfit(planned_s, values, 1)[0] * (planned_s[-1] - planned_s[0]))


def _within(values: Float64) -> str:
    return f"{int((np.abs(values) <= 1).sum())} of {len(values)}"


def _percentiles(values: Float64) -> str:
    return ", ".join(f"{value:.3f}" for value in np.percentile(values, [50, 99, 100]))


if __name__ == "__main__":
    main()
