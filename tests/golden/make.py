"""Makes the golden session files of the present schema: small sessions, the same each time.

    python tests/golden/make.py

They are made once for each schema that is released, kept for ever, and never made anew: a file that an old
version wrote is what the tests are about. Refuses to write over one.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "closedloop"), str(HERE.parent / "experiments"), str(HERE.parent.parent)]

from simulated_scan import prepare_scan  # noqa: E402  as above
from simulated_session import prepare  # noqa: E402  as above

import closedloop.loop.presentation  # noqa: E402  the paths above come first
from closedloop.ports import Pixels  # noqa: E402  as above
from closedloop.scan.records import RunPlan  # noqa: E402  as above
from closedloop.scan.simulation import ScannerFaults  # noqa: E402  as above
from closedloop.session.database import FILE_NAME, SCHEMA_VERSION  # noqa: E402  as above

POLLED_EVERY_S = 0.02
COMMON = (
    "limits.generations=3",
    "threads.0.optimizer.parameters.population=8",
    "threads.0.optimizer.parameters.n_conserve=2",
)
RATES = ("response.expected_rate_hz=250", "response.normalise=subtract", "response.subtract_baseline=true")
CRASH_AT_TRIAL = 14
CUT_SCAN_AFTER_S = 22.0  # in the second run, which is still running then


def colours(trial: int, image: Pixels) -> np.ndarray:
    """Two units that like red and green, and an artefact now and then."""
    return image.mean((0, 1))[:2] / 2.55 + (trial % 7 == 3) * 900.0  # type: ignore[no-any-return]  # numpy's own


def make(name: str) -> None:
    """Make one golden session."""
    target = HERE / f"schema-{SCHEMA_VERSION}" / name
    if target.exists():
        sys.exit(f"{target} is there already, and golden files are never made anew")
    kind = "spikes" if name == "spikes" else "rates"
    own = (
        ("response.kind=spikes", "response.expected_rate_hz=null", "response.unit_count=2")
        if kind == "spikes"
        else RATES
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / f"golden-{name}"

        def respond(trial: int, image: Pixels) -> np.ndarray:
            if name == "crashed" and trial == CRASH_AT_TRIAL and not target.exists():
                target.mkdir(parents=True)
                for suffix in ("", "-wal"):
                    shutil.copy(folder / f"{FILE_NAME}{suffix}", target / f"{FILE_NAME}{suffix}")
            return colours(trial, image)

        session = prepare(
            folder,
            *COMMON,
            *own,
            "response.artefact.max_rate_hz=500",
            respond=respond,
            units=2,
            poisson=True,
            missed_frames=0.004,
        )
        session.run()
        if name != "crashed":
            target.mkdir(parents=True)
            shutil.copy(folder / FILE_NAME, target / FILE_NAME)
    finish(target)


def make_scan(name: str) -> None:
    """Make one golden session in a scanner, with faults that leave their traces in every table."""
    target = HERE / f"schema-{SCHEMA_VERSION}" / name
    if target.exists():
        sys.exit(f"{target} is there already, and golden files are never made anew")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / f"golden-{name}"
        session = prepare_scan(folder, missed_frames=0.004)
        began_s = session.clock.now()
        session.jitter_s = 0.002
        session.faults = (
            ScannerFaults(drop=(5,), double=(8,), human_s=(3.4,)),
            ScannerFaults(tr_error=0.0085),
        )
        session.presses = presses

        def copy() -> tuple[()]:
            late = session.clock.now() > began_s + CUT_SCAN_AFTER_S
            if name == "scan-crashed" and late and not target.exists():
                target.mkdir(parents=True)
                for suffix in ("", "-wal"):
                    shutil.copy(folder / f"{FILE_NAME}{suffix}", target / f"{FILE_NAME}{suffix}")
            return ()

        session.operator.script = copy
        session.run()
        if name != "scan-crashed":
            target.mkdir(parents=True)
            shutil.copy(folder / FILE_NAME, target / FILE_NAME)
    finish(target)


def presses(plan: RunPlan) -> list[tuple[float, str]]:
    """The subject sees every second repeat, and presses once for nothing."""
    asked = [event.onset_s + 0.5 for event in plan.events if event.fields.get("one_back") == 1]
    return sorted([*((time_s, "1") for time_s in asked[::2]), (0.2, "1")])


def finish(target: Path) -> None:
    """Make a session's file one that is the same wherever it is made, and as small as can be."""
    connection = sqlite3.connect(target / FILE_NAME)  # puts the log in
    # the machine that they were made on plays no part
    environment = connection.execute("SELECT environment FROM runs").fetchone()[0]
    kept = {key: json.loads(environment)[key] for key in ("program", "python", "packages")}
    connection.execute("UPDATE runs SET environment = ?", (json.dumps(kept),))
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("VACUUM")
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    print(f"{target.name}: {(target / FILE_NAME).stat().st_size / 1000:.0f} kB")  # noqa: T201  what it is run for


if __name__ == "__main__":
    closedloop.loop.presentation.IDLE_S = POLLED_EVERY_S
    for one in ("rates", "spikes", "crashed"):
        make(one)
    for one in ("scan", "scan-crashed"):
        make_scan(one)
