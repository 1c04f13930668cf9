"""``closedloop demo``: the whole chain on one machine, with a simulated subject that looks at the screen."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from closedloop.errors import ProcessDiedError, ProtocolError
from closedloop.protocol.load import load_protocol
from closedloop.protocol.models import Corner, Protocol
from experiments.console import err
from experiments.network import lsl_of_its_own
from experiments.recorded import read_session
from experiments.unbegun import is_unbegun, protocol_of_unbegun
from hardware.display import has_display, virtual_display

PROTOCOL = Path(__file__).resolve().parent.parent / "protocols" / "demo.yaml"
_SUBJECT_START_S = 90.0
_RESUME = "closedloop demo --resume"


def run_demo(*, out: Path | None = None, overrides: Sequence[str] = (), control: str | None = None) -> Path:
    """Run the demo's session and return its folder.

    Args:
        out: folder to make the session folder in.
        overrides: ``key=value`` changes of the demo's protocol.
        control: see :func:`experiments.evolution.run_evolution`.

    Raises:
        ClosedLoopError: as a session does.
    """
    if not PROTOCOL.is_file():
        raise ProtocolError(
            str(PROTOCOL),
            found="no such file",
            expected="the demo's protocol, which lies in a checkout of the program",
            remedy="Run the demo from a checkout: git clone, then `make demo`.",
        )
    with _rig_of(load_protocol(PROTOCOL, overrides).protocol):
        # imported late: pylsl reads its configuration when it is imported
        from experiments.evolution import run_evolution

        return run_evolution(PROTOCOL, out=out, overrides=overrides, control=control, resume_by=_RESUME)


def resume_demo(folder: Path, *, overrides: Sequence[str] = (), accept_changes: bool = False) -> Path:
    """Go on with a demo's session, with a display and a subject as it had; return its folder.

    Args:
        folder: the session folder.
        overrides: ``key=value`` changes of its protocol.
        accept_changes: see :func:`experiments.resume.resume_session`.

    Raises:
        ClosedLoopError: as :func:`experiments.resume.resume_session` does.
    """
    with _rig_of(_protocol_in(folder, overrides)):
        from experiments.resume import resume_session  # late, as above

        return resume_session(folder, overrides=overrides, accept_changes=accept_changes, resume_by=_RESUME)


def _protocol_in(folder: Path, overrides: Sequence[str]) -> Protocol:
    """Return the protocol of a session that is to go on, or to begin anew in its folder."""
    if is_unbegun(folder):
        return load_protocol(protocol_of_unbegun(folder), overrides).protocol
    return read_session(folder).protocol


@contextmanager
def _rig_of(protocol: Protocol) -> Iterator[None]:
    """Bring up what a demo has instead of a rig: display, subject, and an LSL corner for both."""
    with ExitStack() as up:
        up.enter_context(lsl_of_its_own("demo"))
        _bring_up_display(up, protocol)
        up.enter_context(_subject(protocol))
        yield


def _bring_up_display(up: ExitStack, protocol: Protocol) -> None:
    if has_display():
        return
    display = up.enter_context(virtual_display(protocol.display.size_px))
    err.print(f"no screen here: virtual display {display.name}", highlight=False)


@contextmanager
def _subject(protocol: Protocol) -> Iterator[None]:
    """Run the simulated subject beside the session."""
    # it hears commands, so that it ends when its standard input does: with us, however we end; Ctrl-C is ours
    command = [sys.executable, "-m", "hardware.subject", *subject_arguments(protocol), "--commands"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            _wait_until_ready(process)
            err.print("simulated subject: looking at the screen", highlight=False)
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()


def subject_arguments(protocol: Protocol) -> list[str]:
    """Return where a subject in front of this protocol's window must look, as command-line arguments."""
    width, height = protocol.display.size_px
    patch = protocol.display.photodiode
    if patch is None:
        raise ProtocolError(
            "display.photodiode",
            found="no photodiode patch",
            expected="one, since the simulated subject tells onsets by it",
            remedy="Leave display.photodiode at its default.",
        )
    middle = patch.size_px // 2
    x = middle if patch.corner in (Corner.TOP_LEFT, Corner.BOTTOM_LEFT) else width - middle
    y = middle if patch.corner in (Corner.TOP_LEFT, Corner.TOP_RIGHT) else height - middle
    side = _picture_side_px(protocol)
    left, top = (width - side) // 2, (height - side) // 2
    return [
        "--patch-x", str(x),
        "--patch-y", str(y),
        "--picture", f"{left},{top},{side},{side}",
        "--seed", str(protocol.seed),
    ]  # fmt: skip


def _picture_side_px(protocol: Protocol) -> int:
    """Side of the first thread's image on the screen, seen straight ahead."""
    display = protocol.display
    half_cm = display.distance_cm * math.tan(math.radians(protocol.threads[0].size_deg / 2))
    return round(2 * half_cm * display.size_px[0] / display.width_cm)


def _wait_until_ready(process: subprocess.Popen[str]) -> None:
    stdout = process.stdout
    lines: list[str] = []
    # in a thread, since reading a pipe waits for as long as it takes
    reader = threading.Thread(target=lambda: lines.append(stdout.readline() if stdout else ""), daemon=True)
    reader.start()
    reader.join(_SUBJECT_START_S)
    if not (lines and lines[0].startswith("ready")):
        raise ProcessDiedError(
            "simulated subject",
            found=lines[0].strip() if lines and lines[0] else f"exit code {process.poll()}",
            expected="its stream within 90 s",
            remedy="Try it alone: closedloop simulate subject",
        )
