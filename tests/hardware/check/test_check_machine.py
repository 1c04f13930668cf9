"""The measurements themselves, on this machine: clocks, LSL, disk, GPU, stage, a stream."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pylsl
import pytest

from closedloop.errors import DiskError, StreamMismatchError, StreamNotFoundError
from closedloop.protocol.models import Protocol
from hardware.check import Verdict, run_checks
from hardware.check.clocks import judge_clocks, offset_s
from hardware.check.disk import commit_times_ms, judge_disk, room_needed_gb
from hardware.check.gpu import judge_gpu
from hardware.check.lsl import QUICK_SAMPLES, judge_library, loopback
from hardware.check.stream import judge_stream
from hardware.display import virtual_display


def _protocol(source_id: str = "nobody", kind: str = "rates", **changes: object) -> Protocol:
    return Protocol.model_validate(
        {
            "subject": {"id": "test"},
            "seed": 1,
            "threads": [{}],
            "response": {"stream": {"source_id": source_id}, "kind": kind},
            "limits": {"wait_for_stream_s": 3},
            "display": {"size_px": [400, 300]},
        }
        | changes
    )


def test_an_offset_between_clocks_is_found_within_a_tenth_of_a_millisecond() -> None:
    assert offset_s(lambda: pylsl.local_clock() + 12.5) == pytest.approx(12.5, abs=1e-4)


def test_clocks_of_this_machine_are_fit() -> None:
    findings = {finding.name: finding for finding in judge_clocks(psychopy=False)}
    assert not [finding for finding in findings.values() if finding.refuses]
    assert "time.time minus LSL clock" in findings
    if sys.platform.startswith("linux"):
        assert "time.monotonic" in findings["base of the LSL clock"].text


def test_a_clock_that_follows_the_wall_clock_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pylsl, "local_clock", time.time)
    (base,) = [finding for finding in judge_clocks(psychopy=False) if finding.name == "base of the LSL clock"]
    assert base.verdict is Verdict.BAD


def test_the_library_is_named() -> None:
    (finding,) = judge_library()
    assert finding.verdict is Verdict.OK
    assert finding.text.startswith("1.")


@pytest.mark.lsl
def test_samples_of_another_process_come_once_in_order_and_quickly() -> None:
    latencies_s, numbers = loopback(QUICK_SAMPLES)
    assert numbers == list(range(QUICK_SAMPLES))
    assert 0 < np.median(latencies_s) < 0.1


def test_commits_are_timed_and_leave_nothing_behind(tmp_path: Path) -> None:
    times_ms = commit_times_ms(tmp_path, 20)
    assert len(times_ms) == 20
    assert (times_ms > 0).all()
    assert not list(tmp_path.iterdir())


def test_the_folder_need_not_be_there_yet(tmp_path: Path) -> None:
    findings = judge_disk(tmp_path / "sessions" / "today", None, quick=True)
    assert str(tmp_path) in findings[-1].expected
    assert not (tmp_path / "sessions").exists()


def test_a_folder_that_can_not_be_written_is_a_disk_error() -> None:
    with pytest.raises(DiskError):
        commit_times_ms(Path("/proc"), 1)


def test_too_little_room_refuses(tmp_path: Path) -> None:
    many = _protocol(
        response={
            "stream": {"source_id": "x"},
            "kind": "rates",
            "expected_channels": 1_000_000,
            "expected_rate_hz": 1e5,
        }
    )
    assert room_needed_gb(many) > 1e5
    room = judge_disk(tmp_path, many, quick=True)[-1]
    assert room.verdict is Verdict.BAD
    assert room.refuses


def test_a_gpu_is_required_only_where_the_protocol_names_one() -> None:
    assert not judge_gpu(None)[0].refuses
    named = _protocol(threads=[{"generator": {"device": "cuda:99"}}])
    (finding,) = judge_gpu(named)
    assert finding.refuses
    assert "cuda:99" in finding.expected


_SENDER = """
import sys, time, math, pylsl
source_id, rate, channels, how = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
outlet = pylsl.StreamOutlet(pylsl.StreamInfo("rates", "ephys", channels, rate, pylsl.cf_float32, source_id))
print("up", flush=True)
start, sent = pylsl.local_clock(), 0
while True:
    while sent < (pylsl.local_clock() - start) * rate:
        own_clock = start + sent / rate + (0.5 if how == "ahead" else 0.0)
        stamp = pylsl.local_clock() if how == "as-pushed" else own_clock
        outlet.push_sample([math.nan if how == "nan" and sent % 10 == 0 else 1.0] * channels, stamp)
        sent += 1
    time.sleep(0.01)
"""


@pytest.fixture
def sender(request: pytest.FixtureRequest) -> Iterator[str]:
    """A sender of rates at 200 Hz; its parameter says what is wrong with it."""
    source_id = f"check-{uuid.uuid4().hex}"
    words = [sys.executable, "-c", _SENDER, source_id, "200", "4", getattr(request, "param", "")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield source_id
        process.terminate()


@pytest.mark.lsl
def test_a_good_stream_is_fit(sender: str) -> None:
    findings = {finding.name: finding for finding in judge_stream(_protocol(sender))}
    assert not [finding for finding in findings.values() if finding.refuses]
    rate_hz = findings["response stream: rate"].value
    assert rate_hz == pytest.approx(200, rel=0.05)


@pytest.mark.lsl
@pytest.mark.parametrize("sender", ["nan"], indirect=True)
def test_a_stream_of_nan_refuses(sender: str) -> None:
    refusing = [finding.name for finding in judge_stream(_protocol(sender)) if finding.refuses]
    assert refusing == ["response stream: values that are numbers"]


@pytest.mark.lsl
@pytest.mark.parametrize(
    ("sender", "named"),
    [("as-pushed", "jitter of stamps"), ("ahead", "stamps in the future")],
    indirect=["sender"],
)
def test_stamps_that_trials_would_be_invalid_by_refuse(sender: str, named: str) -> None:
    refusing = [finding.name for finding in judge_stream(_protocol(sender)) if finding.refuses]
    assert f"response stream: {named}" in refusing


@pytest.mark.lsl
def test_a_stream_of_another_kind_or_none_is_an_error(sender: str) -> None:
    with pytest.raises(StreamMismatchError):
        judge_stream(_protocol(sender, kind="spikes"))
    with pytest.raises(StreamNotFoundError):
        judge_stream(_protocol("nobody", limits={"wait_for_stream_s": 0.5}))


@pytest.mark.display
@pytest.mark.lsl
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the virtual display is of Linux")
def test_the_whole_check_passes_on_this_machine(tmp_path: Path) -> None:
    with virtual_display((800, 600)):
        findings = run_checks(None, output=tmp_path)
    assert not [(finding.name, finding.text) for finding in findings if finding.refuses]
    names = {finding.name for finding in findings}
    assert {"refresh", "priority granted", "garbage collection", "GL renderer", "GPU", "liblsl"} <= names


def test_without_a_display_the_check_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("elsewhere there always is a display")
    monkeypatch.delenv("DISPLAY", raising=False)
    findings = run_checks(_protocol(limits={"wait_for_stream_s": 0.1}), output=tmp_path)
    refusing = {finding.name for finding in findings if finding.refuses}
    assert refusing == {"display", "response stream"}
