"""Samples around onsets: the same as from the whole session, without reading it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from session_factory import SessionPlan, write_session

from closedloop.report.sampled import samples_around
from closedloop.scoring import Kind, ResponseRule, Window, psth
from closedloop.session import SessionReader

SPAN = Window(-0.05, 0.25)
RULES = {
    "rates": ResponseRule(Kind.RATES, Window(0.05, 0.2), 3, (2, 0), bin_s=1 / 500),
    "spikes": ResponseRule(Kind.SPIKES, Window(0.05, 0.2), 3, (2, 0), max_silence_s=0.5),
}


@pytest.mark.parametrize("kind", ["rates", "spikes"])
def test_a_part_of_the_session_gives_what_the_whole_gives(tmp_path: Path, kind: str) -> None:
    plan = SessionPlan(generations=5, kind=kind, resumed=True, trouble=True)
    folder = write_session(tmp_path / "s", plan)
    rule = RULES[kind]
    with SessionReader(folder) as reader:
        trials = reader.table("trials")
        # two stretches of the session, with others between them and after them
        chosen = trials[trials["generation"].isin([0, 3]) & trials["onset_s"].notna()]
        onsets = np.sort(chosen["onset_s"].to_numpy(float))
        whole = reader.samples("response")
        part = samples_around(reader, rule, onsets, SPAN)
        assert part is not None
        times, values, narrow = part
    assert len(times) < 0.8 * len(whole.times_s)
    assert len(np.unique(times)) == len(np.unique(whole.times_s[np.isin(whole.times_s, times)]))
    if kind == "rates":
        assert len(np.unique(times)) == len(times)  # no sample came twice
        assert values.shape[1] == 2
    expected = psth(rule, whole.times_s, whole.values, onsets, SPAN, 0.01)
    found = psth(narrow, times, values, onsets, SPAN, 0.01)
    np.testing.assert_allclose(found.rate_hz, expected.rate_hz)
    np.testing.assert_array_equal(found.n, expected.n)
    assert np.nanmax(found.rate_hz) > 0


def test_without_samples_there_is_nothing(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s", SessionPlan(generations=1, samples=False))
    with SessionReader(folder) as reader:
        assert samples_around(reader, RULES["rates"], np.array([1002.0]), SPAN) is None
        assert samples_around(reader, RULES["rates"], np.empty(0), SPAN) is None
