"""The one place where errors become words and exit codes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from closedloop.errors import ClosedLoopError, DiskError, SessionAbortedError, StreamMismatchError
from experiments import failures
from experiments.failures import exit_code_of


def _raiser(error: BaseException):  # type: ignore[no-untyped-def]  # whatever it would return
    def action() -> None:
        raise error

    return action


@pytest.mark.parametrize(
    ("kind", "code"),
    [(DiskError, 8), (StreamMismatchError, 5), (SessionAbortedError, 130), (ClosedLoopError, 1)],
)
def test_our_errors_are_told_in_four_parts(
    kind: type[ClosedLoopError], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    error = kind("the place [bold]", found="this", expected="that", remedy="Do something.")
    assert exit_code_of(_raiser(error)) == code
    told = capsys.readouterr().err
    for part in ("the place [bold]", "this", "that", "Do something."):
        assert part in told
    assert "Traceback" not in told


def test_an_unforeseen_error_leaves_its_traceback_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(failures, "user_log_path", lambda *_words, **_options: tmp_path)
    assert exit_code_of(_raiser(ZeroDivisionError("over nothing"))) == 1
    told = capsys.readouterr().err
    assert "over nothing" in told
    assert "Traceback" not in told
    (log,) = tmp_path.iterdir()
    assert str(log) in told.replace("\n", "")
    text = log.read_text(encoding="utf-8")
    assert "Traceback" in text
    assert "over nothing" in text


def test_where_no_log_can_be_written_another_folder_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setattr(failures, "user_log_path", lambda *_words, **_options: tmp_path / "file" / "log")
    monkeypatch.setattr(failures.tempfile, "gettempdir", lambda: str(tmp_path / "second"))
    assert exit_code_of(_raiser(ValueError("odd"))) == 1
    assert len(list((tmp_path / "second").iterdir())) == 1
    assert "odd" in capsys.readouterr().err


def test_ctrl_c_in_any_command_ends_with_130() -> None:
    code = (
        "import sys, time; from experiments.failures import exit_code_of\n"
        "def wait():\n    print('up', flush=True)\n    time.sleep(30)\n"
        "sys.exit(exit_code_of(wait))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in told


def test_ctrl_c_through_the_argument_parser_ends_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    # the parser has an answer of its own to Ctrl-C, which depends on its version
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def wait() -> None:
        signal.raise_signal(signal.SIGINT)

    assert exit_code_of(lambda: app([])) == 130
    assert "Traceback" not in capsys.readouterr().err
