"""The histogram around onset."""

from __future__ import annotations

import numpy as np
import pytest

from closedloop.errors import ProtocolError
from closedloop.scoring import Kind, ResponseRule, Window, psth

WINDOW = Window(0.05, 0.2)
SPAN = Window(-0.05, 0.15)
ONSETS = np.array([100.0, 101.0, 102.0])


def rule(kind, **more):
    defaults = {"bin_s": 0.01} if kind != "spikes" else {"max_silence_s": 0.06}
    return ResponseRule(Kind(kind), WINDOW, 2, (0, 1), **{**defaults, **more})


def stamps():
    return 99 + np.arange(500) * 0.01


def test_spikes_by_hand():
    alive = np.arange(99, 104, 0.05)
    # one spike of unit 0, 10 ms after each onset; unit 1 at the very start of the last bin, once
    found = np.r_[ONSETS + 0.010, 100.1]
    times = np.r_[alive, found]
    units = np.r_[np.full(len(alive), -1), [0, 0, 0, 1]]
    order = np.argsort(times)
    got = psth(rule("spikes"), times[order], units[order], ONSETS, SPAN, 0.05)
    assert got.edges_s == pytest.approx([-0.05, 0, 0.05, 0.1, 0.15])
    assert got.centres_s == pytest.approx([-0.025, 0.025, 0.075, 0.125])
    assert got.rate_hz[:, 0] == pytest.approx([0, 20, 0, 0])
    assert got.rate_hz[:, 1] == pytest.approx([0, 0, 0, 20 / 3])
    # 20, 0, 0: standard deviation 20 / sqrt(3), standard error 20 / 3
    assert got.sem_hz[3, 1] == pytest.approx(20 / 3)
    assert (got.n == 3).all()


@pytest.mark.parametrize("kind", ["rates", "counts"])
def test_a_step_in_the_rate_is_found_where_it_is(kind):
    times = stamps()
    after = (times - 1e-6) % 1.0
    rate = np.where((after > 0.05) & (after < 0.1), 80.0, 20.0)
    values = np.column_stack([rate, 2 * rate]) * (0.01 if kind == "counts" else 1)
    got = psth(rule(kind), times, values, ONSETS, SPAN, 0.05)
    assert got.rate_hz[:, 0] == pytest.approx([20, 20, 80, 20])
    assert got.rate_hz[:, 1] == pytest.approx([40, 40, 160, 40])
    assert got.sem_hz == pytest.approx(np.zeros((4, 2)), abs=1e-6)


def test_bins_of_the_histogram_need_not_be_those_of_the_stream():
    times = stamps()
    values = np.column_stack([np.arange(500.0)] * 2)
    got = psth(rule("rates"), times, values, ONSETS[:1], Window(0.005, 0.020), 0.015)
    # sample 101 ends at 100.01: half of it, and all of 102
    assert got.rate_hz[0, 0] == pytest.approx((101 * 5 + 102 * 10) / 15)


def test_missing_samples_leave_the_onset_out_there_and_only_there():
    times = stamps()
    values = np.full((500, 2), 30.0)
    # 101.06 to 101.08 is lost, which spoils the bin from 50 to 100 ms of the second onset
    keep = (times < 101.065) | (times > 101.085)
    got = psth(rule("rates"), times[keep], values[keep], ONSETS, SPAN, 0.05)
    assert got.n[:, 0].tolist() == [3, 3, 2, 3]
    assert got.rate_hz == pytest.approx(np.full((4, 2), 30.0))


def test_a_nan_spoils_its_own_bin_and_unit():
    times = stamps()
    values = np.full((500, 2), 30.0)
    values[np.isclose(times, 101.02), 1] = np.nan
    got = psth(rule("rates"), times, values, ONSETS, SPAN, 0.05)
    assert got.n[:, 0].tolist() == [3, 3, 3, 3]
    assert got.n[:, 1].tolist() == [3, 2, 3, 3]
    assert got.rate_hz == pytest.approx(np.full((4, 2), 30.0))


def test_silence_of_a_dead_stream_is_not_zero_spikes():
    alive = np.arange(99, 104, 0.05)
    alive = alive[(alive < 101.04) | (alive > 101.12)]  # silent from 101.00 to 101.15
    got = psth(rule("spikes"), alive, np.full(len(alive), -1), ONSETS, SPAN, 0.05)
    assert got.n[:, 0].tolist() == [3, 2, 2, 2]
    ended = alive[alive < 101.5]
    got = psth(rule("spikes"), ended, np.full(len(ended), -1), ONSETS, SPAN, 0.05)
    assert got.n[:, 0].tolist() == [2, 1, 1, 1]


def test_without_onsets_or_samples_there_is_nothing_to_tell():
    for onsets, count in ((ONSETS, 0), (ONSETS[:0], 500)):
        for kind in ("rates", "spikes"):
            values = np.zeros((count, 2 if kind == "rates" else 1))
            got = psth(rule(kind), stamps()[:count], values, onsets, SPAN, 0.05)
            assert (got.n == 0).all()
            assert np.isnan(got.rate_hz).all()


@pytest.mark.parametrize(
    ("kind", "bin_s"), [("rates", 0.0), ("rates", 1.0), ("spikes", -1.0), ("trials", 0.05)]
)
def test_a_histogram_that_cannot_be_is_refused(kind, bin_s):
    with pytest.raises(ProtocolError):
        psth(rule(kind), stamps(), np.zeros((500, 2)), ONSETS, SPAN, bin_s)
