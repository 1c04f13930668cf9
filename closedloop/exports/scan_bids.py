"""A scanner session as a BIDS dataset of its own: events, triggers and stimuli of every run, aborted ones too.

Source: BIDS specification 1.10: magnetic resonance imaging, task events, physiological recordings, stimuli.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from closedloop.exports.bids_common import STIMULI, Entities, label_of, write_json
from closedloop.exports.bids_shared import write_shared
from closedloop.exports.files import with_suffix, write_text
from closedloop.exports.presentation import presentation
from closedloop.exports.scan_bold import bold_sidecar, image_volumes, repetition_time_s
from closedloop.exports.scan_earlier import BOLD, EVENTS, EarlierExport
from closedloop.exports.scan_events import describe_columns, events_tsv, off_words, scan_events
from closedloop.exports.scan_images import IMAGE, scanner_images
from closedloop.exports.scan_names import Attempt, entities
from closedloop.exports.scan_physio import physio, physio_sidecar, write_physio
from closedloop.exports.scan_stimuli import stimulus_files, write_stimuli
from closedloop.exports.session_time import utc_times
from closedloop.exports.stand_in import write_stand_in
from closedloop.protocol.scan import ScanProtocol
from closedloop.scan.recorded import read_scans, scan_protocol_of, task_words
from closedloop.scan.settled import SettledScan, settle_all
from closedloop.session import SessionReader

_README = """# {session}

One session in a scanner. The subject was {task}.
`{folder}/` holds what the computer at the scanner knows; the images come from the scanner.

- `*_events.tsv`: what was shown when, in seconds from the first stored volume, with responses.
- `*_physio.tsv.gz`: the scanner's triggers as they came, volumes and responses, 1000 samples a second.
- `*_bold.json`: what is known of the images, to be joined with what their converter writes.
- `{stimuli}/`: each image as it was shown.

## Runs

{runs}

A run that was aborted, failed or was cut off has `acq-aborted` with its number in its names, and one that was
completed and shown again later `acq-superseded`; `run-` alone is the one that counts. One of which no stored
volume came has no rows of events, no `*_physio.tsv.gz` and no `*_bold.json`.

## Images of the scanner

{images}
"""
_STAND_IN = """{where} scanner was simulated, so there are no images. Each `*_bold.nii.gz` {here} is a stand-in of one voxel
without data: the BIDS validator calls a `*_bold.json` without an image an error."""
_WANTED = """{whose} are not part of this folder. Put each as `*_bold.nii.gz` beside its `*_bold.json`; until then the BIDS
validator says SIDECAR_WITHOUT_DATAFILE of these, rightly."""

log = logging.getLogger(__name__)


def write_scan_bids(
    reader: SessionReader, to: Path, *, stand_in: bool | None = None, say: Callable[[str], None] | None = None
) -> list[Path]:
    """Write a scanner session as a BIDS dataset, or into one that holds others; also one that crashed.

    Keys that others wrote into a ``*_bold.json`` stay, and so does every image that is not a stand-in; files
    of an earlier export of the session that no longer belong are removed.

    Args:
        reader: of the session.
        to: the dataset's folder; made if it is missing.
        stand_in: write an image without data beside each ``*_bold.json`` that has none, for the validator;
            None: only of runs whose scanner was simulated, so that nothing is ever taken for what a scanner made.
        say: takes a line about what others put into the folder; None: it is logged.

    Returns:
        the files that were written.

    Raises:
        SessionError: the session can't be read.
        DiskError: the files can't be written, or the dataset there can't take the session in.
    """
    protocol = scan_protocol_of(reader)
    session = reader.meta().get("session", reader.folder.name)
    own = Entities.of(reader, protocol.subject)
    place = to / own.folder("func")
    stem = f"{own.stem}_task-{label_of(protocol.output.experiment)}"
    scans = settle_all(read_scans(reader, protocol))
    names = {scan: f"{stem}_{name}" for scan, name in entities(scans, protocol).items()}
    places = {_attempt(scan): place / names[scan.scan] for scan in scans}
    over = utc_times(reader, {_attempt(scan): (scan.run, scan.last_s) for scan in scans})
    earlier = EarlierExport(place, session, places, over)
    about = _readme(session, own, protocol, scans, names, stand_in, earlier.images.readme())
    written = [
        *write_shared(to, own, session, protocol.subject, about),
        *write_stimuli(reader, to / STIMULI / own.stem),
    ]
    files = {image: own.stimulus(name) for image, name in stimulus_files(reader).items()}
    for scan in scans:
        at, held = place / names[scan.scan], scan.protocol or protocol
        more = {"Session": session, **earlier.images.note(_attempt(scan))}
        written += _write_scan(reader, held, scan, at, files, more)
        if scan.started:  # else no image of it will ever stand beside a bold.json
            written += _write_bold(scan, held, at, earlier, _stands_in(held, stand_in))
    earlier.clear(written)
    for line in earlier.told():
        (say or log.info)(line)
    return written


def _write_bold(
    scan: SettledScan, protocol: ScanProtocol, at: Path, earlier: EarlierExport, stand_in: bool
) -> list[Path]:
    """Write a run's ``*_bold.json`` with what others joined into it, and a stand-in if there is to be one."""
    stand_in = stand_in and not scanner_images(at)
    written = []
    if stand_in:
        tr_s, _ = repetition_time_s(scan, protocol)
        written.append(write_stand_in(with_suffix(at, IMAGE), tr_s, image_volumes(scan, protocol)))
    told = bold_sidecar(scan, protocol, stand_in=stand_in)
    more = earlier.joined(_attempt(scan), told)
    if more is not None:
        written.append(write_json(with_suffix(at, BOLD), {**told, **more}))
    return written


