"""More pulses than the protocol knows of, regularly: one finding says so, and volumes keep their numbers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from pulse_run import ZERO_S, PulseRun, run, scanner

JITTER_S = 0.005
VOLUMES = 20


def pulses(every_s: float, count: int, *, seed: int = 1, jitter_s: float = JITTER_S) -> list[float]:
    off_s = np.random.default_rng(seed).uniform(-jitter_s, jitter_s, count)
    return sorted((1 + every_s * np.arange(count) + off_s).tolist())


def bursts(spacing_s: float, each: int, tr_s: float = 2.0) -> list[float]:
    jitter_s = min(JITTER_S, spacing_s / 10)
    off_s = np.random.default_rng(2).uniform(-jitter_s, jitter_s, VOLUMES * each)
    places = [tr_s * volume + spacing_s * part for volume in range(VOLUMES) for part in range(each)]
    return (1 + np.array(places) + off_s).tolist()


def numbers_of(done: PulseRun, each: int) -> list[int | None]:
    """The volumes by the pulses that really begin one; none of the others may have one."""
    assert all(volume is None for place, volume in enumerate(done.volumes()) if place % each)
    return done.volumes()[::each]


@pytest.mark.parametrize("tr_s", [0.8, 2.0])
@pytest.mark.parametrize("each", [2, 3, 4, 5, 10, 20, 36])
@pytest.mark.parametrize("dummies", [0, 3])
def test_slices_that_the_protocol_has_not_are_one_finding(each: int, tr_s: float, dummies: int) -> None:
    volumes = VOLUMES - dummies
    times_s = pulses(tr_s / each, VOLUMES * each, jitter_s=min(JITTER_S, tr_s / each / 10))
    done = run(scanner(tr_s, volumes, dummies=dummies), times_s)
    found = done.only("tr_off")
    assert found.time_s - done.findings[0].time_s <= max(1.35 * tr_s, 4.1 * tr_s / each)
    assert "pulse_per: slice" in found.words
    assert found.detail["pulses_every_s"] == pytest.approx(tr_s / each, rel=0.02)
    assert numbers_of(done, each) == list(range(VOLUMES))
    # until it was known each was told; none is afterwards
    told = Counter(done.kinds())
    assert told["human"] + told["doubled"] <= 13
    assert set(told) <= {"human", "doubled", "tr_off"}


@pytest.mark.parametrize(("each", "spacing_s"), [(2, 0.3), (3, 0.3), (10, 0.12), (8, 0.2)])
def test_slices_of_a_sparse_sequence_are_known_by_their_silences(each: int, spacing_s: float) -> None:
    done = run(scanner(), bursts(spacing_s, each))
    found = done.only("tr_off")
    assert f"{each} pulses, " in found.words
    assert f"slices: {each}, acquisition_s: " in found.words
    assert found.detail["pulses_in_burst"] == each
    assert numbers_of(done, each) == list(range(VOLUMES))
    assert done.kinds().count("human") == 3 * (each - 1)


@pytest.mark.parametrize("lost", [1, 2, 3])
@pytest.mark.parametrize(("each", "busy"), [(4, 0.7), (4, 0.97), (6, 0.9), (11, 0.9), (30, 0.3), (40, 0.3)])
def test_a_volume_begins_with_the_first_of_its_slices_whichever_was_heard_first(
    each: int, busy: float, lost: int
) -> None:
    done = run(scanner(), bursts(2 * busy / each, each)[lost:])
    kinds = set(done.kinds())
    assert kinds <= {"human", "doubled", "tr_off"}
    assert kinds >= {"tr_off"}
    firsts = done.volumes()[each - lost :: each]
    assert firsts[6:] == list(range(7, VOLUMES))
    assert done.ledger.fit is not None
    assert done.ledger.fit.tr_s == pytest.approx(2.0, abs=0.002)


@pytest.mark.parametrize("heard", [3, 4])
@pytest.mark.parametrize("apart_s", [0.0005, 0.002, 0.008, 0.02])
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_a_pulse_that_is_heard_several_times_is_one(heard: int, apart_s: float, share: float) -> None:
    rng = np.random.default_rng(5)
    bounced = rng.random(VOLUMES) < share
    times_s = [
        time_s + apart_s * again
        for time_s, more in zip(pulses(2.0, VOLUMES), bounced, strict=True)
        for again in range(heard if more else 1)
    ]
    done = run(scanner(), times_s)
    assert set(done.kinds()) == {"doubled"}
    assert [volume for volume in done.volumes() if volume is not None] == list(range(VOLUMES))


@pytest.mark.parametrize(("count", "apart_s"), [(14, 0.0001), (40, 0.001), (12, 0.008), (30, 0.02)])
@pytest.mark.parametrize("begins_s", [12.0, 21.0, 22.9])
def test_a_burst_of_noise_changes_nothing_of_what_comes_after_it(
    count: int, apart_s: float, begins_s: float
) -> None:
    noise_s = [begins_s + apart_s * number for number in range(count)]
    done = run(scanner(), sorted([*pulses(2.0, VOLUMES), *noise_s]))
    assert set(done.kinds()) <= {"human", "doubled"}
    assert done.ledger.volumes_seen == VOLUMES
    assert done.kinds().count("human") <= 14


@pytest.mark.parametrize("held_s", [0.3, 0.6, 1.0])
def test_slices_of_a_sequence_that_was_held_up_are_no_scanner_that_stopped(held_s: float) -> None:
    times_s = [time_s + (held_s if time_s > 20 else 0) for time_s in pulses(0.4, 5 * VOLUMES)]
    done = run(scanner(), times_s)
    assert "stopped" not in done.kinds()
    assert done.ledger.volumes_seen >= VOLUMES - 1


def test_silence_is_counted_from_the_last_pulse_of_all() -> None:
    done = run(scanner(), [*pulses(2.0, 8), 16.4], end_s=40)
    stopped = done.only("stopped")
    assert stopped.detail["last_pulse_s"] == ZERO_S + 16.4
    assert f"no pulse for {stopped.time_s - ZERO_S - 16.4:.1f} s" in stopped.words


def test_a_slice_that_is_lost_in_the_last_volume_makes_none_of_the_others_one_too_many() -> None:
    times_s = pulses(2 / 33, 33 * VOLUMES)
    del times_s[33 * (VOLUMES - 1) + 7]
    assert set(run(scanner(), times_s).kinds()) <= {"human", "doubled", "tr_off"}


def test_slices_tell_no_tr_by_their_number() -> None:
    done = run(scanner(), pulses(2.2 / 20, 20 * VOLUMES))
    assert done.kinds().count("tr_off") == 1


def test_a_number_that_counts_slices_tells_of_no_volume_that_was_missed() -> None:
    marks = [f"volume {number}" for number in range(2, 102)]
    trigger = {"path": "lsl", "numbered_from": 0, "stream": {"name": "s"}}
    done = run(scanner(trigger=trigger), pulses(0.4, 100), marks=marks)
    taken_back = [one for one in done.findings if one.kind == "first_missed" and not one.count]
    assert "in doubt" in taken_back[0].words
    assert done.ledger.summary()["first_missed"] is None or not done.ledger.summary()["first_missed"]["sure"]


@pytest.mark.parametrize("scale", [0.4, 0.58, 0.599, 0.6, 0.61, 0.65, 0.67, 0.7, 1.3])
def test_another_tr_is_told_once(scale: float) -> None:
    done = run(scanner(), pulses(2 * scale, VOLUMES))
    assert done.kinds().count("tr_off") == 1


@pytest.mark.parametrize("every_s", [0.45, 0.55, 0.7, 0.9, 1.1])
def test_another_tr_by_far_is_counted_by_its_own_pulses(every_s: float) -> None:
    done = run(scanner(), pulses(every_s, VOLUMES))
    assert "or the TR is another" in done.only("tr_off").words
    # nothing is called missed, nor the scanner stopped, before the last pulse
    last_s = max(entry.pulse for entry in done.entries)
    assert last_s == VOLUMES - 1
    assert not {"missed", "stopped"} & set(done.kinds())
    assert [volume for volume in done.volumes() if volume is not None][-1] == VOLUMES - 1


@pytest.mark.parametrize(
    ("sent", "told"), [(60, "about 60 slices"), (30, "slices, not 20"), (10, "about 10 slices")]
)
def test_another_number_of_slices_is_told(sent: int, told: str) -> None:
    section = scanner(pulse_per="slice", slices=20, debounce_ms=10, jitter_ms=1)
    done = run(section, pulses(2 / sent, VOLUMES * sent, jitter_s=0.001))
    assert told in done.only("tr_off").words


def test_three_times_the_slices_leave_the_volumes_where_they_are() -> None:
    section = scanner(pulse_per="slice", slices=20, debounce_ms=20)
    done = run(section, pulses(2 / 60, VOLUMES * 60, jitter_s=0.001))
    assert numbers_of(done, 60) == list(range(VOLUMES))
    assert "stopped" not in done.kinds()


def test_a_pulse_a_volume_where_the_protocol_has_slices_is_told() -> None:
    section = scanner(pulse_per="slice", slices=20, debounce_ms=20, jitter_ms=2)
    words = run(section, pulses(2.0, VOLUMES, jitter_s=0.001)).only("tr_off").words
    assert "every 20 x 0.1 s" in words
    assert "pulse_per: volume" in words


@pytest.mark.parametrize("seed", range(8))
def test_presses_and_pulses_that_bounce_are_no_slices(seed: int) -> None:
    rng = np.random.default_rng(seed)
    times_s = pulses(2.0, VOLUMES, seed=seed)
    doubled_s = [time_s + 0.03 for time_s in times_s]
    pressed_s = rng.uniform(1, 40, 12).tolist()
    kinds = run(scanner(), sorted([*times_s, *doubled_s, *pressed_s])).kinds()
    assert "tr_off" not in kinds


def test_a_press_among_slices_is_told() -> None:
    done = run(scanner(), sorted([*pulses(0.5, 80), 21.22]))
    since_s = done.only("tr_off").time_s
    told_s = [one.time_s for one in done.findings if one.kind == "human" and one.time_s > since_s]
    # the pulse after it is out of step with it
    assert [time_s - ZERO_S for time_s in told_s] == [pytest.approx(21.22), pytest.approx(21.5, abs=0.01)]
