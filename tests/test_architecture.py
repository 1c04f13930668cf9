"""What holds for the whole tree: style, types, layers, and a science that needs no rig."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def _files(*suffixes: str) -> list[Path]:
    """Every file that git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607  git is found by PATH
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file() and (not suffixes or path.suffix in suffixes)]


PYTHON_FILES = _files(".py")


def _run(*words: str, **extra: str) -> None:
    done = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300, env=os.environ | extra
    )
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-6000:]}{done.stderr[-3000:]}"


def _tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def test_ruff_finds_nothing() -> None:
    _run(_tool("ruff"), "check", ".")


def test_every_file_is_in_ruffs_form() -> None:
    _run(_tool("ruff"), "format", "--check", ".")


@pytest.mark.timeout(300)
def test_mypy_finds_nothing() -> None:
    _run(_tool("mypy"))


def test_layers_import_one_way() -> None:
    _run(_tool("lint-imports"), "--no-cache")


_IMPORT_ALL = """
import without_rig_libraries
import importlib, pkgutil, sys, closedloop
count = 0
for module in pkgutil.walk_packages(closedloop.__path__, "closedloop."):
    importlib.import_module(module.name)
    count += 1
assert count > 20, count
strangers = {name.partition(".")[0] for name in sys.modules} & {"hardware", "experiments"}
assert not strangers, strangers
"""


@pytest.mark.timeout(180)
def test_the_whole_science_imports_without_rig_libraries_and_display() -> None:
    # that its tests pass so, too, is how scripts/run_tests runs them
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALL],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests" / "plugins")},
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_annotations_are_never_evaluated_at_import() -> None:
    without = [
        str(path.relative_to(ROOT))
        for path in PYTHON_FILES
        if path.read_text(encoding="utf-8").strip()
        and "from __future__ import annotations" not in path.read_text(encoding="utf-8")
        and path.name != "__init__.py"
    ]
    assert not without


_EXCEPTION = re.compile(
    r"#\s*(?:noqa(?::\s*[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*)?|type:\s*ignore(?:\[[^\]]*\])?)(?P<why>.*)"
)


def _lacks_reason(line: str) -> bool:
    found = _EXCEPTION.search(line)
    return found is not None and len(re.findall(r"[A-Za-z]{2,}", found["why"])) < 2


@pytest.mark.parametrize(
    ("comment", "lacks"),
    [
        ("noqa", True),
        ("noqa: S310", True),
        ("noqa: S310, BLE001", True),
        ("noqa: S310  the address was checked", False),
        ("noqa: S310 - the address was checked", False),
        ("type: ignore[attr-defined]", True),
        ("type: ignore[attr-defined]  # exists on Windows only", False),
    ],
)
def test_a_reason_is_told_from_a_code(comment: str, lacks: bool) -> None:
    assert _lacks_reason(f"x = 1  # {comment}") is lacks


def test_every_exception_to_a_rule_says_why() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in PYTHON_FILES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if path != Path(__file__) and _lacks_reason(line)
    ]
    assert not bare, "\n".join(bare)


def test_no_package_host_is_named() -> None:
    # spelt in parts, since this file is looked at, too
    hosts = [
        "py" + "pi.org",
        "python" + "hosted.org",
        "download." + "pytorch",
        "deb." + "debian.org",
        "registry.npm" + "js",
    ]
    named = [
        f"{path.relative_to(ROOT)}: {host}"
        for path in _files()
        if path.suffix not in (".png", ".jpg", ".sqlite")
        for host in hosts
        if host in path.read_text(encoding="utf-8", errors="ignore")
    ]
    assert not named


_MOST_LINES = 500  # far above what a module should have; a list of sections may be long


def test_modules_stay_small() -> None:
    long = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in PYTHON_FILES
        if path.relative_to(ROOT).parts[0] in ("closedloop", "hardware", "experiments")
    }
    assert not {name: lines for name, lines in long.items() if lines > _MOST_LINES}
