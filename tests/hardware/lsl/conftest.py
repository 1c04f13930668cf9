from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest


class Sender:
    """A test signal in a process of its own, so that it can be killed and stopped."""

    def __init__(self, **options: object) -> None:
        arguments = [
            part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hardware.lsl.signal_sender", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def order(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hang(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def _senders() -> Iterator[Callable[..., Sender]]:
    with contextlib.ExitStack() as stack:

        def start(**options: object) -> Sender:
            started = Sender(**options)
            stack.callback(started.kill)
            return started

        yield start


@pytest.fixture
def sender() -> Iterator[Callable[..., Sender]]:
    with _senders() as start:
        yield start


@pytest.fixture(scope="module")
def lasting_sender() -> Iterator[Callable[..., Sender]]:
    with _senders() as start:
        yield start


@pytest.fixture
def wait_until() -> Callable[..., float]:
    """Poll until something holds; returns the seconds that it took."""

    def wait(holds: Callable[[], bool], timeout_s: float = 10.0) -> float:
        begun_s = time.monotonic()
        while not holds():
            assert time.monotonic() - begun_s < timeout_s, "it never came true"
            time.sleep(0.005)
        return time.monotonic() - begun_s

    return wait
