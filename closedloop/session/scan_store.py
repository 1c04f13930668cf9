"""Writes what belongs to scan runs into a session's file; see ``closedloop.session.store``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from closedloop.scan.ports import ButtonPress, Pulse, TriggerInfo
from closedloop.scan.records import PulseEntry, RunPlan
from closedloop.session.store import SessionStore


class ScanStore:
    """The scanner's tables of one session file; shares its store's transactions.

    Args:
        store: of the session.
    """

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    def arm(
        self,
        scan: int,
        attempt: int,
        plan: RunPlan,
        images: Mapping[str, int],
        trigger: TriggerInfo,
        armed_s: float,
    ) -> None:
        """Record a scan run with all that it is to show, before it waits for the scanner.

        Args:
            scan: number of the scan run in the session.
            attempt: how often its label was armed before.
            plan: what it is to show.
            images: number of each stimulus in the table ``images``.
            trigger: what the trigger said of itself.
            armed_s: now.
        """
        with self._store.transaction():
            self._store.write(
                "INSERT INTO scans (scan, run, label, attempt, volumes, duration_s, drawn, trigger, armed_s)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    scan,
                    self._store.run,
                    plan.label,
                    attempt,
                    plan.volumes,
                    plan.duration_s,
                    _json(plan.drawn),
                    _json(asdict(trigger)),
                    armed_s,
                ),
            )
            for number, event in enumerate(plan.events):
                self._store.write(
                    "INSERT INTO planned (scan, event, onset_s, duration_s, kind, trial_type, image, fields)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        scan,
                        number,
                        event.onset_s,
                        event.duration_s,
                        event.kind,
                        event.trial_type,
                        None if event.stimulus is None else images[event.stimulus],
                        _json(event.fields),
                    ),
                )

    def set_first_pulse(self, scan: int, time_s: float) -> None:
        """Record when the first pulse came."""
        self._store.write("UPDATE scans SET first_pulse_s = ? WHERE scan = ?", (time_s, scan))

    def set_start(self, scan: int, start_s: float) -> None:
        """Record the first stored volume, from which all onsets count."""
        self._store.write("UPDATE scans SET start_s = ? WHERE scan = ?", (start_s, scan))

    def set_trial(self, scan: int, event: int, trial: int) -> None:
        """Record which trial shows a planned event, with the order of it."""
        self._store.write("UPDATE planned SET trial = ? WHERE scan = ? AND event = ?", (trial, scan, event))

    def accept_trial(self, trial: int, judged_s: float) -> None:
        """Acknowledge that a trial was shown as it was planned; in a scan no response goes with it."""
        self._store.write(
            "UPDATE trials SET status = 'valid', reason = NULL, detail = NULL, judged_s = ? WHERE trial = ? AND run = ?",
            (judged_s, trial, self._store.run),
        )

    def set_fixation(self, scan: int, event: int, shown_s: float) -> None:
        """Record when the fixation point changed."""
        self._store.write(
            "UPDATE planned SET shown_s = ? WHERE scan = ? AND event = ?", (shown_s, scan, event)
        )

    def add_pulse(self, scan: int, pulse: Pulse, entry: PulseEntry) -> None:
        """Record a pulse and what it is taken for."""
        self._store.write(
            "INSERT INTO pulses VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                scan,
                entry.pulse,
                self._store.run,
                pulse.time_s,
                pulse.uncertainty_s,
                _or_null(pulse.raw_s),
                pulse.received_s,
                pulse.mark,
                entry.verdict,
                entry.volume,
                _or_null(entry.residual_s),
            ),
        )

    def add_press(self, scan: int, number: int, press: ButtonPress, event: int | None) -> None:
        """Record a press of the subject's button.

        Args:
            scan: number of the scan run.
            number: of the press in it.
            press: as it came.
            event: the planned event that it answers, if any.
        """
        self._store.write(
            "INSERT INTO presses VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                scan,
                number,
                self._store.run,
                press.key,
                press.time_s,
                press.uncertainty_s,
                press.received_s,
                event,
            ),
        )

    def end(self, scan: int, ended_s: float, status: str, reason: str, ledger: Mapping[str, Any]) -> None:
        """Record how a scan run ended, with its pulses in sum."""
        self._store.write(
            "UPDATE scans SET ended_s = ?, status = ?, reason = ?, ledger = ? WHERE scan = ?",
            (ended_s, status, reason, _json(ledger), scan),
        )


def _or_null(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _json(value: Mapping[str, Any] | Sequence[Any]) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
