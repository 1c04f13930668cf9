"""Starts the stage's process, so that nothing of the engine comes along."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
import types
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from hardware.stage.messages import StageSettings
from hardware.stage.process import main


def launch(settings: StageSettings) -> tuple[SpawnProcess, Connection, Connection]:
    """Start the process.

    Returns:
        The process, the writing end for orders, and the reading end for answers.
    """
    context = multiprocessing.get_context("spawn")
    child_orders, orders = context.Pipe(duplex=False)
    answers, child_answers = context.Pipe(duplex=False)
    process = context.Process(
        target=main, args=(settings, child_orders, child_answers), name="closedloop stage", daemon=True
    )
    with _without_main_module(), _without_interrupts():
        process.start()
    # the child's ends must be open in the child alone, or its death would go unnoticed
    child_orders.close()
    child_answers.close()
    return process, orders, answers


@contextlib.contextmanager
def _without_main_module() -> Iterator[None]:
    """Keep the parent's main module out of the child.

    A spawned process imports the script that its parent runs, and with it whatever that imports: torch,
    for an engine. The stage needs none of it.
    """
    former = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = former


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Let the child start with Ctrl-C and hang-up blocked, until it has said that it ignores them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield  # Windows
        return
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
