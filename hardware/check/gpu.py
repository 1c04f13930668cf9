"""The graphics processor for rendering, if the protocol wants one."""

from __future__ import annotations

from collections.abc import Sequence

from closedloop.protocol.models import Protocol
from hardware.check.finding import Finding, Verdict, told


def judge_gpu(protocol: Protocol | None) -> Sequence[Finding]:
    """Say what torch renders on; a thread that asks for CUDA must have it."""
    import torch

    wanted = [] if protocol is None else [thread.generator.device for thread in protocol.threads]
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = ", ".join(f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(count))
    numbers = [int(device.partition(":")[2] or 0) for device in wanted if device.startswith("cuda")]
    if not numbers:
        return [told("GPU", names or f"none: torch {torch.__version__} renders on the CPU")]
    return [
        Finding(
            "GPU",
            names or "none that torch can use",
            "",
            Verdict.OK if max(numbers) < count else Verdict.BAD,
            f"cuda:{max(numbers)}, as the protocol asks for",
            "Install driver and CUDA build of torch, or set the generator's device to auto or cpu.",
        )
    ]
