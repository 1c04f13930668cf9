from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from simulated_session import prepare

from closedloop.errors import ProcessDiedError, ProtocolError, StreamError, WindowClosedError
from closedloop.loop.commands import Command, CommandKind
from closedloop.loop.recent import RecentSamples
from closedloop.ports import Marker
from closedloop.session import SessionReader
from hardware.stage.simulated import StageFault


def codes_and_pixels(folder: Path) -> list[tuple[bytes, str]]:
    with SessionReader(folder) as reader:
        images = reader.table("images")
        return [(reader.code(int(row.image)).tobytes(), row.sha256) for row in images.itertuples()]


def test_a_session_records_all_it_did_and_rises(tmp_path: Path) -> None:
    session = prepare(tmp_path / "one", "limits.generations=8")
    outcome = session.run()
    assert outcome.exit_status == "completed"
    with SessionReader(session.folder) as reader:
        trials = reader.table("trials")
        assert len(trials) == 8 * 14
        assert (trials.status == "valid").all()
        assert list(trials.trial) == list(range(8 * 14))
        assert (trials.on_flips == 6).all()
        means = reader.table("scores").merge(reader.table("images"), on="image")
        means = means[means.kind == "evolved"].groupby("generation_x").score.mean()
        assert means.iloc[-1] > means.iloc[0] + 3
        run = reader.table("runs").iloc[0]
        assert run.exit_status == "completed"
        events = [m["event"] for m in reader.details("markers", "payload")]
    assert events[0] == "session_start"
    assert events[-1] == "session_end"
    assert events.count("stimulus_on") == events.count("stimulus_off") == 8 * 14
    assert [m.payload["event"] for m in session.rig.markers.sent] == events


def test_a_response_is_what_the_image_evoked(tmp_path: Path) -> None:
    session = prepare(tmp_path / "one")
    session.run()
    with SessionReader(session.folder) as reader:
        trials = reader.table("trials").merge(reader.table("responses"), on=["trial", "run"])
        for trial in trials.itertuples():
            evoked = reader.pixels(int(trial.image)).mean() / 2.55
            assert trial.value == pytest.approx(evoked, abs=1 / 64)


def test_the_same_seed_and_responses_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        prepare(tmp_path / name).run()
    prepare(tmp_path / "other", "seed=12").run()
    one, two, other = (codes_and_pixels(tmp_path / name) for name in ("one", "two", "other"))
    assert one == two
    assert one != other


def test_trials_with_a_missed_frame_are_shown_again(tmp_path: Path) -> None:
    session = prepare(tmp_path / "one", missed_frames=0.01)
    session.run()
    with SessionReader(session.folder) as reader:
        trials = reader.table("trials")
        assert (trials.missed > 0).sum() > 0
        assert (trials[trials.missed > 0].status == "invalid").all()
        assert set(trials[trials.status == "invalid"].reason) == {"missed-frame"}
        assert (trials.status == "valid").sum() == 3 * 14
        assert trials[trials.status == "invalid"].trial.isin(trials.trial).all()
        again = trials[trials.attempt > 0]
        assert len(again) == (trials.status == "invalid").sum()


def test_an_image_that_never_gets_a_response_is_carried_over(tmp_path: Path) -> None:
    session = prepare(
        tmp_path / "one",
        "limits.max_repeats=1",
        "response.artefact.max_rate_hz=50",
        respond=lambda trial, image: np.array([90.0 if image[0, 0, 0] > 200 else 20.0]),
    )
    session.run()
    with SessionReader(session.folder) as reader:
        scores = reader.table("scores").merge(reader.table("images"), on="image", suffixes=("", "_image"))
        given_up = scores[(scores.n == 0) & (scores.kind == "evolved") & (scores.generation == 0)]
        assert len(given_up) > 0
        assert given_up.score.isna().all()
        carried = reader.table("images")
        carried = carried[(carried.generation == 1) & (carried.origin == "carried")]
        assert sorted(carried.parent_1) == sorted(given_up.row)
        assert "given_up" in set(reader.table("events").kind)


