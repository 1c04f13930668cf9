from __future__ import annotations

import numpy as np
import pytest

from closedloop.replay.following import Lay, LiveTrial, RecordedTrial, Track, TrialMap
from closedloop.replay.following.lay import Place, lay_answer, lay_covering, lay_spikes
from closedloop.scoring import Invalid, Kind, ResponseRule, Window, respond

WINDOW, BASELINE = Window(0.05, 0.2), Window(0.0, 0.045)  # with 0.2 s from onset to onset they touch
EDGES_S = (0.05, 0.2, 0.0, 0.045)
APART_S = 0.2
TRIALS = 12
UNITS = 3


def _rule(kind: Kind, hz: float = 1000.0) -> ResponseRule:
    return ResponseRule(
        kind=kind,
        window=WINDOW,
        baseline=BASELINE,
        unit_count=UNITS,
        units=tuple(range(UNITS)),
        bin_s=1 / hz if kind.binned else None,
        max_silence_s=0.5 if kind is Kind.SPIKES else None,
    )


def _recorded(kind: Kind, hz: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    until_s = (TRIALS + 2) * APART_S
    if kind is Kind.SPIKES:
        times = np.sort(rng.uniform(-0.5, until_s, 900))
        values = rng.integers(-1, UNITS, (len(times), 1)).astype(np.int32)
    else:
        times = np.arange(-0.5, until_s, 1 / hz) + 1 / (3 * hz) + rng.normal(0, 0.02 / hz)
        values = rng.uniform(0, 200, (len(times), UNITS))
    return times, values


def _lay(
    kind: Kind, times: np.ndarray, values: np.ndarray, onset_s: float, next_s: float, shift_s: float
) -> Lay | None:
    place = Place(0, onset_s, onset_s + 0.05, onset_s + 0.2, min(next_s, onset_s + 1.2), shift_s)
    if kind is Kind.SPIKES:
        return lay_spikes(place, times, values, tuple(onset_s + edge_s for edge_s in EDGES_S))
    return lay_covering(place, times, values)


def _track(kind: Kind, hz: float, dtype: np.dtype) -> Track:
    if kind is Kind.SPIKES:
        return Track(np.array([-1], dtype), 0.02, regular=False)
    return Track(np.full(UNITS, np.nan, dtype), 1 / hz, regular=True)


def _play(
    kind: Kind,
    hz: float,
    live: list[tuple[float, float, float]],
    recorded: tuple[np.ndarray, np.ndarray],
    late_s: float = 0.01,
    lag_s: float = 0.085,
) -> tuple[np.ndarray, np.ndarray, list[bool]]:
    """Play (recorded onset, next recorded onset, live onset) as a follower would; what a listener gets."""
    times, values = recorded
    track = _track(kind, hz, values.dtype)
    track.start(99.0)
    stamps, heard, laid, waiting = [], [], [], list(live)
    for now_s in np.arange(99.0, live[-1][2] + 1.5, 0.004):
        while waiting and waiting[0][2] + late_s <= now_s:
            onset_s, next_s, live_s = waiting.pop(0)
            lay = _lay(kind, times, values, onset_s, next_s, live_s - onset_s)
            assert lay is not None
            laid.append(track.lay(lay))
        sent_s, sent = track.until(now_s - lag_s)
        assert (sent_s <= now_s - lag_s).all()
        stamps.append(sent_s)
        heard.append(sent)
    return np.concatenate(stamps), np.concatenate(heard), laid


def _onsets(jitter_s: float, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Two generations with another dead time between them, and onsets that differ a little."""
    onsets = [(trial + (trial >= TRIALS // 2)) * APART_S for trial in range(TRIALS)]
    live = [100.0 + at + (0.37 if at >= onsets[TRIALS // 2] else 0.0) for at in onsets]
    following = [*onsets[1:], np.inf]
    shaken = np.array(live) + rng.uniform(-jitter_s, jitter_s, TRIALS)
    return list(zip(onsets, following, shaken.tolist(), strict=True))


@pytest.mark.parametrize("kind", [Kind.RATES, Kind.SPIKES])
@pytest.mark.parametrize("hz", [1000.0, 60.0])
@pytest.mark.parametrize("jitter_s", [0.0, 2e-5])
def test_each_trial_is_scored_as_it_was(kind: Kind, hz: float, jitter_s: float) -> None:
    rng = np.random.default_rng(5)
    rule, recorded = _rule(kind, hz), _recorded(kind, hz, rng)
    live = _onsets(jitter_s, rng)
    stamps, heard, laid = _play(kind, hz, live, recorded)
    assert all(laid)
    for onset_s, _, live_s in live:
        expected, got = respond(rule, *recorded, onset_s), respond(rule, stamps, heard, live_s)
        assert not isinstance(expected, Invalid)
        assert not isinstance(got, Invalid), got
        # where windows touch, the bin over the border can be in one place only: off by what the onsets are
        off = 0.0 if kind is Kind.SPIKES else 2 * 2 * jitter_s / 0.045 * 200
        np.testing.assert_allclose(got.rates_hz, expected.rates_hz, atol=1e-9 * 200 + off)
        np.testing.assert_allclose(got.baseline_hz, expected.baseline_hz, atol=1e-9 * 200 + off)


def test_spikes_bear_a_small_difference_between_clocks() -> None:
    rng = np.random.default_rng(6)
    rule, recorded, live = _rule(Kind.SPIKES), _recorded(Kind.SPIKES, 0, rng), _onsets(0.0, rng)
    edges = np.array([onset_s + edge_s for onset_s, _, _ in live for edge_s in EDGES_S])
    near = np.sort(np.concatenate([recorded[0], edges + 1e-5, edges - 1e-5]))
    recorded = near, rng.integers(0, UNITS, (len(near), 1)).astype(np.int32)
    stamps, heard, _ = _play(Kind.SPIKES, 0, live, recorded)
    for off_s in (-1e-4, 1e-4):
        for onset_s, _, live_s in live:
            expected, got = respond(rule, *recorded, onset_s), respond(rule, stamps + off_s, heard, live_s)
            assert not isinstance(expected, Invalid)
            assert not isinstance(got, Invalid), got
            np.testing.assert_array_equal(got.rates_hz, expected.rates_hz)
            np.testing.assert_array_equal(got.baseline_hz, expected.baseline_hz)


def test_a_regular_stream_never_stops_nor_doubles() -> None:
    rng = np.random.default_rng(7)
    stamps, heard, _ = _play(Kind.RATES, 1000.0, _onsets(2e-5, rng), _recorded(Kind.RATES, 1000.0, rng))
    steps_s = np.diff(stamps)
    assert steps_s.min() >= 0.0005
    assert steps_s.max() <= 0.002 + 1e-9
    before = stamps < 99.9
    assert np.isnan(heard[before]).all()


@pytest.mark.parametrize("kind", [Kind.RATES, Kind.SPIKES])
def test_what_is_heard_too_late_is_refused_and_nothing_can_be_scored(kind: Kind) -> None:
    rng = np.random.default_rng(8)
    recorded = _recorded(kind, 1000.0, rng)
    track = _track(kind, 1000.0, recorded[1].dtype)
    track.start(99.0)
    parts = [track.until(100.05)]
    lay = _lay(kind, *recorded, 0.0, np.inf, 100.0)
    assert lay is not None
    assert not track.lay(lay)
    track.hush(100.2 + 0.51)
    parts.append(track.until(101.5))
    stamps, heard = (np.concatenate([part[index] for part in parts]) for index in (0, 1))
    assert isinstance(respond(_rule(kind), stamps, heard, 100.0), Invalid)


def test_the_silence_that_makes_a_trial_invalid_is_not_broken_by_the_next_one() -> None:
    rng = np.random.default_rng(9)
    recorded = _recorded(Kind.SPIKES, 0, rng)
    track = _track(Kind.SPIKES, 0, recorded[1].dtype)
    track.start(99.0)
    track.hush(100.71)
    soon, later = (_lay(Kind.SPIKES, *recorded, 0.0, np.inf, live_s) for live_s in (100.2, 100.8))
    assert soon is not None
    assert later is not None
    assert not track.lay(soon)
    assert track.lay(later)


@pytest.mark.parametrize("hz", [1000.0, 60.0])
def test_trials_in_another_order_get_their_scores_though_windows_touch(hz: float) -> None:
    rng = np.random.default_rng(11)
    rule, recorded = _rule(Kind.RATES, hz), _recorded(Kind.RATES, hz, rng)
    order = [0, 1, 5, 3, 7, 2, 2, 6]
    live = [
        (at * APART_S + at * 0.0003, (at + 1) * APART_S, 100 + place * APART_S)
        for place, at in enumerate(order)
    ]
    stamps, heard, laid = _play(Kind.RATES, hz, live, recorded)
    assert all(laid)
    for onset_s, _, live_s in live:
        expected, got = respond(rule, *recorded, onset_s), respond(rule, stamps, heard, live_s)
        assert not isinstance(expected, Invalid)
        assert not isinstance(got, Invalid), got
        np.testing.assert_allclose(got.rates_hz, expected.rates_hz, atol=1e-6)


def test_the_end_of_a_recording_bears_a_small_difference_between_clocks() -> None:
    rng = np.random.default_rng(12)
    times, values = _recorded(Kind.RATES, 1000.0, rng)
    ended = times <= 0.6 + 0.001
    recorded = times[ended], values[ended]
    live = [(0.4, np.inf, 100.4)]
    stamps, heard, laid = _play(Kind.RATES, 1000.0, live, recorded)
    assert laid == [True]
    expected = respond(_rule(Kind.RATES), *recorded, 0.4)
    assert not isinstance(expected, Invalid)
    for off_s in (-1e-4, 1e-4):
        got = respond(_rule(Kind.RATES), stamps + off_s, heard, 100.4)
        assert not isinstance(got, Invalid), got
        np.testing.assert_allclose(got.rates_hz, expected.rates_hz, atol=1e-4 / 0.15 * 200 * 2)


def test_one_recorded_trial_can_answer_twice() -> None:
    rng = np.random.default_rng(10)
    recorded = _recorded(Kind.RATES, 1000.0, rng)
    live = [(0.4, 0.6, 100.4), (0.4, 0.6, 101.0), (0.8, 1.0, 101.5)]
    stamps, heard, laid = _play(Kind.RATES, 1000.0, live, recorded)
    assert all(laid)
    for onset_s, _, live_s in live:
        expected, got = (
            respond(_rule(Kind.RATES), *recorded, onset_s),
            respond(_rule(Kind.RATES), stamps, heard, live_s),
        )
        assert not isinstance(expected, Invalid)
        assert not isinstance(got, Invalid), got
        np.testing.assert_allclose(got.rates_hz, expected.rates_hz, atol=1e-6)


def test_answers_of_trials_get_the_live_number() -> None:
    values = np.array([[3, 10.0], [-1, 0.0], [4, 20.0]])
    lay = lay_answer(Place(0, 1.0, 1.0, 2.0, 3.0, 100.0), np.array([1.2, 1.3, 1.4]), values, 4, 9)
    assert lay is not None
    track = Track(np.array([-1.0, np.nan]), 0.02, regular=False, any_time=True)
    track.start(101.0)
    early = track.until(101.39)[1]
    assert (early[:, 0] == -1).all()
    assert track.lay(lay)
    _, sent = track.until(101.45)
    assert sent[sent[:, 0] >= 0].tolist() == [[9.0, 20.0]]
    assert values[2, 0] == 4


def _trial(trial: int, image: int, generation: int = 0) -> RecordedTrial:
    return RecordedTrial(trial, 0, "t", generation, image, float(trial), float(trial) + 0.3, float(trial) + 1)


def _live(trial: int, image: int, generation: int = 0) -> LiveTrial:
    return LiveTrial(trial, "t", generation, image, 100.0 + trial)


def test_trials_answer_for_the_same_image() -> None:
    # in the recording trial 1 was invalid and its image shown again as trial 4; image 7 was shown twice
    trials = TrialMap([_trial(0, 5), _trial(2, 7), _trial(3, 7), _trial(4, 6), _trial(5, 5, 1)])

    def number(live: LiveTrial) -> int | None:
        found = trials.answer(live)
        return None if found is None else found.trial

    assert number(_live(0, 5)) == 0
    assert number(_live(1, 6)) == 4
    trials.take_back(_live(1, 6))  # it could not be played
    assert number(_live(2, 7)) == 2
    assert number(_live(2, 7)) == 2  # cut off by a crash, shown again
    assert number(_live(3, 7)) == 3
    assert number(_live(4, 6)) == 4
    assert number(_live(5, 7)) == 2  # one of the two did not count
    assert number(_live(6, 5, 1)) == 5
    assert number(_live(7, 9)) is None
    assert number(_live(8, 6, 1)) is None
