"""Pulses and responses of a scan run as a BIDS physio recording, sampled regularly.

Source: BIDS specification 1.10, "Physiological recordings": the column ``trigger``.
"""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from closedloop.exports.files import write_whole
from closedloop.scan.settled import COUNTED, SettledScan

SAMPLING_HZ = 1000
"""A pulse lies on the sample nearest to it, so it is off by half a millisecond at most, as much as a keyboard's
stamp is uncertain. The exact stamps are in the session file and its tables."""

COLUMNS = ("trigger", "volume", "pulse", "response")
PULSES = {
    "volume": (1, "It began a volume."),
    "slice": (2, "Within a volume."),
    "doubled": (3, "Right after another; counted once."),
    "extra": (4, "None was due."),
    "human": (5, "A person at the trigger's key."),
    "after": (6, "The run was over."),
}


def physio(scan: SettledScan) -> tuple[float, npt.NDArray[np.int32]] | None:
    """Return the time of the first sample, from the first stored volume, and the samples ``(n, 4)``.

    It begins with the first pulse (of a dummy, if there are any: before 0) and ends with the run. None for a
    run that never began: there is no volume to count time from.

    Args:
        scan: of the session.
    """
    if not scan.started or scan.pulses.empty:
        return None
    pulses_s = scan.pulses["time_s"].to_numpy(float) - scan.start_s
    presses_s = scan.presses["time_s"].to_numpy(float) - scan.start_s
    first = int(np.floor(min(pulses_s.min(), 0.0) * SAMPLING_HZ))
    last_s = max(scan.last_s - scan.start_s, pulses_s.max(), presses_s.max(initial=0.0))
    samples = np.zeros((int(np.ceil(last_s * SAMPLING_HZ)) - first + 1, len(COLUMNS)), dtype=np.int32)
    places = np.rint(pulses_s * SAMPLING_HZ).astype(int) - first
    verdicts = scan.pulses["verdict"].tolist()
    for place, verdict in reversed(
        list(zip(places, verdicts, strict=True))
    ):  # the first of two on one sample stays
        samples[place, 2] = PULSES[verdict][0]
    samples[[p for p, verdict in zip(places, verdicts, strict=True) if verdict in COUNTED], 0] = 1
    samples[:, 1] = -1
    samples[-first:, 1] = 0  # from the start on, though its own pulse may lack, or be late
    for place, volume in zip(places, scan.pulses["volume"].tolist(), strict=True):
        if isinstance(volume, int) and volume >= scan.dummies:
            samples[place:, 1] = volume - scan.dummies
    keys = key_codes(scan)
    for time_s, key in zip(presses_s, scan.presses["key"].tolist(), strict=True):
        place = round(time_s * SAMPLING_HZ) - first
        if place >= 0:  # a press while the scanner was waited for
            samples[place, 3] = keys[key]
    return first / SAMPLING_HZ, samples


def key_codes(scan: SettledScan) -> dict[str, int]:
    """Return the number of each key that was pressed, from 1."""
    return {key: code for code, key in enumerate(sorted(set(scan.presses["key"].tolist())), start=1)}


def physio_sidecar(scan: SettledScan, begins_s: float, task: str) -> dict[str, Any]:
    """Return ``*_physio.json``."""
    sent_by = f"{scan.trigger.get('path', 'unknown path')}, {scan.trigger.get('device', 'unknown device')}"
    return {
        "SamplingFrequency": SAMPLING_HZ,
        "StartTime": begins_s,
        "Columns": list(COLUMNS),
        "TaskName": task,
        "PhysioType": "generic",
        "trigger": {
            "LongName": "Scanner trigger",
            "Description": f"1 on the sample nearest to each pulse that was counted, dummies included, 0 elsewhere;"
            f" pulses came by {sent_by}. The time of a pulse is exact to half a sample here, and to"
            " pulses.time_s and its uncertainty in the session file.",
            "Levels": {"0": "No pulse.", "1": "A pulse."},
        },
        "volume": {
            "LongName": "Stored volume",
            "Description": "Number of the stored volume that is being acquired, from 0, by the pulses; -1: none"
            " yet, as during dummies.",
        },
        "pulse": {
            "LongName": "What came on the trigger's path",
            "Description": "What each pulse turned out to be, counted or not.",
            "Levels": {"0": "Nothing.", **{str(code): words for code, words in PULSES.values()}},
        },
        "response": {
            "LongName": "Responses",
            "Description": "Presses of the subject's buttons, each on the nearest sample.",
            "Levels": {
                "0": "Nothing.",
                **{str(code): f"Key {key}." for key, code in key_codes(scan).items()},
            },
        },
    }


def write_physio(path: Path, samples: npt.NDArray[np.int32]) -> Path:
    """Write ``*_physio.tsv.gz``, which has no header."""
    # nearly all rows are the same as the row before, so only stretches are put into words
    begins = np.flatnonzero(np.any(samples[1:] != samples[:-1], axis=1)) + 1
    edges = [0, *begins.tolist(), len(samples)]
    text = bytearray()
    for start, end in pairwise(edges):
        text += ("\t".join(map(str, samples[start].tolist())) + "\n").encode() * (end - start)
    content = gzip.compress(bytes(text), mtime=0)  # the same samples give the same bytes
    return write_whole(path, lambda temporary: _put(temporary, content))


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)
