"""Goes on with a session that ended in whatever way, exactly as if it had not, or says why it can't."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from closedloop.loop.relive import relive
from closedloop.loop.stopping import why_out_of_time, why_stopped
from closedloop.loop.threads import EvolutionThread
from closedloop.protocol.load import load_protocol
from closedloop.session import SessionStore, database
from closedloop.session.lock import SessionLock
from experiments.changes import Changes
from experiments.console import say
from experiments.differences import (
    Difference,
    Weight,
    display_differences,
    environment_differences,
    generator_differences,
    pixel_differences,
    protocol_differences,
    reference_count_differences,
    reference_differences,
    stream_differences,
)
from experiments.environment import environment
from experiments.evolution import finish, perform
from experiments.folder import LOG_FILE
from experiments.logfile import log_to, remembered
from experiments.prepare import make_threads
from experiments.recorded import RecordedSession, read_session
from experiments.recorded_protocol import edited_copies, keep_changed, load_recorded
from experiments.rig import OpenedRig
from experiments.session import Past
from experiments.unbegun import (
    control_of_unbegun,
    is_unbegun,
    protocol_of_unbegun,
    say_it_begins_anew,
)
from experiments.way_on import RESUME
from hardware.clock import LslClock


@remembered()
def resume_session(
    folder: Path,
    *,
    overrides: Sequence[str] = (),
    accept_changes: bool = False,
    resume_by: str = RESUME,
) -> Path:
    """Go on with a session.

    Args:
        folder: the session folder.
        overrides: ``key=value`` changes of its protocol, for example ``limits.generations=40``.
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
        if is_unbegun(folder):
            return _begin(folder, overrides, lock, resume_by)
        database.check(folder / database.FILE_NAME)
        recorded = read_session(folder)
        say(f"session {recorded.session_id}: {_state(recorded)}")
        return Resumption(recorded, overrides, accept_changes).go_on(lock, resume_by)


@dataclass(frozen=True)
class _Over:
    """Why a session is over, and what would let it go on, in words."""

    reason: str
    remedy: str


