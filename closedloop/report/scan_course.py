"""What a scan run's report is made from: residuals, onset errors, responses, and what was not as it should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from closedloop.ports import Float64
from closedloop.protocol.scan import ScanProtocol
from closedloop.report.words import count, decimals, listed, times
from closedloop.scan.judge import FARTHEST_FRAMES
from closedloop.scan.recorded import RecordedScan
from closedloop.scan.run_tr import is_crowded, run_tr
from closedloop.scan.settled import SettledScan, settle

ODD = {
    "missed": ("pulse that did not come", "pulses that did not come"),
    "extra": ("pulse that was not due", "pulses that were not due"),
    "doubled": ("doubled pulse, counted once", "doubled pulses, each counted once"),
    "human": ("press of the trigger's key by a person", "presses of the trigger's key by a person"),
}


@dataclass(frozen=True, eq=False)
class Responses:
    """How the subject's task went.

    Attributes:
        asked: events that came on and wanted an answer.
        hits: of these, answered rightly.
        wrong: answered with another key.
        misses: not answered.
        false_alarms: presses that answer nothing.
        times_s: of the answers, (n,).
        onsets_s: of the events they answer, from the run's start, (n,).
        missed_s: onsets of the misses.
        alarms_s: times of the false alarms.
    """

    asked: int
    hits: int
    wrong: int
    misses: int
    false_alarms: int
    times_s: Float64
    onsets_s: Float64
    missed_s: Float64
    alarms_s: Float64


@dataclass(frozen=True, eq=False)
class ScanCourse:
    """One scan run, measured. Times are seconds from the first stored volume.

    Attributes:
        scan: as recorded.
        counts: it is the attempt that counts for its label.
        pulses_s, residuals_ms: of pulses that began volumes, against the fit over all of the run.
        missing_s: when volumes were due whose pulse did not come.
        odd_s: pulses that were not counted, by verdict.
        onsets_s, errors_ms: of each image that was shown.
        valid: of each of these.
        responses: None without a task.
        faults: what a person should know before the run is used, in sentences; none: all is well.
    """

    scan: SettledScan
    counts: bool
    pulses_s: Float64
    residuals_ms: Float64
    missing_s: Float64
    odd_s: dict[str, Float64]
    onsets_s: Float64
    errors_ms: Float64
    valid: np.ndarray[tuple[int], np.dtype[np.bool_]]
    responses: Responses | None
    faults: Sequence[str]

    @property
    def half_frame_ms(self) -> float:
        """Half a frame; NaN if the display was not measured."""
        return 500 * self.scan.period_s

    @property
    def missed_frames(self) -> int:
        """In all images of the run."""
        return int(self.scan.events["missed"].fillna(0).sum())

    @property
    def tr_fitted_s(self) -> float:
        """By its pulses; NaN if there were too few, or so many that they are no measure."""
        fitted = self.scan.ledger.get("tr_fitted_s")
        return float("nan") if fitted is None or is_crowded(self.scan) else float(fitted)


def courses(scans: Sequence[RecordedScan], protocol: ScanProtocol) -> list[ScanCourse]:
    """Measure all scan runs of a session.

    Args:
        scans: of the session.
        protocol: of the session.
    """
    last = {scan.label: scan.scan for scan in scans if scan.status == "completed"}
    return [
        _course(settle(scan), scan.protocol or protocol, counts=last.get(scan.label) == scan.scan)
        for scan in scans
    ]


def _course(scan: SettledScan, protocol: ScanProtocol, *, counts: bool) -> ScanCourse:
    pulses = scan.pulses
    begun = pulses[(pulses["verdict"] == "volume") & pulses["volume"].notna()]
    volumes = begun["volume"].to_numpy(dtype=np.float64) - scan.dummies
    times_s = begun["time_s"].to_numpy(float) - scan.start_s
    tr_s, start_s = _fit(scan, protocol)
    residuals = 1000 * (times_s - start_s - tr_s * volumes)
    missing = np.array(scan.ledger.get("missed_volumes") or [], dtype=float) - scan.dummies
    shown = scan.shown
    onsets = shown["onset_s"].to_numpy(float) - scan.start_s
    course = ScanCourse(
        scan=scan,
        counts=counts,
        pulses_s=times_s,
        residuals_ms=residuals,
        missing_s=start_s + tr_s * missing,
        odd_s={
            verdict: pulses.loc[pulses["verdict"] == verdict, "time_s"].to_numpy(float) - scan.start_s
            for verdict in ("doubled", "extra", "human")
        },
        onsets_s=onsets,
        errors_ms=1000 * (onsets - shown["planned_s"].to_numpy(float)),
        valid=(shown["status"] == "valid").to_numpy(dtype=bool),
        responses=_responses(scan, protocol),
        faults=(),
    )
    return replace(course, faults=_faults(course, protocol))


def _fit(scan: RecordedScan, protocol: ScanProtocol) -> tuple[float, float]:
    """Return TR and start of the fit over all pulses, the latter from the run's start."""
    fitted, start = scan.ledger.get("tr_fitted_s"), scan.ledger.get("start_by_fit_s")
    if fitted is None or start is None:
        return protocol.scanner.tr_s, 0.0
    return float(fitted), float(start) - scan.start_s