@pytest.mark.parametrize("fault", ["gap", "hang", "send_nan", "overflow", "break_fixation"])
def test_no_trial_is_scored_on_bad_data_and_the_session_goes_on(tmp_path: Path, fault: str) -> None:
    overrides = ["limits.generations=2"]
    if fault == "break_fixation":
        overrides.append("response.fixation_stream={source_id: simulated-fixation}")
    session = prepare(tmp_path / "one", *overrides)
    source = session.rig.source
    calls = {
        "gap": lambda: source.gap(1.0),
        "hang": lambda: source.hang(1.0),
        "send_nan": lambda: source.send_nan(0.3),
        "overflow": lambda: source.overflow(3),
        "break_fixation": lambda: source.break_fixation(0.25),
    }
    done = []

    def at_one_second() -> tuple[Command, ...]:
        if session.clock.now() > 1001.0 and not done:
            done.append(session.clock.now())
            calls[fault]()
        return ()

    session.operator.script = at_one_second
    assert session.run().exit_status == "completed"
    with SessionReader(session.folder) as reader:
        trials = reader.table("trials")
        invalid = trials[trials.status == "invalid"]
        assert 1 <= len(invalid) < 14
        assert (trials.status == "valid").sum() == 2 * 14
        for trial in trials[trials.status == "valid"].itertuples():
            assert np.isfinite(reader.rates(int(trial.trial))).all()
            evoked = reader.pixels(int(trial.image)).mean() / 2.55
            assert reader.rates(int(trial.trial))[0] == pytest.approx(evoked, abs=1 / 64)
        if fault == "hang":
            return  # all its samples came in the end, with their right stamps: a trial may stand on them
        # what was on the screen when it happened is among the invalid ones
        span = trials[(trials.onset_s <= done[0]) & (trials.onset_s + 0.2 >= done[0])]
        assert (span.status == "invalid").all()


def test_nothing_is_shown_while_a_stream_is_lost(tmp_path: Path) -> None:
    session = prepare(tmp_path / "one", "limits.generations=1")
    times: dict[str, float] = {}

    def script() -> tuple[Command, ...]:
        now = session.clock.now()
        if now > 1000.8 and "lost" not in times:
            times["lost"] = now
            session.rig.source.disconnect()
        if now > 1005.0 and "back" not in times:
            times["back"] = now
            session.rig.source.restart()
        return ()

    session.operator.script = script
    assert session.run().exit_status == "completed"
    with SessionReader(session.folder) as reader:
        onsets = reader.table("trials").onset_s
        # what had been handed to the stage before still comes: at most four trials
        assert not ((onsets > times["lost"] + 1.0) & (onsets < times["back"])).any()
        states = list(reader.table("stream_states").state)
    assert "lost" in states
    assert states[-1] == "live"
    assert any("response stream" in status.message for status in session.operator.statuses)


def test_the_session_ends_when_a_stream_stays_away_too_long(tmp_path: Path) -> None:
    session = prepare(tmp_path / "one", "limits.give_up_stream_s=2")

    def script() -> tuple[Command, ...]:
        if session.clock.now() > 1000.8:
            session.rig.source.disconnect()
        return ()

    session.operator.script = script
    with pytest.raises(StreamError, match="give_up_stream_s"):
        session.run()
    with SessionReader(session.folder) as reader:
        assert reader.table("runs").iloc[0].exit_status == "failed"


def commands_at(session, *timed: tuple[float, CommandKind]):
    left = list(timed)

    def script() -> tuple[Command, ...]:
        if left and session.clock.now() >= left[0][0]:
            at_s, kind = left.pop(0)
            return (Command(kind, at_s, "terminal", "a note" if kind is CommandKind.NOTE else ""),)
        return ()

    return script


