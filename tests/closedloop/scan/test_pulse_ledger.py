from __future__ import annotations

import json
import math

import numpy as np
import pytest
from pulse_run import ZERO_S, PulseRun, pulse, run, scanner

from closedloop.protocol.sections.scan import PulsePolicy
from closedloop.scan.findings import action_of
from closedloop.scan.ledger import PulseLedger

SERIAL = {"path": "serial", "port": "/dev/ttyS0"}


def even(volumes: int = 20, tr_s: float = 2.0, *, without: tuple[int, ...] = ()) -> list[float]:
    return [volume * tr_s for volume in range(volumes) if volume not in without]


def without_a_fault(done: PulseRun) -> bool:
    return done.kinds() == []


def test_a_sound_run_has_a_volume_for_each_pulse_and_no_finding_but_the_first() -> None:
    done = run(scanner(), even())
    assert done.volumes() == list(range(20))
    assert [finding.kind for finding in done.findings] == ["first"]
    assert done.ledger.volumes_seen == 20


def test_a_dropped_pulse_is_told_before_the_next_is_due_and_the_count_stays_right() -> None:
    done = run(scanner(), even(without=(7,)))
    missed = done.only("missed")
    assert (missed.volume, missed.count) == (7, 1)
    assert 14 < missed.time_s - ZERO_S < 12 + 1.5 * 2
    assert done.volumes() == [volume for volume in range(20) if volume != 7]
    assert done.ledger.summary()["missed_volumes"] == [7]


def test_pulses_fed_without_ticks_tell_what_lies_between_them() -> None:
    ledger = PulseLedger(scanner())
    found = [finding for time_s in (0, 2, 4, 10, 12) for finding in ledger.feed(pulse(time_s))[1]]
    assert [(finding.kind, finding.count, finding.volume) for finding in found[1:]] == [("missed", 2, 3)]


def test_a_doubled_pulse_is_counted_once() -> None:
    done = run(scanner(), sorted([*even(), 0.02, 10.05, 38.09]))
    assert done.kinds() == ["doubled"] * 3
    assert [volume for volume in done.volumes() if volume is not None] == list(range(20))


@pytest.mark.parametrize(("trigger", "kind"), [({}, "human"), (SERIAL, "extra")])
def test_a_pulse_off_the_grid_is_a_persons_only_where_persons_can_press(
    trigger: dict[str, str], kind: str
) -> None:
    done = run(scanner(trigger=trigger), sorted([*even(), 11.0]))
    assert done.verdicts()[6] == done.kinds()[0] == kind
    assert len(done.kinds()) == 1
    assert ("person" in done.only(kind).words) == (kind == "human")
    assert done.ledger.volumes_seen == 20


def test_a_stop_is_told_within_two_trs_and_a_single_lost_pulse_is_none() -> None:
    stopped = run(scanner(), even(9)).only("stopped")
    assert stopped.volume == 8
    assert stopped.time_s - ZERO_S < 16 + 2 + 2 * 2  # 2 TRs after the first volume that did not come
    assert "stopped" not in run(scanner(), even(without=(9,))).kinds()


def test_a_scanner_that_goes_on_takes_its_stop_back() -> None:
    done = run(scanner(), even(without=(9, 10, 11)))
    taken_back = [finding for finding in done.findings if finding.kind == "stopped" and finding.count == 0]
    assert len(taken_back) == 1
    assert taken_back[0].action(PulsePolicy()) == "note"
    assert done.volumes()[9:] == list(range(12, 20))
    assert not done.ledger.summary()["stopped"]


def test_a_pulse_that_was_only_late_on_its_way_is_not_missed_after_all() -> None:
    done = run(scanner(), even(), delays_s={5: 1.1})
    assert [(finding.kind, finding.count) for finding in done.findings[1:]] == [("missed", 1), ("missed", 0)]
    assert done.volumes() == list(range(20))
    assert done.ledger.summary()["missed_volumes"] == []


def test_a_tr_that_is_off_is_told_within_ten_volumes() -> None:
    done = run(scanner(), even(tr_s=2.017))
    off = done.only("tr_off")
    assert off.volume is not None
    assert off.volume < 10
    assert off.detail["tr_fitted_s"] == pytest.approx(2.017, abs=1e-6)
    assert "2.0170 s" in off.words


@pytest.mark.parametrize("tr_s", [1.4, 1.75, 2.5, 3.0])
def test_a_tr_that_is_quite_another_is_told_and_counted_from_then_on(tr_s: float) -> None:
    done = run(scanner(volumes=12), even(12, tr_s), end_s=40)
    assert "tr_off" in done.kinds()
    assert done.volumes()[3:] == list(range(3, 12))
    fit = done.ledger.fit
    assert fit is not None
    assert fit.tr_s == pytest.approx(tr_s, abs=0.01)