def _responses(scan: RecordedScan, protocol: ScanProtocol) -> Responses | None:
    task = protocol.task
    if task is None or not scan.started:
        return None
    events = scan.events
    # one whose time for an answer was cut off by the run's end was not missed
    over = (events["onset_s"] + task.limit_s <= scan.last_s) | events["answer"].notna()
    asked = events[events["asked"] & events["onset_s"].notna() & over]
    answered = asked[asked["answer"].notna()]
    missed = asked[asked["answer"].isna()]
    alarms = scan.presses[scan.presses["event"].isna() & scan.presses["key"].isin(task.keys)]
    alarms_s = alarms["time_s"].to_numpy(float) - scan.start_s
    return Responses(
        asked=len(asked),
        hits=int(answered["right"].sum()),
        wrong=int((~answered["right"]).sum()),
        misses=len(missed),
        false_alarms=int((alarms_s >= 0).sum()),
        times_s=answered["answer_s"].to_numpy(float),
        onsets_s=answered["onset_s"].to_numpy(float) - scan.start_s,
        missed_s=missed["onset_s"].to_numpy(float) - scan.start_s,
        alarms_s=alarms_s[alarms_s >= 0],
    )


def _faults(course: ScanCourse, protocol: ScanProtocol) -> list[str]:
    scan = course.scan
    if not scan.started:
        return [
            "It never began: no stored volume came." if len(scan.pulses) else "It never began: no pulse came."
        ]
    faults = []
    if scan.off_s:
        faults.append(_off_words(scan))
    if scan.status != "completed":
        faults.append(f"It did not come to its end: {scan.status or 'the program was cut off'}.")
    seen = int(scan.ledger.get("stored_volumes_seen") or scan.stored_volumes)
    if seen < scan.volumes:
        faults.append(f"Pulses of {seen:,} of {count(scan.volumes, 'volume')} came.")
    ending = scan.ledger.get("first_missed")
    if ending:
        faults.append(
            "Its first pulse was missed, so that it began later than it believed."
            if ending.get("sure")
            else "Its first pulse may have been missed: count the volumes of its images (see below)."
        )
    every_s = _crowded_every_s(scan)
    if every_s is not None:
        faults.append(
            f"Its pulses came every {every_s:.3f} s, which is not how the protocol has them: they are slices, or the "
            "TR was another. See what was said of it when it was found, below."
        )
    faults += _told_faults(scan, crowded=every_s is not None)
    before = int((course.missing_s < 0).sum())
    if before:
        faults.append(f"{count(before, 'pulse')} before the first stored volume did not come.")
    tr = run_tr(scan, protocol)
    if tr.off:
        faults.append(
            f"The TR was {tr.tr_s:.4f} s, not {protocol.scanner.tr_s:g} s: onsets planned in volumes drift"
            " against the volumes."
        )
    numbers = {verdict: n for verdict in ("extra", "human") if (n := len(course.odd_s.get(verdict, ())))}
    if numbers and every_s is None:
        odd = listed([count(n, *ODD[verdict]) for verdict, n in numbers.items()])
        faults.append(f"There {_was(sum(numbers.values()))} {odd}.")
    faults += _shown_faults(course)
    return faults


def _off_words(scan: SettledScan) -> str:
    early = scan.off_s < 0
    return (
        f"The run began {abs(scan.off_s):.3f} s {'before' if early else 'after'} the first volume, as {scan.why}:"
        f" everything was shown that much too {'early' if early else 'late'} against the volumes. Times here and in"
        " the exports count from the volume."
    )


