"""What stands above each table: where, when and under which load it was measured."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import psutil


def headline(title: str) -> str:
    """Return what is measured, machine, versions, date and load, as lines."""
    memory_gb = psutil.virtual_memory().total / 1e9
    return "\n".join(
        [
            title,
            f"  {_processor()}, {os.cpu_count()} cores, {memory_gb:.0f} GB; {platform.system()} {platform.release()};"
            f" Python {platform.python_version()}",
            f"  {datetime.now().astimezone():%Y-%m-%d %H:%M %Z}; 1 min load average {os.getloadavg()[0]:.1f}",
        ]
    )


def table(rows: Iterable[tuple[str, str]]) -> str:
    """Return names and figures as lines."""
    return "\n".join(f"  {name:58}{value}" for name, value in rows)


def _processor() -> str:
    if sys.platform.startswith("linux"):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
