"""What a scan run showed as BIDS events, in seconds from the first stored volume.

Source: BIDS specification 1.10, "Events".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from closedloop.exports.columns import rows
from closedloop.scan.recorded import plain
from closedloop.scan.settled import SettledScan

COLUMNS = (
    "onset",
    "duration",
    "trial_type",
    "stim_file",
    "response",
    "response_time",
    "valid",
    "reason",
    "missed_frames",
    "planned_onset",
    "onset_error",
    "planned_duration",
    "event",
    "trial",
)
_INTERRUPTED = "interrupted"  # it was on the screen when the program ended
_CUT_OFF = "cut-off"
_SECONDS = ("onset", "duration", "response_time", "planned_onset", "onset_error", "planned_duration")


def scan_events(scan: SettledScan, files: Mapping[int, str]) -> pd.DataFrame:
    """Return one row an event that took place, by onset: columns ``COLUMNS`` and those of the plan.

    Images and changes of the fixation point have the onset of the flip that showed them. A null event has its
    planned one: nothing is shown, so there is nothing to measure. Events that the run did not come to are
    left out; a run that never began has no row.

    Args:
        scan: of the session.
        files: of the images, by number.
    """
    table = scan.events
    seen = table["onset_s"].notna()
    due_s = scan.began_s + table["planned_s"]
    silent = (table["kind"] == "null") & (due_s < scan.last_s)
    table = table[(seen | silent) & scan.started]
    onset = (table["onset_s"] - scan.start_s).where(table["onset_s"].notna(), table["planned_s"] + scan.off_s)
    lasted = (table["offset_s"] - table["onset_s"]).where(table["kind"] == "image", table["duration_s"])
    out = pd.DataFrame(
        {
            "onset": onset,
            "duration": lasted,
            "trial_type": table["trial_type"],
            "stim_file": [files.get(int(image)) if pd.notna(image) else None for image in table["image"]],
            "response": table["answer"],
            "response_time": table["answer_s"],
            "valid": [
                _valid(kind, status) for kind, status in zip(table["kind"], table["status"], strict=True)
            ],
            "reason": table["reason"].where(table["status"] != _INTERRUPTED, _CUT_OFF),
            "missed_frames": table["missed"],
            "planned_onset": table["planned_s"],
            "onset_error": (table["onset_s"] - scan.start_s - table["planned_s"]).astype(float),
            "planned_duration": table["duration_s"],
            "event": table["event"],
            "trial": table["trial"],
        },
        columns=list(COLUMNS),
    )
    for name in plan_columns(scan):
        out[_column(name)] = [plain(row["fields"].get(name)) for row in rows(table)]
    return out.sort_values("onset", ignore_index=True, kind="stable")


def plan_columns(scan: SettledScan) -> list[str]:
    """Return the names of the plan's own columns, in order of their appearance."""
    return list(dict.fromkeys(str(name) for fields in scan.events["fields"] for name in fields))


def events_tsv(table: pd.DataFrame) -> str:
    """Return the events as tab-separated text, ``n/a`` for what is missing."""
    lines = ["\t".join(table.columns)]
    for row in table.itertuples(index=False):
        lines.append("\t".join(_cell(name, value) for name, value in zip(table.columns, row, strict=True)))
    return "\n".join(lines) + "\n"


