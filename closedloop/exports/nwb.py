"""The session as one NWB file: trials, stimuli with their codes, spikes or rates, markers, units, subject.

Source: Neurodata Without Borders 2, written by pynwb.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from closedloop.errors import SessionError
from closedloop.exports.columns import rows
from closedloop.exports.files import write_whole
from closedloop.exports.nwb_samples import Heard, SamplesInTime, heard_responses, written_in_pieces
from closedloop.exports.session_time import start_of, zero_of_runs
from closedloop.exports.tables import markers, trials
from closedloop.ports import Float64
from closedloop.protocol.sections.subject import Subject
from closedloop.replay.amended import amended_runs
from closedloop.replay.recorded import protocol_of
from closedloop.session import SessionReader

_UNKNOWN = "unknown"


def write_nwb(reader: SessionReader, path: Path) -> Path:
    """Write a session as an NWB file, also one that crashed.

    Args:
        reader: of the session.
        path: of the file, ending in ``.nwb``.

    Raises:
        SessionError: pynwb is not installed, or the session can't be read.
        DiskError: the file can't be written.
    """
    pynwb = load_pynwb()
    protocol = protocol_of(reader)  # as it held in the last run
    what = f"Closed-loop evolution of images: {protocol.output.experiment}"
    file = nwb_file(pynwb, reader, protocol.subject, protocol.notes, what)
    file.keywords = ("closed loop", "visual stimulation", "generative image model")
    zero = zero_of_runs(reader)
    images = add_images(pynwb, file, reader)
    _codes(file, reader, images, protocol.response.unit)
    _trials(pynwb, file, reader, images, zero, protocol.response.unit)
    _responses(pynwb, file, reader, zero)
    add_markers(file, reader, zero)

    def write(temporary: Path) -> None:
        with pynwb.NWBHDF5IO(str(temporary), "w") as out:
            out.write(file)

    return write_whole(path, write)


def load_pynwb() -> Any:
    """Return the package.

    Raises:
        SessionError: it is not installed.
    """
    try:
        import pynwb
        import pynwb.base
        import pynwb.file
        import pynwb.image
    except ImportError as error:
        raise SessionError(
            "export to NWB",
            found="pynwb is not installed",
            expected="the optional part 'nwb' of closedloop",
            remedy='Install it: pip install "closedloop[nwb]"',
        ) from error
    return pynwb


def nwb_file(pynwb: Any, reader: SessionReader, subject: Subject, notes: str, what: str) -> Any:
    """Return an NWB file that knows whose session it is, and nothing yet of what happened.

    Args:
        pynwb: the package.
        reader: of the session.
        subject: section of the protocol.
        notes: of the protocol.
        what: the session in a sentence.
    """
    meta = reader.meta()
    session = meta.get("session", reader.folder.name)
    start = start_of(reader)
    return pynwb.NWBFile(
        session_description=what,
        identifier=session,
        session_id=session,
        session_start_time=start,
        timestamps_reference_time=start,
        notes=notes or None,
        protocol=_protocols(reader),
        source_script="closedloop export",
        source_script_file_name="closedloop",
        subject=pynwb.file.Subject(
            subject_id=subject.id,
            species=subject.species or _UNKNOWN,
            sex=subject.sex or "U",
            # the format asks for one; from 0 days on is what is known of an age that nobody has told
            age=subject.age or "P0D/",
            description=subject.notes or "as the protocol names it",
        ),
    )


def _protocols(reader: SessionReader) -> str:
    """Return the protocol, and after it those of runs that went on with changes."""
    texts = [reader.meta().get("protocol", "")]
    texts += [f"# from run {one.run} of the program on:\n{one.text}" for one in amended_runs(reader)]
    return "\n".join(texts)


def add_images(pynwb: Any, file: Any, reader: SessionReader) -> dict[int, int]:
    """Add every rendered image as a stimulus template; return where each lies in it."""
    numbers = [int(row["image"]) for row in rows(reader.table("images").sort_values("image"))]
    pictures: list[Any] = []
    places: dict[int, int] = {}
    for number in numbers:
        pixels = reader.pixels(number)
        if pixels is not None:
            places[number] = len(pictures)
            name = f"image_{number:06d}"
            pictures.append(pynwb.image.RGBImage(name=name, data=pixels, description=f"image {number}"))
    if pictures:
        order = pynwb.base.ImageReferences(name="order_of_images", data=pictures)
        description = "every image that was rendered, red, green, blue, top row first"
        file.add_stimulus_template(
            pynwb.base.Images(name="images", description=description, images=pictures, order_of_images=order)
        )
    return places


def _codes(file: Any, reader: SessionReader, places: dict[int, int], unit: str) -> None:
    """Add codes and genealogy of the images, a table for each length of codes."""
    module = file.create_processing_module("evolution", "codes, parents and scores of all images")
    table = reader.table("images").sort_values("image")
    codes = {int(image): reader.code(int(image)) for image in table["image"]}
    names = dict(zip(reader.table("threads")["thread"], reader.table("threads")["name"], strict=True))
    for length in sorted({len(code) for code in codes.values() if code is not None}):
        own = [
            row
            for row in rows(table)
            if (code := codes[int(row["image"])]) is not None and len(code) == length
        ]
        columns: list[tuple[str, str, Any]] = [
            ("image", "number of the image", [int(row["image"]) for row in own]),
            (
                "template_index",
                "its place in the stimulus template; -1: not rendered",
                [places.get(int(row["image"]), -1) for row in own],
            ),
            ("kind", "evolved or reference", [str(row["kind"]) for row in own]),
            (
                "thread",
                "name of the evolution",
                [str(names.get(row["thread"], row["thread"])) for row in own],
            ),
            ("generation", "generation; -1: a reference", [whole(row["generation"]) for row in own]),
            ("row", "row in its population", [int(row["row"]) for row in own]),
            ("origin", "where its code came from", [str(row["origin"]) for row in own]),
            (
                "parent_1",
                "row of the parent in the last generation; -1: none",
                [whole(row["parent_1"]) for row in own],
            ),
            ("parent_2", "row of the other parent; -1: none", [whole(row["parent_2"]) for row in own]),
            (
                "code",
                "code of the generator",
                np.stack([code for row in own if (code := codes[int(row["image"])]) is not None]),
            ),
        ]
        module.add(dynamic_table(f"codes_{length}", "images and their codes", columns))
    scores = rows(reader.table("scores"))
    if scores:
        told = [
            (
                "thread",
                "name of the evolution",
                [str(names.get(row["thread"], row["thread"])) for row in scores],
            ),
            ("generation", "generation", [int(row["generation"]) for row in scores]),
            ("image", "number of the image", [int(row["image"]) for row in scores]),
            ("n", "valid trials", [int(row["n"]) for row in scores]),
            ("mean", f"mean of their values, {unit}", [float(row["mean"]) for row in scores]),
            ("sem", "standard error of the mean", [float(row["sem"]) for row in scores]),
            ("score", "what the optimizer was told", [float(row["score"]) for row in scores]),
        ]
        module.add(dynamic_table("scores", "scores of each generation", told))


def _trials(
    pynwb: Any, file: Any, reader: SessionReader, places: dict[int, int], zero: dict[int, float], unit: str
) -> None:
    table = trials(reader)
    shown = rows(table[table["onset_s"].notna()].sort_values(["run", "onset_s"]))
    if not shown:
        return
    answers = _answers(reader, shown)
    columns: tuple[tuple[str, str, Any], ...] = (
        ("trial", "number of the trial, as sent in the markers", [int(row["trial"]) for row in shown]),
        ("run", "run of the program that showed it", [int(row["run"]) for row in shown]),
        ("thread", "name of the evolution", [str(row["thread_name"]) for row in shown]),
        ("generation", "generation, from 0", [int(row["generation"]) for row in shown]),
        ("image", "number of the image", [int(row["image"]) for row in shown]),
        ("image_kind", "evolved or reference", [str(row["image_kind"]) for row in shown]),
        ("repeat", "which of the repeats of its image", [int(row["repeat"]) for row in shown]),
        ("attempt", "how many trials of it were invalid before", [int(row["attempt"]) for row in shown]),
        ("valid", "whether the trial counts", [bool(row["valid"]) for row in shown]),
        ("status", "valid, invalid or interrupted", [str(row["status"]) for row in shown]),
        ("reason", "why it does not count", [text_or_empty(row["reason"]) for row in shown]),
        ("missed_frames", "frames that the display missed", [max(whole(row["missed"]), 0) for row in shown]),
        (
            "value",
            f"the units combined as the protocol says, {unit}",
            [number_or_nan(row["value"]) for row in shown],
        ),
        ("rates", f"response of each unit, {unit}; NaN if the trial does not count", answers),
    )
    for row in shown:
        onset_s = float(row["onset_s"]) - zero[int(row["run"])]
        flips = reader.flips(int(row["trial"]), int(row["run"]))
        offset_s = number_or_nan(row["offset_s"])
        if not np.isfinite(offset_s):  # cut off: the last flip that is known
            offset_s = float(flips[-1]) if len(flips) else float(row["onset_s"])
        file.add_trial(start_time=onset_s, stop_time=offset_s - zero[int(row["run"])])
    for name, description, data in columns:
        file.add_trial_column(name=name, description=description, data=data)
    seen = [row for row in shown if int(row["image"]) in places]
    if seen:
        times = np.array([float(row["onset_s"]) - zero[int(row["run"])] for row in seen])
        file.add_stimulus(
            pynwb.image.IndexSeries(
                name="stimulus_presentation",
                description="onset of each image, by its place in the template",
                data=np.array([places[int(row["image"])] for row in seen], dtype=np.uint32),
                indexed_images=file.stimulus_template["images"],
                timestamps=times,
                unit="N/A",
            )
        )


def _answers(reader: SessionReader, shown: list[dict[str, Any]]) -> Float64:
    known = {
        (row["trial"], row["run"]): reader.rates(int(row["trial"]), int(row["run"]))
        for row in shown
        if row["valid"]
    }
    width = max((len(rates) for rates in known.values()), default=1)
    answers = np.full((len(shown), width), np.nan)
    for place, row in enumerate(shown):
        rates = known.get((row["trial"], row["run"]))
        if rates is not None:
            answers[place, : len(rates)] = rates
    return answers


def _responses(pynwb: Any, file: Any, reader: SessionReader, zero: dict[int, float]) -> None:
    """Add the response stream: spikes as units, anything else as a series with a row of units."""
    heard = heard_responses(reader)
    if not heard:
        return
    counted = sorted({unit for one in heard for unit in one.counted})
    spikes = [one for one in heard if one.kind == "spikes"]
    others = [one for one in heard if one.kind != "spikes"]
    names = max((one.unit_names for one in others), key=len, default=[])
    if spikes:
        times, units = _spikes(reader, [run for one in spikes for run in one.runs], zero)
        count = max(
            [int(units.max(initial=0)) + 1, max(counted) + 1, len(names), *(one.unit_count for one in spikes)]
        )
        names = [*names, *(f"unit {unit}" for unit in range(len(names), count))]
    _electrodes(file, heard[-1], names, counted)
    if spikes:
        # units without spikes would be a misuse of the table: rates stand beside the electrodes
        file.add_unit_column("unit_name", "as the recording system names it")
        file.add_unit_column("counted", "whether its responses are the scores of an evolution")
        for unit, name in enumerate(names):
            own = {"unit_name": name, "counted": unit in counted, "electrodes": [unit]}
            file.add_unit(id=unit, spike_times=times[units == unit], **own)
    for one in others:
        _series(pynwb, file, reader, one, zero, alone=len(others) == 1)


def _series(
    pynwb: Any, file: Any, reader: SessionReader, heard: Heard, zero: dict[int, float], *, alone: bool
) -> None:
    measured_in = "Hz" if heard.volumes is None else "n/a"
    span = "bin that ends" if heard.volumes is None else f"volume that {heard.volumes.stamped}s"
    described = {
        "rates": (f"{heard.measured} in the {span} at the stamp", measured_in),
        "counts": ("spikes in the bin that ends at the stamp", "count"),
        "trials": (f"trial number, then {heard.measured} of each unit", measured_in),
    }[heard.kind]
    samples = SamplesInTime(reader, heard.runs, zero)
    runs = ", ".join(map(str, heard.runs))
    of_runs = "" if alone else f"; of run {runs} of the program, whose stream had a form of its own"
    file.add_acquisition(
        pynwb.TimeSeries(
            name="responses" if alone else f"responses_run{heard.runs[0]}",
            description=f"{described[0]}; a column a unit, as heard over LSL from {heard.source}{of_runs}",
            data=pynwb.H5DataIO(written_in_pieces(samples), compression="gzip", compression_opts=1),
            unit=described[1],
            timestamps=pynwb.H5DataIO(samples.times_s, compression="gzip", compression_opts=1),
        )
    )


def _spikes(
    reader: SessionReader, runs: list[int], zero: dict[int, float]
) -> tuple[Float64, npt.NDArray[np.int64]]:
    """Return times from the session's start and units of all spikes, in order of time."""
    times = [np.empty(0)]
    units = [np.empty(0, dtype=np.int64)]
    for run in runs:
        for row, stamps, block in reader.chunk_arrays("response", run=run):
            times.append(stamps + row["correction_s"] - zero[run])
            units.append(block[:, 0].astype(np.int64))
    stamps_s, of_unit = np.concatenate(times), np.concatenate(units)
    order = np.argsort(stamps_s, kind="stable")
    return stamps_s[order], of_unit[order]


