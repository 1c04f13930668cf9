"""The memory that images pass through is gone with its processes, however they end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SHARED = Path("/dev/shm")  # noqa: S108  only looked at
# An engine that is killed while its stage, which has opened the memory, runs on and still sees the image.
ENGINE = """
import multiprocessing, os, signal, sys
from multiprocessing.shared_memory import SharedMemory

import numpy as np

from hardware.stage.images import SharedImages


def stage(name, opened, ended):
    memory = SharedMemory(name)
    opened.send(True)
    try:
        ended.recv()
    except EOFError:  # the engine is gone
        seen = np.ndarray((2, 4, 4, 3), np.uint8, buffer=memory.buf)
        print("seen", int(seen[0].sum()), flush=True)
    del seen
    memory.close()


if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    images = SharedImages((4, 4, 3), 2)
    (hear, tell), (wait, hold) = context.Pipe(False), context.Pipe(False)
    context.Process(target=stage, args=(images.name, tell, wait)).start()
    wait.close()
    hear.recv()
    images.forget_name()
    images.put(np.ones((4, 4, 3), np.uint8))
    print("name", images.name, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not SHARED.is_dir(), reason="looks for the memory where Linux has it")
def test_an_engine_that_is_killed_leaves_no_memory_and_no_warning(tmp_path: Path) -> None:
    script = tmp_path / "engine.py"
    script.write_text(ENGINE, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    words = done.stdout.split()
    assert words[0] == "name"
    assert words[2:] == ["seen", "48"]
    assert not (SHARED / words[1].lstrip("/")).exists()
