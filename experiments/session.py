"""One run of a session on an opened rig, whatever rig that is: its file is opened, and closed in any case."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from closedloop.errors import DiskError
from closedloop.loop.commands import Operator
from closedloop.loop.evolution import EvolutionSession, Outcome
from closedloop.loop.threads import EvolutionThread
from closedloop.ports import Rig
from closedloop.protocol.frames import plan_frames
from closedloop.protocol.load import LoadedProtocol
from closedloop.session import SessionStore
from experiments.environment import environment
from experiments.rig import OpenedRig
from hardware.check import Finding

log = logging.getLogger(__name__)


def run_session(
    folder: Path,
    loaded: LoadedProtocol,
    threads: Sequence[EvolutionThread],
    opened: OpenedRig,
    operator: Operator,
    findings: Sequence[Finding] = (),
) -> Outcome:
    """Run the loop from the first generation to the end.

    Args:
        folder: the session's folder, new and empty.
        loaded: the protocol.
        threads: its evolutions, ready.
        opened: devices, ready.
        operator: the person at the rig.
        findings: what was measured of the machine before; recorded with the run.

    Raises:
        ClosedLoopError: what went wrong; the run is closed with the status ``failed``.
    """
    protocol, rig = loaded.protocol, opened.rig
    (folder / "protocol.yaml").write_text(loaded.as_used(), encoding="utf-8")
    checked = {finding.name: f"{finding.text} ({finding.verdict.value})" for finding in findings}
    store = SessionStore.create(
        folder,
        meta=_meta(folder.name, loaded),
        environment={**environment(), "check": checked},
        started_s=rig.clock.now(),
    )
    with _closing(store, rig):
        with store.transaction():
            store.set_display(asdict(opened.display))
            for info in opened.streams:
                store.add_stream(info)
            for thread in threads:
                spec = thread.spec.model_dump(mode="json")
                store.add_thread(thread.index, thread.spec.name, spec, thread.generator.provenance)
        plan = plan_frames(protocol.presentation, opened.display.period_s)
        outcome = EvolutionSession(
            protocol, plan, folder.name, rig, opened.streams, store, threads, operator
        ).run()
        store.close(ended_s=rig.clock.now(), exit_status=outcome.exit_status, reason=outcome.reason)
        log.info("session %s: %s", outcome.exit_status, outcome.reason)
    return outcome


def _meta(session_id: str, loaded: LoadedProtocol) -> dict[str, str]:
    return {
        "session": session_id,
        "kind": loaded.protocol.kind,
        "protocol": loaded.as_used(),
        "protocol_json": loaded.protocol.model_dump_json(),
        "protocol_sha256": loaded.sha256,
        "seed": str(loaded.protocol.seed),
    }


@contextmanager
def _closing(store: SessionStore, rig: Rig) -> Iterator[None]:
    """Close the session file with the status ``failed`` if anything goes wrong."""
    try:
        yield
    except BaseException as error:
        log.error("session failed: %s", error)
        try:
            store.close(ended_s=rig.clock.now(), exit_status="failed", reason=str(error))
        except DiskError as second:
            # the disk is full: the run stays without an exit status, as after a crash
            log.error("and the session file could not be closed: %s", second)
            store.abandon()
        raise
