"""A session's log.txt tells a person what was said and what happened, from the first line to the end."""

from __future__ import annotations

import io
import logging
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from simulated_session import prepare

from closedloop.errors import StreamError
from closedloop.loop.commands import Command, CommandKind
from experiments.logfile import log_to, remembered

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARNING|ERROR) [\w.]+: .+")


def test_what_was_said_before_there_was_a_folder_is_in_it(tmp_path: Path) -> None:
    log = logging.getLogger("experiments.before")
    level = logging.getLogger().level
    with remembered():
        log.info("protocol x")
        logging.getLogger("fontTools").info("chatter of a library")
        logging.getLogger("fontTools").warning("a warning of a library")
        with log_to(tmp_path / "log.txt"):
            log.info("session folder y")
        log.info("after it was closed")
    log.info("after all")
    lines = (tmp_path / "log.txt").read_text(encoding="utf-8").splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == [
        "protocol x",
        "a warning of a library",
        "session folder y",
    ]
    assert all(LINE.fullmatch(line) for line in lines)
    assert logging.getLogger().level == level


def test_a_second_run_goes_on_in_the_same_file(tmp_path: Path) -> None:
    for run in ("first", "second"):
        with log_to(tmp_path / "log.txt"):
            logging.getLogger("closedloop.x").info(run)
    assert [line[-6:].strip() for line in (tmp_path / "log.txt").read_text().splitlines()] == [
        "first",
        "second",
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_costs_lines_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    told = io.StringIO()
    monkeypatch.setattr(sys, "stderr", told)
    with log_to(Path("/dev/full")):
        logging.getLogger("closedloop.x").info("lost")
    assert told.getvalue() == ""


def test_it_tells_the_course_of_a_session(tmp_path: Path) -> None:
    session = prepare(tmp_path / "one", "limits.generations=2", missed_frames=0.05)
    wishes = [
        Command(CommandKind.NOTE, 1000.0, "terminal", "electrode moved"),
        Command(CommandKind.PAUSE, 1000.0, "window"),
        Command(CommandKind.RESUME, 1000.0, "window"),
    ]

    def script() -> Sequence[Command]:
        return [wishes.pop(0)] if wishes else []

    session.operator.script = script
    with log_to(session.folder / "log.txt"):
        session.run()
    text = (session.folder / "log.txt").read_text(encoding="utf-8")
    for said in (
        "note, from the terminal: electrode moved",
        "pause, from the window",
        "resume, from the window",
        "the response stream is live",
        "generation 0 of thread evolution ended: mean ",
        "generation 1 of thread evolution ended: mean ",
        "session completed: all 2 generations were shown",
    ):
        assert said in text
    invalid = re.findall(r"trial \d+ is invalid, missed-frame: .+", text)
    assert invalid
    assert f"{len(invalid)} invalid trials in the session so far" in text
    assert all(LINE.fullmatch(line) for line in text.splitlines())


def test_it_tells_what_was_given_up(tmp_path: Path) -> None:
    session = prepare(tmp_path / "one", "limits.generations=1", "limits.max_repeats=0", missed_frames=0.05)
    with log_to(session.folder / "log.txt"):
        session.run()
    text = (session.folder / "log.txt").read_text(encoding="utf-8")
    assert re.search(r"WARNING .*image \d+ was given up", text)


def test_it_tells_why_a_session_failed(tmp_path: Path) -> None:
    session = prepare(tmp_path / "one", "limits.give_up_stream_s=2")

    def script() -> Sequence[Command]:
        if session.clock.now() > 1000.8:
            session.rig.source.disconnect()
        return ()

    session.operator.script = script
    with log_to(session.folder / "log.txt"), pytest.raises(StreamError):
        session.run()
    text = (session.folder / "log.txt").read_text(encoding="utf-8")
    assert "the response stream is lost" in text
    assert "session failed: response stream" in text
