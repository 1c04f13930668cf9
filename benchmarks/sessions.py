"""Whole sessions and simulated subjects in processes of their own, for benchmarks and end-to-end tests.

Nothing here is a stand-in: the command line is started as a person would start it, and what is said of a
session is read from its file.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np

from closedloop.errors import ClosedLoopError
from closedloop.ports import Float64
from closedloop.protocol.load import load_protocol
from closedloop.session import SessionReader
from closedloop.session.database import FILE_NAME
from experiments.demo import PROTOCOL, subject_arguments

ROOT = Path(__file__).resolve().parents[1]
# A demo in little: each image for 2 frames and 2 of grey, fewer references, a less patient search. A virtual
# machine is slow for seconds now and then, by what its host does: at 30 Hz that rarely costs a frame.
QUICK = (
    "display.refresh_hz=30",
    "presentation.on_ms=66.7",
    "presentation.off_ms=66.7",
    # spikes come 60 ms after what evokes them: these are the answer to the trial's own image
    "response.window.start_ms=60",
    "response.window.end_ms=135",
    "references.random_codes=2",
    "references.per_generation=2",
    "threads.0.optimizer.parameters.selectivity=1",
)
START_S = 120.0  # a session's start on a very busy machine


class Program:
    """One ``closedloop`` command in a process group of its own; what it says goes into a file.

    A context manager, after which nothing of it is left running.

    Args:
        words: of the command line, after ``closedloop``.
        log: file for all that it says.
        environment: on top of this process's own.
    """

    def __init__(self, words: Sequence[str], log: Path, environment: dict[str, str] | None = None) -> None:
        self._log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "experiments.cli", *words],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=os.environ | {"COLUMNS": "200", "TERM": "dumb"} | (environment or {}),
                start_new_session=True,
            )

    @property
    def told(self) -> str:
        """All that it has said so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None  # noqa: S101 - it was opened as a pipe
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to it and all its children, as a terminal does with Ctrl-C."""
        os.killpg(self.process.pid, number)

    def wait(self, timeout_s: float = START_S) -> int:
        """Wait for its end and return its exit code."""
        return self.process.wait(timeout_s)

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.signal_all(signal.SIGCONT)
            self.process.terminate()  # so that it takes its children along
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.signal_all(signal.SIGKILL)
                self.process.wait()
        assert self.process.stdin is not None  # noqa: S101 - it was opened as a pipe
        self.process.stdin.close()


class Session(Program):
    """A session that ``closedloop run`` or ``closedloop demo`` makes in a folder of its own.

    Args:
        words: of the command line; ``--out`` is added.
        out: new folder that the session folder is made in.
        environment: on top of this process's own.
    """

    def __init__(self, words: Sequence[str], out: Path, environment: dict[str, str] | None = None) -> None:
        out.parent.mkdir(parents=True, exist_ok=True)
        self._out = out
        super().__init__([*words, "--out", str(out)], out.with_name(out.name + ".txt"), environment)

    @property
    def folder(self) -> Path:
        """The session's folder, which must be there."""
        (folder,) = self._out.iterdir()
        return folder

    def begun(self) -> bool:
        """Whether its session file is there, with the run in it."""
        if not any(self._out.glob(f"*/{FILE_NAME}")):
            return False
        try:
            return bool(len(self.table("runs")))
        except ClosedLoopError:
            return False  # it is just being created

    def table(self, name: str):  # type: ignore[no-untyped-def]  # a pandas frame, whose stubs benchmarks do without
        """Return a table of the session file, also while the session runs."""
        with SessionReader(self.folder) as reader:
            return reader.table(name)

    def valid_trials(self) -> int:
        """How many trials are valid so far."""
        return int((self.table("trials").status == "valid").sum())

    def until(self, holds: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
        """Wait until something holds while the session runs.

        Raises:
            AssertionError: it never came true, or the session ended before.
        """
        until_s = time.monotonic() + timeout_s
        while not holds():
            if self.process.poll() is not None:
                raise AssertionError(
                    f"the session ended ({self.process.returncode}) before {what}: {self.told}"
                )
            if time.monotonic() > until_s:
                raise AssertionError(f"waited {timeout_s:g} s in vain for {what}: {self.told}")
            time.sleep(0.05)

    def until_more_valid(self, trials: int = 5, timeout_s: float = 30.0) -> None:
        """Wait until so many more trials are valid."""
        before = self.valid_trials()
        self.until(lambda: self.valid_trials() >= before + trials, f"{trials} more valid trials", timeout_s)


def quick_demo(*overrides: str) -> list[str]:
    """Return the words of a quick demo."""
    return ["demo", *settings(*QUICK, *overrides)]


def settings(*changes: str) -> list[str]:
    """Return the words that change a protocol so."""
    return [word for change in changes for word in ("--set", change)]


@contextmanager
def demo_subject(log: Path, *options: str) -> Iterator[Program]:
    """Run the demo's simulated subject, ready, with its fault commands on standard input."""
    words = subject_arguments(load_protocol(PROTOCOL).protocol)
    place = dict(zip(words[::2], words[1::2], strict=True))
    patch = f"{place['--patch-x']},{place['--patch-y']}"
    command = ["simulate", "subject", "--patch", patch, "--picture", place["--picture"], "--commands"]
    with Program([*command, *options], log) as subject:
        until_s = time.monotonic() + START_S
        while "ready" not in subject.told:
            if subject.process.poll() is not None or time.monotonic() > until_s:
                raise AssertionError(f"the simulated subject does not start: {subject.told}")
            time.sleep(0.05)
        yield subject


def mean_responses(folder: Path, kind: str = "evolved") -> Float64:
    """Return the mean response in each generation that is over, ``(generations,)``, spikes/s.

    Args:
        folder: of the session.
        kind: ``evolved`` images or ``reference`` ones.
    """
    with SessionReader(folder) as reader:
        scores = reader.table("scores").merge(reader.table("images")[["image", "kind"]], on="image")
    chosen = scores[scores.kind == kind]
    return np.asarray(chosen.groupby("generation")["mean"].mean(), dtype=np.float64)


def rise(means: Float64, edge: int = 2) -> float:
    """Return the ratio of the last generations' mean response to the first ones'."""
    return float(means[-edge:].mean() / means[:edge].mean())
