"""The set-up: finds what is missing, says what to type, and does nothing twice."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = ("steps", "system", "environment")


@pytest.fixture
def setup() -> Iterator[dict[str, ModuleType]]:
    """The modules of scripts/setup, which are no package since nothing is installed when they run."""
    sys.path.insert(0, str(ROOT / "scripts" / "setup"))
    yield {name: importlib.import_module(name) for name in MODULES}
    sys.path.remove(str(ROOT / "scripts" / "setup"))
    for name in MODULES:
        del sys.modules[name]


def test_this_machine_lacks_nothing(setup: dict[str, ModuleType]) -> None:
    assert setup["system"].missing_packages() == []


def test_a_missing_library_program_and_driver_are_found(
    setup: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    system = setup["system"]
    monkeypatch.setattr(system, "_LIBRARIES", {"libc.so.6": "libc6", "libnosuch.so.7": "libnosuch7"})
    monkeypatch.setattr(system, "_PROGRAMS", {"no-such-program": "nosuch"})
    monkeypatch.setattr(system, "_DRIVERS", ("lib/no-such-folder/*.so",))
    assert system.missing_packages() == ["libnosuch7", "nosuch", "libgl1-mesa-dri"]


def test_who_is_not_root_is_told_the_one_line_to_type(
    setup: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(setup["steps"].SetupError) as caught:
        setup["system"].refuse_unless_root(["xvfb", "libgl1"])
    line = str(caught.value).partition("type: ")[2]
    assert line == "sudo apt-get install -y --no-install-recommends xvfb libgl1"


def test_without_apt_the_packages_are_named(
    setup: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(setup["steps"].SetupError, match="xvfb"):
        setup["system"].refuse_unless_root(["xvfb"])


def test_a_failed_step_shows_the_end_of_its_log(setup: dict[str, ModuleType], tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('the reason'); raise SystemExit(3)"]
    with pytest.raises(setup["steps"].SetupError, match="status 3") as caught:
        setup["steps"].run_logged(command, tmp_path / "logs" / "log")
    assert "the reason" in str(caught.value)
    assert str(tmp_path / "logs" / "log") in str(caught.value)


@pytest.mark.parametrize("changed", ["pyproject.toml", "constraints.txt"])
def test_an_environment_is_current_until_what_it_is_made_from_changes(
    setup: dict[str, ModuleType], tmp_path: Path, changed: str
) -> None:
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    environment = setup["environment"].Environment(tmp_path)
    assert not environment.is_current()
    environment.python.parent.mkdir(parents=True)
    environment.python.touch()
    (environment.folder / "setup-stamp").write_text(environment._wanted(), encoding="utf-8")
    assert environment.is_current()
    with (tmp_path / changed).open("a", encoding="utf-8") as file:
        file.write("\n# changed\n")
    assert not environment.is_current()


def test_a_python_that_is_none_or_of_another_version_is_passed_over(tmp_path: Path) -> None:
    for name, body in (("python3.11", "exit 127"), ("python3.12", "exit 1")):
        shim = tmp_path / name
        shim.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        shim.chmod(0o755)
    (tmp_path / "python3.10").symlink_to(sys.executable)
    done = subprocess.run(
        ["/bin/sh", str(ROOT / "scripts" / "with_python.sh"), "-c", "print('ran')"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "ran\n", done.stderr


def test_without_any_python_it_says_what_to_type(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", str(ROOT / "scripts" / "with_python.sh"), "-c", "print('ran')"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "apt-get install" in done.stderr
