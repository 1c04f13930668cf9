"""The scan runs of a session as its file holds them: for exports, report, verification."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from closedloop.errors import SessionSchemaError
from closedloop.protocol.scan import ScanProtocol
from closedloop.protocol.sections.scan_task import Buttons, OneBack
from closedloop.scan.asked import right_keys
from closedloop.scan.records import PlannedEvent
from closedloop.session import SessionReader, amendments

KIND = "scan"


@dataclass(frozen=True, eq=False)
class RecordedScan:
    """One scan run as it was recorded. Times are LSL ``local_clock`` seconds, NaN where there is none.

    Attributes:
        scan: its number.
        run: run of the program.
        label: of the run in the protocol.
        attempt: how often the label was armed before.
        volumes: stored volumes that were expected.
        dummies: volumes before them that were expected; 0 if the protocol was not given.
        duration_s: planned.
        drawn, trigger, ledger: as in the table ``scans``.
        armed_s, first_pulse_s, start_s, ended_s: as in the table ``scans``.
        status: ``completed``, ``aborted``, ``failed``; None: still running, or crashed.
        reason: why it ended.
        events: one row a planned event; see ``_events``.
        pulses, presses: as in the tables.
        findings: about pulses, in order: the JSON of the event with its ``time_s``.
        period_s: seconds per frame in its program run; NaN if it was not measured.
        protocol: as it held in its program run; None if it was not asked for.
    """

    scan: int
    run: int
    label: str
    attempt: int
    volumes: int
    dummies: int
    duration_s: float
    drawn: Mapping[str, Any]
    trigger: Mapping[str, Any]
    ledger: Mapping[str, Any]
    armed_s: float
    first_pulse_s: float
    start_s: float
    ended_s: float
    status: str | None
    reason: str
    events: pd.DataFrame
    pulses: pd.DataFrame
    presses: pd.DataFrame
    findings: tuple[Mapping[str, Any], ...]
    period_s: float
    protocol: ScanProtocol | None = None

    @property
    def started(self) -> bool:
        """Whether the first stored volume came."""
        return bool(np.isfinite(self.start_s))

    @property
    def name(self) -> str:
        """The run in words: ``run 1``, ``run 1, attempt 2``."""
        return f"run {self.label}" + (f", attempt {self.attempt + 1}" if self.attempt else "")

    @property
    def images(self) -> pd.DataFrame:
        """The planned images."""
        return self.events[self.events["kind"] == "image"]

    @property
    def shown(self) -> pd.DataFrame:
        """The images that came on the screen, in order of their onsets."""
        images = self.images
        return images[images["onset_s"].notna()].sort_values("onset_s")

    @property
    def last_s(self) -> float:
        """Its end, or the last thing that is known of it."""
        known = [
            self.ended_s,
            self.armed_s,
            self.start_s,
            *(table[name].max() for table, name in self._stamps() if len(table)),
        ]
        return self.ended_s if np.isfinite(self.ended_s) else float(np.nanmax(np.array(known, dtype=float)))

    @property
    def stored_volumes(self) -> int:
        """Stored volumes as far as pulses tell: up to the last one, those without a pulse of their own too."""
        volumes = self.pulses.loc[self.pulses["verdict"] == "volume", "volume"].dropna()
        return max(0, int(volumes.max()) + 1 - self.dummies) if len(volumes) else 0

    def _stamps(self) -> tuple[tuple[pd.DataFrame, str], ...]:
        return (
            (self.pulses, "time_s"),
            (self.presses, "time_s"),
            (self.events, "onset_s"),
            (self.events, "offset_s"),
        )


def is_scan(reader: SessionReader) -> bool:
    """Whether a session is one in a scanner; its runs tell where a salvage has lost what says so."""
    kind = reader.meta().get("kind")
    return kind == KIND or (kind is None and not reader.table("scans").empty)


def scan_protocol_of(reader: SessionReader, run: int | None = None) -> ScanProtocol:
    """Return the protocol that a scanner session was run by.

    Args:
        reader: of the session.
        run: as it held in that run of the program; None: as it was last used, with the runs that were added.

    Raises:
        SessionSchemaError: the file holds none that this version can read.
    """
    runs = reader.table("runs")["run"].tolist()
    meta = {amendments.JSON: "", **reader.meta()}
    text = amendments.latest(meta, amendments.JSON, max(runs, default=0) if run is None else run)
    try:
        return ScanProtocol.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        raise SessionSchemaError(
            f"{reader.path}: protocol",
            found=f"{'.'.join(map(str, first['loc'])) or 'a text'}: {first['msg']}",
            expected="the protocol that the session was run by",
            remedy="Use the version of closedloop that wrote the session.",
        ) from error


def read_scans(reader: SessionReader, protocol: ScanProtocol | None = None) -> list[RecordedScan]:
    """Return all scan runs of a session, in the order of arming.

    Args:
        reader: of the session.
        protocol: of the session; None: what an event asks for is left out. A scan run is read by the protocol
            that held in its run of the program.
    """
    table = reader.table("scans")
    parts = {name: reader.details("scans", name) for name in ("drawn", "trigger", "ledger")}
    planned = reader.table("planned")
    planned["fields"] = pd.Series(reader.details("planned", "fields"), dtype=object, index=planned.index)
    trials, pulses, presses = (reader.table(name) for name in ("trials", "pulses", "presses"))
    images = reader.table("images")[["image", "source"]]
    findings = _findings(reader)
    periods = _periods_s(reader)
    protocols = {} if protocol is None else {run: scan_protocol_of(reader, run) for run in set(table["run"])}
    scans = []
    for place, row in enumerate(table.to_dict("records")):
        scan, run = int(row["scan"]), int(row["run"])
        held = protocols.get(run)
        own = planned[planned["scan"] == scan]
        answers = presses[presses["scan"] == scan]
        scans.append(
            RecordedScan(
                scan=scan,
                run=run,
                label=str(row["label"]),
                attempt=int(row["attempt"]),
                volumes=int(row["volumes"]),
                dummies=0 if held is None else held.scanner.dummies,
                duration_s=float(row["duration_s"]),
                drawn=parts["drawn"][place],
                trigger=parts["trigger"][place],
                ledger=parts["ledger"][place],
                armed_s=float(row["armed_s"]),
                first_pulse_s=float(row["first_pulse_s"]),
                start_s=float(row["start_s"]),
                ended_s=float(row["ended_s"]),
                status=None if pd.isna(row["status"]) else str(row["status"]),
                reason="" if pd.isna(row["reason"]) else str(row["reason"]),
                events=_events(own, trials[trials["run"] == run], images, answers, held),
                pulses=pulses[pulses["scan"] == scan].sort_values("pulse", ignore_index=True),
                presses=answers.sort_values("press", ignore_index=True),
                findings=tuple(one for one in findings if one.get("scan") == scan),
                period_s=periods.get(run, float("nan")),
                protocol=held,
            )
        )
    return scans


def planned_event(row: Mapping[str, Any], stimulus: str | None) -> PlannedEvent:
    """Return an event of the plan out of its row."""
    return PlannedEvent(
        float(row["planned_s"]),
        float(row["duration_s"]),
        row["kind"],
        str(row["trial_type"]),
        stimulus,
        dict(row["fields"]),
    )


def _events(
    planned: pd.DataFrame,
    trials: pd.DataFrame,
    images: pd.DataFrame,
    presses: pd.DataFrame,
    protocol: ScanProtocol | None,
) -> pd.DataFrame:
    """Return the planned events with what became of them.

    Columns: ``event``, ``planned_s`` (from the start), ``duration_s`` (planned), ``kind``, ``trial_type``,
    ``image``, ``source``, ``fields``, ``trial``; ``onset_s``, ``offset_s`` (flips, clock), ``missed``,
    ``status``, ``reason``, ``detail`` of the trial; ``answer`` and ``answer_s`` (key, and time after the
    onset; missing without an answer), ``asked`` (an answer is wanted), ``right`` (of an answer).
    """
    columns = ["trial", "onset_s", "offset_s", "on_flips", "missed", "status", "reason", "detail"]
    table = planned.drop(columns=["scan"]).rename(columns={"onset_s": "planned_s"})
    table = table.merge(trials[columns], on="trial", how="left").merge(images, on="image", how="left")
    changed = table["kind"] == "fixation"
    table.loc[changed, "onset_s"] = table.loc[changed, "shown_s"]
    table = table.drop(columns=["shown_s"]).sort_values("event", ignore_index=True)
    first = presses[presses["event"].notna()].sort_values("time_s").drop_duplicates("event")
    given = first[["event", "key", "time_s"]].rename(columns={"key": "answer", "time_s": "pressed_s"})
    given["event"] = given["event"].astype("int64")
    table = table.merge(given, on="event", how="left")
    table["answer_s"] = table.pop("pressed_s") - table["onset_s"]
    rows: list[dict[str, Any]] = table.to_dict("records")  # type: ignore[assignment]  # keys are the columns' names
    task = None if protocol is None else protocol.task
    keys = [right_keys(task, planned_event(row, row["source"])) for row in rows]
    table["asked"] = np.array([bool(own) for own in keys], dtype=bool)
    table["right"] = np.array([row["answer"] in own for row, own in zip(rows, keys, strict=True)], dtype=bool)
    return table


def task_words(protocol: ScanProtocol | None) -> str:
    """Say what the subject was to do."""
    task = None if protocol is None else protocol.task
    if task is None:
        return "to look"
    if isinstance(task, OneBack):
        return "to press when an image was the same as the one before"
    if isinstance(task, Buttons):
        return "to press a button at each image"
    return "to press when the fixation point changed its colour"


def _findings(reader: SessionReader) -> list[dict[str, Any]]:
    table = reader.table("events")
    details = reader.details("events", "detail")
    return [
        {**detail, "time_s": float(time_s)}
        for kind, time_s, detail in zip(table["kind"], table["time_s"], details, strict=True)
        if kind == "pulse"
    ]


def _periods_s(reader: SessionReader) -> dict[int, float]:
    runs, displays = reader.table("runs")["run"], reader.details("runs", "display")
    return {
        int(run): float(display.get("period_s", "nan")) for run, display in zip(runs, displays, strict=True)
    }


def plain(value: Any) -> Any:
    """Return a value as JSON has it, for tables: text of what is no number or text."""
    return value if isinstance(value, str | int | float | bool) or value is None else json.dumps(value)