def _crowded_every_s(scan: RecordedScan) -> float | None:
    """Return how far apart its pulses were, if more came than the protocol knows of; None if not."""
    told = [one["detail"] for one in scan.findings if "pulses_every_s" in (one.get("detail") or {})]
    return float(told[-1]["pulses_every_s"]) if told else None


def _told_faults(scan: RecordedScan, *, crowded: bool) -> list[str]:
    """Return what was found of the whole sequence while it ran, where counts and fit of the pulses look well."""
    faults, jumps_s = [], []
    for one in scan.findings:
        detail = one.get("detail") or {}
        if not one.get("count"):
            continue
        if one.get("finding") == "running":
            faults.append(
                f"The scanner was running already: {count(int(one['count']), 'pulse')} came before the run was"
                " armed, so that its first volume is not the sequence's first."
            )
        elif "expected_pulses" in detail and not crowded:
            faults.append(
                f"More pulses came than the {detail['expected_pulses']:,} of the protocol: the sequence makes more,"
                " or the first one that was counted was not the scanner's, and everything was shown too early."
            )
        elif "phase_jump_s" in detail:
            jumps_s.append(abs(float(detail["phase_jump_s"])))
    if jumps_s:
        faults.append(
            f"Its pulses jumped {times(len(jumps_s))} off their places, by {max(jumps_s):.3f} s"
            f"{' at most' if len(jumps_s) > 1 else ''}: the sequence was held up or started again."
        )
    return faults


def _shown_faults(course: ScanCourse) -> list[str]:
    faults = []
    invalid = int((~course.valid).sum())
    if invalid:
        reasons = course.scan.shown.loc[~course.valid, "reason"].value_counts()
        why = ", ".join(f"{str(reason).replace('-', ' ')}: {n}" for reason, n in reasons.items())
        faults.append(f"{count(invalid, 'image')} {_was(invalid)} not shown as planned ({why}).")
    lacking = len(course.scan.images) - len(course.onsets_s)
    if lacking and course.scan.status == "completed":
        faults.append(f"{count(lacking, 'image')} of the plan {_was(lacking)} not shown.")
    return faults + _fixation_faults(course.scan)


def _fixation_faults(scan: RecordedScan) -> list[str]:
    """Return what went wrong with the fixation point, which in some runs is all of the task."""
    changes = scan.events[scan.events["kind"] == "fixation"]
    came = changes[changes["onset_s"].notna()]
    faults = []
    lacking = len(changes) - len(came)
    if lacking and scan.status == "completed":
        faults.append(f"{count(lacking, 'change')} of the fixation point {_was(lacking)} not shown.")
    off_s = (came["onset_s"] - scan.start_s - came["planned_s"]).abs()
    late = int((off_s > FARTHEST_FRAMES * scan.period_s).sum())
    if late:
        faults.append(
            f"{count(late, 'change')} of the fixation point {_was(late)} more than a frame off the plan."
        )
    return faults


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def drift_words(course: ScanCourse) -> str:
    """Say by how much the onset error grew over the run, with twice its standard error; empty for few images."""
    x, y = course.onsets_s, course.errors_ms
    if len(y) < 10 or not np.ptp(x):
        return ""
    slope, base = np.polyfit(x, y, 1)
    spread = float(np.sqrt(np.sum((y - base - slope * x) ** 2) / (len(y) - 2) / np.sum((x - x.mean()) ** 2)))
    span = float(np.ptp(x))
    return (
        f"From the first image to the last the onset error changed by {decimals(slope * span, 2)} ms"
        f" (± {2 * spread * span:.2f} ms, two standard errors). Each image is put on the frame that is nearest to"
        " its own planned time, so nothing adds up."
    )


def by_condition(course: ScanCourse) -> pd.DataFrame:
    """Return what was shown of each condition: kind, planned, shown, valid, asked, answered, median response time.

    A condition of which some events are images and others null events has a row for either.
    """
    events = course.scan.events[course.scan.events["kind"] != "fixation"]
    shown = events["onset_s"].notna()
    table = pd.DataFrame(
        {
            "trial_type": events["trial_type"].astype(str),
            "kind": events["kind"].astype(str),
            "planned": 1,
            "shown": shown,
            "valid": events["status"] == "valid",
            "asked": events["asked"] & shown,
            "right": events["right"] & shown,
            "answer_s": events["answer_s"],
        }
    )
    groups = table.groupby(["trial_type", "kind"])
    sums = groups[["planned", "shown", "valid", "asked", "right"]].sum()
    return sums.join(groups["answer_s"].median()).reset_index()
