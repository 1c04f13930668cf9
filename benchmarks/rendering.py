"""How long the generator takes for 1, 4 and 40 images, on the CPU and, where there is one, on a GPU.

    python -m benchmarks.rendering [--weights dcgan-faces] [--repeats 20]

Prints median and best of the repeats in milliseconds, the machine that they were measured on, and how torch's
own transposed convolutions would have done. With a GPU: the largest difference between its images and the
CPU's, in 1/255. Nothing is asserted: this is a measurement, not a test.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from closedloop.errors import ModelError
from closedloop.generators import make_generator
from closedloop.generators.dcgan_layout import Layer, read_layers
from closedloop.models import resolve
from closedloop.models.weights import load_tensors

COUNTS = (1, 4, 40)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--weights", default="dcgan-faces", help="model id of a DCGAN")
    options.add_argument("--repeats", type=int, default=20, help="how often each count is rendered")
    chosen = options.parse_args()

    print(f"machine   {cpu_name()}, {os.cpu_count()} cores, {platform.system()}, load {load()}")
    print(f"versions  python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}")
    print(f"weights   {chosen.weights}\n")
    print(f"{'milliseconds, median (best)':38}" + "".join(f"{f'{n} images':>17}" for n in COUNTS))

    on_cpu = make_generator("dcgan", chosen.weights, device="cpu", threads=1)
    codes = np.random.default_rng(0).standard_normal((max(COUNTS), on_cpu.code_length)).astype(np.float32)
    on_cpu.warm_up()
    row("cpu, 1 thread", on_cpu.render, codes, chosen.repeats)
    for threads in sorted({2, min(4, os.cpu_count() or 1)} - {1}):
        other = make_generator("dcgan", chosen.weights, device="cpu", threads=threads)
        other.warm_up()
        row(f"cpu, {threads} threads", other.render, codes, chosen.repeats)

    found = resolve(chosen.weights)
    layers = read_layers(load_tensors(found.path, found.sha256), str(found.path))
    for name, form in (("", torch.contiguous_format), ("channels last, ", torch.channels_last)):
        row(f"torch's own layers, {name}1 thread", by_torch(layers, form), codes, chosen.repeats)

    try:
        on_gpu = make_generator("dcgan", chosen.weights, device="cuda")
    except ModelError as error:
        print(f"\nno GPU measured: {error.found}")
        return
    on_gpu.warm_up()
    row(str(on_gpu.provenance["gpu"]), on_gpu.render, codes, chosen.repeats)
    difference = np.abs(on_gpu.render(codes).astype(int) - on_cpu.render(codes))
    print(
        f"\nGPU against CPU: largest difference {difference.max()}/255, {(difference > 0).mean():.4%} of values differ"
    )


def row(name: str, render: Callable[[np.ndarray], object], codes: np.ndarray, repeats: int) -> None:
    """Time the rendering of each count of codes and print one line."""
    cells = []
    for count in COUNTS:
        times_ms = []
        for _ in range(repeats):
            start = time.perf_counter()
            render(codes[:count])
            times_ms.append((time.perf_counter() - start) * 1e3)
        cells.append(f"{statistics.median(times_ms):.1f} ({min(times_ms):.1f})")
    print(f"{name:38}" + "".join(f"{cell:>17}" for cell in cells), flush=True)


def by_torch(layers: list[Layer], form: torch.memory_format) -> Callable[[np.ndarray], object]:
    """Return a function that renders by torch's transposed convolutions, all codes at once, one thread."""
    steps: list[nn.Module] = []
    for index, layer in enumerate(layers):
        inside, outside, size, _ = layer.kernel.shape
        step = nn.ConvTranspose2d(inside, outside, size, 2 if index else 1, 1 if index else 0)
        step.load_state_dict({"weight": layer.kernel, "bias": layer.bias})
        steps += [step, nn.ReLU(inplace=True) if index < len(layers) - 1 else nn.Tanh()]
    network = nn.Sequential(*steps).eval().to(memory_format=form)

    def render(codes: np.ndarray) -> np.ndarray:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        with torch.inference_mode():
            values = network(torch.from_numpy(codes)[:, :, None, None].contiguous(memory_format=form))
            images = (
                values.add_(1).mul_(127.5).round_().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
            )
        torch.set_num_threads(before)
        return images

    render(codes=np.zeros((2, layers[0].kernel.shape[0]), np.float32))
    return render


def cpu_name() -> str:
    """Return the processor's name, as far as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def load() -> str:
    """Return how busy the machine was in the last minute: figures from a busy one mean little."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


if __name__ == "__main__":
    main()
