"""System libraries: which are missing, and how they come onto a Debian or Ubuntu machine."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from steps import SetupError, run_logged

# What is looked for, and the package that brings it. PsychoPy's window (pyglet) opens the X and GL
# libraries by name, and its keyboard part links to libjack and libasound, so no wheel declares them.
_LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libGLU.so.1": "libglu1-mesa",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXi.so.6": "libxi6",
    "libXinerama.so.1": "libxinerama1",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libjack.so.0": "libjack-jackd2-0",  # depends on libasound2, whose own name differs between releases
}
_PROGRAMS = {"Xvfb": "xvfb"}
# Mesa's drivers are plug-ins in folders of their own; without one the virtual display has no GL
_DRIVERS = ("lib/*/dri/*_dri.so", "lib/dri/*_dri.so", "lib64/dri/*_dri.so")


def missing_packages() -> list[str]:
    """Return the Debian packages that this machine still needs; nothing outside Linux."""
    if not sys.platform.startswith("linux"):
        return []
    missing = [package for library, package in _LIBRARIES.items() if not _loads(library)]
    missing += [package for program, package in _PROGRAMS.items() if shutil.which(program) is None]
    if not any(any(Path("/usr").glob(pattern)) for pattern in _DRIVERS):
        missing.append("libgl1-mesa-dri")
    return missing


def missing_venv_packages() -> list[str]:
    """Return the package that brings ``python -m venv``, where Debian has split it off."""
    if importlib.util.find_spec("ensurepip") is not None and importlib.util.find_spec("venv") is not None:
        return []
    return [f"python3.{sys.version_info.minor}-venv"]


def refuse_unless_root(packages: Sequence[str]) -> None:
    """Check that Debian packages can be installed here.

    Raises:
        SetupError: this is not root or not Debian; says what to type instead.
    """
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise SetupError(
            "system packages are missing and there is no apt-get; install what corresponds to these "
            f"Debian packages, then try again: {names}"
        )
    if os.geteuid() != 0:
        raise SetupError(
            f"system packages are missing; type: sudo apt-get install -y --no-install-recommends {names}"
        )


def install(packages: Sequence[str], log: Path) -> None:
    """Install Debian packages as root.

    Raises:
        SetupError: with what apt-get said.
    """
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    run_logged(["apt-get", "update", "-qq"], log)
    run_logged(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], log)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