def describe_columns(scan: SettledScan, table: pd.DataFrame) -> dict[str, Any]:
    """Return what describes each column, for the sidecar."""
    levels = {str(one): _level(str(one), table) for one in table["trial_type"].unique()}
    reasons = sorted({str(reason) for reason in table["reason"].dropna()})
    described: dict[str, Any] = {
        "onset": {
            "LongName": "Onset",
            "Description": "From the first stored volume's trigger to the flip that showed the image or changed"
            " the fixation point; of null events as planned. "
            f"0 is LSL local_clock {scan.start_s:.6f} s.{_began_words(scan)}",
            "Units": "s",
        },
        "duration": {
            "LongName": "Duration",
            "Description": "To the flip that took the image off; of other events as planned.",
            "Units": "s",
        },
        "trial_type": {"LongName": "Condition", "Description": "What was shown.", "Levels": levels},
        "stim_file": {
            "LongName": "Image file",
            "Description": "The image as it was shown, relative to the dataset's folder stimuli.",
        },
        "response": {
            "LongName": "Response",
            "Description": "The key that the subject pressed in answer; n/a: none, or none was asked for. Presses"
            " that answer nothing are in the physio file.",
        },
        "response_time": {
            "LongName": "Response time",
            "Description": "From the onset to the press.",
            "Units": "s",
        },
        "valid": {
            "LongName": "Valid",
            "Description": "Whether the image was shown as planned; n/a: no image, or one of which the session file"
            " does not say yet how it ended: the program still runs, or was killed and the session has not gone on.",
            "Levels": {"true": "It was.", "false": "It was not; see reason."},
        },
        "reason": {
            "LongName": "Reason",
            "Description": "Why a trial is not valid; cut-off also where the program ended while it was on."
            + (f" Here: {', '.join(reasons)}." if reasons else ""),
        },
        "missed_frames": {
            "LongName": "Missed frames",
            "Description": "Frames that the display missed while the image was on.",
        },
        "planned_onset": {
            "LongName": "Planned onset",
            "Description": "From the first stored volume, before it is put on a whole frame.",
            "Units": "s",
        },
        "onset_error": {
            "LongName": "Onset error",
            "Description": "Onset minus planned onset; half a frame at most if all went well, as images come on"
            " whole frames.",
            "Units": "s",
        },
        "planned_duration": {
            "LongName": "Planned duration",
            "Description": "Before it is put on whole frames.",
            "Units": "s",
        },
        "event": {
            "LongName": "Event",
            "Description": "Its number in the plan, from 0; a gap is an event that the run did not come to.",
        },
        "trial": {
            "LongName": "Trial",
            "Description": "Its number in the session file and in the LSL markers.",
        },
    }
    for name in plan_columns(scan):
        described[_column(name)] = {"LongName": name, "Description": "As the plan of the run has it."}
    if "one_back" in described:
        described["one_back"]["Levels"] = {"1": "The same image as before.", "0": "Another image."}
    return described


def _began_words(scan: SettledScan) -> str:
    if not scan.off_s:
        return ""
    return (
        f" The run itself believed that its first stored volume began at {scan.began_s:.6f} s, {off_words(scan)},"
        f" as {scan.why}, and showed everything by that: onset_error holds the difference, while valid was judged"
        f" by the start that was believed. Each onset here is from {_zero_words(scan)}."
    )


def _zero_words(scan: SettledScan) -> str:
    if scan.by_line:
        return "where the line through the scanner's other pulses has that volume"
    return "the volume's own trigger"


def off_words(scan: SettledScan) -> str:
    """Say by how much a run began off its first stored volume: ``0.450 s before it``."""
    return f"{abs(scan.off_s):.3f} s {'before' if scan.off_s < 0 else 'after'} it"


def _level(trial_type: str, table: pd.DataFrame) -> str:
    of_type = table[table["trial_type"] == trial_type]
    if of_type["stim_file"].notna().any():
        return "An image of this condition."
    return {
        "null": "Null event: on purpose nothing is shown.",
        "fixation": "The fixation point changes its colour for the duration.",
        "rest": "Rest.",
    }.get(trial_type, "No image is shown.")


def _column(name: str) -> str:
    """A column of the plan never takes the place of a measured one."""
    return f"plan_{name}" if name in COLUMNS else name


def _valid(kind: str, status: Any) -> str | None:
    if kind != "image":
        return None
    return {"valid": "true", "invalid": "false", _INTERRUPTED: "false"}.get(str(status))


def _cell(name: str, value: Any) -> str:
    if pd.isna(value):
        return "n/a"
    text = f"{value:.6f}" if name in _SECONDS else f"{value:g}" if isinstance(value, float) else str(value)
    text = " ".join(text.split())  # a tab or line break within a cell would make another cell
    return "0.000000" if text == "-0.000000" else text or "n/a"
