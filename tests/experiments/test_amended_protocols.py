"""A run that went on with another protocol is verified, scored, told of and exported by its own."""

from __future__ import annotations

import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from cut_session import HastyClock, answer
from simulated_session import resume

from closedloop.errors import RecordingError
from closedloop.exports import export_nwb
from closedloop.exports.nwb_samples import SamplesInTime
from closedloop.ports import Pixels
from closedloop.replay.amended import amended_runs
from closedloop.replay.recorded import read_recorded
from closedloop.replay.rescoring import rescore, with_settings
from closedloop.replay.summary import summarise
from closedloop.replay.verification import Verification
from closedloop.report.page import write_report
from closedloop.session import SessionReader
from closedloop.session.database import open_writer
from experiments.replay_rescore import rescore_session
from experiments.replay_screen import show_session
from experiments.replay_verify import compare_evolution


def two(trial: int, image: Pixels) -> np.ndarray:
    return np.repeat(answer(trial, image), 2) * [1.0, 0.5]


def go_on(folder: Path, *changes: str, units: int = 1) -> None:
    respond = answer if units == 1 else two
    clock = HastyClock(start_s=2000.0)
    resume(folder, *changes, accept_changes=True, respond=respond, units=units, clock=clock).run()


def check(folder: Path) -> Verification:
    with SessionReader(folder) as reader:
        return compare_evolution(reader)


@pytest.mark.parametrize(
    "change",
    [
        "response.window.end_ms=90",
        "seed=12",
        "threads.0.optimizer.parameters.mutation_rate=0.5",
        "response.repeats=2",
        "response.normalise=subtract",
        "limits.max_repeats=1",
    ],
)
def test_each_run_is_verified_and_scored_by_its_own_protocol(folder: Path, change: str) -> None:
    go_on(folder, change)
    found = check(folder)
    assert [str(one) for one in found.differences] == []
    key = change.partition("=")[0]
    assert any(key in note for note in found.notes) or key.startswith("limits")
    with SessionReader(folder) as reader:
        recorded = read_recorded(reader)
        assert rescore(recorded, with_settings(recorded.protocol, [])).equal
        other = ["normalise=divide"]
        assert not rescore(recorded, with_settings(recorded.protocol, other), other).equal


def test_a_changed_score_after_a_change_is_still_found(folder: Path) -> None:
    go_on(folder, "response.window.end_ms=90")
    connection = open_writer(folder / "session.sqlite")
    connection.execute("UPDATE scores SET score = score + 1e-9 WHERE generation = 2")
    connection.close()
    first = check(folder).first
    assert first is not None
    assert (first.what, first.generation) == ("score", 2)


def test_report_and_summary_tell_of_the_change(folder: Path) -> None:
    go_on(folder, "response.window.end_ms=90", "limits.generations=4")
    with SessionReader(folder) as reader:
        (amended,) = amended_runs(reader)
        assert amended.run == 1
        assert ("response.window.end_ms", "100.0", "90.0") in amended.changes
        assert "4 generations at most" in dict(summarise(reader).lines)["protocol"]
    words = re.sub(r"<[^>]+>", " ", write_report(folder).read_text(encoding="utf-8"))
    assert "of 4 planned" in words
    assert "response.window.end_ms" in words
    assert "Protocol from run 1 on" in words


def test_a_session_without_changes_has_none(aborted: Path) -> None:
    with SessionReader(aborted) as reader:
        assert amended_runs(reader) == []


def test_channels_that_changed_give_a_series_each(folder: Path, tmp_path: Path) -> None:
    pynwb = pytest.importorskip("pynwb")
    go_on(folder, units=2)
    assert [str(one) for one in check(folder).differences] == []
    assert "other units left out" not in write_report(folder).read_text(encoding="utf-8")
    with pynwb.NWBHDF5IO(str(export_nwb(folder, tmp_path)), "r") as io:
        assert not [str(error) for error in pynwb.validate(io=io)]
        acquired = io.read().acquisition
        shapes = {name: acquired[name].data.shape for name in acquired}
        assert {name: shape[1] for name, shape in shapes.items()} == {
            "responses_run0": 1,
            "responses_run1": 2,
        }
        with SessionReader(folder) as reader:
            for run, channels in ((0, 1), (1, 2)):
                blocks = [values for _, _, values in reader.chunk_arrays("response", run=run)]
                assert np.array_equal(acquired[f"responses_run{run}"].data[:], np.concatenate(blocks))
                assert blocks[0].shape[1] == channels


def test_samples_are_put_in_order_piece_by_piece(aborted: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(aborted, tmp_path / "jumbled"))
    connection = open_writer(folder / "session.sqlite")
    # the fourth chunk's clock was corrected by more than a chunk's length too much
    connection.execute(
        "UPDATE chunks SET correction_s = correction_s + 0.2"
        " WHERE run = 0 AND role = 'response' AND sequence % 7 = 3"
    )
    connection.close()
    with SessionReader(folder) as reader:
        whole = reader.samples("response")
        order = np.argsort(whole.times_s, kind="stable")
        assert (order != np.arange(len(order))).any()
        samples = SamplesInTime(reader, [0], {0: 1000.0})
        assert samples.times_s == pytest.approx(whole.times_s[order] - 1000.0)
        pieces = list(samples.pieces())
        starts = [start for start, _ in pieces]
        assert starts == np.cumsum([0, *(len(values) for _, values in pieces[:-1])]).tolist()
        assert np.array_equal(np.concatenate([values for _, values in pieces]), whole.values[order])
        assert max(len(values) for _, values in pieces) < len(order) / 2


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), 1e6])
def test_a_speed_that_is_none_is_refused_before_a_window_opens(aborted: Path, speed: float) -> None:
    with pytest.raises(RecordingError, match="--speed"):
        show_session(aborted, speed=speed)


def test_scores_that_no_trial_has_draw_without_a_warning(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        rescore_session(folder, ["window.end_ms=5000"], folder / "page.html")
    assert "mean responses in spikes/s" in capsys.readouterr().out
