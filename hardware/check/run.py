"""Runs the checks in the order in which a person wants to hear of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from closedloop.ports import DisplayReport
from closedloop.protocol.models import Protocol
from hardware.check.clocks import judge_clocks
from hardware.check.disk import judge_disk
from hardware.check.display import judge, open_and_judge, open_and_judge_any
from hardware.check.finding import Finding, measured
from hardware.check.gpu import judge_gpu
from hardware.check.lsl import judge_library, judge_loopback
from hardware.check.stream import judge_stream


def run_checks(
    protocol: Protocol | None,
    *,
    output: Path | None = None,
    display: DisplayReport | None = None,
    quick: bool = False,
    say: Callable[[str], None] = lambda _name: None,
) -> list[Finding]:
    """Measure the machine, and with a protocol the rig that it asks for (blocks up to a minute).

    Args:
        protocol: what the session is to do; None: only the machine is looked at.
        output: folder that session folders are made in; None: the protocol's, or the working folder.
        display: what an open stage has reported already; None: the stage is opened for some seconds.
        quick: for the start of a session, whose devices are open: no second window, no second look at the
            stream, fewer samples and commits. Needs ``display`` and ``protocol``.
        say: told what is measured next.

    Returns:
        All findings; ``require_good`` refuses the session if it must.
    """
    folder = output or (protocol.output.folder if protocol is not None else Path())
    steps: list[tuple[str, Callable[[], Sequence[Finding]]]] = [
        ("display", _display(protocol, display)),
        ("clocks", partial(judge_clocks, psychopy=not quick)),
        ("liblsl", judge_library),
        ("LSL loopback", partial(judge_loopback, quick=quick)),
        ("disk", partial(judge_disk, folder, protocol, quick=quick)),
        ("GPU", partial(judge_gpu, protocol)),
    ]
    if protocol is not None and not quick:
        steps.append(("response stream", partial(judge_stream, protocol)))
    findings: list[Finding] = []
    for name, step in steps:
        say(name)
        findings += measured(name, step)
    return findings


def _display(protocol: Protocol | None, report: DisplayReport | None) -> Callable[[], Sequence[Finding]]:
    if protocol is None:
        return open_and_judge_any
    if report is not None:
        return partial(judge, report, protocol.display)
    return partial(open_and_judge, protocol.display, protocol.presentation)
