"""Goes on with a scan session that ended in whatever way: the runs that are not completed are made, and repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from closedloop.protocol.load import load_scan
from closedloop.protocol.scan import ScanProtocol
from closedloop.scan.conductor import completed_words
from closedloop.scan.past import ScanPast, close_cut_off, read_past
from closedloop.session import SessionReader, SessionStore, database
from closedloop.session.lock import SessionLock
from closedloop.session.scan_store import ScanStore
from experiments.changes import Changes
from experiments.console import say
from experiments.differences import display_differences, environment_differences, protocol_differences
from experiments.environment import environment
from experiments.evolution import finish
from experiments.logfile import remembered
from experiments.planned_runs import PlannedRun, plan_differences, planned_runs
from experiments.recorded_ground import RecordedGround, read_ground
from experiments.recorded_protocol import edited_copies, keep_changed, load_recorded
from experiments.scan_pictures import with_recorded_pictures
from experiments.scan_repeats import Wishes, nothing_to_do, with_repeats
from experiments.scan_session import GoingOn, OpenedScanRig
from experiments.scanner import make_work, perform
from experiments.unbegun import is_unbegun, protocol_of_unbegun, say_it_begins_anew
from experiments.way_on import RESUME
from hardware.clock import LslClock


@dataclass(frozen=True, eq=False)
class RecordedScanSession(RecordedGround[ScanProtocol]):
    """A recorded scan session, as far as going on with it needs it.

    Attributes:
        past: how far it came.
        plans: what each run that was armed was to show when it last was, by label.
    """

    past: ScanPast
    plans: Mapping[str, PlannedRun]


def read_scan_session(folder: Path) -> RecordedScanSession:
    """Read a scan session that is to go on.

    Raises:
        SessionError: there is none, or its file is damaged or of another schema.
    """
    with SessionReader(folder) as reader:
        return RecordedScanSession(
            **vars(read_ground(reader, folder, ScanProtocol)),
            past=read_past(reader),
            plans=planned_runs(reader),
        )


@remembered()
def resume_scan(
    folder: Path,
    *,
    overrides: Sequence[str] = (),
    accept_changes: bool = False,
    repeat: Sequence[str] = (),
    no_repeat: Sequence[str] = (),
    resume_by: str = RESUME,
) -> Path:
    """Make the runs of a session that are not completed, or are to be made again.

    Args:
        folder: the session folder.
        overrides: ``key=value`` changes of its protocol.
        accept_changes: go on even if that makes it another experiment; what differs is logged in the session.
        repeat: labels of completed runs that are to be made again.
        no_repeat: labels of runs that were to be made again and now are not to be.
        resume_by: the command by which such a session goes on, for messages.

    Returns:
        The session folder.

    Raises:
        SessionInUseError: another program is running it.
        SessionChangedError: it would be another experiment.
        SessionError: there is no session, or it is damaged, or it has no run of a label, or none to take
            back.
        ClosedLoopError: as a session does.
    """
    folder = folder.resolve()
    with SessionLock(folder) as lock:
        if is_unbegun(folder):
            return _begin(folder, overrides, Wishes(repeat, no_repeat), lock, resume_by)
        database.check(folder / database.FILE_NAME)
        recorded = read_scan_session(folder)
        say(f"session {recorded.session_id}: {recorded.exit_status or 'cut off'}; {recorded.past.words}")
        wishes = Wishes(repeat, no_repeat)
        return ScanResumption(recorded, overrides, accept_changes, wishes).go_on(lock, resume_by)


class ScanResumption:
    """One scan session that is to go on, and what differs from how it was.

    Args:
        recorded: the session.
        overrides: changes of its protocol.
        accept: whether changes are accepted.
        wishes: what the person says of completed runs.

    Attributes:
        work: what is to be shown.

    Raises:
        SessionChangedError: it would be another experiment.
        SessionError: the session has no run of a label, or none to take back.
    """

    def __init__(
        self,
        recorded: RecordedScanSession,
        overrides: Sequence[str],
        accept: bool,
        wishes: Wishes | None = None,
    ) -> None:
        self._changes = changes = Changes(recorded.folder, accept)
        load = partial(load_scan, overrides=overrides)
        loaded = load_recorded(recorded.recorded_protocol, recorded.folder, load)
        wishes = wishes or Wishes()
        past = with_repeats(recorded.past, wishes, loaded.protocol.runs, recorded.folder)
        self._recorded = recorded = replace(recorded, past=past)
        changes.note(edited_copies(recorded.folder, recorded.recorded_protocol.copies))
        changes.note(protocol_differences(recorded.protocol, loaded.protocol))
        changes.refuse()
        changes.note(environment_differences(recorded.environment, environment()))
        self.work = make_work(loaded, begun=recorded.past.begun)
        if recorded.past.begun:
            self.work, pictures = with_recorded_pictures(recorded.folder, self.work)
            changes.note(pictures)
        changes.note(plan_differences(recorded.plans, self.work, loaded.protocol, past.done))
        changes.refuse()

    def go_on(self, lock: SessionLock, resume_by: str) -> Path:
        """Make the runs that are left, on the rig of the protocol; nothing is opened if there are none."""
        folder = self._recorded.folder
        if all(plan.label in self._recorded.past.done for plan in self.work.plans):
            self._close(lock)
            finish(folder, self.work.loaded)
            say(nothing_to_do(self.work.loaded.protocol.runs))
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
        protocol = self.work.loaded.protocol
        self._changes.note(display_differences(self._recorded.display, opened.display, protocol))
        self._changes.refuse()
        return self._going_on()

    def _going_on(self) -> GoingOn:
        recorded, changes, loaded = self._recorded, self._changes, self.work.loaded
        kept = keep_changed(loaded, recorded.protocol, recorded.folder, recorded.last_run + 1)
        amended = {**recorded.lost_meta, **kept}
        return GoingOn(recorded.session_id, recorded.past, amended, changes.words, changes.accepted)

    def _close(self, lock: SessionLock) -> None:
        """Say in the file that the session is complete: it was cut off before it could, or a wish was taken back."""
        recorded = self._recorded
        if recorded.exit_status == "completed" and not recorded.past.taken_back:
            return
        going_on = self._going_on()
        store = SessionStore.reopen(
            recorded.folder,
            meta=going_on.amended,
            environment=environment(),
            started_s=LslClock().now(),
            begins_with=going_on.begins_with,
            lock=lock,
        )
        close_cut_off(recorded.past, ScanStore(store))
        reason = completed_words(len(self.work.plans))
        store.close(ended_s=LslClock().now(), exit_status="completed", reason=reason)


def _begin(folder: Path, overrides: Sequence[str], wishes: Wishes, lock: SessionLock, resume_by: str) -> Path:
    """Begin a session whose first run was cut off before anything was recorded."""
    loaded = load_scan(protocol_of_unbegun(folder), overrides)
    say_it_begins_anew()
    with_repeats(ScanPast(), wishes, loaded.protocol.runs, folder)
    work = make_work(loaded)
    return perform(work, folder.name, folder.parent, lambda: folder, lock=lock, resume_by=resume_by)
