"""The response of a trial: values by hand, exact weights, and nothing invented."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from closedloop.errors import ProtocolError, StreamMismatchError, TimingError
from closedloop.scoring import Invalid, Kind, Reason, Response, ResponseRule, Window, respond, still_open
from closedloop.scoring.windows import respond_to_trial

ONSET = 1000.0
WINDOW = Window(0.05, 0.2)


def binned(kind="rates", *, bin_s=0.01, units=(0,), unit_count=1, window=WINDOW, **more):
    return ResponseRule(Kind(kind), window, unit_count, units, bin_s=bin_s, **more)


def spikes(*, units=(0,), unit_count=4, window=WINDOW, max_silence_s=0.05, **more):
    return ResponseRule(Kind.SPIKES, window, unit_count, units, max_silence_s=max_silence_s, **more)


def grid(bin_s=0.01, start=-0.1, end=0.4, shift=0.0):
    """Return stamps relative to onset of bins that tile from start to end."""
    return np.arange(round((end - start) / bin_s) + 1) * bin_s + start + shift


def rates_at(rule, relative, values, onset=ONSET):
    result = respond(rule, onset + np.asarray(relative), np.asarray(values), onset)
    assert isinstance(result, Response), result
    return result


def refused(rule, relative, values, onset=ONSET) -> Invalid:
    result = respond(rule, onset + np.asarray(relative), np.asarray(values), onset)
    assert isinstance(result, Invalid), result
    return result


# --- binned kinds ------------------------------------------------------------------------------


def test_rates_by_hand():
    # bins of 50 ms ending at 50, 100, 150, 200, 250 ms; the window takes exactly the 2nd to 4th
    rule = binned(bin_s=0.05)
    values = [[1000.0], [10.0], [20.0], [60.0], [1000.0]]
    assert rates_at(rule, [0.05, 0.1, 0.15, 0.2, 0.25], values).rates_hz == pytest.approx([30.0])


def test_partly_overlapping_bins_count_by_their_overlap():
    # bins end at 70, 120, 170, 220: of the first 20 ms lie in the window, of the last 30 ms
    rule = binned(bin_s=0.05)
    values = [[10.0], [20.0], [40.0], [80.0]]
    wanted = (10 * 20 + 20 * 50 + 40 * 50 + 80 * 30) / 150
    assert rates_at(rule, [0.07, 0.12, 0.17, 0.22], values).rates_hz == pytest.approx([wanted])


def test_a_sample_stands_for_the_bin_before_its_stamp():
    # only the bin from 100 to 110 ms holds anything
    times = grid()
    values = np.where(np.isclose(times, 0.11), 150.0, 0.0)[:, None]
    inside = binned(window=Window(0.1, 0.11))
    after = binned(window=Window(0.11, 0.12))
    assert rates_at(inside, times, values).rates_hz == pytest.approx([150.0])
    assert rates_at(after, times, values).rates_hz == pytest.approx([0.0])


def test_counts_become_rates():
    # 3 spikes a bin of 10 ms are 300 spikes/s
    times = grid()
    assert rates_at(binned("counts"), times, np.full((len(times), 1), 3)).rates_hz == pytest.approx([300])


def test_counts_in_the_window_are_that_many_spikes():
    times, rng = grid(), np.random.default_rng(0)
    counts = rng.poisson(1.0, (len(times), 1))
    inside = (times > 0.05 + 1e-9) & (times < 0.2 + 1e-9)
    assert rates_at(binned("counts"), times, counts).rates_hz * 0.15 == pytest.approx([counts[inside].sum()])


def test_every_unit_gets_its_own_rate_and_integers_are_fine():
    times = grid()
    values = np.tile(np.arange(5, dtype=np.int16) * 7, (len(times), 1))
    rule = binned(unit_count=5, units=(1, 3))
    assert rates_at(rule, times, values).rates_hz == pytest.approx(np.arange(5) * 7)


def test_the_baseline_has_its_own_window():
    times = grid()
    values = np.where(times < 0.046, 5.0, 50.0)[:, None]
    result = rates_at(binned(bin_s=0.01, baseline=Window(-0.02, 0.04)), times, values)
    assert result.rates_hz == pytest.approx([50.0])
    assert result.baseline_hz == pytest.approx([5.0])
    assert rates_at(binned(), times, values).baseline_hz is None


@given(
    bin_s=st.floats(0.001, 0.06),
    shift=st.floats(0, 1),
    start=st.floats(0.0, 0.1),
    length=st.floats(0.02, 0.25),
    onset=st.floats(0, 1e6),
    seed=st.integers(0, 99),
)
def test_the_response_is_the_integral_of_the_rate(bin_s, shift, start, length, onset, seed):
    """Against a sum over 0.1 ms steps... done exactly: the antiderivative of the step function."""
    times = grid(bin_s, start=-0.1, end=0.5, shift=shift * bin_s)
    values = np.random.default_rng(seed).gamma(2, 20, (len(times), 1))
    area = np.concatenate([[0.0], np.cumsum(values[:, 0] * bin_s)])
    knots = np.concatenate([[times[0] - bin_s], times])
    wanted = np.diff(np.interp([start, start + length], knots, area))[0] / length
    rule = binned(bin_s=bin_s, window=Window(start, start + length))
    assert rates_at(rule, times, values, onset).rates_hz == pytest.approx([wanted], rel=2e-3)


@given(st.floats(0, 1e6), st.floats(0, 1), st.floats(0.001, 0.05))
def test_a_constant_rate_comes_out_as_it_is(onset, shift, bin_s):
    times = grid(bin_s, shift=shift * bin_s)
    for kind, value in (("rates", 37.5), ("counts", 37.5 * bin_s)):
        got = rates_at(binned(kind, bin_s=bin_s), times, np.full((len(times), 1), value), onset)
        assert got.rates_hz == pytest.approx([37.5], rel=1e-9)


@given(st.integers(0, 1000))
def test_stamps_that_jitter_count_no_time_twice(seed):
    times = grid(0.001)
    jittered = times + np.random.default_rng(seed).uniform(-0.0002, 0.0002, len(times))
    got = rates_at(binned(bin_s=0.001), jittered, np.full((len(times), 1), 80.0))
    assert got.rates_hz == pytest.approx([80.0])


def test_samples_out_of_order_are_put_in_order():
    times = grid()
    values = np.random.default_rng(0).gamma(2, 20, (len(times), 1))
    mixed = np.random.default_rng(1).permutation(len(times))
    straight = rates_at(binned(), times, values).rates_hz
    assert rates_at(binned(), times[mixed], values[mixed]).rates_hz == pytest.approx(straight)


# --- coverage of binned kinds ------------------------------------------------------------------


@pytest.mark.parametrize("lost_ms", [60, 110, 200])
def test_one_lost_sample_in_the_window_is_seen_and_placed(lost_ms):
    times = grid()
    keep = ~np.isclose(times, lost_ms / 1000)
    result = refused(binned(), times[keep], np.ones((keep.sum(), 1)))
    assert result.reason is Reason.NOT_COVERED
    assert f"{lost_ms - 10:.1f} to {lost_ms:.1f} ms" in result.detail
    assert "response window" in result.detail


@pytest.mark.parametrize("lost_ms", [40, 50, 210, 220])
def test_a_lost_sample_outside_the_window_does_not_matter(lost_ms):
    times = grid()
    keep = ~np.isclose(times, lost_ms / 1000)
    rates_at(binned(), times[keep], np.ones((keep.sum(), 1)))


def test_samples_that_begin_too_late_leave_a_hole():
    times = grid(start=0.07)
    result = refused(binned(), times, np.ones((len(times), 1)))
    assert (result.reason, "50.0 to 60.0 ms" in result.detail) == (Reason.NOT_COVERED, True)


def test_samples_that_end_too_early_leave_a_hole():
    times = grid(end=0.19)
    result = refused(binned(), times, np.ones((len(times), 1)))
    assert (result.reason, "190.0 to 200.0 ms" in result.detail) == (Reason.NOT_COVERED, True)


def test_the_last_sample_is_waited_for_even_if_little_is_missing():
    # the newest stamp is 4 ms, less than half a bin, before the end; with one more sample it is a response
    times = grid(shift=0.006)
    early = times[times < 0.2]
    result = refused(binned(), early, np.ones((len(early), 1)))
    assert (result.reason, "196.0 to 200.0 ms" in result.detail) == (Reason.NOT_COVERED, True)
    rates_at(binned(), times[: len(early) + 1], np.ones((len(early) + 1, 1)))


@pytest.mark.parametrize("stamps", [[], [-5.0], [5.0], [-5.0, 5.0]])
def test_without_samples_in_the_window_there_is_no_response(stamps):
    for rule in (binned(), binned(bin_s=1.0), spikes()):
        assert refused(rule, stamps, np.zeros((len(stamps), 1), int)).reason is Reason.NOT_COVERED


def test_a_window_shorter_than_a_bin_needs_its_bin():
    rule = binned(bin_s=0.1, window=Window(0.05, 0.08))
    times = grid(0.1, start=-0.3, end=0.5)
    values = np.arange(len(times), dtype=float)[:, None]
    assert rates_at(rule, times, values).rates_hz == pytest.approx([4.0])
    keep = np.arange(len(times)) != 4
    assert refused(rule, times[keep], values[keep]).reason is Reason.NOT_COVERED


@pytest.mark.parametrize(("late_bins", "fine"), [(0.4, True), (0.6, False)])
def test_a_stamp_may_be_late_by_less_than_the_tolerance(late_bins, fine):
    # everything from 120 ms on is shifted: the hole is that wide
    times = grid()
    times = np.where(times > 0.115, times + late_bins * 0.01, times)
    result = respond(binned(), ONSET + times, np.full((len(times), 1), 9.0), ONSET)
    assert isinstance(result, Response) is fine


def test_a_gap_in_the_baseline_is_named():
    times = grid()
    keep = ~np.isclose(times, 0.02)
    result = refused(binned(baseline=Window(0.0, 0.045)), times[keep], np.ones((keep.sum(), 1)))
    assert result.reason is Reason.NOT_COVERED
    assert "baseline window" in result.detail


def test_a_doubled_sample_is_seen():
    times = np.sort(np.r_[grid(), 0.1])
    result = refused(binned(), times, np.ones((len(times), 1)))
    assert result.reason is Reason.DOUBLED
    assert "100.0 ms" in result.detail


@given(
    lost=st.sets(st.integers(0, 50), max_size=3),
    start_ms=st.integers(-50, 150),
    length_ms=st.integers(5, 150),
)
def test_a_response_is_given_if_and_only_if_no_needed_sample_is_lost(lost, start_ms, length_ms):
    """Bins of 10 ms on a grid; whether a lost one was needed is counted in whole milliseconds."""
    stamps_ms = np.arange(51) * 10 - 100
    end_ms = start_ms + length_ms
    shared = {i: min(stamps_ms[i], end_ms) - max(stamps_ms[i] - 10, start_ms) for i in lost}
    # neighbours lost together make one hole; keep to single ones, whose size is plain
    assume(all(i + 1 not in lost for i in lost))
    window = Window(start_ms / 1000, end_ms / 1000)
    keep = [i for i in range(51) if i not in lost]
    result = respond(binned(window=window), ONSET + stamps_ms[keep] / 1000, np.ones((len(keep), 1)), ONSET)
    too_much = 0.5 * min(10, length_ms)
    assert isinstance(result, Invalid) is any(hole > too_much for hole in shared.values())


def pushed(seed, off_s, chunk=10):
    """Return stamps of a sender at 1 kHz that stamps each chunk as it pushes it, too early or too late."""
    times = grid(0.001)
    late = np.random.default_rng(seed).uniform(-off_s, off_s, -(-len(times) // chunk))
    return times + np.repeat(late, chunk)[: len(times)]


@given(st.integers(0, 10**6))
def test_chunks_stamped_as_they_are_pushed_are_measured(seed):
    times = np.sort(pushed(seed, 0.001))
    values = np.random.default_rng(seed).normal(80.0, 1.0, (len(times), 1)).clip(75, 85)
    got = rates_at(binned(bin_s=0.001), times, values).rates_hz[0]
    inside = (times > 0.047) & (times < 0.203)
    assert values[inside].mean() == pytest.approx(got, abs=0.5)


@pytest.mark.parametrize(("lost", "fine"), [(1, True), (3, True), (4, False), (20, False)])
def test_at_1_khz_a_hole_hides_only_within_the_tolerance(lost, fine):
    times = grid(0.001)
    at = int(np.argmin(np.abs(times - 0.1)))
    times = np.delete(times, slice(at, at + lost))
    result = respond(binned(bin_s=0.001), ONSET + times, np.ones((len(times), 1)), ONSET)
    assert isinstance(result, Response) is fine
    if not fine:
        assert result.reason is Reason.NOT_COVERED


@given(st.integers(0, 10**6), st.integers(6, 40))
def test_single_losses_add_up(seed, lost):
    """No hole is too wide, but there are too few samples."""
    times = grid(0.001)
    inside = np.flatnonzero((times > 0.0505) & (times < 0.1995))[::3]
    times = np.delete(times, np.random.default_rng(seed).choice(inside, lost, replace=False))
    result = refused(binned(bin_s=0.001), times, np.ones((len(times), 1)))
    assert result.reason is Reason.NOT_COVERED
    assert f"{150 - lost} samples, where 150 are due" in result.detail


def test_at_1_khz_a_doubled_chunk_is_seen_and_a_doubled_sample_takes_no_time():
    times = grid(0.001)
    values = np.random.default_rng(0).gamma(2, 20, (len(times), 1))
    at = int(np.argmin(np.abs(times - 0.1)))
    rule = binned(bin_s=0.001)
    twice = np.sort(np.r_[np.arange(len(times)), np.arange(at, at + 20)])
    assert refused(rule, times[twice], values[twice]).reason is Reason.DOUBLED
    once = np.sort(np.r_[np.arange(len(times)), at])
    got = rates_at(rule, times[once], values[once]).rates_hz
    assert got == pytest.approx(rates_at(rule, times, values).rates_hz)


# --- not finite, artefacts ---------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_makes_the_trial_invalid(bad):
    times = grid()
    values = np.ones((len(times), 3))
    values[np.isclose(times, 0.13), 1] = bad
    result = refused(binned(unit_count=3, units=(0, 1)), times, values)
    assert result.reason is Reason.NOT_FINITE
    assert "unit 1" in result.detail
    assert "130.0 ms" in result.detail


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_units_that_do_not_count_may_be_anything(bad):
    times = grid()
    values = np.ones((len(times), 3))
    values[:, 1] = bad
    assert rates_at(binned(unit_count=3, units=(0, 2)), times, values).rates_hz[[0, 2]] == pytest.approx(
        [1, 1]
    )


@given(st.floats(0, 1e7))
def test_bins_that_only_touch_the_window_may_be_anything(onset):
    """However large the clock's reading, rounding must not pull the neighbour bins in."""
    times = grid()
    values = np.ones((len(times), 1))
    values[np.isclose(times, 0.05) | np.isclose(times, 0.21)] = np.nan
    assert rates_at(binned(), times, values, onset).rates_hz == pytest.approx([1.0])


