"""A scanner session as one NWB file: planned and shown images, pulses, presses, scan runs, markers, subject.

Source: Neurodata Without Borders 2, written by pynwb.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from closedloop.exports.columns import rows
from closedloop.exports.files import write_whole
from closedloop.exports.nwb import (
    add_images,
    add_markers,
    load_pynwb,
    number_or_nan,
    nwb_file,
    text_or_empty,
    whole,
)
from closedloop.exports.session_time import zero_of_runs
from closedloop.scan.recorded import read_scans, scan_protocol_of
from closedloop.scan.settled import SettledScan, settle_all
from closedloop.session import SessionReader


def write_scan_nwb(reader: SessionReader, path: Path) -> Path:
    """Write a scanner session as an NWB file, also one that crashed.

    Args:
        reader: of the session.
        path: of the file, ending in ``.nwb``.

    Raises:
        SessionError: pynwb is not installed, or the session can't be read.
        DiskError: the file can't be written.
    """
    pynwb = load_pynwb()
    protocol = scan_protocol_of(reader)
    what = f"Images in a scanner, locked to its triggers: {protocol.output.experiment}"
    file = nwb_file(pynwb, reader, protocol.subject, protocol.notes, what)
    file.keywords = ("functional magnetic resonance imaging", "visual stimulation")
    zero = zero_of_runs(reader)
    scans = settle_all(read_scans(reader, protocol))
    places = add_images(pynwb, file, reader)
    _trials(pynwb, file, scans, places, zero)
    _runs(pynwb, file, scans, zero)
    _pulses(file, scans, zero)
    _presses(file, scans, zero)
    add_markers(file, reader, zero)

    def write(temporary: Path) -> None:
        with pynwb.NWBHDF5IO(str(temporary), "w") as out:
            out.write(file)

    return write_whole(path, write)


def _trials(
    pynwb: Any, file: Any, scans: list[SettledScan], places: dict[int, int], zero: dict[int, float]
) -> None:
    """Add each image that came on the screen as a trial."""
    shown = [
        {**row, "scan": scan.scan, "label": scan.label, "start": scan.start_s, "zero": zero[scan.run]}
        for scan in scans
        for row in rows(scan.shown)
    ]
    if not shown:
        return
    for row in shown:
        offset_s = number_or_nan(row["offset_s"])
        stop_s = offset_s if np.isfinite(offset_s) else float(row["onset_s"])
        file.add_trial(start_time=float(row["onset_s"]) - row["zero"], stop_time=stop_s - row["zero"])
    columns: tuple[tuple[str, str, Any], ...] = (
        ("trial", "number of the trial, as sent in the markers", [int(row["trial"]) for row in shown]),
        ("scan", "number of the scan run", [int(row["scan"]) for row in shown]),
        ("label", "of the scan run in the protocol", [str(row["label"]) for row in shown]),
        ("event", "number of the event in the run's plan", [int(row["event"]) for row in shown]),
        ("trial_type", "condition", [str(row["trial_type"]) for row in shown]),
        ("image", "number of the image", [int(row["image"]) for row in shown]),
        ("stimulus", "name of the image", [text_or_empty(row["source"]) for row in shown]),
        ("planned_onset", "s from the first stored volume", [float(row["planned_s"]) for row in shown]),
        (
            "onset",
            "s from the first stored volume, by the flip",
            [float(row["onset_s"] - row["start"]) for row in shown],
        ),
        ("valid", "whether it was shown as planned", [row["status"] == "valid" for row in shown]),
        ("reason", "why it was not", [text_or_empty(row["reason"]) for row in shown]),
        ("missed_frames", "frames that the display missed", [max(whole(row["missed"]), 0) for row in shown]),
        ("response", "key pressed in answer; empty: none", [text_or_empty(row["answer"]) for row in shown]),
        ("response_time", "s; NaN without an answer", [number_or_nan(row["answer_s"]) for row in shown]),
    )
    for name, description, data in columns:
        file.add_trial_column(name=name, description=description, data=data)
    seen = [row for row in shown if int(row["image"]) in places]
    if seen:
        file.add_stimulus(
            pynwb.image.IndexSeries(
                name="stimulus_presentation",
                description="onset of each image, by its place in the template",
                data=np.array([places[int(row["image"])] for row in seen], dtype=np.uint32),
                indexed_images=file.stimulus_template["images"],
                timestamps=np.array([float(row["onset_s"]) - row["zero"] for row in seen]),
                unit="N/A",
            )
        )


def _runs(pynwb: Any, file: Any, scans: list[SettledScan], zero: dict[int, float]) -> None:
    """Add the scan runs, and all that was planned in those that began, as intervals."""
    begun = [scan for scan in scans if scan.started]
    if not begun:
        return
    table = pynwb.epoch.TimeIntervals(
        name="scan_runs",
        description="from the first stored volume to the end; runs that never began are left out",
    )
    for name, description in (
        ("scan", "number of the scan run"),
        ("label", "in the protocol"),
        ("attempt", "how often the label was armed before"),
        ("status", "completed, aborted, failed; empty: cut off"),
        ("tr_fitted_s", "by its pulses, s; NaN: too few"),
        (
            "began_late_s",
            "by how much later than its first stored volume it believed to begin; below 0: earlier",
        ),
    ):
        table.add_column(name=name, description=description)
    plan = pynwb.epoch.TimeIntervals(
        name="planned_events",
        description="what was planned, null events too, before it was put on whole frames; by the start that the"
        " run believed",
    )
    for name, description in (
        ("scan", "number of the scan run"),
        ("event", "number in the plan"),
        ("kind", "image, null or fixation"),
        ("trial_type", "condition"),
        ("took_place", "an image or a change of the fixation point came on the screen"),
    ):
        plan.add_column(name=name, description=description)
    for scan in begun:
        start_s = scan.start_s - zero[scan.run]
        table.add_interval(
            start_time=start_s,
            stop_time=scan.last_s - zero[scan.run],
            scan=scan.scan,
            label=scan.label,
            attempt=scan.attempt,
            status=scan.status or "",
            tr_fitted_s=number_or_nan(scan.ledger.get("tr_fitted_s")),
            began_late_s=scan.off_s,
        )
        for row in rows(scan.events.sort_values("planned_s", kind="stable")):
            onset_s = start_s + scan.off_s + row["planned_s"]
            plan.add_interval(
                start_time=onset_s,
                stop_time=onset_s + row["duration_s"],
                scan=scan.scan,
                event=int(row["event"]),
                kind=str(row["kind"]),
                trial_type=str(row["trial_type"]),
                took_place=bool(np.isfinite(number_or_nan(row["onset_s"]))),
            )
    file.add_time_intervals(table)
    file.add_time_intervals(plan)


def _pulses(file: Any, scans: list[SettledScan], zero: dict[int, float]) -> None:
    if not any(len(scan.pulses) for scan in scans):
        return
    events = file.create_events_table(
        name="pulses",
        description="everything that came on the trigger's path, with what it turned out to be",
        source_description="; ".join(sorted({str(scan.trigger.get("device", "unknown")) for scan in scans})),
    )
    for name, description in (
        ("scan", "number of the scan run"),
        ("pulse", "in order of arrival"),
        ("verdict", "volume, slice, doubled, extra, human or after"),
        ("volume", "that it began, from 0 for the first pulse; -1: none"),
        ("mark", "what came"),
        ("uncertainty_s", "of the stamp"),
    ):
        events.add_column(name=name, description=description)
    for scan in scans:
        for row in rows(scan.pulses):
            events.add_row(
                timestamp=row["time_s"] - zero[scan.run],
                scan=scan.scan,
                pulse=int(row["pulse"]),
                verdict=str(row["verdict"]),
                volume=whole(row["volume"]),
                mark=str(row["mark"]),
                uncertainty_s=float(row["uncertainty_s"]),
            )


def _presses(file: Any, scans: list[SettledScan], zero: dict[int, float]) -> None:
    if not any(len(scan.presses) for scan in scans):
        return
    events = file.create_events_table(
        name="presses",
        description="presses of the subject's buttons",
        source_description="button box of the subject",
    )
    for name, description in (
        ("scan", "number of the scan run"),
        ("key", "that was pressed"),
        ("answered_event", "number of the planned event that it answers; -1: none"),
    ):
        events.add_column(name=name, description=description)
    for scan in scans:
        for row in rows(scan.presses.sort_values("time_s", kind="stable")):
            events.add_row(
                timestamp=row["time_s"] - zero[scan.run],
                scan=scan.scan,
                key=str(row["key"]),
                answered_event=whole(row["event"]),
            )
