"""What a session ran on: program, packages, machine. Recorded once for each run."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "closedloop",
    "numpy",
    "scipy",
    "pandas",
    "torch",
    "psychopy-lib",
    "pylsl",
    "pydantic",
    "pyarrow",
    "matplotlib",
)


def environment() -> dict[str, Any]:
    """Return versions and machine, as plain values."""
    return {
        "program": metadata.version("closedloop"),
        "git_commit": _git_commit(),
        "command": sys.argv,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "hostname": platform.node(),
        "cpu": _cpu(),
        "cpu_cores": os.cpu_count(),
        "gpu": _gpu(),
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _git_commit() -> str:
    """The commit of the program's own checkout, with a mark if files differ from it."""
    here = Path(__file__).resolve().parent.parent
    if not (here / ".git").exists():
        return "not a git checkout"
    try:
        done = subprocess.run(
            ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],  # noqa: S607  # git is found by PATH, as everywhere
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unknown ({error})"
    return done.stdout.strip() or f"unknown ({done.stderr.strip()})"


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _gpu() -> str:
    import torch

    if not torch.cuda.is_available():
        return "none that torch can use"
    return ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
