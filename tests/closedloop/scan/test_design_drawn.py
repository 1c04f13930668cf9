from __future__ import annotations

from collections import Counter
from itertools import groupby, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scan_plans import EVENT_RELATED, images, names_of, plan, plans, scan_protocol

from closedloop.errors import ProtocolError, TimingError
from closedloop.protocol.sections.scan_design import Interval
from closedloop.scan.design.intervals import draw_intervals

# --- event-related ------------------------------------------------------------------------------------


def test_each_image_is_shown_as_often_as_asked_with_null_events_between():
    events = plan({**EVENT_RELATED, "repeats": 3, "null_share": 0.2}).events
    assert Counter(event.stimulus for event in images(events)) == dict.fromkeys(
        [f"{c}/{i}" for c in "ab" for i in range(4)], 3
    )
    nulls = [event for event in events if event.kind == "null"]
    assert len(nulls) == 6  # a fifth of 30
    assert {(event.trial_type, event.stimulus, event.duration_s) for event in nulls} == {("null", None, 1)}
    assert {event.trial_type for event in images(events)} == {"a", "b"}


def test_fixed_intervals_and_a_lead_in_make_a_regular_run():
    drawn = plan({**EVENT_RELATED, "lead_in": 5, "lead_out": 4})
    assert [event.onset_s for event in drawn.events] == [5 + 3 * i for i in range(8)]
    assert drawn.duration_s == 5 + 7 * 3 + 1 + 4
    assert plan(EVENT_RELATED).duration_s == 1000  # to the end of the last volume


def test_lengths_count_volumes_where_the_protocol_says_so():
    in_volumes = plan({**EVENT_RELATED, "units": "volumes", "lead_in": 2, "isi": {"mean": 1.5}})
    assert [event.onset_s for event in in_volumes.events[:3]] == [4, 8, 12]


def test_onsets_can_be_kept_on_volumes():
    isi = {"draw": "uniform", "shortest": 0.2, "longest": 1.8}
    drawn = plan({**EVENT_RELATED, "units": "volumes", "isi": isi, "onset_grid": 1})
    onsets_s = np.array([event.onset_s for event in drawn.events])
    assert np.allclose(onsets_s % 2, 0)
    assert len(set(np.diff(onsets_s))) > 1


def test_no_image_follows_itself_and_no_condition_goes_on_for_too_long():
    design = {**EVENT_RELATED, "repeats": 12, "max_same": 2, "null_share": 0.2}
    for seed in range(5):
        shown = plan(design, seed=seed).events
        assert all(a.stimulus != b.stimulus for a, b in pairwise(images(shown)))
        rows = groupby(event.trial_type for event in shown)
        assert max(len(list(row)) for name, row in rows if name != "null") == 2


def test_in_rounds_each_image_comes_before_any_comes_again():
    shown = images(plan({**EVENT_RELATED, "repeats": 5, "order": "rounds", "null_share": 0.3}).events)
    for start in range(0, 40, 8):
        assert len({event.stimulus for event in shown[start : start + 8]}) == 8
    assert all(a.stimulus != b.stimulus for a, b in pairwise(shown))


def test_an_order_that_cannot_be_is_refused():
    one = {"conditions": [{"name": "a", "codes": 1}]}
    with pytest.raises(ProtocolError, match=r"no image twice in a row.*image_twice"):
        plan({**EVENT_RELATED, "repeats": 2}, stimuli=one)
    assert len(plan({**EVENT_RELATED, "repeats": 2, "image_twice": True}, stimuli=one).events) == 2


def test_runs_take_turns_with_the_images():
    protocol = scan_protocol({**EVENT_RELATED, "images_per_condition": 2}, runs={"count": 4})
    shown = [Counter(event.stimulus for event in images(run.events)) for run in plans(protocol)]
    assert all(len(run) == 4 for run in shown)
    assert set(shown[0]) | set(shown[1]) == {name for names in names_of(protocol).values() for name in names}
    assert sum(shown, Counter()) == dict.fromkeys(shown[0] + shown[1], 2)


# --- intervals ----------------------------------------------------------------------------------------


@given(st.floats(0, 3), st.floats(0.5, 8), st.floats(0.02, 0.48), st.integers(20, 200))
def test_exponential_intervals_keep_their_limits_and_their_mean(shortest, span, share, count):
    mean = shortest + share * span
    spec = Interval(draw="exponential", shortest=shortest, mean=mean, longest=shortest + span)
    drawn = draw_intervals(spec, count, np.random.default_rng(0))
    assert shortest - 1e-9 <= drawn.min() <= drawn.max() <= shortest + span + 1e-9
    # the quantiles of a steep distribution miss some of its tail
    assert drawn.mean() == pytest.approx(mean, abs=0.02 * span)
    assert np.median(drawn) <= mean + 1e-9


