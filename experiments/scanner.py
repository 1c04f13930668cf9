"""A scan session from the protocol file to the report: opens the rig, makes the runs, closes all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from closedloop.errors import ScanError, SessionAbortedError
from closedloop.protocol.load import LoadedScan, load_scan
from closedloop.scan.conductor import ScanOutcome
from closedloop.scan.design import draw_runs
from closedloop.scan.design.one_back_checks import check_one_back
from closedloop.scan.design.table_checks import check_tables
from closedloop.scan.frames import plan_run_frames
from closedloop.scan.stimuli import load_stimuli
from closedloop.session.lock import SessionLock
from experiments.console import say
from experiments.evolution import finish
from experiments.folder import make_session_folder, require_writable, session_name
from experiments.interrupts import Interrupts
from experiments.logfile import log_to, remembered
from experiments.network import lsl_of_scan
from experiments.parting import parting_words
from experiments.scan_operator import ScanTerminal
from experiments.scan_rig import SIMULATED, check_scan_machine, open_scan_rig
from experiments.scan_session import GoingOn, OpenedScanRig, ScanWork, run_scan_session
from experiments.way_on import RESUME, says_how_to_go_on, way_on
from hardware.check import require_good
from hardware.triggers import pulse_words

log = logging.getLogger(__name__)

# Between the pulse and the first flip that can show anything: what is due sooner comes late.
SOONEST_ONSET_S = 0.1


@remembered()
def run_scan(
    protocol_path: Path,
    *,
    out: Path | None = None,
    overrides: Sequence[str] = (),
    resume_by: str = RESUME,
) -> Path:
    """Run a whole scan session.

    Args:
        protocol_path: the protocol file.
        out: folder to make the session folder in, instead of the protocol's.
        overrides: ``key=value`` changes of the protocol.
        resume_by: the command by which such a session goes on, for messages.

    Returns:
        The session folder.

    Raises:
        SessionAbortedError: the person at the console aborted; the session is closed and its files are there.
        ScanError: a run could not be completed.
        ClosedLoopError: anything that went wrong; what was recorded before is in the session folder.
    """
    loaded = load_scan(protocol_path, overrides)
    protocol = loaded.protocol
    base = out if out is not None else protocol.output.folder
    require_writable(base)
    log.info("seed %d, protocol SHA-256 %s", protocol.seed, loaded.sha256)
    for override in overrides:
        log.info("set on the command line: %s", override)
    work = make_work(loaded)
    session_id = session_name(protocol, datetime.now().astimezone())
    return perform(work, session_id, base, lambda: make_session_folder(base, session_id), resume_by=resume_by)


def make_work(loaded: LoadedScan, *, begun: bool = False) -> ScanWork:
    """Read and render the images of a protocol, and draw its runs; the same for the same protocol.

    Args:
        loaded: the protocol.
        begun: for a session that goes on: what its tables and its task should have had is not asked for any more.

    Raises:
        ProtocolError, ReferenceImageError, TimingError: it can't be done.
    """
    protocol = loaded.protocol
    stimuli = load_stimuli(protocol)
    plans = draw_runs(protocol, stimuli.by_condition, 1 / protocol.display.refresh_hz)
    if not begun:
        check_tables(protocol, plans)
        check_one_back(protocol, plans)
    events = sum(event.kind == "image" for plan in plans for event in plan.events)
    say(f"protocol {loaded.path}: {len(plans)} run(s), {events} images shown, of {len(stimuli)} stimuli")
    return ScanWork(loaded, stimuli, plans)


def perform(
    work: ScanWork,
    session_id: str,
    base: Path,
    folder_of: Callable[[], Path],
    *,
    going_on_of: Callable[[OpenedScanRig], GoingOn] | None = None,
    lock: SessionLock | None = None,
    resume_by: str = RESUME,
) -> Path:
    """Open the rig, make the runs on it, close all, and write what is made of the session.

    Args:
        work: what is to be shown.
        session_id: named in every marker.
        base: folder that the session folder is in.
        folder_of: makes the session folder, or names it, once the rig is open.
        going_on_of: says, of the opened rig, how an earlier session goes on; None: a new one begins.
        lock: of the folder, if the caller holds it already.
        resume_by: see ``run_scan``.

    Returns:
        The session folder.

    Raises:
        ClosedLoopError: see ``run_scan``; once there is a folder, the remedy says how to go on.
    """
    protocol = work.loaded.protocol
    with ExitStack() as opening:
        opening.enter_context(lsl_of_scan(protocol))
        opened = opening.enter_context(open_scan_rig(protocol, session_id, work.stimuli.image_shape, say))
        for plan in work.plans:
            for note in plan_run_frames(plan, opened.display.period_s).notes:
                say(f"note: run {plan.label}: {note}")
        findings = check_scan_machine(protocol, base, opened.display)
        for finding in findings:
            log.info("check: %s: %s (%s)", finding.name, finding.text, finding.verdict.value)
        require_good(findings)
        going_on = None if going_on_of is None else going_on_of(opened)
        interrupts = opening.enter_context(Interrupts(opened.clock))
        folder = folder_of()
        opening.enter_context(log_to(folder / "log.txt"))
        say(f"session folder {folder}")
        opening.enter_context(parting_words(way_on(folder, resume_by)))
        task, trigger = protocol.task, protocol.scanner.trigger
        # pulses that are typed, at each volume, make a note unreadable; on another path all its characters are meant
        by_keyboard = trigger.path == "keyboard"
        keys = frozenset(task.keys if task else ()) | ({trigger.key} if by_keyboard else frozenset())
        try:
            with (
                ScanTerminal(
                    opened.clock, interrupts, keys, keys if by_keyboard else frozenset()
                ) as operator,
                says_how_to_go_on(folder, resume_by),
            ):
                outcome = run_scan_session(
                    folder, work, opened, operator, findings, going_on=going_on, lock=lock
                )
        finally:
            opened.close()
            if opened.markers_lost():
                say(
                    f"note: {opened.markers_lost()} markers could not be sent over LSL; the session file has them"
                )
            finish(folder, work.loaded)
    _require_complete(outcome, folder, resume_by)
    say(f"session {outcome.exit_status}: {outcome.reason}")
    return folder


def _require_complete(outcome: ScanOutcome, folder: Path, resume_by: str) -> None:
    remedy = (
        f"What was recorded is in the folder. To make the runs not completed: {way_on(folder, resume_by)}"
    )
    if outcome.exit_status == "aborted":
        raise SessionAbortedError(
            str(folder), found=outcome.reason, expected="the session to run to its end", remedy=remedy
        )
    if outcome.incomplete:
        raise ScanError(
            str(folder),
            found=outcome.reason,
            expected="every run that was begun to be completed",
            remedy=remedy,
        )


def dry_run(protocol_path: Path, overrides: Sequence[str] = ()) -> None:
    """Check a protocol with its images and designs, and say what would be done; opens nothing."""
    loaded = load_scan(protocol_path, overrides)
    protocol, work = loaded.protocol, make_work(loaded)
    scanner = protocol.scanner
    if scanner.simulate is not None:
        say(SIMULATED)
    for words in pulse_words(scanner.trigger):
        say(f"note: {words}")
    period_s = 1 / protocol.display.refresh_hz
    for plan in work.plans:
        frames = plan_run_frames(plan, period_s)
        counts = {
            kind: sum(event.kind == kind for event in plan.events) for kind in ("image", "null", "fixation")
        }
        pulses = (scanner.dummies + plan.volumes) * scanner.slices
        say(
            f"run {plan.label}: {counts['image']} images, {counts['null']} null events, {counts['fixation']} changes "
            f"of the fixation point in {plan.duration_s:.1f} s; {scanner.dummies} dummies and {plan.volumes} volumes "
            f"at TR {scanner.tr_s:g} s, {pulses} pulses expected"
        )
        say(
            f"run {plan.label}: onsets on whole frames at {protocol.display.refresh_hz:g} Hz, "
            f"at most {1000 * frames.largest_shift_s:.1f} ms off their plan, however long the run"
        )
        for note in frames.notes:
            say(f"note: run {plan.label}: {note}")
        early = [event for event in plan.events if event.kind != "null" and event.onset_s < SOONEST_ONSET_S]
        if early:
            say(
                f"note: run {plan.label}: {early[0].trial_type} at {1000 * early[0].onset_s:.0f} ms will come late: "
                "it takes some frames from the first volume's pulse to the screen. Set design.lead_in"
            )
        efficiency = plan.drawn.get("efficiency")
        if efficiency:
            parts = ", ".join(f"{name} {value:.4g}" for name, value in efficiency["contrasts"].items())
            say(
                f"run {plan.label}: efficiency {efficiency['total']:.4g} ({parts}); best of "
                f"{plan.drawn.get('candidates', 1)} drawn"
            )
    say("the protocol is good; nothing was opened")
