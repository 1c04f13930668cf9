"""What ``closedloop info`` tells of sessions in any state."""

from __future__ import annotations

from pathlib import Path

from session_factory import SessionPlan, write_session

from closedloop.replay.summary import Summary, summarise
from closedloop.session import SessionReader


def told(folder: Path) -> Summary:
    with SessionReader(folder) as reader:
        return summarise(reader)


def test_a_completed_session_in_one_screen(tmp_path: Path) -> None:
    summary = told(write_session(tmp_path / "s", SessionPlan(generations=5, trouble=True)))
    lines = dict(summary.lines)
    assert summary.damages == []
    assert len(lines) <= 16
    assert lines["session"] == "s (evolution)"
    assert "completed after" in lines["run 0"]
    assert "all generations are done" in lines["run 0"]
    assert lines["generations"] == "5 complete"
    assert "valid" in lines["trials"]
    assert "invalid" in lines["trials"]
    assert "Synthetic (kind rates, source id 'synthetic'), 3 x float32, 500 Hz" in lines["response stream"]
    curve, words = lines["curve, evolution"].split("  ")
    assert len(curve) == 5
    assert curve[-1] == "█"
    assert words.endswith("spikes/s")


def test_a_crashed_session_says_that_it_has_no_end(tmp_path: Path) -> None:
    lines = dict(
        told(write_session(tmp_path / "s", SessionPlan(exit_status=None, half_generation=True))).lines
    )
    assert "still running, or crashed (last written" in lines["run 0"]
    assert lines["generations"] == "4 complete, 1 begun"
    assert "write-ahead log" in lines["session file"] or "MB" in lines["session file"]


def test_a_resumed_session_says_how_each_run_ended(tmp_path: Path) -> None:
    lines = dict(told(write_session(tmp_path / "s", SessionPlan(resumed=True))).lines)
    assert "crashed; resumed by the next run" in lines["run 0"]
    assert "completed" in lines["run 1"]
    assert "1 not judged" in lines["trials"]
    assert "response stream, run 1" in lines


def test_a_session_without_anything_is_told_too(tmp_path: Path) -> None:
    plan = SessionPlan(generations=0, samples=False, references=0, exit_status="aborted")
    lines = dict(told(write_session(tmp_path / "s", plan)).lines)
    assert (lines["generations"], lines["trials"]) == ("none", "none")
    assert "aborted" in lines["run 0"]
