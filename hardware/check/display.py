"""The display: refresh and its jitter, renderer, priority, garbage collection, as the real stage finds them."""

from __future__ import annotations

from collections.abc import Sequence

from closedloop.errors import NoDisplayError, RefreshError
from closedloop.ports import DisplayReport
from closedloop.protocol.models import Display, Presentation
from hardware.check.finding import Finding, Verdict, at_most, told
from hardware.wakefulness import REQUEST

IMAGE_SHAPE = (64, 64, 3)
JITTER_SHARE = 0.1
"""Of a frame: with more, the standard deviation of frame intervals makes a flip's stamp doubtful."""

OUTLIER_SHARE = 0.05
"""Of the measured intervals may be other than one frame."""

UPLOAD_SHARE = 0.5
"""Of a frame may drawing and uploading an image take together, so that the flip is not missed."""

USUAL_REFRESH_HZ = (60.0, 120.0, 144.0, 100.0, 75.0, 85.0, 165.0, 240.0)
"""Tried in this order when no protocol says what to expect."""

_SOFTWARE = ("llvmpipe", "softpipe", "swrast", "software")


def open_and_judge(display: Display, presentation: Presentation) -> Sequence[Finding]:
    """Open the real stage for some seconds, and judge what it measured.

    Raises:
        StageError: it can't be opened, or the refresh is not the expected one.
        ProcessDiedError: its process ended.
    """
    return judge(_open(display, presentation), display)


def open_and_judge_any() -> Sequence[Finding]:
    """The same without a protocol: take the display as it is.

    Raises:
        StageError: it can't be opened, or has none of the usual refreshes.
        ProcessDiedError: its process ended.
    """
    for refresh_hz in USUAL_REFRESH_HZ[:-1]:
        try:
            return open_and_judge(_small(refresh_hz), Presentation())
        except RefreshError:
            continue  # another rate is tried; the last one tells of its failure
    return open_and_judge(_small(USUAL_REFRESH_HZ[-1]), Presentation())


def judge(report: DisplayReport, display: Display) -> Sequence[Finding]:
    """Judge what an open stage has measured.

    Args:
        report: of the stage.
        display: what the protocol expects.
    """
    frame_ms = report.period_s * 1e3
    # without vertical blank, unevenness only says how busy the machine is at this moment
    blank = report.paced_by == "vblank"
    busy = "Close other programs, and keep the desktop's compositor away from the window."
    details = report.details
    return [
        _refresh(report, display),
        at_most("refresh jitter", report.jitter_s * 1e3, JITTER_SHARE * frame_ms, "ms", busy, required=blank),
        at_most("uneven frames", _uneven(report) * 100, OUTLIER_SHARE * 100, "%", busy, required=blank),
        at_most(
            "draw and upload",
            _number(details.get("draw_ms")) + _number(details.get("upload_ms")),
            UPLOAD_SHARE * frame_ms,
            "ms",
            "Use a faster graphics card, or a lower refresh.",
            required=blank,
        ),
        _pacing(report),
        _renderer(report),
        _priority(report),
        _memory(report),
        _cores(report),
        _garbage_collection(report),
    ]


def _small(refresh_hz: float) -> Display:
    return Display(refresh_hz=refresh_hz, size_px=(640, 480))  # a window that fits on any screen


def _open(display: Display, presentation: Presentation) -> DisplayReport:
    from hardware.display import has_display
    from hardware.stage import PsychopyStage

    if not has_display():
        raise NoDisplayError(
            "display",
            found="no display that answers",
            expected="a screen",
            remedy="Switch a screen on and log in at it, or set DISPLAY; `closedloop demo` brings its own.",
        )
    stage = PsychopyStage(display, presentation, IMAGE_SHAPE, slots=4)
    try:
        return stage.open()
    finally:
        stage.close()


def _refresh(report: DisplayReport, display: Display) -> Finding:
    measured_hz = _number(report.details.get("measured_hz", report.refresh_hz))
    off = abs(measured_hz - display.refresh_hz) / display.refresh_hz
    # a stage that paces itself has the rate that it is asked for, and what differs is how busy the machine is
    tolerance = (
        display.refresh_tolerance if report.paced_by == "vblank" else max(display.refresh_tolerance, 0.1)
    )
    return Finding(
        "refresh",
        measured_hz,
        "Hz",
        Verdict.OK if off <= tolerance else Verdict.BAD,
        f"{display.refresh_hz:g} Hz within {tolerance:.1%}",
        "Set the screen to that rate, or correct display.refresh_hz.",
    )


def _uneven(report: DisplayReport) -> float:
    intervals = _number(report.details.get("refresh_intervals"))
    return _number(report.details.get("refresh_outliers")) / intervals if intervals else float("nan")


def _pacing(report: DisplayReport) -> Finding:
    if report.paced_by == "vblank":
        return told("flips paced by", "the vertical blank")
    return Finding(
        "flips paced by",
        "the clock: no vertical blank here",
        "",
        Verdict.BAD,
        "the vertical blank",
        "Good for a demo; at a rig use a real screen, with vertical sync switched on.",
        required=False,
    )


def _renderer(report: DisplayReport) -> Finding:
    renderer = str(report.details.get("renderer", ""))
    software = any(word in renderer.lower() for word in _SOFTWARE)
    return Finding(
        "GL renderer",
        renderer or None,
        "",
        Verdict.UNKNOWN if not renderer else Verdict.BAD if software else Verdict.OK,
        "a graphics card",
        "Good for a demo; at a rig install the graphics card's driver."
        if software
        else "Install a GL driver.",
        required=not renderer,
    )


def _priority(report: DisplayReport) -> Finding:
    granted = str(report.details.get("priority", ""))
    normal = granted.startswith("normal")
    return Finding(
        "priority granted",
        granted or None,
        "",
        Verdict.UNKNOWN if not granted else Verdict.BAD if normal else Verdict.OK,
        "real-time, or at least raised",
        "Allow this user real-time priority: a line `@video - rtprio 20` in /etc/security/limits.conf.",
        required=not granted,
    )


def _memory(report: DisplayReport) -> Finding:
    words = str(report.details.get("memory", ""))
    return Finding(
        "memory of the stage",
        words or None,
        "",
        Verdict.OK if words == "locked" else Verdict.BAD if words else Verdict.UNKNOWN,
        "locked",
        "Allow this user to lock memory: a line `@video - memlock unlimited` in /etc/security/limits.conf.",
        required=False,
    )


def _cores(report: DisplayReport) -> Finding:
    words = str(report.details.get("cores", ""))
    refused = words.startswith(f"may sleep: {REQUEST}")
    return Finding(
        "sleep of the cores",
        words or None,
        "",
        Verdict.OK if words.startswith("kept awake") else Verdict.BAD if refused else Verdict.UNKNOWN,
        "kept awake",
        f"Allow this user to write to {REQUEST} (docs/timing.md says how)."
        if refused
        else "Nothing can be asked of this system; switch deep sleep of the processor off in its firmware.",
        required=False,
    )


def _garbage_collection(report: DisplayReport) -> Finding:
    words = str(report.details.get("garbage_collection", ""))
    return Finding(
        "garbage collection",
        words or None,
        "",
        Verdict.OK if words.startswith("off while trials run") else Verdict.BAD if words else Verdict.UNKNOWN,
        "off while trials run",
        "This is a fault of the program; please report it.",
    )


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")
