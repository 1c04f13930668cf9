"""An evolution session from the protocol file to the report: opens the rig, runs the loop, closes all."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from closedloop.errors import ClosedLoopError, SessionAbortedError
from closedloop.loop.threads import EvolutionThread
from closedloop.protocol.frames import check_timing, plan_frames
from closedloop.protocol.load import LoadedProtocol, LoadedScan, load_protocol
from closedloop.session.database import FILE_NAME
from closedloop.session.lock import SessionLock
from experiments.closing import write_outputs
from experiments.console import say
from experiments.folder import LOG_FILE, make_session_folder, require_writable, session_name
from experiments.interrupts import Interruptible, Interrupts
from experiments.logfile import log_to, remembered
from experiments.network import lsl_as_in
from experiments.operator import TerminalOperator
from experiments.parting import parting_words
from experiments.prepare import make_threads
from experiments.rig import OpenedRig, open_rig
from experiments.session import Past, run_session
from experiments.way_on import RESUME, says_how_to_go_on, way_on
from hardware.check import require_good, run_checks

log = logging.getLogger(__name__)


@remembered()
def run_evolution(
    protocol_path: Path,
    *,
    out: Path | None = None,
    overrides: Sequence[str] = (),
    control: str | None = None,
    resume_by: str = RESUME,
) -> Path:
    """Run a whole session.

    Args:
        protocol_path: the protocol file.
        out: folder to make the session folder in, instead of the protocol's.
        overrides: ``key=value`` changes of the protocol.
        control: ``"shuffled"``: the stage deliberately shows other images than the loop believes.
        resume_by: the command by which such a session goes on, for messages.

    Returns:
        The session folder.

    Raises:
        SessionAbortedError: the person at the rig aborted; the session is closed and its report is there.
        ClosedLoopError: anything that went wrong; what was recorded before is in the session folder.
    """
    loaded = load_protocol(protocol_path, overrides)
    protocol = loaded.protocol
    base = out if out is not None else protocol.output.folder
    require_writable(base)
    say(
        f"protocol {loaded.path}: {len(protocol.threads)} thread(s), {protocol.limits.generations} generations"
    )
    log.info("seed %d, protocol SHA-256 %s", protocol.seed, loaded.sha256)
    for override in overrides:
        log.info("set on the command line: %s", override)
    threads = make_threads(protocol)
    session_id = session_name(protocol, datetime.now().astimezone())
    return perform(
        loaded,
        threads,
        session_id,
        base,
        lambda: make_session_folder(base, session_id),
        control=control,
        resume_by=resume_by,
    )


def perform(
    loaded: LoadedProtocol,
    threads: Sequence[EvolutionThread],
    session_id: str,
    base: Path,
    folder_of: Callable[[], Path],
    *,
    control: str | None = None,
    past_of: Callable[[OpenedRig], Past] | None = None,
    lock: SessionLock | None = None,
    resume_by: str = RESUME,
) -> Path:
    """Open the rig, run a session on it to its end, close all, and write what is made of it.

    Args:
        loaded: the protocol.
        threads: its evolutions, ready.
        session_id: named in every marker.
        base: folder that the session folder is in.
        folder_of: makes the session folder, or names it, once the rig is open.
        control: see ``run_evolution``.
        past_of: says, of the opened rig, how an earlier session goes on; None: a new one begins.
        lock: of the folder, if the caller holds it already.
        resume_by: see ``run_evolution``.

    Returns:
        The session folder.

    Raises:
        ClosedLoopError: see ``run_evolution``; once there is a folder, the remedy says how to go on.
    """
    protocol = loaded.protocol
    say(f"generator ready on {', '.join(sorted({thread.generator.device for thread in threads}))}")
    for thread in threads:
        log.info("thread %s: %s", thread.spec.name, thread.generator.provenance)
    with ExitStack() as opening:
        opening.enter_context(lsl_as_in(protocol.lsl))
        opened = opening.enter_context(
            open_rig(protocol, session_id, threads[0].generator.image_shape, control, say=say)
        )
        for note in check_timing(protocol, opened.display.period_s):
            say(f"note: {note}")
        findings = run_checks(protocol, output=base, display=opened.display, quick=True)
        for finding in findings:
            log.info("check: %s: %s (%s)", finding.name, finding.text, finding.verdict.value)
        require_good(findings)
        past = None if past_of is None else past_of(opened)
        interrupts = opening.enter_context(Interrupts(opened.rig.clock))
        folder = folder_of()
        opening.enter_context(log_to(folder / LOG_FILE))
        say(f"session folder {folder}")
        opening.enter_context(parting_words(way_on(folder, resume_by)))
        try:
            with TerminalOperator(opened.rig.clock) as terminal, says_how_to_go_on(folder, resume_by):
                operator = Interruptible(terminal, interrupts)
                outcome = run_session(
                    folder, loaded, threads, opened, operator, findings, past=past, lock=lock
                )
        finally:
            opened.close()
            finish(folder, loaded)
    if outcome.exit_status == "aborted":
        raise SessionAbortedError(
            str(folder),
            found=outcome.reason,
            expected="the session to run to its end",
            remedy="Everything up to then is recorded, and the report is in the folder. "
            f"To go on: {way_on(folder, resume_by)}",
        )
    say(f"session {outcome.exit_status}: {outcome.reason}")
    return folder


def dry_run(protocol_path: Path, overrides: Sequence[str] = ()) -> None:
    """Check a protocol with its weights and pictures, and say what would be done; opens nothing."""
    loaded = load_protocol(protocol_path, overrides)
    protocol = loaded.protocol
    threads = make_threads(protocol)
    plan = plan_frames(protocol.presentation, 1 / protocol.display.refresh_hz)
    for note in check_timing(protocol, plan.period_s):
        say(f"note: {note}")
    per_generation = sum(
        len(thread.optimizer.ask()) + min(protocol.references.per_generation, len(thread.references))
        for thread in threads
    )
    trials = per_generation * protocol.response.repeats
    trial_ms = plan.on_ms + plan.off_ms + plan.iti_ms / protocol.presentation.images_per_trial
    minutes = trials * protocol.limits.generations * trial_ms / 60_000
    for thread in threads:
        say(
            f"thread {thread.spec.name}: {thread.spec.generator.name} on {thread.generator.device}, "
            f"{thread.spec.optimizer.name}, population {len(thread.optimizer.ask())}, "
            f"{len(thread.references)} references"
        )
    say(
        f"{protocol.limits.generations} generations of {trials} trials, each {plan.on_frames} frames on and "
        f"{plan.off_frames} off ({plan.on_ms:.1f} and {plan.off_ms:.1f} ms at {protocol.display.refresh_hz:g} Hz): "
        f"at least {minutes:.1f} minutes"
    )
    say("the protocol is good; nothing was opened")


def finish(folder: Path, loaded: LoadedProtocol | LoadedScan) -> None:
    """Write tables, images and report; their failure takes nothing from the session and hides no other."""
    if not (folder / FILE_NAME).exists():
        return
    try:
        write_outputs(folder, loaded.protocol.output, say)
    except Exception as error:  # whatever it is, how the session itself ended must be heard
        foreseen = isinstance(error, ClosedLoopError)
        words = str(error) if foreseen else f"{type(error).__name__}: {error}"
        log.error("tables, images or report could not be written: %s", words, exc_info=error)
        place = "" if foreseen else f" The error is in {folder / LOG_FILE}."
        again = f"closedloop report {shlex.quote(str(folder))}"
        say(f"tables, images or report could not be written: {words}.{place} Try again with: {again}")
        return
    if loaded.protocol.output.report:
        say(f"report {folder / 'report.html'}")
