"""Opens the rig of a scan session: stage, trigger and markers, each in a process of its own, on the one clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from closedloop.ports import DisplayReport
from closedloop.protocol.models import Presentation
from closedloop.protocol.scan import ScanProtocol
from experiments.scan_session import OpenedScanRig
from experiments.simulated_scanner import ProtocolScanner
from hardware.check import Finding
from hardware.check.clocks import judge_clocks
from hardware.check.disk import judge_disk
from hardware.check.display import judge
from hardware.check.finding import measured, told
from hardware.check.lsl import judge_library
from hardware.clock import LslClock
from hardware.display import has_display, virtual_display
from hardware.lsl.marker_link import MarkerLink
from hardware.stage import PsychopyStage
from hardware.triggers import button_words, open_trigger, pulse_words

SIMULATED = "the scanner is SIMULATED (scanner.simulate): no subject is being scanned"


@contextmanager
def open_scan_rig(
    protocol: ScanProtocol,
    session_id: str,
    image_shape: tuple[int, int, int],
    say: Callable[[str], None],
) -> Iterator[OpenedScanRig]:
    """Open all devices, and close them in any case.

    With a simulated scanner a screen is brought up where there is none.

    Args:
        protocol: what is needed of the devices.
        session_id: named in every marker.
        image_shape: height, width and 3 of the images to be shown.
        say: told what is being done, in words.

    Raises:
        TriggerError: the trigger is not there, or not what the protocol says.
        StageError: the display can't be opened or can't be trusted.
    """
    clock = LslClock()
    with ExitStack() as opened:
        scanner: ProtocolScanner | None = None
        heard = protocol.scanner
        if protocol.scanner.simulate is not None:
            if not has_display():
                display_ = opened.enter_context(virtual_display(protocol.display.size_px))
                say(f"no screen here: virtual display {display_.name}")
            scanner = ProtocolScanner(protocol, clock)
            opened.callback(scanner.close)
            where, heard = scanner.open()
            say(f"{SIMULATED}; pulses at {where}")
        keys = protocol.task.keys if protocol.task is not None else ()
        trigger = open_trigger(heard, keys)
        opened.callback(trigger.close)
        info = trigger.open()
        say(
            f"trigger {info.device}: stamps to {1000 * info.resolution_s:.3g} ms, "
            f"off by up to {1000 * info.uncertainty_s:.3g} ms"
        )
        for words in [*button_words(info), *pulse_words(heard.trigger)]:
            say(words)
        markers = MarkerLink(session_id)
        opened.callback(markers.close)
        markers.open()
        presentation = Presentation(fixation=protocol.fixation)
        stage = PsychopyStage(protocol.display, presentation, image_shape)
        opened.callback(stage.close)
        display = stage.open()
        say(
            f"display {display.size_px[0]} x {display.size_px[1]} at {display.refresh_hz:.2f} Hz, "
            f"paced by {'its vertical blank' if display.paced_by == 'vblank' else 'the clock (no vertical blank)'}"
        )

        def close() -> None:
            # the window first, so that nothing is left on the screen
            stage.close()
            markers.close()
            trigger.close()

        yield OpenedScanRig(
            clock,
            stage,
            trigger,
            markers,
            display,
            info,
            armed=scanner.armed if scanner else lambda _plan, _scan: None,
            disarmed=scanner.disarmed if scanner else lambda: None,
            close=close,
            markers_lost=lambda: markers.markers_lost,
        )


def check_scan_machine(protocol: ScanProtocol, output: Path, display: DisplayReport) -> list[Finding]:
    """Measure what a scan session needs of the machine (blocks some seconds).

    Args:
        protocol: of the session.
        output: folder that session folders are made in.
        display: what the open stage has reported.
    """
    steps: list[tuple[str, Callable[[], Sequence[Finding]]]] = [
        ("display", partial(judge, display, protocol.display)),
        ("clocks", partial(judge_clocks, psychopy=False)),
        ("liblsl", judge_library),
        ("disk", partial(judge_disk, output, None, quick=True)),
    ]
    return [finding for name, step in steps for finding in measured(name, step)]


def check_scan_rig(protocol: ScanProtocol, say: Callable[[str], None]) -> list[Finding]:
    """Open the rig of a scan session, measure it and the machine, and close it (blocks some seconds).

    Args:
        protocol: of the session.
        say: told what is being done, in words.

    Raises:
        TriggerError, StageError: as ``open_scan_rig``.
    """
    with open_scan_rig(protocol, "check", (64, 64, 3), say) as opened:
        try:
            info = opened.trigger_info
            stamps = f"{info.device}, stamps off by up to {1000 * info.uncertainty_s:.3g} ms"
            findings = check_scan_machine(protocol, protocol.output.folder, opened.display)
        finally:
            opened.close()
    return [*findings, told("trigger", stamps)]
