"""What the demo's units would answer to the images of a session, without noise, screen and streams."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from closedloop.models import resolve
from closedloop.ports import Float64
from closedloop.session import SessionReader
from hardware.subject.neurons import Neurons
from hardware.subject.options import SubjectOptions


def likeness(folder: Path) -> tuple[float, int]:
    """Return how far the responses of a session are those to the images that its file names.

    The correlation, over the valid trials, between what was heard from a unit and what the image as recorded
    evokes in it; the mean over all units, as each by itself has few spikes in a short window.

    Returns:
        The mean correlation, and how many trials there were.
    """
    torch.set_num_threads(1)
    options = SubjectOptions()
    weights = resolve(options.weights, options.weights_sha256)
    neurons = Neurons(weights, options.layer, options.channels, options.readout, options.input_px)
    with SessionReader(folder) as reader:
        trials = reader.table("trials").merge(reader.table("responses"), on=["trial", "run"])
        images = sorted(set(trials.image))
        pixels = [reader.pixels(int(image)) for image in images]
        heard = np.array([reader.rates(int(trial)) for trial in trials.trial])
    evoked = dict(zip(images, neurons.look_many([p for p in pixels if p is not None]), strict=True))
    expected = np.array([evoked[image] for image in trials.image])
    return float((_standard(heard) * _standard(expected)).mean()), len(trials)


def _standard(values: Float64) -> Float64:
    return np.asarray((values - values.mean(axis=0)) / values.std(axis=0))
