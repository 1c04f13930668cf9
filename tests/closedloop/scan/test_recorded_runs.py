"""A real run, ds001761 of OpenNeuro, shown again: on whole frames, and never further off than one."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scan_plans import scan_protocol

from closedloop.scan.design import draw_runs
from closedloop.scan.frames import onset_intervals, plan_run_frames

DATA = Path(__file__).parents[4] / "shared" / "data" / "ds001761"
TABLES = sorted(DATA.glob("sub-*/ses-*/func/*_events.tsv"))
pytestmark = pytest.mark.skipif(
    not TABLES, reason=f"no {DATA}: the timing of OpenNeuro's ds001761 lies beside the repository, not in it"
)

# the display's own refresh in that study, today's 60 Hz, its NTSC form, and one that has nothing to do with it
PERIODS_S = [1 / 60.05, 1 / 60, 1.001 / 60, 1 / 144]


@pytest.mark.parametrize("period_s", PERIODS_S, ids=lambda period_s: f"{1 / period_s:.2f}Hz")
def test_every_run_comes_out_on_whole_frames_and_as_it_was(period_s):
    each = [{"label": str(i), "events": str(table)} for i, table in enumerate(TABLES)]
    design = {"kind": "events", "null_types": ["Fix", "fix"]}
    protocol = scan_protocol(design, stimuli={"conditions": []}, runs={"each": each})
    for table, plan in zip(TABLES, draw_runs(protocol, {}, measured=False), strict=True):
        recorded_s = pd.read_csv(table, sep="\t")["onset"].to_numpy()
        assert np.array_equal([event.onset_s for event in plan.events], recorded_s)
        frames = plan_run_frames(plan, period_s)
        intervals = np.array(onset_intervals(frames.events))  # whole frames: they are counted
        realised_s = intervals * period_s
        assert np.abs(realised_s - np.diff(recorded_s)).max() <= period_s + 1e-9, table
        drift_s = realised_s.sum() - (recorded_s[-1] - recorded_s[0])
        assert abs(drift_s) < period_s, table
        assert frames.largest_shift_s <= period_s / 2
        images = [number for number, event in enumerate(plan.events) if event.trial_type.endswith("face")]
        if "task-faces" in table.name:
            assert len(images) > 0.7 * len(plan.events)
            # a second, as they were on by the display of the study
            assert {round(0.999 / period_s)} >= {frames.events[number].on_frames for number in images}


def test_at_the_refresh_of_the_study_its_two_intervals_come_back():
    faces = next(table for table in TABLES if "task-faces" in table.name)
    design = {"kind": "events", "file": str(faces), "null_types": ["Fix"]}
    (plan,) = draw_runs(scan_protocol(design, stimuli={"conditions": []}), {}, measured=False)
    intervals = onset_intervals(plan_run_frames(plan, 1 / 60.05).events)
    near = sum(interval in (180, 181) for interval in intervals)
    assert near >= 0.9 * len(intervals)
    assert {181, 180} <= set(intervals)
    assert all(b.onset_s > a.onset_s for a, b in pairwise(plan.events))
