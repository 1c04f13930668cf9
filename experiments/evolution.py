"""An evolution session from the protocol file to the report: opens the rig, runs the loop, closes all."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from rich.markup import escape

from closedloop.errors import ClosedLoopError, SessionAbortedError
from closedloop.protocol.frames import check_timing, plan_frames
from closedloop.protocol.load import LoadedProtocol, load_protocol
from closedloop.session.database import FILE_NAME
from experiments.closing import write_outputs
from experiments.console import err
from experiments.folder import make_session_folder, session_name
from experiments.interrupts import Interruptible, Interrupts
from experiments.logfile import log_to
from experiments.network import lsl_as_in
from experiments.operator import TerminalOperator
from experiments.prepare import make_threads
from experiments.rig import open_rig
from experiments.session import run_session
from hardware.check import require_good, run_checks

log = logging.getLogger(__name__)


def run_evolution(
    protocol_path: Path,
    *,
    out: Path | None = None,
    overrides: Sequence[str] = (),
    control: str | None = None,
) -> Path:
    """Run a whole session.

    Args:
        protocol_path: the protocol file.
        out: folder to make the session folder in, instead of the protocol's.
        overrides: ``key=value`` changes of the protocol.
        control: ``"shuffled"``: the stage deliberately shows other images than the loop believes.

    Returns:
        The session folder.

    Raises:
        SessionAbortedError: the person at the rig aborted; the session is closed and its report is there.
        ClosedLoopError: anything that went wrong; what was recorded before is in the session folder.
    """
    loaded = load_protocol(protocol_path, overrides)
    protocol = loaded.protocol
    _say(
        f"protocol {loaded.path}: {len(protocol.threads)} thread(s), {protocol.limits.generations} generations"
    )
    threads = make_threads(protocol)
    _say(f"generator ready on {', '.join(sorted({thread.generator.device for thread in threads}))}")
    session_id = session_name(protocol, datetime.now().astimezone())
    with ExitStack() as opening:
        opening.enter_context(lsl_as_in(protocol.lsl))
        opened = opening.enter_context(
            open_rig(protocol, session_id, threads[0].generator.image_shape, control, say=_say)
        )
        for note in check_timing(protocol, opened.display.period_s):
            _say(f"note: {note}")
        base = out if out is not None else protocol.output.folder
        findings = run_checks(protocol, output=base, display=opened.display, quick=True)
        require_good(findings)
        interrupts = opening.enter_context(Interrupts(opened.rig.clock))
        folder = make_session_folder(base, session_id)
        opening.enter_context(log_to(folder / "log.txt"))
        _say(f"session folder {folder}")
        try:
            with TerminalOperator(opened.rig.clock) as terminal:
                operator = Interruptible(terminal, interrupts)
                outcome = run_session(folder, loaded, threads, opened, operator, findings)
        finally:
            opened.close()
            _finish(folder, loaded)
    if outcome.exit_status == "aborted":
        raise SessionAbortedError(
            str(folder),
            found=outcome.reason,
            expected="the session to run to its end",
            remedy="Everything up to then is recorded, and the report is in the folder.",
        )
    _say(f"session {outcome.exit_status}: {outcome.reason}")
    return folder


def dry_run(protocol_path: Path, overrides: Sequence[str] = ()) -> None:
    """Check a protocol with its weights and pictures, and say what would be done; opens nothing."""
    loaded = load_protocol(protocol_path, overrides)
    protocol = loaded.protocol
    threads = make_threads(protocol)
    plan = plan_frames(protocol.presentation, 1 / protocol.display.refresh_hz)
    for note in check_timing(protocol, plan.period_s):
        _say(f"note: {note}")
    per_generation = sum(
        len(thread.optimizer.ask()) + min(protocol.references.per_generation, len(thread.references))
        for thread in threads
    )
    trials = per_generation * protocol.response.repeats
    trial_ms = plan.on_ms + plan.off_ms + plan.iti_ms / protocol.presentation.images_per_trial
    minutes = trials * protocol.limits.generations * trial_ms / 60_000
    for thread in threads:
        _say(
            f"thread {thread.spec.name}: {thread.spec.generator.name} on {thread.generator.device}, "
            f"{thread.spec.optimizer.name}, population {len(thread.optimizer.ask())}, "
            f"{len(thread.references)} references"
        )
    _say(
        f"{protocol.limits.generations} generations of {trials} trials, each {plan.on_frames} frames on and "
        f"{plan.off_frames} off ({plan.on_ms:.1f} and {plan.off_ms:.1f} ms at {protocol.display.refresh_hz:g} Hz): "
        f"at least {minutes:.1f} minutes"
    )
    _say("the protocol is good; nothing was opened")


def _finish(folder: Path, loaded: LoadedProtocol) -> None:
    """Write tables, images and report; their failure takes nothing from the session and hides no other."""
    if not (folder / FILE_NAME).exists():
        return
    try:
        write_outputs(folder, loaded.protocol.output)
    except ClosedLoopError as error:
        log.error("the report could not be written: %s", error)
        _say(f"the report could not be written: {error}. Try again with: closedloop report {folder}")
        return
    if loaded.protocol.output.report:
        _say(f"report {folder / 'report.html'}")


def _say(text: str) -> None:
    log.info("%s", text)
    err.print(escape(text), highlight=False, soft_wrap=True)
