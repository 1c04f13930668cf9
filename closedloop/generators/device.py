"""Where torch computes: which device, how many threads, and by exact arithmetic."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from closedloop.errors import ModelError


def choose_device(asked: str, where: str) -> torch.device:
    """Return the torch device for ``auto`` (CUDA when there, CPU otherwise), ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ModelError: CUDA was asked for and there is none of that number, or the name is none of these.
    """
    if asked == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if asked == "cpu":
        return torch.device("cpu")
    kind, _, number = asked.partition(":")
    if kind != "cuda" or (asked != "cuda" and not number.isdecimal()):
        raise ModelError(
            where,
            found=f"device {asked!r}",
            expected="auto, cpu, cuda or cuda:N",
            remedy="Correct generator.device.",
        )
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(number or 0) >= count:
        built = "" if torch.version.cuda else " (this torch is built without CUDA)"
        raise ModelError(
            where,
            found=f"device {asked!r} asked for, and {count} CUDA devices{built}",
            expected="a CUDA device of that number",
            remedy="Write device: auto, or install the GPU's driver and a torch with CUDA.",
        )
    return torch.device(asked)


def default_threads() -> int:
    """Return how many CPU threads to render with: one core is left to the stage, and four are enough."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 1 if cores <= 2 else min(4, cores // 2)


@contextmanager
def exact(device: torch.device, threads: int) -> Iterator[None]:
    """Compute without gradients, in full float32 (no TF32, no bfloat16), by algorithms that repeat themselves.

    These are settings of the whole process; what was set before is put back.
    """
    before = (
        torch.get_num_threads(),
        torch.get_float32_matmul_precision(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    if threads != before[0]:
        torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("highest")
    if device.type == "cuda":
        # cuBLAS reads this once, at its first call in the process; without it torch refuses to promise anything
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    try:
        with torch.inference_mode():
            yield
    finally:
        if threads != before[0]:
            torch.set_num_threads(before[0])
        torch.set_float32_matmul_precision(before[1])
        torch.use_deterministic_algorithms(before[2], warn_only=before[3])


def describe(device: torch.device, threads: int) -> dict[str, Any]:
    """Return device and arithmetic as plain values for the session file."""
    words: dict[str, Any] = {"device": str(device), "torch": torch.__version__, "threads": threads}
    if device.type == "cuda":
        words["gpu"] = torch.cuda.get_device_name(device)
        words["cuda"] = torch.version.cuda
    else:
        words["cpu_capability"] = torch.backends.cpu.get_cpu_capability()
    return words