def test_uniform_intervals_are_spread_evenly_in_an_order_of_their_own():
    spec = Interval(draw="uniform", shortest=1, longest=3)
    first = draw_intervals(spec, 100, np.random.default_rng(0))
    second = draw_intervals(spec, 100, np.random.default_rng(1))
    assert np.array_equal(np.sort(first), np.sort(second))
    assert not np.array_equal(first, second)
    assert np.allclose(np.sort(first), 1 + 2 * (np.arange(100) + 0.5) / 100)


def test_given_intervals_are_used_in_their_order_and_again():
    drawn = plan({**EVENT_RELATED, "isi": {"draw": "given", "values": [1, 2, 4]}})
    assert np.diff([event.onset_s for event in drawn.events]).tolist() == [2, 3, 5, 2, 3, 5, 2]


# --- blocks -------------------------------------------------------------------------------------------

BLOCK = {"kind": "block", "block": 8, "rest": 4, "blocks": 3, "image_s": 0.8, "gap_s": 0.2}


def test_blocks_have_rest_between_them_and_images_of_one_condition_in_them():
    drawn = plan(BLOCK)
    rests = [event for event in drawn.events if event.kind == "null"]
    assert [event.onset_s for event in rests] == [12 * i for i in range(7)]
    assert {(event.trial_type, event.duration_s) for event in rests} == {("rest", 4)}
    for number in range(1, 7):
        block = [event for event in images(drawn.events) if event.fields["block"] == number]
        assert len({event.trial_type for event in block}) == 1
        assert [event.onset_s for event in block] == pytest.approx([12 * number - 8 + i for i in range(8)])
        assert all(a.stimulus != b.stimulus for a, b in pairwise(block))
    assert Counter(event.trial_type for event in images(drawn.events)) == {"a": 24, "b": 24}


@pytest.mark.parametrize(
    ("order", "expected"),
    [({"order": "mirrored", "blocks": 2}, "abba"), ({"order": "given", "given": ["b", "b", "a"]}, "bba")],
)
def test_the_order_of_blocks_can_be_said(order, expected):
    shown = images(plan({**BLOCK, **order}).events)
    blocks = {event.fields["block"]: event.trial_type for event in shown}
    assert "".join(blocks.values()) == expected


@pytest.mark.parametrize("order", ["rounds", "random"])
def test_drawn_orders_of_blocks_hang_on_the_seed(order):
    def order_of(seed):
        shown = images(plan({**BLOCK, "order": order, "blocks": 6}, seed=seed).events)
        return tuple({event.fields["block"]: event.trial_type for event in shown}.values())

    orders = [order_of(seed) for seed in range(6)]
    assert len(set(orders)) > 1
    assert all(Counter(order) == {"a": 6, "b": 6} for order in orders)


def test_a_block_too_short_for_an_image_is_refused():
    with pytest.raises(
        TimingError, match=r"design\.block: found 0\.5 s; expected time for at least one image"
    ):
        plan({**BLOCK, "block": 0.5})


def test_the_localiser_rests_before_each_round_and_at_the_end():
    drawn = plan({"kind": "localiser", "block": 10, "rest": 6, "rounds": 2, "rate_hz": 2, "on_share": 0.5})
    rests = [event.onset_s for event in drawn.events if event.kind == "null"]
    assert rests == [0, 26, 52]
    shown = images(drawn.events)
    assert len(shown) == 80
    assert {event.duration_s for event in shown} == {0.25}
    assert shown[1].onset_s - shown[0].onset_s == 0.5
    by_block = {event.fields["block"]: event.trial_type for event in shown}
    assert {by_block[1], by_block[2]} == {by_block[3], by_block[4]} == {"a", "b"}


# --- sparse -------------------------------------------------------------------------------------------

SPARSE = {"kind": "sparse", "image_s": 0.5, "delay_s": 0.2, "jitter_s": 0.5, "null_share": 0.2}
QUIET = {"tr_s": 4, "volumes": 60, "acquisition_s": 1.5}