def test_a_tr_twice_the_protocols_is_told_although_every_pulse_is_on_the_grid() -> None:
    off = run(scanner(), even(10, 4.0)).only("tr_off")
    assert off.detail["tr_if_none_lost_s"] == 4.0


def test_a_slow_drift_of_the_tr_is_told() -> None:
    intervals_s = 2 * (1 + 0.001 * np.arange(299) / 298)
    done = run(scanner(volumes=300), [0.0, *np.cumsum(intervals_s)])
    assert done.kinds() == ["drift"]
    assert done.volumes() == list(range(300))


def test_a_steady_tr_that_is_off_is_no_drift() -> None:
    assert run(scanner(volumes=300), even(300, 2.017), end_s=610).kinds() == ["tr_off"]


def test_the_start_is_the_stamp_of_the_first_volume_after_the_dummies() -> None:
    ledger = PulseLedger(scanner(dummies=2))
    assert ledger.start_s() is None
    ledger.feed(pulse(0.0))
    assert not ledger.start_known
    assert ledger.start_s() == pytest.approx(ZERO_S + 4.0)
    ledger.feed(pulse(2.001))
    entry, _ = ledger.feed(pulse(4.003))
    assert entry.volume == 2
    assert ledger.start_known
    assert ledger.start_s() == ledger.stored_volume_time_s(0) == ZERO_S + 4.003
    assert ledger.stored_volume_time_s(5) == pytest.approx(ZERO_S + 14, abs=0.01)


def test_a_start_whose_pulse_was_lost_is_where_the_fit_has_it() -> None:
    done = run(scanner(dummies=2), [time_s for time_s in even(22) if time_s != 4.0])
    assert done.ledger.start_s() == pytest.approx(ZERO_S + 4.0, abs=1e-6)
    assert done.ledger.summary()["start_stamp_s"] is None
    assert done.ledger.summary()["stored_volumes_seen"] == 19


def test_a_start_that_is_known_stays() -> None:
    ledger = PulseLedger(scanner())
    for number, time_s in enumerate((0.004, 1.998, 4.001, 6.0, 7.999)):
        ledger.feed(pulse(time_s))
        assert ledger.start_s() == ZERO_S + 0.004, number


def test_after_the_run_nothing_counts() -> None:
    ledger = PulseLedger(scanner())
    ledger.feed(pulse(0.0))
    ledger.finish(ZERO_S + 1)
    entry, findings = ledger.feed(pulse(2.0))
    assert (entry.verdict, entry.volume, findings) == ("after", None, [])
    assert ledger.tick(ZERO_S + 100) == []


def test_more_pulses_than_the_sequence_makes_are_told_once() -> None:
    done = run(scanner(volumes=10), even(13), end_s=30)
    assert done.verdicts()[10:] == ["after"] * 3
    assert done.kinds() == ["extra"]


def test_a_sequence_without_an_end_may_stop_or_go_on_after_its_volumes() -> None:
    section = scanner(volumes=10, sequence_ends="open")
    assert without_a_fault(run(section, even(13)))
    assert without_a_fault(run(section, even(10)))


@pytest.mark.parametrize("before_s", [1.0, 3.3, 5.0, 7.4, 13.1])
def test_a_press_before_the_scan_began_does_not_shift_the_count(before_s: float) -> None:
    done = run(scanner(), [-before_s, *even()])
    counted = [entry.volume for entry in done.entries if entry.verdict == "volume"]
    assert counted[-18:] == list(range(2, 20))
    shifted = next(finding for finding in done.findings if "start_shift_s" in finding.detail)
    assert shifted.kind == "human"
    assert shifted.detail["start_shift_s"] == pytest.approx(before_s)
    assert done.ledger.start_s() == ZERO_S - before_s  # as the run used it
    assert done.ledger.summary()["start_by_fit_s"] == pytest.approx(ZERO_S, abs=1e-6)
    assert "first_missed" not in done.kinds()


def test_a_sequence_that_is_held_up_is_told_and_counted_on() -> None:
    times_s = [*even(8), *(time_s + 16.7 for time_s in even(12))]
    done = run(scanner(), times_s, end_s=42)
    told = next(finding for finding in done.findings if "phase_jump_s" in finding.detail)
    assert told.detail["phase_jump_s"] == pytest.approx(0.7)
    assert done.volumes()[-9:] == list(range(11, 20))


def test_slices_count_volumes_by_their_number() -> None:
    section = scanner(tr_s=1.0, volumes=5, pulse_per="slice", slices=10, debounce_ms=20, jitter_ms=2)
    done = run(section, [0.1 * number for number in range(50)])
    assert without_a_fault(done)
    assert [entry.volume for entry in done.entries if entry.verdict == "volume"] == list(range(5))
    assert done.verdicts().count("slice") == 45
    done = run(section, [0.1 * number for number in range(50) if number not in (13, 20)])
    assert [(finding.count, finding.volume) for finding in done.findings[1:]] == [(1, 1), (1, 2)]
    assert done.ledger.summary()["missed_volumes"] == [2]
    assert done.ledger.volumes_seen == 4


