"""What the demo's unit would answer to the images of a session, without noise, screen and streams."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from closedloop.models import resolve
from closedloop.ports import Float64
from closedloop.session import SessionReader
from hardware.subject.neurons import Neurons
from hardware.subject.options import SubjectOptions


def answers(folder: Path) -> tuple[Float64, Float64]:
    """Return what was heard in each valid trial, and what its image, as recorded, evokes: ``(trials,)`` each."""
    torch.set_num_threads(1)
    options = SubjectOptions()
    weights = resolve(options.weights, options.weights_sha256)
    neurons = Neurons(weights, options.layer, options.channels, options.readout, options.input_px)
    with SessionReader(folder) as reader:
        trials = reader.table("trials").merge(reader.table("responses"), on=["trial", "run"])
        images = sorted(set(trials.image))
        pixels = [reader.pixels(int(image)) for image in images]
    evoked = dict(zip(images, neurons.look_many([p for p in pixels if p is not None])[:, 0], strict=True))
    return trials.value.to_numpy(dtype=np.float64), np.array([evoked[image] for image in trials.image])