def test_images_stay_within_the_silence():
    design = {**SPARSE, "every": 2, "images_per_event": 2, "gap_s": 0.1, "units": "volumes", "lead_in": 3}
    drawn = plan({**design, "repeats": 2}, scanner=QUIET)
    assert len(drawn.events) == 18  # 8 events of two images each, and two without
    for event in drawn.events:
        into_s = event.onset_s % 4
        assert into_s >= 1.7
        assert into_s + event.duration_s <= 4
        assert event.onset_s // 4 % 2 == 1  # the fourth volume, and every second from there
    assert drawn.events[0].onset_s > 12
    pairs = [e for e in images(drawn.events) if e.fields["event"] == images(drawn.events)[0].fields["event"]]
    assert pairs[1].onset_s - pairs[0].onset_s == pytest.approx(0.6)
    assert len({e.trial_type for e in pairs}) == 1
    assert sum(event.kind == "null" for event in drawn.events) == 2


# --- tasks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("design", [{**EVENT_RELATED, "repeats": 5, "null_share": 0.3}, BLOCK])
def test_one_back_repeats_are_marked_where_they_are(design):
    task = {"kind": "one_back", "share": 0.2}
    shown = images(plan(design, task=task).events)
    again = [a.stimulus == b.stimulus for a, b in pairwise(shown)]
    assert [event.fields["one_back"] for event in shown] == [0, *map(int, again)]
    assert sum(again) == {"event_related": 8, "block": 12}[design["kind"]]
    assert not any(a and b for a, b in pairwise(again))  # never three in a row
    if design is BLOCK:
        assert len(shown) == len(images(plan(design).events))
        assert all("block" in event.fields for event in shown)
    else:
        assert len(shown) == 48


def test_the_fixation_point_changes_at_drawn_times_until_the_end():
    task = {"kind": "fixation", "shortest_s": 2, "longest_s": 5, "limit_s": 1.5, "change_s": 0.4}
    drawn = plan({**EVENT_RELATED, "lead_out": 10}, task=task)
    changes = [event for event in drawn.events if event.kind == "fixation"]
    assert [event.onset_s for event in drawn.events] == sorted(event.onset_s for event in drawn.events)
    gaps = np.diff([0, *(event.onset_s for event in changes)])
    assert gaps.min() >= 2
    assert gaps.max() <= 5
    assert drawn.duration_s - 5 - 1.5 <= changes[-1].onset_s <= drawn.duration_s - 1.5
    without = plan({**EVENT_RELATED, "lead_out": 10})
    assert [event for event in drawn.events if event.kind != "fixation"] == list(without.events)


# --- runs and seeds -----------------------------------------------------------------------------------


def test_a_run_hangs_on_the_seed_and_on_its_number():
    design = {**EVENT_RELATED, "repeats": 2, "null_share": 0.2}
    protocol = scan_protocol(design, runs={"count": 3}, task={"kind": "fixation"})
    assert plans(protocol) == plans(protocol)
    runs = [run.events for run in plans(protocol)]
    assert runs[0] != runs[1] != runs[2]
    assert [run.label for run in plans(protocol)] == ["1", "2", "3"]
    assert runs[0] == plan(design, task={"kind": "fixation"}).events
    assert runs[0] != plan(design, task={"kind": "fixation"}, seed=2).events


def test_runs_with_the_same_seed_of_their_own_are_the_same():
    each = [{"label": "a", "seed": 5}, {"label": "b"}, {"label": "c", "seed": 5, "volumes": 400}]
    first, second, third = plans(scan_protocol(runs={"each": each}))
    assert first.events == third.events != second.events
    assert (first.volumes, third.volumes, third.duration_s) == (500, 400, 800)
    assert (first.drawn["seed"], second.drawn["seed"]) == (5, 1)


@pytest.mark.parametrize(
    "design",
    [EVENT_RELATED, BLOCK, {"kind": "localiser", "block": 10}, SPARSE],
    ids=lambda design: design["kind"],
)
def test_what_does_not_fit_into_the_volumes_is_refused_with_the_number_that_would_do(design):
    scanner = {"tr_s": 4, "volumes": 2, "acquisition_s": 1.5}
    with pytest.raises(TimingError, match="at most 8 s: 2 volumes of 4 s") as caught:
        plan({**design, "lead_out": 1}, scanner=scanner)
    needed = int(caught.value.remedy.split()[-3])
    scanner["volumes"] = needed
    assert plan({**design, "lead_out": 1}, scanner=scanner).duration_s <= 4 * needed
    scanner["volumes"] = needed - 1
    with pytest.raises(TimingError):
        plan({**design, "lead_out": 1}, scanner=scanner)
