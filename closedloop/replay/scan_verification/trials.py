"""Whether each image was shown, and judged, as its plan and its flips say; and what each press answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from closedloop.errors import TimingError
from closedloop.exports.columns import rows
from closedloop.ports import Shown
from closedloop.protocol.scan import ScanProtocol
from closedloop.replay.scan_verification.findings import ScanCheck, ScanDifference, ScanVerification
from closedloop.scan.answers import Answers
from closedloop.scan.frames import plan_run_frames
from closedloop.scan.judge import judge
from closedloop.scan.ports import ButtonPress
from closedloop.scan.recorded import RecordedScan, planned_event
from closedloop.scan.records import RunPlan
from closedloop.session import SessionReader


def check_trials(reader: SessionReader, scan: RecordedScan, found: ScanVerification) -> None:
    """Compare image, frames and judgement of each trial of a run with its plan and its flips.

    Args:
        reader: of the session.
        scan: as recorded.
        found: takes what is found.
    """
    planned = scan.images[scan.images["trial"].notna()]
    frames = _frames(scan, found)
    trials = reader.table("trials")
    recorded = {
        int(row["trial"]): {name: None if pd.isna(value) else value for name, value in row.items()}
        for row in rows(trials[trials["run"] == scan.run])
    }
    for row in rows(planned):
        trial = int(row["trial"])
        found.count(ScanCheck.TRIALS)
        for what, detail in _problems(reader, scan, row, recorded.get(trial), frames.get(int(row["event"]))):
            found.differences.append(
                ScanDifference(ScanCheck.TRIALS, what, detail, scan.scan, scan.name, trial)
            )


def check_answers(scan: RecordedScan, protocol: ScanProtocol, found: ScanVerification) -> None:
    """Match the presses of a run to its events again.

    Args:
        scan: as recorded.
        protocol: of the session.
        found: takes what is found.
    """
    task = protocol.task
    answers = Answers(task.keys, task.limit_s) if task is not None else Answers()
    for event, onset_s, asked in scan.events[["event", "onset_s", "asked"]].itertuples(index=False):
        if asked and np.isfinite(onset_s):
            answers.ask(int(event), float(onset_s))
    for row in scan.presses.sort_values("press").to_dict("records"):
        found.count(ScanCheck.ANSWERS)
        press = ButtonPress(
            str(row["key"]), float(row["time_s"]), float(row["uncertainty_s"]), float(row["received_s"])
        )
        event = answers.feed(press)
        recorded = None if pd.isna(row["event"]) else int(row["event"])
        if event != recorded:
            detail = f"recorded as an answer to {_event(recorded)}; by its time it answers {_event(event)}"
            found.differences.append(
                ScanDifference(ScanCheck.ANSWERS, "answer", detail, scan.scan, scan.name, int(row["press"]))
            )


def _problems(
    reader: SessionReader,
    scan: RecordedScan,
    row: Mapping[str, Any],
    recorded: Mapping[str, Any] | None,
    frames: int | None,
) -> list[tuple[str, str]]:
    if recorded is None:
        return [("record", "it was ordered, and is not in the file")]
    if recorded["image"] != row["image"]:
        return [("image", f"recorded {recorded['image']}; the plan has {row['image']}")]
    if frames is not None and recorded["on_frames"] != frames:
        return [("frames", f"{recorded['on_frames']} were ordered; the plan has {frames}")]
    was = recorded["reason"]
    if recorded["status"] not in ("valid", "invalid") or was == "dropped":
        return []
    trial = int(recorded["trial"])
    flips = reader.flips(trial, scan.run)
    if recorded["onset_s"] is not None and (not len(flips) or flips[0] != recorded["onset_s"]):
        return [("flips", "the first flip is not the onset")]
    if not math.isfinite(scan.period_s):
        return []
    counted = int(recorded["on_flips"] or 0), int(recorded["missed"] or 0)
    shown = Shown(trial, flips, *counted, complete=was != "cut-off")
    fault = judge(shown, scan.start_s + float(row["planned_s"]), scan.period_s)
    reason = None if fault is None else fault.reason
    if reason != was:
        return [("judgement", f"recorded '{was or 'valid'}'; its flips say '{reason or 'valid'}'")]
    return []


def _frames(scan: RecordedScan, found: ScanVerification) -> dict[int, int]:
    """Return for how many frames each event is to be on; nothing where the display was not measured."""
    if not math.isfinite(scan.period_s):
        return {}
    events = tuple(planned_event(row, None) for row in rows(scan.events))
    try:
        placed = plan_run_frames(RunPlan(scan.label, events, scan.duration_s, scan.volumes), scan.period_s)
    except TimingError as error:
        found.notes.append(f"Frames of {scan.name} are not compared: {error.where}: {error.found}.")
        return {}
    return {one.event: one.on_frames for one in placed.events}


def _event(number: int | None) -> str:
    return "no event" if number is None else f"event {number}"
