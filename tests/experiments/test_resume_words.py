"""What a session says at its end and when it goes on: to listeners, to the person, in the log."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from cut_session import SHORT, HastyClock, answer
from rich.console import Console
from simulated_session import Simulated, prepare, resume

from closedloop.errors import ProcessDiedError
from closedloop.loop.commands import Command
from closedloop.session import SessionReader
from closedloop.session.database import FILE_NAME, open_writer
from experiments import evolution
from experiments.evolution import finish
from experiments.logfile import log_to
from experiments.progress import Progress
from experiments.recorded import read_session
from experiments.resume import Resumption, resume_session
from hardware.stage.simulated import StageFault


def ready(folder: Path, *overrides: str) -> Simulated:
    return resume(folder, *overrides, respond=answer, clock=HastyClock())


def whose_stage_dies(folder: Path, *statements: str) -> Simulated:
    session = prepare(folder, *SHORT, respond=answer, clock=HastyClock())
    left = list(statements)

    def script() -> tuple[Command, ...]:
        if session.clock.now() > 1000.7:
            if left:
                connection = open_writer(folder / FILE_NAME)
                connection.execute(left.pop())
                connection.close()
            session.rig.stage.fail(StageFault.DIED)
        return ()

    session.operator.script = script
    return session


def test_listeners_hear_of_the_end_of_a_session_that_failed(tmp_path: Path) -> None:
    session = whose_stage_dies(tmp_path / "one")
    with pytest.raises(ProcessDiedError) as failed:
        session.run()
    with SessionReader(session.folder) as reader:
        last = reader.details("markers", "payload")[-1]
    assert (last["event"], last["status"]) == ("session_end", "failed")
    assert last["reason"] == str(failed.value)
    assert session.rig.markers.sent[-1].payload == last


def test_a_last_marker_that_can_not_be_recorded_hides_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session = whose_stage_dies(
        tmp_path / "one",
        "CREATE TRIGGER full BEFORE INSERT ON markers WHEN NEW.payload LIKE '%session_end%'"
        " BEGIN SELECT RAISE(ABORT, 'no room left'); END",
    )
    with pytest.raises(ProcessDiedError):
        session.run()
    assert "no room left" in caplog.text
    with SessionReader(session.folder) as reader:
        assert reader.table("runs")["exit_status"].tolist() == ["failed"]


def test_copies_of_the_protocol_that_were_edited_are_told_after_any_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ready(folder, "limits.generations=4").run()
    first, second = folder / "protocol.yaml", folder / "protocol.run1.yaml"
    assert "it is not used" not in capsys.readouterr().err
    first.write_bytes(first.read_bytes() + "# Müller\n".encode("latin-1"))
    second.write_text(second.read_text(encoding="utf-8").replace("seed: 11", "seed: 12"), encoding="utf-8")
    ready(folder, "limits.generations=5").run()
    said = "".join(capsys.readouterr().err.split())
    with SessionReader(folder) as reader:
        changes = [detail["changes"] for detail in reader.details("events", "detail") if "accepted" in detail]
    for file in (first, second):
        assert f"note:{file}:wasasrecorded,nowedited" in said
        assert any(text.startswith(str(file)) for text in changes[-1])


def test_a_note_to_the_session_is_free(folder: Path) -> None:
    assert ready(folder, "notes=the cell is still there").run().exit_status == "completed"
    assert read_session(folder).protocol.notes == "the cell is still there"


@pytest.mark.parametrize(
    ("limit", "way", "reason"),
    [
        ("stop=[{rule: score, score: 0, generations: 1}]", "stop='[]'", "score: at least"),
        ("limits.minutes=0.001", "limits.minutes=NUMBER", "the time limit"),
    ],
)
def test_the_remedy_is_for_what_ended_the_session(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], limit: str, way: str, reason: str
) -> None:
    session = prepare(tmp_path / "one", *SHORT, limit, respond=answer, clock=HastyClock())
    session.run()
    resume_session(session.folder, overrides=("limits.generations=9",))
    said = " ".join(capsys.readouterr().err.split())
    assert f"nothing to do: {reason}" in said
    assert f"--set {way}" in said
    assert "limits.generations=NUMBER" not in said
    overrides = [way.replace("'", "").replace("NUMBER", "60")]
    assert Resumption(read_session(session.folder), overrides, accept=False)._why_over() is None


def test_both_limits_that_hold_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limits = ("stop=[{rule: score, score: 0, generations: 1}]", "limits.minutes=0.001")
    session = prepare(tmp_path / "one", *SHORT, *limits, respond=answer, clock=HastyClock())
    session.run()
    resume_session(session.folder)
    said = " ".join(capsys.readouterr().err.split())
    assert "--set stop='[]' --set limits.minutes=NUMBER" in said


def test_an_error_nobody_foresaw_in_the_report_hides_no_outcome(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("in a figure")

    monkeypatch.setattr(evolution, "write_outputs", fail)
    loaded = Resumption(read_session(folder), (), accept=False).loaded

    def end_badly() -> None:
        try:
            raise ProcessDiedError("stage", found="dead", expected="alive", remedy="Go on.")
        finally:
            finish(folder, loaded)

    with log_to(folder / "log.txt"), pytest.raises(ProcessDiedError):
        end_badly()
    said = " ".join(capsys.readouterr().err.split())
    assert "could not be written: ZeroDivisionError: in a figure" in said
    assert "closedloop report" in said
    written = (folder / "log.txt").read_text(encoding="utf-8")
    assert "Traceback" in written
    assert "in fail" in written


def test_the_curve_is_there_from_the_first_moment_after_a_resume(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SessionReader(folder) as reader:
        images = reader.table("images")[["image", "kind"]]
        means = reader.table("scores").merge(images, on="image").groupby("kind")["mean"].mean()
    session = ready(folder)
    session.run()
    first, last = session.operator.statuses[0], session.operator.statuses[-1]
    assert first.mean_score == pytest.approx(means["evolved"])
    assert first.reference_score == pytest.approx(means["reference"])
    assert first.evolved_curve == (first.mean_score,)
    assert len(last.evolved_curve) == len(last.reference_curve) == 2

    monkeypatch.setenv("TERM", "xterm")
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=110, color_system=None)
    with Progress(console) as progress:
        progress.update(last)
    assert "▁" in text.getvalue()
    assert "█" in text.getvalue()
