"""What this program knows of the images that a scanner made: the skeleton of ``*_bold.json``, and a stand-in.

Source: BIDS specification 1.10, "Task (including resting state) imaging data"; the NIfTI-1 header.
"""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

from closedloop.exports.files import write_whole
from closedloop.protocol.scan import ScanProtocol
from closedloop.scan.recorded import RecordedScan, task_words
from closedloop.scan.run_tr import run_tr

_HEADER_BYTES = 352


def repetition_time_s(scan: RecordedScan, protocol: ScanProtocol) -> tuple[float, str]:
    """Return the TR, and where it is from: the protocol's, unless the pulses say for sure that it was another."""
    tr = run_tr(scan, protocol)
    source = {
        "off": f"measured by its triggers; the protocol has {protocol.scanner.tr_s:g} s",
        "agrees": "the protocol's; its triggers agree",
        "unsure": "the protocol's; its triggers do not say for sure that it was another",
        "untold": "the protocol's",
    }
    return round(tr.tr_s, 6), source[tr.verdict]


def bold_sidecar(scan: RecordedScan, protocol: ScanProtocol, *, stand_in: bool) -> dict[str, Any]:
    """Return what belongs into ``*_bold.json`` beside what the images' converter writes there.

    A sparse sequence has ``VolumeTiming`` and ``AcquisitionDuration`` instead of ``RepetitionTime``.

    Args:
        scan: of the session.
        protocol: of the session.
        stand_in: the image beside it stands in for one that is not there.
    """
    scanner = protocol.scanner
    tr_s, source = repetition_time_s(scan, protocol)
    told: dict[str, Any] = {
        "TaskName": protocol.output.experiment,
        "TaskDescription": f"The subject was {task_words(protocol)}.",
    }
    if scanner.acquisition_s is None:
        told["RepetitionTime"] = tr_s
    else:
        told["VolumeTiming"] = [round(volume * tr_s, 6) for volume in range(max(scan.stored_volumes, 1))]
        told["AcquisitionDuration"] = scanner.acquisition_s
    told["NumberOfVolumesDiscardedByScanner"] = scanner.dummies
    told["NumberOfVolumesDiscardedByUser"] = 0
    told["TriggeredRepetitionTime"] = {
        "Nominal": scanner.tr_s,
        "Fitted": scan.ledger.get("tr_fitted_s"),
        "Source": source,
    }
    told["TriggeredVolumes"] = {"Expected": scan.volumes, "Seen": scan.ledger.get("stored_volumes_seen")}
    if stand_in:
        told["StandIn"] = "The image beside this file holds no data: it stands in for the scanner's."
    return told


def write_stand_in(path: Path, tr_s: float, volumes: int) -> Path:
    """Write an image of one voxel that is always 0, for a validator that wants one beside the JSON.

    Args:
        path: of the file.
        tr_s: the validator compares it with the JSON.
        volumes: the validator compares their time with that of the events.
    """
    volumes = max(volumes, 1)
    header = bytearray(_HEADER_BYTES)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 4, 1, 1, 1, volumes, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 2, 8)  # unsigned bytes
    struct.pack_into("<8f", header, 76, 1, 1, 1, 1, tr_s, 0, 0, 0)
    struct.pack_into("<f", header, 108, _HEADER_BYTES)
    header[123] = 2 | 8  # millimetres, seconds
    struct.pack_into("<80s", header, 148, b"stand-in without data, closedloop")
    struct.pack_into("<h", header, 254, 1)  # a position in the scanner, so that nobody need guess one
    for axis in range(3):
        struct.pack_into("<f", header, 280 + 20 * axis, 1.0)
    struct.pack_into("<4s", header, 344, b"n+1")
    content = gzip.compress(bytes(header) + bytes(volumes), mtime=0)
    return write_whole(path, lambda temporary: _put(temporary, content))


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)
