"""The virtual environment: made once, and brought up to date when what it is made from changes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from steps import SetupError, run_logged, step

# large, and never imported in a session
_NOT_COMPILED = r"[/\\](tests?|testing|sympy|PyQt6|imageio_ffmpeg)[/\\]"
_SOURCES = ("pyproject.toml", "constraints.txt")


class Environment:
    """The ``.venv`` of a checkout.

    Args:
        root: folder of the checkout.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / "bin" / "python"
        self.log = self.folder / "setup.log"
        self._stamp = self.folder / "setup-stamp"

    def is_current(self) -> bool:
        """Whether it was installed completely from the files as they are now."""
        return (
            self.python.exists() and self._stamp.exists() and self._stamp.read_text("utf-8") == self._wanted()
        )

    def install(self) -> None:
        """Create the environment where it is missing or broken, and install into it.

        Raises:
            SetupError: with what pip said.
        """
        if not self._works():
            with step(f"create .venv with Python {sys.version_info.major}.{sys.version_info.minor}"):
                shutil.rmtree(self.folder, ignore_errors=True)
                done = subprocess.run(
                    [sys.executable, "-m", "venv", str(self.folder)],
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if done.returncode != 0:
                    raise SetupError(f"{self.folder} could not be created:\n{done.stdout}{done.stderr}")
        pip = [str(self.python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        pip.append("--no-compile")  # pip compiles on one core; all of them do it below
        pinned = ["-c", str(self.root / "constraints.txt")]
        with step("install torch"):
            # first and by itself: so that pip settles on the constrained build before anything asks for another
            run_logged([*pip, "torch", *pinned], self.log)
        with step("install closedloop and what it needs"):
            run_logged([*pip, "-e", f"{self.root}[dev]", *pinned], self.log)
        with step("compile"):
            self._compile()
        self._stamp.write_text(self._wanted(), encoding="utf-8")

    def _compile(self) -> None:
        # so that no first session stands still for it; some packages ship files of other Pythons, and what
        # does not compile would have failed at its import anyway, so the status is not asked for
        command = [str(self.python), "-m", "compileall", "-q", "-j", "0", "-x", _NOT_COMPILED]
        subprocess.run([*command, str(self.folder / "lib")], capture_output=True, check=False)

    def _works(self) -> bool:
        if not self.python.exists():
            return False
        question = "import sys, pip; print('%d.%d' % sys.version_info[:2])"
        answer = subprocess.run(
            [str(self.python), "-c", question], capture_output=True, text=True, check=False
        )
        return answer.stdout.strip() == "{}.{}".format(*sys.version_info[:2])

    def _wanted(self) -> str:
        digest = hashlib.sha256()
        for name in _SOURCES:
            digest.update((self.root / name).read_bytes())
        # a moved checkout has the old path in its scripts
        return f"{digest.hexdigest()} {sys.version_info.major}.{sys.version_info.minor} {self.root}\n"
