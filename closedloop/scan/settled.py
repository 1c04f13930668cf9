"""A recorded scan run as it is known once it is over: from where its time counts, and which pulses were the scanner's.

The session file keeps what the run believed, and what each pulse was taken for when it came; nothing of that is
rewritten. Exports and report count from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from closedloop.scan.pulse_words import stray_kind
from closedloop.scan.recorded import RecordedScan
from closedloop.scan.start_line import StartByOthers, start_by_others

COUNTED = ("volume", "slice")

Moved: TypeAlias = Literal["", "stray_start", "slices_missed", "stray_stamp", "late_stamp", "off_line"]

_WHY: dict[Moved, str] = {
    "": "",
    "stray_start": "its first pulse was not the scanner's",
    "slices_missed": "the volume's first pulses were missed",
    "stray_stamp": "a pulse that was not the scanner's came just before the volume's and was taken for it",
    "late_stamp": "the volume's pulse was stamped later than the others have it",
    "off_line": "the volume's pulse was lost, and when it began was reckoned from too few pulses",
}

_SAME_S = 1e-6
_NEAR_TR = 0.2  # a stored volume's pulse may come so much before a start that is not its own stamp


@dataclass(frozen=True, eq=False)
class SettledScan(RecordedScan):
    """A scan run whose ``start_s`` is that of its first stored volume, and ``pulses`` what they turned out to be.

    Attributes:
        began_s: the start that the run believed and planned its onsets from; NaN if it never began. It is not
            ``start_s`` where the first pulse turned out not to be the scanner's, or to be a later one, or where
            the start's own stamp is off the line of the pulses around it.
        moved: why it is not: ``stray_start``: the first pulse was not the scanner's; ``slices_missed``: of the
            first volume; ``stray_stamp``: a pulse that was not the scanner's took the start's place;
            ``late_stamp``: the start's pulse was stamped late; ``off_line``: it was lost, and the run believed
            another time; empty: it is.
    """

    began_s: float = float("nan")
    moved: Moved = ""

    @property
    def why(self) -> str:
        """Why the run began off its first stored volume, in words; empty if it did not."""
        return _WHY[self.moved]

    @property
    def by_line(self) -> bool:
        """Whether ``start_s`` is by the line through other pulses, as the volume's own stamp does not tell it."""
        return self.moved in ("slices_missed", "stray_stamp", "late_stamp", "off_line")

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
    pulse was not the scanner's, slices of the first volume had been missed, or the start's own stamp is off the
    line of the pulses around it. Where only the count tells, both readings stay in ``ledger``. A run of which no
    stored volume came, though one was due, has not begun.
    """
    pulses, start_s = scan.pulses, scan.start_s
    moved: Moved = ""
    first_s = _began_anew_s(scan)
    if first_s is not None:
        pulses, moved = _told_apart(scan, first_s), "stray_start"
    if _slices_missed(scan.ledger):
        pulses, moved = _first_a_slice(pulses), "slices_missed"
    if moved:
        start_s = _start_s(scan, pulses, start_s)
    if not _stored_came(scan, pulses, start_s):
        start_s = float("nan")
    others = _by_others(scan, pulses, start_s)
    if others is not None and moved == "stray_start" and others.holds(scan.start_s):
        start_s = scan.start_s  # the run had not begun by that pulse
    if others is not None and not others.holds(start_s):
        pulses, start_s, moved = _by_line(scan, pulses, others)
    values = {one.name: getattr(scan, one.name) for one in fields(RecordedScan)}
    values.update(pulses=pulses, start_s=start_s)
    began_s = scan.start_s if np.isfinite(start_s) else float("nan")
    return SettledScan(**values, began_s=began_s, moved=moved if began_s != start_s else "")


def _began_anew_s(scan: RecordedScan) -> float | None:
    """Return the stamp of the sequence's first pulse, if the run's first one was not the scanner's."""
    told = [one["detail"] for one in scan.findings if "start_shift_s" in (one.get("detail") or {})]
    return float(told[-1]["first_volume_s"]) if told else None


def _slices_missed(ledger: Mapping[str, Any]) -> bool:
    return (ledger.get("first_missed") or {}).get("by") == "pattern"


def _told_apart(scan: RecordedScan, first_s: float) -> pd.DataFrame:
    """Return the pulses with those before the sequence's first one as strays, and that one as what it was."""
    counted = scan.pulses["verdict"].isin(COUNTED)
    before = counted & (scan.pulses["time_s"] < first_s - _SAME_S)
    first = ~counted & ((scan.pulses["time_s"] - first_s).abs() <= _SAME_S)
    pulses = _taken_for(scan.pulses, before, _stray(scan), None)
    return _taken_for(pulses, first, "volume", 0)


def _first_a_slice(pulses: pd.DataFrame) -> pd.DataFrame:
    """Return the pulses with the first one as what it was: a slice within the first volume."""
    counted = pulses.index[pulses["verdict"].isin(COUNTED)]
    return _taken_for(pulses, pulses.index.isin(counted[:1]), "slice", None)


def _by_line(
    scan: RecordedScan, pulses: pd.DataFrame, others: StartByOthers
) -> tuple[pd.DataFrame, float, Moved]:
    """Return the pulses, the start by the others' line, and why the run's own was off it."""
    counted = pulses["verdict"].isin(COUNTED)
    own = counted & (pulses["volume"] == scan.dummies).fillna(False).astype(bool)
    if not own.any():
        return pulses, others.start_s, "off_line"
    if pulses.loc[own, "time_s"].iloc[0] > others.start_s:
        return pulses, others.start_s, "late_stamp"
    # a stamp may be late, but never early
    off_s = (pulses["time_s"] - others.start_s).abs().where(~counted)
    pulses = _taken_for(pulses, own, _stray(scan), None)
    if off_s.min() <= others.bound_s:
        pulses = _taken_for(pulses, pulses.index == off_s.idxmin(), "volume", scan.dummies)
    return pulses, others.start_s, "stray_stamp"


def _by_others(scan: RecordedScan, pulses: pd.DataFrame, start_s: float) -> StartByOthers | None:
    if scan.protocol is None or not np.isfinite(start_s):
        return None
    jumps_s = [one["time_s"] for one in scan.findings if "phase_jump_s" in (one.get("detail") or {})]
    return start_by_others(pulses, scan.dummies, scan.protocol.scanner, start_s, sorted(jumps_s))


def _stray(scan: RecordedScan) -> str:
    return "extra" if scan.protocol is None else stray_kind(scan.protocol.scanner)


def _taken_for(pulses: pd.DataFrame, which: Any, verdict: str, volume: int | None) -> pd.DataFrame:
    """Return the pulses with some of them as what they turned out to be."""
    pulses = pulses.copy()
    volumes = pulses["volume"].astype(object)
    pulses.loc[which, "verdict"] = verdict
    volumes[which] = volume
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
