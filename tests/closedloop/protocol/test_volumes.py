"""The protocol of an evolution in the scanner: windows in volumes, and trials that are far enough apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from closedloop.errors import ProtocolError, TimingError
from closedloop.protocol.frames import check_timing
from closedloop.protocol.load import load_protocol
from closedloop.protocol.models import Protocol

FILE = Path(__file__).parents[3] / "protocols" / "rig_bold.yaml"
PERIOD_S = 1 / 60


def loaded(*overrides: str) -> Protocol:
    return load_protocol(FILE, overrides).protocol


def window(protocol: Protocol) -> tuple[float, float]:
    used = protocol.response.window_in_use
    return used.start_ms, used.end_ms


def test_windows_in_volumes_become_milliseconds():
    protocol = loaded("response.volumes.tr_s=1.5", "response.volumes.window={start: 3, end: 4.5}")
    assert window(protocol) == (4500, 6750)
    baseline = protocol.response.baseline_in_use
    assert baseline is not None
    assert (baseline.start_ms, baseline.end_ms) == (-750, 750)


@pytest.mark.parametrize(("tr_s", "wanted"), [(2.0, (4000, 6000)), (0.8, (4000, 6000)), (3.0, (4000, 7000))])
def test_without_a_window_it_is_4_to_6_s_and_a_volume_at_least(tr_s, wanted):
    protocol = loaded(f"response.volumes={{tr_s: {tr_s}}}")
    assert window(protocol) == pytest.approx(wanted)
    assert protocol.response.baseline_in_use is None


def test_waiting_and_liveness_follow_the_tr_and_the_delay():
    response = loaded("response.volumes.delay_s=4").response
    assert response.rate_in_use_hz == 0.5
    # two and a half volumes may be missing, on top of what the pipeline takes
    assert response.liveness_in_use.late_after_ms == 2500 * 2 + 4000
    assert response.liveness_in_use.lost_after_ms == 2 * 2500 * 2 + 4000
    assert response.wait_in_use_s == pytest.approx(2 + 4 + 2)


def test_at_a_rig_nothing_has_changed():
    response = load_protocol(FILE.with_name("rig_rates.yaml")).protocol.response
    assert response.liveness_in_use == response.liveness
    assert (response.window_in_use, response.baseline_in_use) == (response.window, response.baseline)
    assert response.wait_in_use_s == 2
    assert response.rate_in_use_hz == response.expected_rate_hz


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["response.kind=spikes", "response.expected_channels=1"],
            "found 'spikes' with volumes",
        ),
        (["response.window={start_ms: 4000, end_ms: 6000}"], "4000 to 6000 ms beside volumes"),
        (["response.volumes.window.end=2.5"], "at least one volume after the window's start at 2"),
        (["response.volumes.baseline=null"], "percent_signal_change: found true without a baseline"),
        (["response.expected_rate_hz=1"], "expected 1 / volumes.tr_s, 0.5 Hz"),
        (["response.kind=trials", "response.expected_channels=2"], "a baseline for kind 'trials'"),
    ],
)
def test_what_does_not_fit_is_refused(overrides, message):
    with pytest.raises(ProtocolError) as caught:
        loaded(*overrides)
    assert message in str(caught.value)


def test_trials_too_fast_for_the_window_are_refused_unless_that_is_meant():
    fast = ("presentation={on_ms: 500, off_ms: 3000}",)
    with pytest.raises(TimingError, match=r"an image every 3.5 s.*at least 4 s from onset to onset"):
        check_timing(loaded(*fast), PERIOD_S)
    (note,) = check_timing(loaded(*fast, "response.volumes.overlap=allow"), PERIOD_S)
    assert "mixed" in note
    # for a stream of trials too: the sender can't tell them apart either
    trials = ("response.kind=trials", "response.expected_channels=2", "response.volumes={tr_s: 2}")
    with pytest.raises(TimingError, match="from onset to onset"):
        check_timing(loaded(*fast, *trials), PERIOD_S)


def test_images_in_a_row_count_by_their_own_distance():
    row = ("presentation={on_ms: 500, off_ms: 500, images_per_trial: 3, inter_trial_interval_ms: 12000}",)
    with pytest.raises(TimingError, match="an image every 1 s"):
        check_timing(loaded(*row), PERIOD_S)


def test_an_answer_that_is_not_over_is_told():
    alone = ("response.volumes.baseline=null", "response.volumes.percent_signal_change=false")
    (note,) = check_timing(loaded("presentation={on_ms: 1000, off_ms: 3500}", *alone), PERIOD_S)
    assert "36% of what the image itself does" in note
    assert check_timing(loaded(), PERIOD_S) == []


@pytest.mark.parametrize(("off_ms", "share"), [(6000, "88%"), (7000, "67%"), (9000, "28%")])
def test_an_answer_that_is_over_in_the_window_but_not_in_the_baseline_is_told(off_ms, share):
    (note,) = check_timing(loaded(f"presentation={{on_ms: 1000, off_ms: {off_ms}}}"), PERIOD_S)
    assert "response.volumes.baseline, -1 to 1 s" in note
    assert f"{share} of what the image itself does in the window" in note


def test_a_compressed_session_says_that_it_is_one():
    compressed = (
        "presentation={on_ms: 200, off_ms: 1000}",
        "response.volumes.tr_s=0.2",
        "response.volumes.speed=10",
    )
    (note,) = check_timing(loaded(*compressed), PERIOD_S)
    assert "not for a scanner" in note