def test_a_sample_without_a_time_is_lost():
    times = grid()
    times[np.isclose(times, 0.1)] = np.nan
    assert refused(binned(), times, np.ones((len(times), 1))).reason is Reason.NOT_COVERED


def test_rates_above_the_limit_are_an_artefact():
    times = grid()
    values = np.tile([10.0, 900.0], (len(times), 1))
    limited = {"unit_count": 2, "max_rate_hz": 500.0}
    result = refused(binned(units=(0, 1), **limited), times, values)
    assert result.reason is Reason.ARTEFACT
    assert "unit 1" in result.detail
    rates_at(binned(units=(0,), **limited), times, values)
    only_before = np.where(times[:, None] < 0.046, values, 1.0)
    result = refused(binned(units=(1,), baseline=Window(0, 0.04), **limited), times, only_before)
    assert "baseline" in result.detail


def test_negative_counts_are_an_artefact():
    times = grid()
    values = np.where(np.isclose(times, 0.1), -1, 0)[:, None]
    assert refused(binned("counts"), times, values).reason is Reason.ARTEFACT


# --- spikes ------------------------------------------------------------------------------------

ALIVE = np.arange(-0.1, 0.4, 0.025)


def with_signs_of_life(stamps, units):
    times = np.r_[ALIVE, stamps]
    numbers = np.r_[np.full(len(ALIVE), -1), units].astype(np.int32)
    order = np.argsort(times, kind="stable")
    return times[order], numbers[order][:, None]


