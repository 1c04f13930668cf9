"""A recorded scan run as it is known once it is over: from where its time counts, and which pulses were the scanner's.

The session file keeps what the run believed, and what each pulse was taken for when it came; nothing of that is
rewritten. Exports and report count from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from closedloop.scan.pulse_words import stray_kind
from closedloop.scan.recorded import RecordedScan

COUNTED = ("volume", "slice")

_SAME_S = 1e-6
_NEAR_TR = 0.2  # a stored volume's pulse may come so much before a start that is not its own stamp


@dataclass(frozen=True, eq=False)
class SettledScan(RecordedScan):
    """A scan run whose ``start_s`` is that of its first stored volume, and ``pulses`` what they turned out to be.

    Attributes:
        began_s: the start that the run believed and planned its onsets from; NaN if it never began. It is not
            ``start_s`` where the first pulse turned out not to be the scanner's, or to be a later one.
    """

    began_s: float = float("nan")

    @property
    def off_s(self) -> float:
        """By how much the run began after its first stored volume; below 0: before it; 0: as it should."""
        return self.began_s - self.start_s if np.isfinite(self.began_s) else 0.0


def settle_all(scans: Iterable[RecordedScan]) -> list[SettledScan]:
    """Return the scan runs of a session as they are known now."""
    return [settle(scan) for scan in scans]


def settle(scan: RecordedScan) -> SettledScan:
    """Return a scan run as it is known once it is over.

    The start is moved only where the pulses say for sure that it was another one (see docs/pulses.md): the first
    pulse was not the scanner's, or slices of the first volume had been missed. Where only the count tells, both
    readings stay in ``ledger``. A run of which no stored volume came, though one was due, has not begun.
    """
    first_s = _began_anew_s(scan)
    pulses = scan.pulses if first_s is None else _told_apart(scan, first_s)
    start_s = scan.start_s
    if first_s is not None or _slices_missed(scan.ledger):
        start_s = _start_s(scan, pulses, start_s)
    if not _stored_came(scan, pulses, start_s):
        start_s = float("nan")
    values = {one.name: getattr(scan, one.name) for one in fields(RecordedScan)}
    values.update(pulses=pulses, start_s=start_s)
    return SettledScan(**values, began_s=scan.start_s if np.isfinite(start_s) else float("nan"))


def _began_anew_s(scan: RecordedScan) -> float | None:
    """Return the stamp of the sequence's first pulse, if the run's first one was not the scanner's."""
    told = [one["detail"] for one in scan.findings if "start_shift_s" in (one.get("detail") or {})]
    return float(told[-1]["first_volume_s"]) if told else None


def _slices_missed(ledger: Mapping[str, Any]) -> bool:
    return (ledger.get("first_missed") or {}).get("by") == "pattern"


def _told_apart(scan: RecordedScan, first_s: float) -> pd.DataFrame:
    """Return the pulses with those before the sequence's first one as strays, and that one as what it was."""
    pulses = scan.pulses.copy()
    counted = pulses["verdict"].isin(COUNTED)
    kind = "extra" if scan.protocol is None else stray_kind(scan.protocol.scanner)
    volumes = pulses["volume"].astype(object)
    before = counted & (pulses["time_s"] < first_s - _SAME_S)
    pulses.loc[before, "verdict"] = kind
    volumes[before] = None
    first = ~counted & ((pulses["time_s"] - first_s).abs() <= _SAME_S)
    pulses.loc[first, "verdict"] = "volume"
    volumes[first] = 0
    pulses["volume"] = volumes
    return pulses


def _start_s(scan: RecordedScan, pulses: pd.DataFrame, believed_s: float) -> float:
    """Return the first stored volume's stamp, or its time by the fit if that pulse was lost."""
    stamp_s = scan.ledger.get("start_stamp_s")
    if stamp_s is None:
        own = pulses[(pulses["verdict"] == "volume") & (pulses["volume"] == scan.dummies)]
        stamp_s = own["time_s"].iloc[0] if len(own) and not _slices_missed(scan.ledger) else None
    if stamp_s is None:
        stamp_s = scan.ledger.get("start_by_fit_s")
    return believed_s if stamp_s is None or not np.isfinite(believed_s) else float(stamp_s)


def _stored_came(scan: RecordedScan, pulses: pd.DataFrame, start_s: float) -> bool:
    counted_s = pulses.loc[pulses["verdict"].isin(COUNTED), "time_s"]
    near_s = 0.0 if scan.protocol is None else _NEAR_TR * scan.protocol.scanner.tr_s
    return bool((counted_s >= start_s - near_s).any())
