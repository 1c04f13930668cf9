"""One run of a session on an opened rig, whatever rig that is: its file is opened, and closed in any case."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from closedloop.errors import DiskError
from closedloop.loop.commands import Operator
from closedloop.loop.evolution import EvolutionSession, Outcome
from closedloop.loop.history import RESUMED, History
from closedloop.loop.threads import EvolutionThread
from closedloop.ports import Clock
from closedloop.protocol.frames import plan_frames
from closedloop.protocol.load import LoadedProtocol, LoadedScan
from closedloop.session import SessionStore, amendments
from closedloop.session.lock import SessionLock
from experiments.control import CONTROL, CONTROL_FILE, control_in
from experiments.environment import environment
from experiments.folder import PROTOCOL_FILE, write_whole
from experiments.rig import OpenedRig
from hardware.check import Finding

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Past:
    """How a run goes on with a session that has a file already.

    Attributes:
        session_id: of the session.
        history: the state of its loop; its threads have lived through it.
        known_threads: how many threads are recorded: all, or none after an early crash.
        amended: facts to add to the file: the protocol of this run, if it is another one.
        changes: what differs from before, for the session's log of events.
        accepted: differences that make it another experiment were accepted by the person.
    """

    session_id: str
    history: History
    known_threads: int
    amended: Mapping[str, str]
    changes: Sequence[str]
    accepted: bool

    @property
    def begins_with(self) -> tuple[str, Mapping[str, Any]]:
        """Kind and detail of the event that the run begins with."""
        detail = {"changes": list(self.changes), "accepted": self.accepted, "bred": self.history.bred}
        return RESUMED, detail


def run_session(
    folder: Path,
    loaded: LoadedProtocol,
    threads: Sequence[EvolutionThread],
    opened: OpenedRig,
    operator: Operator,
    findings: Sequence[Finding] = (),
    *,
    past: Past | None = None,
    lock: SessionLock | None = None,
) -> Outcome:
    """Run the loop to the end of the session.

    Args:
        folder: the session's folder; new and empty, or with the session to go on with.
        loaded: the protocol.
        threads: its evolutions, ready.
        opened: devices, ready.
        operator: the person at the rig.
        findings: what was measured of the machine before; recorded with the run.
        past: the session so far; None: it begins now.
        lock: of the folder, if the caller holds it already.

    Raises:
        ClosedLoopError: what went wrong; the run is closed with the status ``failed``.
    """
    protocol, rig = loaded.protocol, opened.rig
    checked = {finding.name: f"{finding.text} ({finding.verdict.value})" for finding in findings}
    ground = {**environment(), "check": checked}
    if past is None:
        meta, control = meta_of(folder.name, loaded), control_in(opened.display.details)
        if control is not None:
            # before the protocol: with that alone, a session that was cut off would begin anew without its control
            write_whole(folder / CONTROL_FILE, control + "\n")
            meta[CONTROL] = control
        write_whole(folder / PROTOCOL_FILE, loaded.as_used())
        store = SessionStore.create(
            folder,
            meta=meta,
            environment=ground,
            started_s=rig.clock.now(),
            lock=lock,
        )
    else:
        store = SessionStore.reopen(
            folder,
            meta=past.amended,
            environment=ground,
            started_s=rig.clock.now(),
            begins_with=past.begins_with,
            lock=lock,
        )
    with closed_in_any_case(store, rig.clock):
        with store.transaction():
            store.set_display(asdict(opened.display))
            for info in opened.streams:
                store.add_stream(info)
            for thread in threads[past.known_threads if past else 0 :]:
                spec = thread.spec.model_dump(mode="json")
                store.add_thread(thread.index, thread.spec.name, spec, thread.generator.provenance)
        plan = plan_frames(protocol.presentation, opened.display.period_s)
        outcome = EvolutionSession(
            protocol,
            plan,
            past.session_id if past else folder.name,
            rig,
            opened.streams,
            store,
            threads,
            operator,
            past.history if past else None,
        ).run()
        store.close(ended_s=rig.clock.now(), exit_status=outcome.exit_status, reason=outcome.reason)
        log.info("session %s: %s", outcome.exit_status, outcome.reason)
    return outcome


def meta_of(session_id: str, loaded: LoadedProtocol | LoadedScan) -> dict[str, str]:
    """Return what a new session's file says of the session as a whole."""
    return {
        "session": session_id,
        "kind": loaded.protocol.kind,
        amendments.TEXT: loaded.as_used(),
        amendments.JSON: loaded.protocol.model_dump_json(),
        "protocol_sha256": loaded.sha256,
        "seed": str(loaded.protocol.seed),
    }


@contextmanager
def closed_in_any_case(store: SessionStore, clock: Clock) -> Iterator[None]:
    """Close the session file with the status ``failed`` if anything goes wrong."""
    try:
        yield
    except BaseException as error:
        log.error("session failed: %s", error)
        try:
            store.close(ended_s=clock.now(), exit_status="failed", reason=str(error))
        except DiskError as second:
            # the disk is full: the run stays without an exit status, as after a crash
            log.error("and the session file could not be closed: %s", second)
            store.abandon()
        raise