def test_spikes_by_hand():
    times, units = with_signs_of_life([0.06, 0.1, 0.1, 0.19, 0.12, 0.3, 0.04], [0, 0, 0, 0, 2, 0, 0])
    assert rates_at(spikes(), times, units).rates_hz == pytest.approx(np.array([4, 0, 1, 0]) / 0.15)


def test_the_window_takes_its_start_and_leaves_its_end():
    times, units = with_signs_of_life([0.05, 0.2], [0, 1])
    assert rates_at(spikes(), times, units).rates_hz * 0.15 == pytest.approx([1, 0, 0, 0])


def test_signs_of_life_and_strange_units_are_no_spikes():
    times, units = with_signs_of_life([0.1, 0.11, 0.12], [-7, 4, 900])
    assert rates_at(spikes(), times, units).rates_hz.tolist() == [0, 0, 0, 0]


def test_spikes_may_come_as_one_column_or_as_none():
    times, units = with_signs_of_life([0.1], [3])
    assert rates_at(spikes(), times, units[:, 0]).rates_hz == pytest.approx([0, 0, 0, 1 / 0.15])


@given(st.lists(st.tuples(st.integers(-90, 390), st.integers(0, 3))), st.integers(0, 10**6))
def test_spikes_are_counted_as_whole_milliseconds_say(found, onset):
    stamps = np.array([ms for ms, _ in found]) / 1000
    times, units = with_signs_of_life(stamps, [unit for _, unit in found])
    wanted = [sum(unit == one and 50 <= ms < 200 for ms, unit in found) for one in range(4)]
    # half a millisecond off the grid, so that no stamp lies on an edge, where rounding decides
    got = respond(spikes(), onset + times + 0.0005, units, float(onset))
    assert got.rates_hz * 0.15 == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("silent_from", "silent_to", "fine"),
    [(0.09, 0.13, True), (0.09, 0.15, False), (0.02, 0.06, True), (0.01, 0.07, False), (0.19, 0.25, False)],
)
def test_silence_is_believed_only_so_long(silent_from, silent_to, fine):
    # neighbours outside the window count: a silence that began before it is still one
    times = np.r_[np.arange(-0.1, silent_from, 0.005), silent_from, np.arange(silent_to, 0.4, 0.005)]
    result = respond(spikes(max_silence_s=0.05), ONSET + times, np.full(len(times), -1), ONSET)
    assert isinstance(result, Response) is fine
    if not fine:
        assert result.reason is Reason.NOT_COVERED
        assert f"{silent_from * 1000:.1f} to {silent_to * 1000:.1f} ms" in result.detail


