"""Goes on with a scan session that ended in whatever way: the runs that are not completed are made."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from closedloop.errors import SessionChangedError, SessionError
from closedloop.protocol.load import LoadedScan, load_scan
from closedloop.protocol.scan import ScanProtocol
from closedloop.scan.conductor import completed_words
from closedloop.scan.images import ScanImages
from closedloop.scan.past import ScanPast, close_cut_off, read_past
from closedloop.scan.records import RunPlan
from closedloop.session import SessionReader, SessionStore, amendments, database
from closedloop.session.lock import SessionLock
from closedloop.session.scan_store import ScanStore
from experiments.differences import Difference, Weight, environment_differences, scan_protocol_differences
from experiments.environment import environment
from experiments.evolution import finish, say
from experiments.logfile import remembered
from experiments.scan_session import GoingOn, OpenedScanRig, ScanWork
from experiments.scanner import make_work, perform
from experiments.session import write_whole
from experiments.way_on import RESUME
from hardware.clock import LslClock

PROTOCOL_FILE = "protocol.yaml"


@dataclass(frozen=True, eq=False)
class RecordedScanSession:
    """A recorded scan session, as far as going on with it needs it.

    Attributes:
        folder: the session folder.
        session_id: as in its markers.
        text, protocol: as last used.
        past: how far it came.
        plans: what each run that was armed was to show, by label: rows of ``planned`` without what became of them.
        environment, display: of the last run that had any.
        last_run: its number.
        exit_status: of the last run; None: it crashed.
    """

    folder: Path
    session_id: str
    text: str
    protocol: ScanProtocol
    past: ScanPast
    plans: Mapping[str, list[tuple[Any, ...]]]
    environment: Mapping[str, Any]
    display: Mapping[str, Any]
    last_run: int
    exit_status: str | None


def read_scan_session(folder: Path) -> RecordedScanSession:
    """Read a scan session that is to go on.

    Raises:
        SessionError: there is none, or its file is damaged or of another schema.
    """
    with SessionReader(folder) as reader:
        meta, runs = reader.meta(), reader.table("runs")
        last = int(runs["run"].max())
        displays = [display for display in reader.details("runs", "display") if display]
        status = runs["exit_status"].iloc[-1]
        return RecordedScanSession(
            folder=folder,
            session_id=meta["session"],
            text=amendments.latest(meta, amendments.TEXT, last),
            protocol=ScanProtocol.model_validate_json(amendments.latest(meta, amendments.JSON, last)),
            past=read_past(reader),
            plans=_plans(reader),
            environment=reader.details("runs", "environment")[-1],
            display=displays[-1] if displays else {},
            last_run=last,
            exit_status=status if isinstance(status, str) else None,
        )


@remembered()
def resume_scan(
    folder: Path,
    *,
    overrides: Sequence[str] = (),
    accept_changes: bool = False,
    resume_by: str = RESUME,
) -> Path:
    """Make the runs of a session that are not completed.

    Args:
        folder: the session folder.
        overrides: ``key=value`` changes of its protocol.
        accept_changes: go on even if that makes it another experiment; what differs is logged in the session.
        resume_by: the command by which such a session goes on, for messages.

    Returns:
        The session folder.

    Raises:
        SessionInUseError: another program is running it.
        SessionChangedError: it would be another experiment.
        SessionError: there is no session, or it is damaged.
        ClosedLoopError: as a session does.
    """
    folder = folder.resolve()
    with SessionLock(folder) as lock:
        path = folder / database.FILE_NAME
        if not path.exists() or database.is_blank(path):
            return _begin(folder, overrides, lock, resume_by)
        database.check(path)
        recorded = read_scan_session(folder)
        say(f"session {recorded.session_id}: {recorded.exit_status or 'cut off'}; {recorded.past.words}")
        return ScanResumption(recorded, overrides, accept_changes).go_on(lock, resume_by)


class ScanResumption:
    """One scan session that is to go on, and what differs from how it was.

    Args:
        recorded: the session.
        overrides: changes of its protocol.
        accept: whether changes are accepted.

    Attributes:
        work: what is to be shown.

    Raises:
        SessionChangedError: it would be another experiment.
    """

    def __init__(self, recorded: RecordedScanSession, overrides: Sequence[str], accept: bool) -> None:
        self._recorded = recorded
        self._accept = accept
        self._differences: list[Difference] = []
        loaded = _load_recorded(recorded, overrides)
        self._note(scan_protocol_differences(recorded.protocol, loaded.protocol))
        self._refuse_changes()
        self._note(environment_differences(recorded.environment, environment()))
        self.work = make_work(loaded, begun=recorded.past.begun)
        if recorded.past.begun:
            self._note(_image_differences(recorded.folder, self.work))
        if loaded.protocol == recorded.protocol:
            self._note(_plan_differences(recorded.plans, self.work))
        self._refuse_changes()

    def go_on(self, lock: SessionLock, resume_by: str) -> Path:
        """Make the runs that are left, on the rig of the protocol; nothing is opened if there are none."""
        folder = self._recorded.folder
        if all(plan.label in self._recorded.past.completed for plan in self.work.plans):
            self._close(lock)
            finish(folder, self.work.loaded)
            say("nothing to do: all runs were completed. More of them: --set runs.count=NUMBER")
            return folder
        database.wait_for_readers(folder / database.FILE_NAME)
        return perform(
            self.work,
            self._recorded.session_id,
            folder.parent,
            lambda: folder,
            going_on_of=self.going_on,
            lock=lock,
            resume_by=resume_by,
        )

    def going_on(self, opened: OpenedScanRig) -> GoingOn:
        """Compare the opened devices with the earlier ones, and say how the session goes on.

        Raises:
            SessionChangedError: it would be another experiment.
        """
        recorded, protocol = self._recorded, self.work.loaded.protocol
        if recorded.display:
            hz, now_hz = float(recorded.display["refresh_hz"]), opened.display.refresh_hz
            if abs(now_hz - hz) > protocol.display.refresh_tolerance * hz:
                self._note([Difference("refresh", f"{hz:.2f} Hz", f"{now_hz:.2f} Hz", Weight.CHANGE)])
        self._refuse_changes()
        run = recorded.last_run + 1
        amended: dict[str, str] = {}
        if protocol != recorded.protocol:
            text = self.work.loaded.as_used()
            write_whole(recorded.folder / f"protocol.run{run}.yaml", text)
            amended = {
                amendments.key_of_run(amendments.TEXT, run): text,
                amendments.key_of_run(amendments.JSON, run): protocol.model_dump_json(),
            }
        changes = [str(difference) for difference in self._differences]
        return GoingOn(recorded.session_id, recorded.past, amended, changes)

    def _close(self, lock: SessionLock) -> None:
        """Say in the file that the session is complete, if it was cut off before it could."""
        recorded = self._recorded
        if recorded.exit_status == "completed":
            return
        now_s = LslClock().now()
        store = SessionStore.reopen(recorded.folder, environment=environment(), started_s=now_s, lock=lock)
        close_cut_off(recorded.past, ScanStore(store), recorded.protocol.scanner)
        reason = completed_words(len(self.work.plans))
        store.close(ended_s=LslClock().now(), exit_status="completed", reason=reason)

    def _note(self, found: Sequence[Difference]) -> None:
        for difference in found:
            say(f"{'note' if difference.weight is Weight.NOTE else 'changed'}: {difference}")
        self._differences.extend(found)

    def _refuse_changes(self) -> None:
        never = [str(item) for item in self._differences if item.weight is Weight.NEVER]
        changes = [str(item) for item in self._differences if item.weight is Weight.CHANGE]
        if never or (changes and not self._accept):
            raise SessionChangedError(
                str(self._recorded.folder),
                found="; ".join(never or changes),
                expected="what the session began with",
                remedy="This can't be changed within a session: put it back, or begin a new session."
                if never
                else "It would be another experiment. Put it back, or give --accept-changes to go on all the same.",
            )


def _load_recorded(recorded: RecordedScanSession, overrides: Sequence[str]) -> LoadedScan:
    """Return the protocol that the session was run by, with changes for this run; the file's own copy counts."""
    with tempfile.TemporaryDirectory(prefix="closedloop-resume-") as scratch:
        commented, complete = Path(scratch) / PROTOCOL_FILE, Path(scratch) / "complete.yaml"
        commented.write_text(recorded.text, encoding="utf-8")
        loaded = load_scan(commented, overrides)
        # the same with every default as it was then; JSON is YAML
        complete.write_text(recorded.protocol.model_dump_json(indent=2), encoding="utf-8")
        as_it_was = load_scan(complete, overrides)
    if as_it_was.protocol != loaded.protocol:
        for difference in scan_protocol_differences(as_it_was.protocol, loaded.protocol):
            say(
                f"note: {difference.what} is {difference.now} by default in this version, "
                f"and stays {difference.was} in this session"
            )
        loaded = as_it_was
    # every path in it is absolute already
    return replace(loaded, path=recorded.folder / database.FILE_NAME)