class Resumption:
    """One session that is to go on, and what differs from how it was.

    Args:
        recorded: the session.
        overrides: changes of its protocol.
        accept: whether changes are accepted.

    Attributes:
        loaded: the protocol as it is to hold from now on.
        threads: its evolutions, which have lived through the session's history.

    Raises:
        SessionChangedError: it would be another experiment.
        ModelError: weights are missing or wrong.
    """

    def __init__(self, recorded: RecordedSession, overrides: Sequence[str], accept: bool) -> None:
        self._recorded = recorded
        self._changes = changes = Changes(recorded.folder, accept)
        known = recorded.history.references is not None and recorded.history.next_image > 0
        load = partial(load_protocol, overrides=overrides, check_files=not known)
        self.loaded = load_recorded(recorded.recorded_protocol, recorded.folder, load)
        changes.note(edited_copies(recorded.folder, recorded.recorded_protocol.copies))
        changes.note(protocol_differences(recorded.protocol, self.loaded.protocol))
        changes.note(reference_count_differences(recorded.history, self.loaded.protocol))
        changes.refuse()
        changes.note(environment_differences(recorded.environment, environment()))
        history = replace(recorded.history, lenient=accept)
        self.threads = make_threads(self.loaded.protocol, history)
        changes.note(generator_differences(recorded.generators, self.threads))
        changes.note(reference_differences(history, self.threads))
        changes.note(_rendering_differences(recorded, self.threads))
        changes.refuse()
        for text in relive(self.threads, history):
            changes.note([Difference("codes", "as recorded", text, Weight.CHANGE)])
        self._history = history

    def go_on(self, lock: SessionLock, resume_by: str) -> Path:
        """Run the session to its end, on the rig of its protocol; nothing is opened if it is over."""
        folder = self._recorded.folder
        over = self._why_over()
        if over is not None:
            self._close(over.reason, lock)
            with log_to(folder / LOG_FILE):
                finish(folder, self.loaded)
            say(f"nothing to do: {over.reason}. {over.remedy}")
            return folder
        database.wait_for_readers(folder / database.FILE_NAME)
        return perform(
            self.loaded,
            self.threads,
            self._recorded.session_id,
            folder.parent,
            lambda: folder,
            control=self._recorded.control,
            past_of=self.past,
            lock=lock,
            resume_by=resume_by,
        )

    def _why_over(self) -> _Over | None:
        """Why no further trial is to be shown, and what would let the session go on, or None."""
        history, protocol = self._history, self.loaded.protocol
        if history.next_generation >= protocol.limits.generations:
            return _Over(
                f"all {protocol.limits.generations} generations were shown",
                "More generations: --set limits.generations=NUMBER",
            )
        if history.open is not None or not history.complete:
            return None
        reasons = {
            "stop='[]'": why_stopped(protocol, self.threads),
            "limits.minutes=NUMBER": why_out_of_time(protocol, history.elapsed_s),
        }
        held = {key: reason for key, reason in reasons.items() if reason is not None}
        if not held:
            return None
        return _Over(
            "; ".join(held.values()), f"To go on all the same: {' '.join(f'--set {key}' for key in held)}"
        )

    def _close(self, reason: str, lock: SessionLock) -> None:
        """Say in the file that the session is complete, if it was cut off before it could."""
        if self._recorded.exit_status == "completed":
            return
        past = self._past()
        store = SessionStore.reopen(
            self._recorded.folder,
            meta=past.amended,
            environment=environment(),
            started_s=LslClock().now(),
            begins_with=past.begins_with,
            lock=lock,
        )
        store.close(ended_s=LslClock().now(), exit_status="completed", reason=reason)

    def past(self, opened: OpenedRig) -> Past:
        """Compare the opened devices with the earlier ones, and say how the run goes on.

        Raises:
            SessionChangedError: it would be another experiment.
        """
        recorded, changes = self._recorded, self._changes
        changes.note(display_differences(recorded.display, opened.display, self.loaded.protocol))
        changes.note(stream_differences(recorded.streams, opened.streams))
        changes.refuse()
        return self._past()

    def _past(self) -> Past:
        recorded, changes = self._recorded, self._changes
        kept = keep_changed(self.loaded, recorded.protocol, recorded.folder, recorded.last_run + 1)
        return Past(
            session_id=recorded.session_id,
            history=self._history,
            known_threads=len(recorded.generators),
            amended={**recorded.lost_meta, **kept},
            changes=changes.words,
            accepted=changes.accepted,
        )


def _begin(folder: Path, overrides: Sequence[str], lock: SessionLock, resume_by: str) -> Path:
    """Begin a session whose first run was cut off before anything was recorded."""
    loaded = load_protocol(protocol_of_unbegun(folder), overrides)
    control = control_of_unbegun(folder)
    say_it_begins_anew(control)
    return perform(
        loaded,
        make_threads(loaded.protocol),
        folder.name,
        folder.parent,
        lambda: folder,
        control=control,
        lock=lock,
        resume_by=resume_by,
    )


def _rendering_differences(recorded: RecordedSession, threads: Sequence[EvolutionThread]) -> list[Difference]:
    """Render one recorded image of each thread again and compare it with what was shown."""
    history = recorded.history
    found: list[Difference] = []
    for thread, bred in zip(threads, history.open or (), strict=False):
        rows = [row for row, image in enumerate(bred.images) if image in history.pixels]
        if not rows:
            continue
        image = bred.images[rows[-1]]
        again = thread.generator.render(bred.population.codes[rows[-1:]])[0]
        shown = history.pixels[image]
        if again.shape == shown.shape:  # else it is another generator; that is told with the generators
            found += pixel_differences(f"image {image}, rendered again", shown, again)
    return found


def _state(recorded: RecordedSession) -> str:
    history = recorded.history
    ended = recorded.exit_status or "cut off"
    trials = history.valid + history.invalid
    return (
        f"run {recorded.last_run} {ended}{': ' + recorded.reason if recorded.reason else ''}; "
        f"{history.next_generation} generations complete, {trials} trials acknowledged"
    )