def _electrodes(file: Any, heard: Heard, names: list[str], counted: list[int]) -> None:
    device = file.create_device(name="recording_system", description=f"heard over LSL: {heard.source}")
    group = file.create_electrode_group(
        name="channels", description="channels of the stream", location=_UNKNOWN, device=device
    )
    file.add_electrode_column("label", "as the recording system names the channel or unit")
    file.add_electrode_column("counted", "whether its responses are the scores of an evolution")
    for unit, name in enumerate(names):
        file.add_electrode(location=_UNKNOWN, group=group, label=name, counted=unit in counted)


def add_markers(file: Any, reader: SessionReader, zero: dict[int, float]) -> None:
    """Add the markers as a table of events, times in seconds from the session's start."""
    table = markers(reader)
    if table.empty:
        return
    table["at_s"] = table["time_s"] - table["run"].map(zero)
    events = file.create_events_table(
        name="markers",
        description="markers as sent over LSL; of a stimulus, the time of the flip that showed it or took it off",
        source_description="LSL stream closedloop-markers",
    )
    texts = ("event", "thread")
    numbers = ("run", "trial", "generation", "image")
    for name in (*texts, *numbers):
        missing = "empty" if name in texts else "-1"
        events.add_column(name=name, description=f"{name} of the marker; {missing} where it names none")
    for row in rows(table.sort_values("at_s", kind="stable")):
        named = {name: text_or_empty(row[name]) for name in texts}
        counted = {name: whole(row[name]) for name in numbers}
        events.add_row(timestamp=float(row["at_s"]), **named, **counted)


def dynamic_table(name: str, description: str, columns: list[tuple[str, str, Any]]) -> Any:
    """Return a table of columns, each with name, description and data."""
    from hdmf.common import DynamicTable, VectorData

    made = [VectorData(name=key, description=words, data=data) for key, words, data in columns]
    return DynamicTable(name=name, description=description, columns=made)


def whole(value: Any) -> int:
    """Return a value as a whole number; -1 where it is missing."""
    return int(value) if text_or_empty(value) and np.isfinite(float(value)) else -1


def number_or_nan(value: Any) -> float:
    """Return a value as a number; NaN where it is missing."""
    text = text_or_empty(value)
    return float(text) if text else float("nan")


def text_or_empty(value: Any) -> str:
    """Return a value as text; an empty one where it is missing."""
    return "" if value is None or pd.isna(value) else str(value)