def test_slices_that_end_early_are_a_stop_and_told_once() -> None:
    section = scanner(tr_s=1.0, volumes=9, pulse_per="slice", slices=10, debounce_ms=20, jitter_ms=2)
    done = run(section, [0.1 * number for number in range(40)])
    assert done.kinds() == ["missed", "stopped"]
    assert done.only("stopped").time_s - ZERO_S < 4 + 2


def test_a_sparse_sequence_is_silent_between_its_volumes_without_a_finding() -> None:
    section = scanner(
        tr_s=4.0, volumes=6, pulse_per="slice", slices=10, acquisition_s=1.0, debounce_ms=20, jitter_ms=2
    )
    done = run(section, [4.0 * volume + 0.1 * part for volume in range(6) for part in range(10)])
    assert without_a_fault(done)
    assert done.ledger.volumes_seen == 6


@pytest.mark.parametrize(("tr_s", "slices", "busy_s"), [(3.0, 20, 1.0), (9.0, 30, 2.0), (10.0, 40, 2.0)])
def test_slices_close_together_tell_no_tr_across_the_silence(tr_s: float, slices: int, busy_s: float) -> None:
    section = scanner(
        tr_s=tr_s, volumes=6, pulse_per="slice", slices=slices, acquisition_s=busy_s, debounce_ms=20
    )
    grid = np.array([tr_s * volume + busy_s / slices * part for volume in range(6) for part in range(slices)])
    for seed in range(3):
        jitter_s = np.abs(np.random.default_rng(seed).normal(0.0, 0.0025, len(grid))).clip(0.0, 0.005)
        done = run(section, (grid + jitter_s).tolist())
        assert without_a_fault(done)
        assert [volume for volume in done.volumes() if volume is not None] == list(range(6))
        assert done.ledger.summary()["tr_fitted_s"] == pytest.approx(tr_s, abs=0.002)


def test_slices_close_together_still_tell_a_lost_pulse_and_another_tr() -> None:
    section = scanner(tr_s=3.0, volumes=12, pulse_per="slice", slices=20, acquisition_s=1.0, debounce_ms=20)
    times_s = [3.012 * volume + 0.0502 * part for volume in range(12) for part in range(20)]
    done = run(section, [time_s for number, time_s in enumerate(times_s) if number != 47])
    assert done.only("missed").volume == 2
    assert done.only("tr_off").detail["tr_fitted_s"] == pytest.approx(3.012, abs=0.001)
    assert set(done.kinds()) == {"missed", "tr_off"}


def test_findings_ask_for_what_the_policy_says() -> None:
    policy = PulsePolicy(missed="abort", drift="pause")
    assert action_of(policy, "missed") == "abort"
    assert action_of(policy, "drift") == "pause"
    assert action_of(policy, "first") == "note"


def test_the_summary_is_json_and_says_the_jitter() -> None:
    rng = np.random.default_rng(1)
    times_s = [time_s + rng.uniform(-0.005, 0.005) for time_s in even(200)]
    done = run(scanner(volumes=200), times_s)
    summary = json.loads(json.dumps(done.ledger.summary()))
    assert summary["residual_sd_s"] == pytest.approx(0.005 / math.sqrt(3), rel=0.15)
    assert abs(summary["residual_largest_s"]) < 0.006
    assert abs(summary["tr_fitted_s"] - 2) < 5 * summary["tr_se_s"]
    assert summary["pulses"] == {"volume": 200}
    assert summary["findings"] == {"first": 1}
    assert json.loads(json.dumps(PulseLedger(scanner()).summary()))["tr_fitted_s"] is None


def test_residuals_are_against_the_fit_once_there_is_one() -> None:
    done = run(scanner(), [*even(10), 20.05, *even(20)[11:]])
    residuals = [entry.residual_s for entry in done.entries]
    assert all(math.isnan(residual) for residual in residuals[:3])
    assert residuals[10] == pytest.approx(0.05, abs=1e-6)
    assert max(abs(residual) for residual in residuals[11:]) < 0.01


def test_a_first_pulse_that_came_late_on_its_way_shifts_neither_count_nor_fit() -> None:
    done = run(scanner(), [0.15, *even()[1:]])
    assert without_a_fault(done)
    assert done.volumes() == list(range(20))
    fit = done.ledger.fit
    assert fit is not None
    assert fit.start_s == pytest.approx(ZERO_S, abs=0.005)


def test_stamps_that_lie_on_no_line_are_no_other_tr() -> None:
    late_s = [0.108, 0.06, 0.0, 0.03, 0.0]  # a starved reader stamps late
    done = run(
        scanner(1.0), [number + late_s[number] for number in range(5)] + [float(n) for n in range(5, 20)]
    )
    assert without_a_fault(done)