def test_keys_are_obeyed_and_logged(tmp_path: Path) -> None:
    session = prepare(tmp_path / "one", "limits.generations=5")
    session.operator.script = commands_at(
        session,
        (1000.5, CommandKind.NOTE),
        (1001.0, CommandKind.PAUSE),
        (1011.0, CommandKind.RESUME),
        (1012.0, CommandKind.END),
    )
    outcome = session.run()
    assert outcome.exit_status == "stopped"
    with SessionReader(session.folder) as reader:
        trials = reader.table("trials")
        assert not trials.onset_s.between(1002.0, 1011.0).any()
        assert set(trials.generation) == {0}
        assert (trials.status == "valid").sum() == 14
        events = reader.table("events")
        assert list(events.kind) == ["note", "pause", "resume", "end"]
        assert "a note" in events.detail.iloc[0]
        markers = [m["event"] for m in reader.details("markers", "payload")]
    assert markers.index("pause") < markers.index("resume")


def test_an_abort_ends_at_once_and_leaves_no_trial_open(tmp_path: Path) -> None:
    session = prepare(tmp_path / "one")
    session.operator.script = commands_at(session, (1001.0, CommandKind.ABORT))
    assert session.run().exit_status == "aborted"
    with SessionReader(session.folder) as reader:
        assert reader.table("runs").iloc[0].exit_status == "aborted"
        statuses = set(reader.table("trials").status)
    assert statuses <= {"valid", "invalid", "interrupted"}


def test_a_window_closed_by_hand_fails_the_session_cleanly(tmp_path: Path) -> None:
    session = prepare(tmp_path / "one")

    def script() -> tuple[Command, ...]:
        if session.clock.now() > 1001.0:
            session.rig.stage.fail(StageFault.CLOSED_BY_HAND)
        return ()

    session.operator.script = script
    with pytest.raises(WindowClosedError):
        session.run()
    with SessionReader(session.folder) as reader:
        run = reader.table("runs").iloc[0]
    assert run.exit_status == "failed"
    assert "closed by hand" in run.reason


def test_a_dead_ingest_process_fails_the_session_cleanly(tmp_path: Path) -> None:
    session = prepare(tmp_path / "one")

    def script() -> tuple[Command, ...]:
        if session.clock.now() > 1001.0:
            session.rig.source.die()
        return ()

    session.operator.script = script
    with pytest.raises(ProcessDiedError):
        session.run()
    with SessionReader(session.folder) as reader:
        assert reader.table("runs").iloc[0].exit_status == "failed"


@pytest.mark.parametrize("kind", ["rates", "counts", "spikes", "trials"])
def test_every_kind_of_stream_closes_the_loop(tmp_path: Path, kind: str) -> None:
    overrides = [f"response.kind={kind}", "limits.generations=2"]
    if kind in ("spikes", "trials"):
        overrides.append("response.expected_rate_hz=null")
    session = prepare(
        tmp_path / "one", *overrides, units=2, respond=lambda trial, image: np.full(2, image.mean() / 2.55)
    )
    assert session.run().exit_status == "completed"
    with SessionReader(session.folder) as reader:
        assert (reader.table("trials").status == "valid").sum() == 2 * 14


def test_twin_evolutions_are_interleaved(tmp_path: Path) -> None:
    thread = "{name: %s, generator: {name: pixels, weights: null, parameters: {height_px: 4, width_px: 4}}, optimizer: {name: genetic, parameters: {population: 6, n_conserve: 1}}, units: {combine: one, units: [%d]}}"
    session = prepare(
        tmp_path / "one",
        f"threads=[{thread % ('left', 0)}, {thread % ('right', 1)}]",
        units=2,
        respond=lambda trial, image: np.array([image.mean() / 2.55, 100 - image.mean() / 2.55]),
    )
    assert session.run().exit_status == "completed"
    with SessionReader(session.folder) as reader:
        trials = reader.table("trials")
        assert (trials.groupby(["generation", "thread"]).size() == 8).all()
        assert max(len(list(run)) for run in _runs(list(trials.thread))) <= 2


