"""A session scored again: exactly the record with its own parameters, and what another way would change."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from simulated_session import prepare

from closedloop.errors import StreamMismatchError
from closedloop.ports import Pixels
from closedloop.replay.recorded import read_recorded
from closedloop.replay.rescoring import Rescored, rescore, with_settings
from closedloop.session import SessionReader
from experiments.cli import main
from experiments.replay_rescore import rescore_session


def likes(trial: int, image: Pixels) -> np.ndarray:
    """Unit 0 likes brightness, unit 1 darkness, unit 2 nothing."""
    bright = image.mean() / 2.55
    return np.array([bright, 100 - bright, 40.0])


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rescore") / "recorded"
    prepare(
        folder,
        "response.expected_rate_hz=250",
        "response.normalise=subtract",
        "response.repeats=2",
        respond=likes,
        units=3,
        missed_frames=0.004,
    ).run()
    return folder


def again(folder: Path, *settings: str) -> Rescored:
    with SessionReader(folder) as reader:
        recorded = read_recorded(reader)
        return rescore(recorded, with_settings(recorded.protocol, settings), settings)


def test_its_own_parameters_give_the_recorded_scores_to_the_bit(session: Path) -> None:
    rescored = again(session)
    assert rescored.equal
    (thread,) = rescored.threads
    assert [one.generation for one in thread.generations] == [0, 1, 2]
    for one in thread.generations:
        assert (one.rank_correlation, one.same_parents, one.same_elite) == pytest.approx((1, 1, 1))
        assert one.without == 0
        assert np.isfinite(one.again).all()


@pytest.mark.parametrize("kind", ["spikes", "trials"])
def test_other_kinds_give_the_recorded_scores_too(tmp_path: Path, kind: str) -> None:
    settings = ["response.expected_rate_hz=null", "limits.generations=1"]
    settings += ["response.baseline=null"] if kind == "trials" else []
    prepare(tmp_path / kind, f"response.kind={kind}", *settings, poisson=True).run()
    assert again(tmp_path / kind).equal
    if kind == "spikes":
        assert not again(tmp_path / kind, "window.end_ms=120").equal


def test_the_opposite_unit_turns_the_order_round(session: Path) -> None:
    for one in again(session, "units=[1]").threads[0].generations:
        assert one.rank_correlation == pytest.approx(-1)
        assert one.same_elite == 0
        assert one.same_parents < 0.7
        assert (one.again_means + one.recorded_means).tolist() == pytest.approx([100] * 14)


def test_weights_and_normalisation(session: Path) -> None:
    plain = again(session, "normalise=off").threads[0].generations[0]
    assert plain.again.tolist() == plain.recorded_means[:12].tolist()
    assert plain.rank_correlation == pytest.approx(1)
    divided = again(session, "normalise=divide").threads[0].generations[0]
    reference = divided.recorded_means[12:].mean()
    assert divided.again == pytest.approx(divided.recorded_means[:12] / reference)
    doubled = again(session, "combine=weights", "units=[0,2]", "weights=[2,0]").threads[0].generations[0]
    assert doubled.again_means == pytest.approx(2 * doubled.recorded_means)


def test_a_unit_that_nothing_drives_has_no_order(session: Path) -> None:
    one = again(session, "units=[2]").threads[0].generations[0]
    assert np.isnan(one.rank_correlation) or abs(one.rank_correlation) <= 1
    assert one.same_elite <= 1


def test_trials_that_a_wider_window_does_not_cover_are_left_out(session: Path) -> None:
    last = again(session, "window.end_ms=90000").threads[0].generations[-1]
    assert last.without > 0
    assert np.isnan(last.again).any()


def test_a_unit_that_is_not_there_is_refused(session: Path) -> None:
    with pytest.raises(StreamMismatchError, match="unit 7"):
        again(session, "units=[7]")


def test_the_command_writes_a_page_that_needs_nothing_else(
    session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(session), "--rescore"]) == 0
    assert "exactly the recorded ones" in capsys.readouterr().out
    assert (session / "rescore.html").is_file()
    page = tmp_path / "other.html"
    rescored = rescore_session(session, ["units=[1]", "window.start_ms=70"], page)
    assert not rescored.equal
    said = capsys.readouterr().out
    assert "0 % of the best kept" in said
    text = page.read_text(encoding="utf-8")
    assert "units=[1], window.start_ms=70" in text
    assert "start ms 50.0, end ms 200.0 → start ms 70.0, end ms 200.0" in text
    assert text.count("data:image/svg+xml;base64,") == 2
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text)
    assert main(["replay", str(session), "--rescore", "widow.start_ms=70"]) == 3
    assert "Did you mean 'window'?" in capsys.readouterr().err


def test_settings_without_rescore_and_two_modes_are_refused(session: Path) -> None:
    assert main(["replay", str(session), "--verify", "units=[1]"]) == 2
    assert main(["replay", str(session), "--verify", "--rescore"]) == 2
    assert main(["replay", str(session)]) == 2


def test_a_session_without_a_finished_generation_is_told_so(session: Path, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "session.sqlite").write_bytes((session / "session.sqlite").read_bytes())
    connection = sqlite3.connect(tmp_path / "s" / "session.sqlite")
    with connection:
        connection.execute("UPDATE generations SET ended_s = NULL")
    connection.close()
    assert main(["replay", str(tmp_path / "s"), "--rescore", "units=[1]"]) == 0
    assert "no generation was finished" in (tmp_path / "s" / "rescore.html").read_text(encoding="utf-8")
