"""The session's trials as BIDS events: ``events.tsv`` and the sidecar that describes it.

Source: BIDS specification 1.10, "Events" (task events).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from closedloop.exports.files import write_text
from closedloop.exports.images import image_files
from closedloop.exports.presentation import presentation
from closedloop.exports.session_time import zero_of_runs
from closedloop.exports.tables import trials
from closedloop.protocol.sections.display import Display
from closedloop.protocol.sections.volumes import unit_of_responses
from closedloop.replay.recorded import protocol_tree
from closedloop.session import SessionReader

COLUMNS = (
    "onset",
    "duration",
    "trial_type",
    "stim_file",
    "generation",
    "thread",
    "image",
    "trial",
    "run",
    "attempt",
    "value",
    "valid",
    "reason",
    "missed_frames",
)
_NUMBER = {"onset": "{:.6f}", "duration": "{:.6f}", "value": "{:.6g}"}


def events(reader: SessionReader) -> pd.DataFrame:
    """Return one row an image that came on the screen, times in seconds from the session's start."""
    table = trials(reader)
    table = table[table["onset_s"].notna()].sort_values(["run", "onset_s"])
    zero = zero_of_runs(reader)
    files = {image: name for name, image in image_files(reader).items()}
    return pd.DataFrame(
        {
            "onset": table["onset_s"] - table["run"].map(zero),
            "duration": table["offset_s"] - table["onset_s"],
            "trial_type": table["image_kind"],
            "stim_file": [files.get(int(image)) for image in table["image"]],
            "generation": table["generation"],
            "thread": table["thread_name"],
            "image": table["image"],
            "trial": table["trial"],
            "run": table["run"],
            "attempt": table["attempt"],
            "value": table["value"],
            "valid": [_validity(status) for status in table["status"]],
            "reason": table["reason"],
            "missed_frames": table["missed"],
        },
        columns=list(COLUMNS),
    )


def write_events(reader: SessionReader, to: Path) -> list[Path]:
    """Write ``events.tsv`` and ``events.json``."""
    table = events(reader)
    lines = ["\t".join(COLUMNS)]
    for row in table.itertuples(index=False):
        lines.append("\t".join(cell(name, value) for name, value in zip(COLUMNS, row, strict=True)))
    described = json.dumps(sidecar(reader, table), indent=2, ensure_ascii=False)
    return [
        write_text(to / "events.tsv", "\n".join(lines) + "\n"),
        write_text(to / "events.json", described + "\n"),
    ]


def _restarted(reader: SessionReader) -> str:
    """Say which runs began on another clock, if any did."""
    zero = zero_of_runs(reader)
    anew = [str(run) for run, zero_s in zero.items() if zero_s != zero[min(zero)]]
    if not anew:
        return ""
    return (
        f" The machine's clock began anew before run {', '.join(anew)} of the program: onsets of such a run are"
        " exact among each other, and lie after the session's start by the wall clock."
    )


def _validity(status: str) -> str | None:
    return {"valid": "true", "invalid": "false", "interrupted": "false"}.get(status)


def cell(name: str, value: Any) -> str:
    """Return a value as it stands in the column of a name."""
    if value is None or pd.isna(value):
        return "n/a"
    text = _NUMBER[name].format(value) if name in _NUMBER else str(value)
    return " ".join(text.split())  # a tab or line break within a cell would make another cell


def sidecar(reader: SessionReader, table: pd.DataFrame, display: Display | None = None) -> dict[str, Any]:
    """Return what describes the columns of the events, and what showed the images.

    Args:
        reader: of the session.
        table: the events.
        display: section of the protocol, if it can be read.
    """
    run = reader.table("runs").iloc[0]
    start = f"LSL local_clock {float(run['started_s']):.6f} s, which was {run['started_utc']} UTC"
    reasons = sorted({str(reason) for reason in table["reason"].dropna()})
    return {
        "onset": {
            "LongName": "Onset",
            "Description": f"Time of the flip that showed the image, from the start of the session ({start})."
            + _restarted(reader),
            "Units": "s",
        },
        "duration": {
            "LongName": "Duration",
            "Description": "From the flip that showed the image to the flip that took it off.",
            "Units": "s",
        },
        "trial_type": {
            "LongName": "Kind of image",
            "Description": "Whether the image belongs to an evolution.",
            "Levels": {
                "evolved": "Image made from a code that the optimizer bred from earlier responses.",
                "reference": "Image that does not change over the session, shown in each generation.",
            },
        },
        "stim_file": {
            "LongName": "Image file",
            "Description": "The image, relative to the session folder, if it is among those exported;"
            " the pixels of every image stand in session.sqlite, table images.",
        },
        "generation": {"LongName": "Generation", "Description": "Counted from 0."},
        "thread": {"LongName": "Thread", "Description": "Name of the evolution that the image belongs to."},
        "image": {"LongName": "Image", "Description": "Number of the image in session.sqlite, table images."},
        "trial": {
            "LongName": "Trial",
            "Description": "Number of the trial, as in the LSL markers and in tables/*.parquet.",
        },
        "run": {
            "LongName": "Run of the program",
            "Description": "0 for the first, one more with each resume of the session.",
        },
        "attempt": {
            "LongName": "Attempt",
            "Description": "How many trials of this image (and repeat) were invalid before this one.",
        },
        "value": {
            "LongName": "Response",
            "Description": "The thread's units combined as the protocol says, in the response window.",
            "Units": unit_of_responses(protocol_tree(reader)),
        },
        "valid": {
            "LongName": "Valid",
            "Description": "Whether the trial counts; n/a: the session ended before it was judged.",
            "Levels": {"true": "The response was counted.", "false": "The trial does not count; see reason."},
        },
        "reason": {
            "LongName": "Reason",
            "Description": "Why a trial does not count."
            + (f" In this session: {', '.join(reasons)}." if reasons else ""),
        },
        "missed_frames": {
            "LongName": "Missed frames",
            "Description": "Frames that the display missed during the trial.",
        },
        "StimulusPresentation": presentation(reader, display),
    }