def _runs(values: list[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for value in values:
        if runs and runs[-1][0] == value:
            runs[-1].append(value)
        else:
            runs.append([value])
    return runs


def test_images_per_trial_and_the_inter_trial_interval(tmp_path: Path) -> None:
    session = prepare(
        tmp_path / "one",
        "presentation.images_per_trial=3",
        "presentation.inter_trial_interval_ms=500",
        "limits.generations=1",
    )
    session.run()
    with SessionReader(session.folder) as reader:
        steps = np.diff(reader.table("trials").onset_s.iloc[:9])
    assert steps == pytest.approx([0.2, 0.2, 0.7] * 2 + [0.2, 0.2], abs=0.01)


def test_a_plateau_ends_the_session(tmp_path: Path) -> None:
    session = prepare(
        tmp_path / "one",
        "limits.generations=20",
        "stop=[{rule: plateau, generations: 2, min_rise: 0.5}]",
        respond=lambda trial, image: np.array([20.0]),
    )
    outcome = session.run()
    assert outcome.exit_status == "completed"
    assert "plateau" in outcome.reason
    with SessionReader(session.folder) as reader:
        assert reader.table("generations").generation.max() == 3


def test_a_stage_that_hangs_is_noticed(tmp_path: Path) -> None:
    session = prepare(tmp_path / "one")
    session.rig.stage.fail(StageFault.HANGS, after_s=1.0)
    with pytest.raises(ProcessDiedError, match="hangs"):
        session.run()
    assert session.clock.now() < 1030.0


def test_a_marker_is_in_the_file_before_it_is_sent(tmp_path: Path) -> None:
    session = prepare(tmp_path / "one", "limits.generations=1")
    seen: list[bool] = []
    send = session.rig.markers.send

    def checking(marker: Marker) -> None:
        with SessionReader(session.folder) as reader:  # another connection sees only what is committed
            seen.append(reader.details("markers", "payload")[-1] == marker.payload)
        send(marker)

    session.rig.markers.send = checking  # type: ignore[method-assign]  # listens in
    session.run()
    assert len(seen) == 2 * 14 + 4
    assert all(seen)


def test_a_long_pause_costs_no_memory_and_no_patience(tmp_path: Path) -> None:
    session = prepare(tmp_path / "one", "limits.generations=1", "limits.give_up_stream_s=3")
    held: list[float] = []
    keys = commands_at(session, (1001.0, CommandKind.PAUSE), (1060.0, CommandKind.RESUME))
    faults = {1010.0: session.rig.source.disconnect, 1030.0: session.rig.source.restart}

    def script() -> tuple[Command, ...]:
        now = session.clock.now()
        for at_s in [at_s for at_s in faults if now >= at_s]:
            faults.pop(at_s)()
        if 1040.0 < now < 1059.0 and not held:
            held.append(sum(len(part) for part in gc.get_objects() if isinstance(part, RecentSamples)))
        return keys()

    session.operator.script = script
    assert session.run().exit_status == "completed"
    assert held[0] < 7000  # of 30,000 samples since the stream came back, a chunk each


def test_a_spike_of_a_unit_that_the_protocol_does_not_know_makes_its_trial_invalid(tmp_path: Path) -> None:
    session = prepare(
        tmp_path / "one",
        "response.kind=spikes",
        "response.expected_rate_hz=null",
        "response.unit_count=1",
        "limits={generations: 1, max_repeats: 1}",
        units=2,
        respond=lambda trial, image: np.array([30.0, 60.0]),
    )
    session.run()
    with SessionReader(session.folder) as reader:
        assert "unknown-unit" in set(reader.table("trials").reason.dropna())


def test_each_reference_is_shown_once_in_a_generation(tmp_path: Path) -> None:
    session = prepare(tmp_path / "one", "references={random_codes: 3, per_generation: 3}")
    session.run()
    with SessionReader(session.folder) as reader:
        shown = reader.table("trials").merge(reader.table("images"), on="image")
        counts = shown[shown.kind == "reference"].groupby(["generation_x", "image"]).size()
    assert len(counts) == 9
    assert (counts == 1).all()


def test_more_references_than_there_are_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="per_generation"):
        prepare(tmp_path / "one", "references={random_codes: 3, per_generation: 5}")