def _begin(folder: Path, overrides: Sequence[str], lock: SessionLock, resume_by: str) -> Path:
    """Begin a session whose first run was cut off before anything was recorded."""
    protocol_file = folder / PROTOCOL_FILE
    if not protocol_file.is_file():
        raise SessionError(
            str(folder),
            found="no session: it was cut off before anything was recorded"
            if (folder / "log.txt").exists()
            else "no session in it",
            expected=f"a session folder with its {database.FILE_NAME}",
            remedy="Nothing is lost: start again with closedloop run PROTOCOL.",
        )
    say("nothing had been recorded yet: the session begins anew")
    work = make_work(load_scan(protocol_file, overrides))
    return perform(work, folder.name, folder.parent, lambda: folder, lock=lock, resume_by=resume_by)


def _plans(reader: SessionReader) -> dict[str, list[tuple[Any, ...]]]:
    """Return what each run that was armed was to show; every attempt of a label has the same plan."""
    scans, planned = reader.table("scans"), reader.table("planned")
    planned["fields"] = pd.Series(reader.details("planned", "fields"), dtype=object, index=planned.index)
    columns = ["onset_s", "duration_s", "kind", "trial_type", "image", "fields"]
    plans: dict[str, list[tuple[Any, ...]]] = {}
    for scan, label in zip(scans["scan"], scans["label"], strict=True):
        own = planned[planned["scan"] == scan].sort_values("event")
        rows = own[columns].astype(object).where(own[columns].notna(), None)
        plans[str(label)] = [tuple(row) for row in rows.to_numpy().tolist()]
    return plans


