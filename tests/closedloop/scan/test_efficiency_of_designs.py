from __future__ import annotations

import numpy as np
import pytest
from scan_plans import EVENT_RELATED, images, names_of, scan_protocol

from closedloop.scan.design import draw_runs
from closedloop.scan.efficiency import default_contrasts, design_matrix, efficiency, measure
from closedloop.scan.records import PlannedEvent

DESIGN = {**EVENT_RELATED, "repeats": 4, "null_share": 0.2}
SCANNER = {"tr_s": 2, "volumes": 90}


def test_it_is_the_inverse_of_the_summed_variance_of_the_contrasts():
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((50, 4))
    contrasts = np.array([[1.0, -1, 0, 0], [0, 0.5, 0.5, 0]])
    # the variance of an estimate is that of the noise times this, seen here in many made-up measurements
    noise = rng.standard_normal((50, 20_000))
    estimates = contrasts @ np.linalg.lstsq(matrix, noise, rcond=None)[0]
    assert efficiency(matrix, contrasts) == pytest.approx(1 / estimates.var(axis=1).sum(), rel=0.03)


def test_what_the_model_cannot_tell_has_none():
    matrix = np.array([[1.0, 1, 0], [0, 0, 1], [1, 1, 1], [2, 2, 0]])
    assert efficiency(matrix, np.array([[1.0, 0, 0]])) == 0
    assert efficiency(matrix, np.array([[1.0, 1, 0]])) > 0


def test_without_contrasts_each_condition_counts_and_each_pair():
    assert default_contrasts(["a", "b"]) == {"a": {"a": 1}, "b": {"b": 1}, "a>b": {"a": 1, "b": -1}}


def test_the_model_has_a_regressor_for_each_condition_and_filters_slow_drifts():
    events = [PlannedEvent(10.0, 1, "image", "a", "x"), PlannedEvent(40.0, 1, "image", "b", "y")]
    protocol = scan_protocol(scanner=SCANNER)
    matrix, columns = design_matrix(events, protocol, 90)
    assert matrix.shape == (90, len(columns))
    assert columns[:2] == ["a", "b"]
    assert columns[-1] == "constant"
    assert sum(column.startswith("drift") for column in columns) == 2  # of 128 s in 180 s
    # Glover's response is highest some 5 s after the image; volume v is taken at 2 v + 1 s
    assert 14 <= 2 * matrix[:, 0].argmax() + 1 <= 17


def test_more_candidates_are_never_worse_and_one_of_them_is_what_is_shown():
    one, many = (
        draw_runs(protocol, names_of(protocol))[0]
        for protocol in (
            scan_protocol(DESIGN, seed=2, scanner=SCANNER, efficiency={"candidates": n, "high_pass_s": None})
            for n in (1, 8)
        )
    )
    assert many.drawn["candidates"] == 8
    assert many.drawn["efficiency"]["total"] >= one.drawn["efficiency"]["total"]
    assert many.drawn["candidate"] > 0
    assert many.events != one.events
    protocol = scan_protocol(DESIGN, scanner=SCANNER, efficiency={"high_pass_s": None})
    assert measure(many.events, protocol, 90).as_dict() == many.drawn["efficiency"]
    assert set(many.drawn["efficiency"]["contrasts"]) == {"a", "b", "a>b"}


def test_blocks_tell_conditions_from_rest_better_than_single_images_do():
    block = {"kind": "block", "block": 16, "rest": 16, "blocks": 2, "image_s": 1, "gap_s": 1}
    single = {**EVENT_RELATED, "repeats": 4, "isi": {"mean": 4.5}}
    found = []
    for design in (block, single):
        protocol = scan_protocol(design, scanner={"tr_s": 2, "volumes": 90})
        (plan,) = draw_runs(protocol, names_of(protocol))
        assert len(images(plan.events)) == 32
        found.append(plan.drawn["efficiency"]["contrasts"]["a"])
    assert found[0] > 2 * found[1]


def test_a_run_without_images_has_none():
    nothing = [PlannedEvent(1.0, 1, "null", "null")]
    assert measure(nothing, scan_protocol(), 90).total == 0