def _write_scan(
    reader: SessionReader,
    protocol: ScanProtocol,
    scan: SettledScan,
    at: Path,
    files: Mapping[int, str],
    more: Mapping[str, Any],
) -> list[Path]:
    table = scan_events(scan, files)
    described = describe_columns(scan, table)
    described["TaskName"] = protocol.output.experiment
    described["StimulusPresentation"] = presentation(reader, protocol.display, scan.run)
    described["ScanRun"] = {**more, **_about(scan, protocol, table["event"].tolist())}
    written = [
        write_text(with_suffix(at, "events.tsv"), events_tsv(table)),
        write_json(with_suffix(at, EVENTS), described),
    ]
    recording = physio(scan)
    if recording is not None:
        begins_s, samples = recording
        written += [
            write_physio(with_suffix(at, "physio.tsv.gz"), samples),
            write_json(
                with_suffix(at, "physio.json"), physio_sidecar(scan, begins_s, protocol.output.experiment)
            ),
        ]
    return written


def _about(scan: SettledScan, protocol: ScanProtocol, took_place: Sequence[int]) -> dict[str, Any]:
    """Return how the run went, for whoever reads the sidecar."""
    return {
        "Label": scan.label,
        "Attempt": scan.attempt + 1,
        "Status": scan.status or "cut off",
        "Reason": scan.reason,
        "EventsPlanned": len(scan.events),
        "EventsThatTookPlace": len(took_place),
        "OnsetZero": _or_none(scan.start_s),
        "StartThatTheRunBelieved": _or_none(scan.began_s),
        "BeganAfterOnsetZero": scan.off_s,
        "ScannerSimulated": protocol.scanner.simulate is not None,
        "Design": dict(scan.drawn),
        "Trigger": dict(scan.trigger),
        "Pulses": dict(scan.ledger),
        "PulseFindings": [str(finding.get("words", "")) for finding in scan.findings],
    }


def _readme(
    session: str,
    own: Entities,
    protocol: ScanProtocol,
    scans: Sequence[SettledScan],
    names: Mapping[int, str],
    stand_in: bool | None,
    misplaced: Sequence[str],
) -> str:
    simulated = [_stands_in(scan.protocol or protocol, stand_in) for scan in scans if scan.started]
    some = any(simulated) and not all(simulated)
    images = []
    if any(simulated):
        where, here = ("In runs that say so above, the", "of these") if some else ("The", "here")
        images.append(_STAND_IN.format(where=where, here=here))
    if not all(simulated) or not simulated:
        images.append(_WANTED.format(whose="Those of the other runs" if some else "They"))
    images += misplaced
    return _README.format(
        session=session,
        folder=own.folder("func"),
        stimuli=f"{STIMULI}/{own.stem}",
        task=task_words(protocol),
        runs=_runs(scans, names) or "None was armed.",
        images="\n\n".join(images),
    )


def _runs(scans: Sequence[SettledScan], names: Mapping[int, str]) -> str:
    lines = []
    for scan in scans:
        ended = scan.status or "cut off"
        reason = f": {scan.reason}" if scan.reason else ""
        began = "" if scan.started else "; no stored volume came"
        if scan.off_s:
            began = f"; it believed to begin {off_words(scan)}, and onsets count from the volume"
        if scan.protocol is not None and scan.protocol.scanner.simulate is not None:
            began += "; the scanner was simulated"
        lines.append(f"- `{names[scan.scan]}`: {scan.name}, {ended}{reason}{began}.")
    return "\n".join(lines)


def _stands_in(protocol: ScanProtocol, wanted: bool | None) -> bool:
    """Return whether a stand-in is to be where there is no image of a run: by the protocol that held in it."""
    return protocol.scanner.simulate is not None if wanted is None else wanted


def _attempt(scan: SettledScan) -> Attempt:
    return scan.label, scan.attempt


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
