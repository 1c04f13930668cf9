"""Brings a machine to where closedloop runs; quick when it is there already.

Run by ``make demo`` and ``make test`` with the machine's own Python: nothing is installed yet, so this
uses the standard library only.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from environment import Environment
from steps import SetupError, step
from system import install, missing_packages, missing_venv_packages, refuse_unless_root

ROOT = Path(__file__).resolve().parents[2]
APT_LOG = ROOT / ".cache" / "setup-apt.log"


def main() -> int:
    """Set up; return the exit status."""
    try:
        _set_up()
    except SetupError as error:
        sys.stderr.write(f"set-up: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("set-up: stopped; the next time goes on where this one was\n")
        return 130
    return 0


def _set_up() -> None:
    environment = Environment(ROOT)
    fresh = not environment.is_current()
    missing = missing_packages()
    needed_first = missing_venv_packages() if fresh else []
    if needed_first or missing:
        refuse_unless_root([*needed_first, *missing])
    if needed_first:
        _install_packages(needed_first)
    with ThreadPoolExecutor(max_workers=1) as beside:
        # apt mostly waits for its downloads, so pip works meanwhile
        packages = beside.submit(_install_packages, missing) if missing else None
        if fresh:
            environment.install()
        if packages is not None:
            packages.result()
    still_missing = missing_packages() if missing else []
    if still_missing:
        raise SetupError(f"these are still not found after their installation: {' '.join(still_missing)}")
    _fetch_models(environment)


def _install_packages(packages: list[str]) -> None:
    with step(f"install {' '.join(packages)}"):
        install(packages, APT_LOG)


def _fetch_models(environment: Environment) -> None:
    command = [str(environment.python.parent / "closedloop"), "models", "fetch"]
    if subprocess.run(command, check=False).returncode != 0:
        raise SetupError(f"the model files could not be fetched; to try again, type: {' '.join(command)}")


if __name__ == "__main__":
    sys.exit(main())
