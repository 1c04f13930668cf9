"""A scanner session as flat tables, one record a row; docs/session-file.md lists the columns."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from closedloop.exports.frames import frames
from closedloop.exports.tables import markers, trials
from closedloop.scan.recorded import read_scans, scan_protocol_of
from closedloop.scan.settled import SettledScan, settle_all
from closedloop.session import SessionReader


def scans(reader: SessionReader) -> pd.DataFrame:
    """Return one row a scan run that was armed, with its pulses in sum."""
    table = reader.table("scans")
    ledgers = reader.details("scans", "ledger")
    for name in ("tr_nominal_s", "tr_fitted_s", "residual_sd_s"):
        table[name] = pd.Series([ledger.get(name) for ledger in ledgers], dtype="Float64")
    for name in ("stored_volumes_seen", "missed_pulses"):
        table[name] = pd.Series([ledger.get(name) for ledger in ledgers], dtype="Int64")
    starts_s = {scan.scan: scan.start_s for scan in _settled(reader)}
    table["first_stored_s"] = table["scan"].map(starts_s).astype("Float64")
    return table


def planned(reader: SessionReader) -> pd.DataFrame:
    """Return one row a planned event, with what became of it."""
    parts = []
    for scan in _settled(reader):
        events = scan.events
        parts.append(
            pd.DataFrame(
                {
                    "scan": scan.scan,
                    "event": events["event"],
                    "label": scan.label,
                    "onset_s": events["planned_s"],
                    "duration_s": events["duration_s"],
                    "kind": events["kind"],
                    "trial_type": events["trial_type"],
                    "image": events["image"],
                    "source": events["source"],
                    "trial": events["trial"],
                    "shown_at_s": events["onset_s"] - scan.start_s,
                    "onset_error_s": events["onset_s"] - scan.start_s - events["planned_s"],
                    "missed": events["missed"],
                    "status": events["status"],
                    "reason": events["reason"],
                    "asked": events["asked"],
                    "answer": events["answer"],
                    "response_time_s": events["answer_s"],
                    "right": events["right"],
                }
            )
        )
    fields = reader.table("planned")[["scan", "event", "fields"]]
    if not parts:
        return fields
    return pd.concat(parts, ignore_index=True).merge(fields, on=["scan", "event"])


def pulses(reader: SessionReader) -> pd.DataFrame:
    """Return one row a pulse, with its time from the run's start."""
    return _from_start(reader, "pulses")


def presses(reader: SessionReader) -> pd.DataFrame:
    """Return one row a press of the subject's buttons, with its time from the run's start."""
    return _from_start(reader, "presses")


def _from_start(reader: SessionReader, name: str) -> pd.DataFrame:
    table = reader.table(name)
    starts_s = {scan.scan: scan.start_s for scan in _settled(reader)}
    table["from_start_s"] = table["time_s"] - table["scan"].map(starts_s).astype(float)
    return table


def _settled(reader: SessionReader) -> list[SettledScan]:
    return settle_all(read_scans(reader, scan_protocol_of(reader)))


SCAN_TABLES: dict[str, Callable[[SessionReader], pd.DataFrame]] = {
    "scans": scans,
    "planned": planned,
    "pulses": pulses,
    "presses": presses,
    "trials": trials,
    "frames": frames,
    "markers": markers,
}
