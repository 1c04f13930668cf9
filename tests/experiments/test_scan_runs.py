"""Scan runs from arming to end, with faults and policies, on the simulated rig."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from simulated_scan import SimulatedScan, prepare_scan

from closedloop.errors import ProcessDiedError, TriggerError, WindowClosedError
from closedloop.loop.commands import Command, CommandKind
from closedloop.scan.asked import right_keys
from closedloop.scan.recorded import RecordedScan, read_scans
from closedloop.scan.records import RunPlan
from closedloop.scan.simulation import ScannerFaults
from closedloop.scan.status import ScanState
from closedloop.session import SessionReader
from hardware.stage import StageFault

PERIOD_S = 1 / 60
ONE = "runs.count=1"


def recorded(folder: Path) -> list[RecordedScan]:
    with SessionReader(folder) as reader:
        return read_scans(reader)


def findings(scan: RecordedScan) -> list[str]:
    return [str(one["finding"]) for one in scan.findings]


def volumes(scan: RecordedScan) -> int:
    return int((scan.pulses["verdict"] == "volume").sum())


def off_s(scan: RecordedScan) -> pd.Series:
    """How far each onset is from its absolute time."""
    shown = scan.shown
    return shown["onset_s"] - scan.start_s - shown["planned_s"]


def test_every_onset_is_on_the_frame_nearest_to_its_absolute_time(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one")
    session.jitter_s = 0.002
    assert session.run().exit_status == "completed"
    scans = recorded(session.folder)
    assert [(scan.label, scan.status) for scan in scans] == [("1", "completed"), ("2", "completed")]
    for scan in scans:
        # onset 0 is the pulse after the dummy, by its own stamp
        volumes = scan.pulses[scan.pulses["verdict"] == "volume"].set_index("volume")["time_s"]
        assert scan.start_s == volumes[1]
        assert len(volumes) == 13
        assert len(scan.shown) == len(scan.images) > 8
        assert set(scan.shown["status"]) == {"valid"}
        assert off_s(scan).abs().max() <= PERIOD_S / 2 + 1e-6
    events = [str(marker.payload["event"]) for marker in session.markers.sent]
    assert events.count("volume") == 26
    assert events.count("scan_start") == 2
    assert events.count("stimulus_on") == sum(len(scan.shown) for scan in scans)
    assert (events[0], events[-1]) == ("session_start", "session_end")


def test_images_that_follow_each_other_at_once_all_count(tmp_path: Path) -> None:
    # 0.31 s is 18.6 frames: no gap, no drift, and 18 or 19 frames each
    design = "design={kind: block, block: 4.03, rest: 0.5, blocks: 1, image_s: 0.31, gap_s: 0}"
    session = prepare_scan(tmp_path / "one", ONE, design, "task=null")
    session.run()
    (scan,) = recorded(session.folder)
    assert set(scan.shown["status"]) == {"valid"}
    assert off_s(scan).abs().max() <= PERIOD_S / 2 + 1e-6
    assert set(scan.shown["on_flips"]) == {18, 19}
    gaps_s = scan.shown["onset_s"].to_numpy()[1:] - scan.shown["offset_s"].to_numpy()[:-1]
    assert gaps_s == pytest.approx(0.0)


def test_the_subject_is_told_before_and_not_during_a_run(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one", ONE)
    words: dict[ScanState, set[str | None]] = {}
    session.operator.show = lambda status: words.setdefault(status.state, set()).add(session.stage.words)  # type: ignore[method-assign]  # looks at the stage whenever a status is shown
    session.run()
    assert words[ScanState.RUNNING] == {None}
    assert "lie still" in str(words[ScanState.ARMED] - {None})


def test_presses_are_matched_with_the_events_that_asked(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one", ONE, "task={kind: one_back, share: 0.5}")
    task = session.work.loaded.protocol.task

    def presses(plan: RunPlan) -> Iterable[tuple[float, str]]:
        return [(event.onset_s + 0.4, "1") for event in plan.events if right_keys(task, event)] + [(0.1, "1")]

    session.presses = presses
    session.run()
    with SessionReader(session.folder) as reader:
        (scan,) = read_scans(reader, session.work.loaded.protocol)
    asked = scan.events[scan.events["asked"]]
    assert len(asked) > 2
    assert asked["right"].all()
    assert asked["answer_s"].to_numpy(dtype=float) == pytest.approx(0.4, abs=PERIOD_S)
    assert scan.presses["event"].isna().sum() == 1
    assert session.operator.statuses[-1].answered == (len(asked), len(asked))


def test_fixation_changes_come_at_their_times(tmp_path: Path) -> None:
    task = "task={kind: fixation, shortest_s: 1.6, longest_s: 2.5, change_s: 0.2, limit_s: 1}"
    session = prepare_scan(tmp_path / "one", ONE, task)
    session.run()
    (scan,) = recorded(session.folder)
    changes = scan.events[scan.events["kind"] == "fixation"]
    assert len(changes) > 3
    assert (changes["onset_s"] - scan.start_s - changes["planned_s"]).abs().max() <= PERIOD_S / 2 + 1e-6


def test_more_images_than_slots_are_loaded_ahead(tmp_path: Path) -> None:
    many = (
        "stimuli.conditions=[{name: squares, codes: 50, generator:"
        " {name: pixels, weights: null, parameters: {height_px: 4, width_px: 4}}}]"
    )
    design = "design={kind: event_related, image_s: 0.1, lead_in: 0.5, isi: {draw: fixed, mean: 0.1}}"
    session = prepare_scan(tmp_path / "one", ONE, many, design, "task=null")
    session.run()
    (scan,) = recorded(session.folder)
    assert len(scan.shown) == 50
    assert set(scan.shown["status"]) == {"valid"}


def test_trials_with_missed_frames_are_kept_as_invalid_and_shown_no_second_time(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one", ONE, missed_frames=0.02)
    assert session.run().exit_status == "completed"
    (scan,) = recorded(session.folder)
    assert len(scan.shown) == len(scan.images)
    missed = scan.shown["missed"] > 0
    assert 0 < missed.sum() < len(missed)
    assert ((scan.shown["status"] == "invalid") == missed).all()
    assert set(scan.shown.loc[missed, "reason"]) == {"missed-frame"}


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (ScannerFaults(drop=(5,)), "missed"),
        (ScannerFaults(double=(4,), double_after_s=0.03), "doubled"),
        (ScannerFaults(extra_s=(5.4,)), "extra"),
        (ScannerFaults(tr_error=0.02), "tr_off"),
        (ScannerFaults(drop_first=1), "first_missed"),
    ],
)
def test_faults_of_the_scanner_are_told_and_the_run_goes_on(
    tmp_path: Path, fault: ScannerFaults, kind: str
) -> None:
    session = prepare_scan(tmp_path / "one", ONE)
    session.faults = [fault]
    assert session.run().exit_status == "completed"
    (scan,) = recorded(session.folder)
    # an extra pulse that a person may have made has the human's name
    assert {kind, "human"} & set(findings(scan)) if kind == "extra" else kind in findings(scan)
    assert set(scan.shown["status"]) == {"valid"}
    assert len(scan.shown) == len(scan.images)
    assert off_s(scan).abs().max() <= PERIOD_S / 2 + 1e-6
    if kind == "tr_off":
        # the plan is in seconds; no volume that still comes is cut off
        assert volumes(scan) == 13


def test_a_start_whose_own_pulse_was_lost_is_where_that_pulse_was_due(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one", ONE, "scanner.dummies=3", "design.lead_in=1.6")
    session.faults = [ScannerFaults(drop=(3,))]
    session.run()
    (scan,) = recorded(session.folder)
    assert scan.start_s == pytest.approx(scan.first_pulse_s + 3.0, abs=0.001)
    assert set(scan.shown["status"]) == {"valid"}


def test_a_scanner_that_stops_ends_the_run_as_the_policy_says(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one")
    session.faults = [ScannerFaults(stop_after=6), ScannerFaults()]
    outcome = session.run()
    assert (outcome.exit_status, outcome.incomplete) == ("stopped", ("1",))
    first, second = recorded(session.folder)
    assert (first.status, second.status) == ("aborted", "completed")
    assert "stopped" in findings(first)
    assert first.ended_s < first.first_pulse_s + 5 + 3.5  # the last pulse, and two TRs to be sure
    assert volumes(first) == 6


def test_a_pause_by_policy_shows_nothing_more_until_it_is_lifted(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one", ONE, "scanner.policy.missed=pause")
    session.faults = [ScannerFaults(drop=(4,))]
    session.at_console((9.0, CommandKind.RESUME), (30.0, CommandKind.GO))
    assert session.run().exit_status == "completed"
    (scan,) = recorded(session.folder)
    assert scan.status == "completed"
    assert "left out in a pause" in scan.reason
    shown_s = scan.shown["onset_s"].to_numpy()
    pause_s = scan.first_pulse_s + 4.36
    assert not ((shown_s > pause_s + 0.1) & (shown_s < 1009.0)).any()
    assert (shown_s > 1009.0).any()
    # those that were ordered and taken back, and those that were never ordered
    left_out = scan.images[scan.images["onset_s"].isna()]
    assert len(left_out) + len(scan.shown) == len(scan.images)
    assert set(left_out["status"].dropna()) <= {"invalid"}
    assert set(left_out["reason"].dropna()) <= {"dropped"}
    assert ScanState.PAUSED in {status.state for status in session.operator.statuses}


def test_runs_are_aborted_repeated_and_gone_on_with_at_the_console(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one")
    session.at_console(
        (6.0, CommandKind.ABORT),
        (8.0, CommandKind.REPEAT),
        (25.0, CommandKind.GO),
        (45.0, CommandKind.GO),
    )
    assert session.run().exit_status == "completed"
    scans = recorded(session.folder)
    assert [(scan.label, scan.attempt, scan.status) for scan in scans] == [
        ("1", 0, "aborted"),
        ("1", 1, "completed"),
        ("2", 0, "completed"),
    ]
    plans = [scan.events[["planned_s", "kind", "image"]] for scan in scans[:2]]
    pd.testing.assert_frame_equal(*plans)
    assert scans[0].ended_s == pytest.approx(1006.0, abs=0.5)
    with SessionReader(session.folder) as reader:
        kinds = reader.table("events")["kind"].tolist()
        assert [kind for kind in kinds if kind in ("abort", "repeat", "go")] == [
            "abort",
            "repeat",
            "go",
            "go",
        ]


def test_pulses_between_runs_belong_to_none(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one")
    session.at_console((30.0, CommandKind.GO), (50.0, CommandKind.GO))
    stop = session.trigger.stop

    def stop_and_go_on() -> None:
        stop()
        session.trigger.play([2.0, 3.0], [(3.5, "1")])

    session.trigger.stop = stop_and_go_on  # type: ignore[method-assign]  # another sequence of the scanner
    session.run()
    with SessionReader(session.folder) as reader:
        kinds = reader.table("events")["kind"].tolist()
        assert kinds.count("unarmed_pulse") >= 2
        assert kinds.count("unarmed_press") >= 1
        assert len(reader.table("pulses")) == 26


@pytest.mark.parametrize(("present", "status"), [(False, "stopped"), (True, "aborted")])
def test_no_pulse_at_all(tmp_path: Path, present: bool, status: str) -> None:
    session = prepare_scan(tmp_path / "one", "scanner.wait_s=3" if not present else "scanner.wait_s=null")
    session.faults = [ScannerFaults(stop_after=0)]
    if present:
        session.at_console((5.0, CommandKind.ABORT), (7.0, CommandKind.ABORT))
    outcome = session.run()
    assert outcome.exit_status == status
    assert outcome.incomplete
    assert {scan.status for scan in recorded(session.folder)} == {"aborted" if present else "failed"}


def dies(session: SimulatedScan, what: str) -> Callable[[], Sequence[Command]]:
    def script() -> Sequence[Command]:
        if session.clock.now() > 1006.0:
            if what == "trigger":
                session.trigger.die()
            else:
                session.stage.fail(StageFault.DIED if what == "stage" else StageFault.CLOSED_BY_HAND)
        return ()

    return script


@pytest.mark.parametrize(
    ("what", "error"),
    [("trigger", TriggerError), ("stage", ProcessDiedError), ("window", WindowClosedError)],
)
def test_a_device_that_dies_ends_the_session_and_loses_nothing(
    tmp_path: Path, what: str, error: type[Exception]
) -> None:
    session = prepare_scan(tmp_path / "one")
    session.operator.script = dies(session, what)
    with pytest.raises(error):
        session.run()
    (scan,) = recorded(session.folder)
    assert scan.status == "failed"
    assert scan.ledger["volumes_seen"] == volumes(scan) >= 5
    assert np.isfinite(scan.shown["onset_s"]).all()
    with SessionReader(session.folder) as reader:
        assert reader.table("runs")["exit_status"].tolist() == ["failed"]
