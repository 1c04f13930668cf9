"""Sessions that are cut off by SIGKILL, and what must be the same in a session that was and one that was not.

As a program (``python cut_session.py FOLDER CUT ...``) it runs one session in virtual time for each cut, each
in a process of its own that dies there: ``s17`` before its 17th SQL statement, ``t0.25`` after 0.25 s, and
``s17+t0.25`` twice, the second time after it was resumed.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from closedloop.loop.commands import Command, CommandKind
from closedloop.ports import Pixels
from closedloop.session import SessionReader
from closedloop.session.database import FILE_NAME, is_blank
from hardware.clock import VirtualClock

SHORT = (
    "limits.generations=3",
    "threads.0.optimizer.parameters.population=5",
    "threads.0.optimizer.parameters.n_conserve=2",
    "references.per_generation=1",
    "presentation.on_ms=100",
    "presentation.off_ms=0",
    "response.window={start_ms: 50, end_ms: 100}",
    "response.baseline=null",
    "response.artefact.max_rate_hz=100",
)


def answer(trial: int, image: Pixels) -> np.ndarray:
    """Depends on trial and image alone; every fifth trial is an artefact, and shown again."""
    return np.array([200.0 if trial % 5 == 3 else image.mean() / 2.56 + (trial * 7919 % 13) / 16])


def lines_of(killer: str, *arguments: object) -> list[tuple[Any, ...]]:
    """Run a script, which kills children of its own, in a process of its own; return the lines of JSON it prints.

    Its arguments are this folder, from which it may import, and those given.
    """
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", killer, str(here), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=here.parents[1],
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def HastyClock(start_s: float = 1000.0) -> VirtualClock:  # noqa: N802  it stands where a clock's class would
    """A virtual clock that waits in strides: half of a short session is waiting."""
    return VirtualClock(start_s, stride_s=0.01)


def abort(folder: Path, *overrides: str) -> Path:
    """Run a session that is aborted in its second generation."""
    from simulated_session import prepare

    session = prepare(folder, *SHORT, *overrides, respond=answer, clock=HastyClock())
    session.operator.script = lambda: (
        (Command(CommandKind.ABORT, 0.0, "window"),) if session.clock.now() > 1001.2 else ()
    )
    session.run()
    return session.folder


def content(folder: Path) -> dict[str, list[Any]]:
    """What must be the same to the byte: codes, genealogy, pixels, trials as judged, responses, scores."""
    with SessionReader(folder) as reader:
        images = reader.table("images").sort_values("image")
        trials = reader.table("trials").merge(reader.table("responses"), on=["trial", "run"], how="left")
        judged = trials[trials["status"].isin(["valid", "invalid"])].sort_values("trial")
        facts = ["trial", "thread", "generation", "image", "attempt", "repeat", "status", "reason", "value"]
        codes = [(number, reader.code(number)) for number in images["image"].tolist()]
        seen = [(number, reader.pixels(number)) for number in images["image"].tolist()]
        return {
            "images": [tuple(map(str, row)) for row in images.to_numpy().tolist()],
            "codes": [(number, None if code is None else code.tobytes()) for number, code in codes],
            "pixels": [(number, None if pixels is None else pixels.tobytes()) for number, pixels in seen],
            "trials": [tuple(map(str, row)) for row in judged[facts].to_numpy().tolist()],
            "scores": [tuple(map(repr, row)) for row in reader.table("scores").to_numpy().tolist()],
        }


def acknowledged(folder: Path) -> list[tuple[Any, ...]]:
    """Every trial that was judged: number, run, when, and its value; none if nothing was recorded."""
    if not (folder / FILE_NAME).exists() or is_blank(folder / FILE_NAME):
        return []
    with SessionReader(folder) as reader:
        trials = reader.table("trials").merge(reader.table("responses"), on=["trial", "run"], how="left")
        judged = trials[trials["status"].isin(["valid", "invalid"])].sort_values("trial")
        return [
            tuple(map(repr, row)) for row in judged[["trial", "run", "judged_s", "value"]].to_numpy().tolist()
        ]


def die_before_statement(number: int) -> None:
    """Let this process kill itself before its so manieth SQL statement from now on."""
    connect = sqlite3.connect
    left = number

    def count(_statement: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(count)
        return connection

    sqlite3.connect = watched  # type: ignore[assignment]  # the real one, but for the counting


def _run_and_die(folder: Path, cuts: str) -> None:
    """Run a session in a process of its own that dies; then go on with it, as often as there are cuts."""
    from simulated_session import prepare, resume

    for cut in cuts.split("+"):
        begun = folder.exists()
        child = os.fork()
        if not child:
            session = (resume if begun else prepare)(folder, *SHORT, respond=answer, clock=HastyClock())
            if cut[0] == "s":
                die_before_statement(int(cut[1:]))
            session.run()
            os._exit(0)
        if cut[0] == "t":
            time.sleep(float(cut[1:]))
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


if __name__ == "__main__":
    from experiments.environment import environment

    environment()  # so that its imports are there before the forks
    for one in sys.argv[2:]:
        _run_and_die(Path(sys.argv[1]) / one, one)
