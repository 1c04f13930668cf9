"""Whatever happens to the pulses, volumes keep their numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pulse_run import ZERO_S, pulse, run, scanner

from closedloop.scan.ledger import PulseLedger

VOLUMES = 24
TRS = st.sampled_from([0.5, 0.8, 1.0, 2.0, 3.0])
ERRORS = st.sampled_from([0.0, 0.0085, -0.0085])
SEEDS = st.integers(0, 10_000)


def jittered(tr_s: float, seed: int, gaussian: bool = False) -> np.ndarray:
    rng = np.random.default_rng(seed)
    off_s = (
        np.clip(rng.normal(0, 0.005, VOLUMES), -0.02, 0.02)
        if gaussian
        else rng.uniform(-0.005, 0.005, VOLUMES)
    )
    times_s: np.ndarray = tr_s * np.arange(VOLUMES) + off_s
    return times_s


@settings(max_examples=40)
@given(TRS, ERRORS, SEEDS, st.booleans(), st.sets(st.integers(1, VOLUMES - 1), max_size=8))
def test_dropped_pulses_are_named_and_the_others_keep_their_numbers(
    tr_s: float, error: float, seed: int, gaussian: bool, dropped: set[int]
) -> None:
    times_s = jittered(tr_s * (1 + error), seed, gaussian)
    sent = [volume for volume in range(VOLUMES) if volume not in dropped]
    done = run(scanner(tr_s, VOLUMES), [float(times_s[volume]) for volume in sent])
    assert done.volumes() == sent
    missing = {volume for volume in dropped if volume < sent[-1]}
    assert set(done.ledger.summary()["missed_volumes"]) == missing
    told = sum(finding.count for finding in done.findings if finding.kind == "missed")
    assert missing <= dropped
    assert told >= len(missing)
    assert not {"extra", "human", "doubled"} & set(done.kinds())


@settings(max_examples=40)
@given(TRS, ERRORS, SEEDS, st.dictionaries(st.integers(0, VOLUMES - 1), st.floats(0.001, 0.085), max_size=8))
def test_a_doubled_pulse_is_never_counted_twice(
    tr_s: float, error: float, seed: int, doubled: dict[int, float]
) -> None:
    times_s = jittered(tr_s * (1 + error), seed)
    bounces = [float(times_s[volume]) + after_s for volume, after_s in doubled.items()]
    done = run(scanner(tr_s, VOLUMES), sorted([*times_s.tolist(), *bounces]))
    assert [volume for volume in done.volumes() if volume is not None] == list(range(VOLUMES))
    assert done.verdicts().count("doubled") == len(doubled) == done.kinds().count("doubled")


@settings(max_examples=40)
@given(TRS, SEEDS, st.lists(st.floats(0.0, VOLUMES - 1.0), max_size=3))
def test_no_pulse_more_shifts_the_count(tr_s: float, seed: int, extra: list[float]) -> None:
    times_s = jittered(tr_s, seed)
    # wherever it falls, even where one is due: then it is taken for that one, and that one for doubled
    done = run(scanner(tr_s, VOLUMES), sorted([*times_s.tolist(), *(tr_s * place for place in extra)]))
    assert [volume for volume in done.volumes() if volume is not None] == list(range(VOLUMES))
    assert len(done.kinds()) == len(extra)


@settings(max_examples=20)
@given(TRS, SEEDS, st.integers(5, VOLUMES - 5))
def test_a_stop_is_always_told_and_nothing_but_it(tr_s: float, seed: int, volumes: int) -> None:
    done = run(scanner(tr_s, VOLUMES), jittered(tr_s, seed)[:volumes].tolist())
    assert done.kinds() == ["missed", "missed", "stopped"]
    silent_tr = done.only("stopped").detail["silent_tr"]
    assert 2.35 < silent_tr < 2.5


@settings(max_examples=20)
@given(TRS, SEEDS, st.integers(1, 3))
def test_missed_first_pulses_are_always_recognised(tr_s: float, seed: int, missed: int) -> None:
    done = run(scanner(tr_s, VOLUMES), jittered(tr_s, seed)[missed:].tolist())
    assert done.only("first_missed").count == missed
    assert done.volumes() == list(range(VOLUMES - missed))


@settings(max_examples=10)
@given(SEEDS, st.floats(-1e7, 1e7))
def test_where_the_clock_stands_makes_no_difference(seed: int, shift_s: float) -> None:
    shift_s = round(shift_s)
    ledgers = PulseLedger(scanner(1.0, VOLUMES)), PulseLedger(scanner(1.0, VOLUMES))
    for time_s in jittered(1.0, seed):
        here, there = (
            ledger.feed(pulse(time_s + shift)) for ledger, shift in zip(ledgers, (0, shift_s), strict=True)
        )
        assert (here[0].verdict, here[0].volume) == (there[0].verdict, there[0].volume)
    assert ledgers[0].start_s() == ZERO_S + jittered(1.0, seed)[0]