def test_spikes_need_a_sample_before_and_one_after_the_window():
    before, after = ALIVE[ALIVE > 0.05], ALIVE[ALIVE < 0.19]
    result = refused(spikes(), before, np.full(len(before), -1))
    assert (result.reason, "before" in result.detail) == (Reason.NOT_COVERED, True)
    result = refused(spikes(), after, np.full(len(after), -1))
    assert (result.reason, "after its end" in result.detail) == (Reason.NOT_COVERED, True)


def test_a_silent_neuron_of_a_living_stream_fires_at_zero():
    assert rates_at(spikes(), ALIVE, np.full(len(ALIVE), -1)).rates_hz.tolist() == [0, 0, 0, 0]


def test_a_unit_number_that_is_nan_is_seen():
    numbers = np.full(len(ALIVE), -1.0)
    numbers[np.isclose(ALIVE, 0.1)] = np.nan
    assert refused(spikes(), ALIVE, numbers).reason is Reason.NOT_FINITE


# --- trials ------------------------------------------------------------------------------------


def by_trial(**more):
    return ResponseRule(Kind.TRIALS, WINDOW, 3, (0, 1), **more)


def test_a_trial_measured_by_the_sender():
    values = np.array([[4, 1.0, 2, 3], [5, 10, 20, np.nan]])
    result = respond_to_trial(by_trial(), values, 5)
    assert result.rates_hz[:2].tolist() == [10, 20]
    assert result.baseline_hz is None


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([[4, 1.0, 2, 3]], Reason.NOT_COVERED),
        ([[5, 1.0, 2, 3], [5, 1, 2, 3]], Reason.DOUBLED),
        ([[5, 1.0, np.nan, 3]], Reason.NOT_FINITE),
        ([[5, 1.0, 600, 3]], Reason.ARTEFACT),
        ([[np.nan, 1.0, 2, 3]], Reason.NOT_COVERED),
    ],
)
def test_a_trial_that_is_missing_doubled_or_spoilt(values, reason):
    result = respond_to_trial(by_trial(max_rate_hz=500), np.array(values), 5)
    assert result.reason is reason


