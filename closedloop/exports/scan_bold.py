"""What this program knows of the images that a scanner made: the skeleton of ``*_bold.json``.

Source: BIDS specification 1.10, "Task (including resting state) imaging data".
"""

from __future__ import annotations

from typing import Any

from closedloop.exports.scan_earlier import TIMING, VOLUME_S
from closedloop.protocol.scan import ScanProtocol
from closedloop.scan.recorded import RecordedScan, task_words
from closedloop.scan.run_tr import is_crowded, run_tr


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


def image_volumes(scan: RecordedScan, protocol: ScanProtocol) -> int:
    """Return how many volumes the images of a run hold, as far as can be known without them; 1 at least.

    Of a completed run whose scanner did not stop it is what was planned, if the sequence makes just that many: the
    last pulses may be lost. Of others the last pulse tells, and the scan may have gone on after it.
    """
    whole = scan.status == "completed" and not scan.ledger.get("stopped")
    planned = scan.volumes if whole and protocol.scanner.sequence_ends == "at_volumes" else 1
    return max(scan.stored_volumes, planned)


def bold_sidecar(scan: RecordedScan, protocol: ScanProtocol, *, stand_in: bool) -> dict[str, Any]:
    """Return what belongs into ``*_bold.json`` beside what the images' converter writes there.

    A sparse sequence has ``VolumeTiming`` and ``FrameAcquisitionDuration`` instead of ``RepetitionTime``.

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
        told[TIMING] = [round(volume * tr_s, 6) for volume in range(image_volumes(scan, protocol))]
        told[VOLUME_S] = scanner.acquisition_s
    told["NumberOfVolumesDiscardedByScanner"] = scanner.dummies
    told["NumberOfVolumesDiscardedByUser"] = 0
    told["TriggeredRepetitionTime"] = {
        "Nominal": scanner.tr_s,
        "Fitted": None if is_crowded(scan) else scan.ledger.get("tr_fitted_s"),
        "Source": source,
    }
    told["TriggeredVolumes"] = {"Expected": scan.volumes, "Seen": scan.ledger.get("stored_volumes_seen")}
    if stand_in:
        told["StandIn"] = "The image beside this file holds no data: it stands in for the scanner's."
    return told
