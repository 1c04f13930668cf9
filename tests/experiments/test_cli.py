"""The command line: quick to answer, clear about mistakes, honest in its exit codes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from closedloop.errors import ClosedLoopError
from experiments.cli import main

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("run", "demo", "check", "report", "export", "models", "simulate", "streams")


def _closedloop(*words: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "experiments.cli", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env=os.environ | {"COLUMNS": "200", "TERM": "dumb"},
    )


def test_help_names_every_command_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b", text), command
    for code in ("130 stopped", "9 check not passed", "5 stream"):
        assert code in " ".join(text.split())


@pytest.mark.parametrize("command", [*COMMANDS, "models fetch", "models list", "simulate subject"])
def test_each_command_helps(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--help"]) == 0
    text = capsys.readouterr().out
    if command not in ("models", "simulate"):
        assert f"closedloop {command}" in text
        assert "For example" in text


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from experiments.cli import main; code = main(['--help']); "
        "heavy = {'torch', 'psychopy', 'pylsl', 'numpy', 'pandas', 'matplotlib'} & set(sys.modules); "
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"closedloop \d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["rnu"], "No such command"),
        (["run", "--shake"], "--shake"),
        (["run"], "PROTOCOL"),
        (["simulate", "subject", "--kind", "thoughts"], "thoughts"),
        (["simulate", "subject", "--patch", "3"], "2 whole numbers"),
        (["simulate", "subject", "--seed", "often"], "--seed"),
        (["streams", "--wait", "soon"], "--wait"),
    ],
)
def test_a_wrong_command_line_ends_with_2(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert says in " ".join(capsys.readouterr().err.split())


def test_no_protocol_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "nowhere/rig.yaml"]) == 3
    told = capsys.readouterr().err
    assert "nowhere/rig.yaml" in told
    assert "what to do" in told
    assert "Traceback" not in told


def test_a_wrong_key_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    protocol = tmp_path / "rig.yaml"
    demo = (ROOT / "protocols" / "demo.yaml").read_text(encoding="utf-8")
    protocol.write_text(demo.replace("presentation:", "presentaton:", 1), encoding="utf-8")
    for words in (["run", str(protocol), "--dry-run"], ["check", str(protocol)]):
        assert main(words) == 3
        assert "presentaton" in capsys.readouterr().err


def test_a_wrong_override_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    protocol = str(ROOT / "protocols" / "demo.yaml")
    assert main(["run", protocol, "--dry-run", "--set", "display.refresh=60"]) == 3
    assert "refresh" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["report", "export"])
def test_what_is_no_session_is_refused(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, str(tmp_path / "nothing")]) == 7
    assert "no such folder" in capsys.readouterr().err
    assert main([command, str(tmp_path)]) == 7
    assert "no session.sqlite" in capsys.readouterr().err
    (tmp_path / "session.sqlite").write_bytes(b"this is no database at all" * 100)
    assert main([command, str(tmp_path)]) == 7
    assert "Traceback" not in capsys.readouterr().err


def test_an_unknown_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "fetch", "dcgan-face"]) == 4
    assert "dcgan-faces" in capsys.readouterr().err


def test_models_list_tells_what_each_may_be_used_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    text = capsys.readouterr().out
    assert "dcgan-faces" in text
    assert "licence" in text


def test_the_program_ends_with_the_code() -> None:
    done = _closedloop("report", "/nonexistent/session")
    assert done.returncode == 7
    assert "/nonexistent/session" in done.stderr
    assert not done.stdout


def test_every_exit_code_is_documented() -> None:
    documented = (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    pending, seen = [ClosedLoopError], set()
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        if kind.__module__ == "closedloop.errors":
            seen.add((kind.exit_code, kind.__name__))
    missing = [
        (code, name) for code, name in seen if not re.search(rf"^\| {code} \|.*`{name}`", documented, re.M)
    ]
    assert not missing