# --- waiting, wrong input ----------------------------------------------------------------------


def test_the_loop_waits_until_a_sample_reaches_the_windows_end():
    end = binned(baseline=Window(0.1, 0.3)).end_s(ONSET)
    assert end == pytest.approx(1000.3)
    assert still_open(np.array([]), end)
    assert still_open(np.array([1000.29]), end)
    assert not still_open(np.array([1000.3]), end)
    assert not still_open(np.array([1000.31, 1000.2]), end)


@pytest.mark.parametrize("rule", [binned(baseline=Window(-0.05, 0)), spikes(baseline=Window(-0.05, 0))])
def test_samples_from_the_rules_start_on_are_enough(rule):
    times = np.sort(np.r_[ALIVE]) if rule.kind is Kind.SPIKES else grid()
    values = np.zeros((len(times), rule.unit_count if rule.kind.binned else 1))
    needed = ONSET + times >= rule.start_s(ONSET)
    assert 0 < needed.sum() < len(times)
    whole = rates_at(rule, times, values)
    part = rates_at(rule, times[needed], values[needed])
    assert part.rates_hz.tolist() == whole.rates_hz.tolist()


@pytest.mark.parametrize(
    ("rule", "times", "values"),
    [
        (binned(unit_count=2, units=(0,)), np.zeros(3), np.zeros((3, 1))),
        (binned(), np.zeros(2), np.zeros((3, 1))),
        (binned(), np.zeros((3, 1)), np.zeros((3, 1))),
        (spikes(), np.zeros(3), np.zeros((3, 2))),
        (by_trial(), np.zeros(3), np.zeros((3, 4))),
    ],
)
def test_samples_of_the_wrong_shape_or_kind_are_refused(rule, times, values):
    with pytest.raises(StreamMismatchError):
        respond(rule, times, values, ONSET)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": Kind.RATES},
        {"kind": Kind.RATES, "bin_s": 0.0},
        {"kind": Kind.SPIKES},
        {"kind": Kind.SPIKES, "max_silence_s": -1.0},
        {"kind": Kind.TRIALS, "units": ()},
        {"kind": Kind.TRIALS, "units": (3,)},
        {"kind": Kind.TRIALS, "units": (-1,)},
        {"kind": Kind.RATES, "bin_s": 0.01, "tolerance_bins": 1.0},
        {"kind": Kind.RATES, "bin_s": 0.01, "tolerance_s": -0.001},
    ],
)
def test_a_rule_that_does_not_fit_together_is_refused(wrong):
    with pytest.raises(ProtocolError):
        ResponseRule(**{"window": WINDOW, "unit_count": 3, "units": (0,), **wrong})


@pytest.mark.parametrize(("start", "end"), [(0.2, 0.2), (0.2, 0.1), (0.0, np.nan), (-np.inf, 0.1)])
def test_a_window_without_length_is_refused(start, end):
    with pytest.raises(TimingError):
        Window(start, end)