def _plan_differences(was: Mapping[str, list[tuple[Any, ...]]], work: ScanWork) -> list[Difference]:
    numbers = ScanImages(work.stimuli, work.plans).numbers
    return [
        Difference(f"run {plan.label}", "as planned", "drawn otherwise by this version", Weight.CHANGE)
        for plan in work.plans
        if plan.label in was and was[plan.label] != _rows(plan, numbers)
    ]


def _rows(plan: RunPlan, numbers: Mapping[str, int]) -> list[tuple[Any, ...]]:
    return [
        (
            event.onset_s,
            event.duration_s,
            event.kind,
            event.trial_type,
            None if event.stimulus is None else numbers[event.stimulus],
            dict(event.fields),
        )
        for event in plan.events
    ]


def _image_differences(folder: Path, work: ScanWork) -> list[Difference]:
    """Compare the images with those that are recorded."""
    images = ScanImages(work.stimuli, work.plans)
    found = []
    with SessionReader(folder) as reader:
        recorded = dict(
            zip(*(reader.table("images")[name].tolist() for name in ("image", "source")), strict=True)
        )
        for name, number in images.numbers.items():
            if number not in recorded:
                continue  # of a run that was added
            shown = reader.pixels(number)
            same = (
                recorded[number] == name
                and shown is not None
                and np.array_equal(shown, images.pixels(number))
            )
            if not same:
                found.append(Difference(f"image {name}", "as recorded", "another one", Weight.NEVER))
    return found
