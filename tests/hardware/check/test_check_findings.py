"""What refuses a session, and what is only told."""

from __future__ import annotations

import math

import pytest

from closedloop.errors import CheckError, NoDisplayError, StreamNotFoundError
from closedloop.ports import DisplayReport
from closedloop.protocol.models import Display
from hardware.check.display import judge
from hardware.check.finding import Finding, Verdict, at_most, measured, require_good, told


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (1.0, Verdict.OK),
        (2.0, Verdict.OK),
        (2.01, Verdict.BAD),
        (math.inf, Verdict.BAD),
        (math.nan, Verdict.UNKNOWN),
    ],
)
def test_a_limit_is_held(value: float, verdict: Verdict) -> None:
    assert at_most("jitter", value, 2.0, "ms", "").verdict is verdict


def test_all_good_or_only_advised_lets_a_session_begin() -> None:
    advice = Finding("renderer", "software", "", Verdict.BAD, "a card", required=False)
    require_good([told("GPU", "none"), at_most("jitter", 0.1, 2.0, "ms", ""), advice])


@pytest.mark.parametrize("verdict", [Verdict.BAD, Verdict.UNKNOWN])
def test_bad_and_unknown_refuse_alike_and_are_named(verdict: Verdict) -> None:
    bad = Finding("refresh", 59.1, "Hz", verdict, "60 Hz", "Set the screen.")
    with pytest.raises(CheckError) as caught:
        require_good([told("GPU", "none"), bad])
    assert "refresh: 59.1 Hz" in caught.value.found
    assert caught.value.expected == "refresh: 60 Hz"
    assert caught.value.remedy == "Set the screen."
    assert caught.value.exit_code == 9


def test_what_cannot_be_measured_is_unknown_and_refuses() -> None:
    def fail() -> list[Finding]:
        raise NoDisplayError("display", found="none", expected="a screen", remedy="Switch it on.")

    (finding,) = measured("display", fail)
    assert finding.verdict is Verdict.UNKNOWN
    assert finding.refuses
    assert (finding.text, finding.expected, finding.remedy) == ("none", "a screen", "Switch it on.")


def test_an_error_that_is_not_ours_is_not_hidden() -> None:
    def fail() -> list[Finding]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        measured("display", fail)


def _report(paced_by: str = "vblank", jitter_s: float = 0.0002, **details: object) -> DisplayReport:
    good = {
        "renderer": "NVIDIA RTX",
        "priority": "SCHED_FIFO 10",
        "memory": "locked",
        "cores": "kept awake (back within 2 us)",
        "garbage_collection": "off while trials run, collected when idle",
        "refresh_intervals": 120,
        "refresh_outliers": 0,
        "measured_hz": 59.95,
        "draw_ms": 0.5,
        "upload_ms": 0.4,
    }
    return DisplayReport(
        size_px=(800, 600),
        refresh_hz=59.95,
        period_s=1 / 59.95,
        jitter_s=jitter_s,
        paced_by=paced_by,
        pixels_per_deg=30.0,
        details=good | details,
    )


def _refusing(report: DisplayReport, refresh_hz: float = 60.0) -> set[str]:
    return {finding.name for finding in judge(report, Display(refresh_hz=refresh_hz)) if finding.refuses}


def test_a_good_display_is_fit_and_has_no_bad_verdict() -> None:
    assert {finding.verdict for finding in judge(_report(), Display())} == {Verdict.OK}


def test_another_refresh_refuses() -> None:
    assert _refusing(_report(), refresh_hz=75.0) == {"refresh"}


def test_a_busy_moment_is_no_other_refresh_where_the_stage_paces_itself() -> None:
    assert _refusing(_report("clock", measured_hz=58.2)) == set()
    assert _refusing(_report("vblank", measured_hz=58.2)) == {"refresh"}
    assert _refusing(_report("clock", measured_hz=50.0)) == {"refresh"}


def test_uneven_frames_refuse_only_where_there_is_a_blank() -> None:
    assert _refusing(_report(jitter_s=0.003)) == {"refresh jitter"}
    assert _refusing(_report(refresh_outliers=20)) == {"uneven frames"}
    assert _refusing(_report(upload_ms=9.0)) == {"draw and upload"}
    assert _refusing(_report("clock", jitter_s=0.003, refresh_outliers=20, upload_ms=9.0)) == set()


def test_no_blank_software_and_normal_priority_are_advice() -> None:
    report = _report(
        "clock",
        renderer="llvmpipe (LLVM 15)",
        priority="normal: not permitted",
        memory="not locked: no",
        cores="may sleep: /dev/cpu_dma_latency: Permission denied",
    )
    bad = {finding.name for finding in judge(report, Display()) if finding.verdict is Verdict.BAD}
    assert bad == {
        "flips paced by",
        "GL renderer",
        "priority granted",
        "memory of the stage",
        "sleep of the cores",
    }
    assert _refusing(report) == set()


def test_a_stage_that_does_not_say_what_it_has_refuses() -> None:
    report = DisplayReport((800, 600), 60.0, 1 / 60, 0.0, "vblank", 30.0, {})
    assert _refusing(report) >= {"GL renderer", "priority granted", "garbage collection", "uneven frames"}


def test_a_collector_that_runs_in_trials_refuses() -> None:
    assert _refusing(_report(garbage_collection="on")) == {"garbage collection"}


def test_an_unknown_stream_keeps_its_remedy() -> None:
    def fail() -> list[Finding]:
        raise StreamNotFoundError("response stream", found="none", expected="one", remedy="Start it.")

    with pytest.raises(CheckError, match="Start it"):
        require_good(measured("response stream", fail))
