from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closedloop.errors import TimingError
from closedloop.protocol.frames import check_timing, plan_frames
from closedloop.protocol.load import load_protocol
from closedloop.protocol.models import Presentation

PERIODS_S = st.floats(1 / 360, 1 / 24)


def test_the_usual_durations_fit_the_usual_display():
    plan = plan_frames(Presentation(), 1 / 60)
    assert (plan.on_frames, plan.off_frames, plan.iti_frames) == (6, 6, 0)
    assert plan.on_ms == pytest.approx(100)
    assert plan.soa_ms == pytest.approx(200)
    assert plan.notes == ()


def test_a_display_of_59_94_hz_is_no_news():
    plan = plan_frames(Presentation(), 1.001 / 60)
    assert (plan.on_frames, plan.notes) == (6, ())
    assert plan.on_ms == pytest.approx(100.1)


def test_a_block_of_flashes_is_whole_frames_and_says_where_it_breaks_off():
    block = Presentation(on_ms=2000, off_ms=10000, flicker={"on_ms": 250, "off_ms": 500})
    plan = plan_frames(block, 1 / 60)
    assert plan.flicker_frames == (15, 30)
    assert plan.notes == ()  # it ends between two flashes
    short = plan_frames(block.model_copy(update={"on_ms": 1600.0}), 1 / 60)
    assert "the last flash of each image has 6 of 15 frames" in short.notes[0]
    assert plan_frames(Presentation(), 1 / 60).flicker_frames is None


def test_a_flash_longer_than_its_image_is_refused():
    with pytest.raises(ValueError, match="within on_ms, 100 ms"):
        Presentation(on_ms=100, flicker={"on_ms": 80, "off_ms": 50})


def test_a_duration_that_does_not_fit_is_told():
    # 90 ms is halfway; a hair less becomes 5 frames
    plan = plan_frames(Presentation(on_ms=89, off_ms=70, inter_trial_interval_ms=500), 1 / 60)
    assert plan.notes == (
        "presentation.on_ms: asked 89 ms, get 83.3 ms (5 frames at 60.00 Hz).",
        "presentation.off_ms: asked 70 ms, get 66.7 ms (4 frames at 60.00 Hz).",
    )
    assert plan.iti_frames == 30


@pytest.mark.parametrize(
    ("on_ms", "message"),
    [
        (5, "presentation.on_ms: found 5 ms, which is 0.30 frames at 60.00 Hz; expected a duration near whole "
            "frames of 16.67 ms. For example 16.7 or 33.3 ms."),
        (24, "found 24 ms, which is 1.44 frames"),
    ],
)  # fmt: skip
def test_impossible_durations(on_ms, message):
    with pytest.raises(TimingError) as caught:
        plan_frames(Presentation(on_ms=on_ms), 1 / 60)
    assert message in str(caught.value)


@pytest.mark.parametrize("period_s", [0.0, -1.0, math.nan, math.inf])
def test_a_period_that_is_none(period_s):
    with pytest.raises(TimingError, match="Measure the display"):
        plan_frames(Presentation(), period_s)


@given(on_ms=st.floats(0.1, 5000), off_ms=st.one_of(st.just(0.0), st.floats(0.1, 5000)), period_s=PERIODS_S)
def test_realised_durations_are_the_nearest_whole_frames(on_ms, off_ms, period_s):
    asked = {"on": on_ms / 1000 / period_s, "off": off_ms / 1000 / period_s}
    nearest = {key: math.floor(frames + 0.5) for key, frames in asked.items()}
    bad = [
        key for key in asked if asked[key] and (not nearest[key] or abs(nearest[key] / asked[key] - 1) > 0.25)
    ]
    try:
        plan = plan_frames(Presentation(on_ms=on_ms, off_ms=off_ms), period_s)
    except TimingError:
        assert bad
        return
    assert not bad
    assert {"on": plan.on_frames, "off": plan.off_frames} == nearest
    assert plan.on_ms == pytest.approx(plan.on_frames * period_s * 1000)
    assert abs(plan.on_ms - on_ms) <= period_s * 500 * (1 + 1e-9)
    told = {note.partition(":")[0].removeprefix("presentation.").removesuffix("_ms") for note in plan.notes}
    assert told == {key for key in asked if asked[key] and abs(nearest[key] / asked[key] - 1) > 0.01}


def timing(write, minimal, *overrides, period_s=1 / 60):
    return check_timing(load_protocol(write(minimal), overrides).protocol, period_s)


def test_the_fields_defaults_need_no_note(write, minimal):
    assert timing(write, minimal) == []


@pytest.mark.parametrize(
    ("override", "note"),
    [
        ("response.window.end_ms=260", "the next image comes on after 200.0 ms"),
        ("presentation.off_ms=0", "the next image comes on after 100.0 ms"),
        (
            "response.window={start_ms: -20, end_ms: 200}",
            "response.window starts 20 ms before the image is on",
        ),
        ("response.baseline={start_ms: -50, end_ms: 0}", "response.baseline starts 50 ms before onset"),
        ("presentation.on_ms=70", "asked 70 ms, get 66.7 ms"),
    ],
)
def test_notes(write, minimal, override, note):
    sets = ["response.window={start_ms: 50, end_ms: 200}", override]
    if "window={start_ms: -20" in override:
        sets.append("response.baseline=null")
    (found,) = timing(write, minimal, *sets)
    assert note in found


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["response.window={start_ms: -50, end_ms: 0}"],
            "found a window that ends at 0 ms; expected an end after",
        ),
        (["response.baseline={start_ms: 0, end_ms: 51}"], "0 to 51 ms, which overlaps the response window"),
        (
            ["response.kind=rates", "response.unit_count=null", "response.expected_rate_hz=20"],
            "found 45 ms; expected at least one bin of the stream, 50 ms at 20 Hz",
        ),
    ],
)
def test_windows_in_which_nothing_can_be_measured(write, minimal, overrides, message):
    with pytest.raises(TimingError) as caught:
        timing(write, minimal, *overrides)
    assert message in str(caught.value)


def test_windows_that_touch_do_not_overlap(write, minimal):
    assert timing(write, minimal, "response.baseline={start_ms: 0, end_ms: 50}") == []


def test_a_sender_that_measures_itself_needs_no_windows(write, minimal):
    sets = [
        "response.kind=trials",
        "response.unit_count=null",
        "response.window={start_ms: -50, end_ms: -10}",
    ]
    assert timing(write, minimal, *sets) == []
