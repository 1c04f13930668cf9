"""Keeps liblsl from telling, line by line, which files it reads, unless the person has configured it."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

_TEXT = "[log]\nlevel = -1\n"


def quiet_lsl() -> None:
    """Set liblsl's log level for this process and its children; call it before pylsl is imported.

    A configuration that the person has made is left alone: liblsl reads only one file.
    """
    if "LSLAPICFG" in os.environ or any(file.is_file() for file in _places()):
        return
    file = _file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_TEXT, encoding="utf-8")
    except OSError:
        return  # a home that can't be written: liblsl then is as talkative as ever
    os.environ["LSLAPICFG"] = str(file)


def is_configured() -> bool:
    """Return whether ``LSLAPICFG`` names a configuration that is more than quiet."""
    return os.environ.get("LSLAPICFG", str(_file())) != str(_file())


def _file() -> Path:
    return user_cache_path("closedloop", appauthor=False) / "lsl_api.cfg"


def _places() -> list[Path]:
    """Where liblsl looks for its configuration, after the environment variable."""
    return [
        Path("lsl_api.cfg"),
        Path.home() / "lsl_api" / "lsl_api.cfg",
        Path("/etc/lsl_api/lsl_api.cfg"),
    ]
