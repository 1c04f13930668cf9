"""How the blood's signal follows the neurons: the double gamma that SPM takes for the canonical response.

The parameters are the defaults of SPM's ``spm_hrf`` (https://www.fil.ion.ucl.ac.uk/spm/): a gamma density of
shape 6 that peaks after 5 s, less a sixth of one of shape 16, which makes the undershoot, both with a scale of
1 s. They describe an average of adult visual cortex; a region of a person may peak some seconds off
(Handwerker et al., NeuroImage 21, 1639, 2004).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammainc

PEAK_SHAPE = 6.0
UNDERSHOOT_SHAPE = 16.0
UNDERSHOOT_SHARE = 1 / 6

BEGINS_S = 2.0
"""So long after the onset there is hardly any answer: 2 % of what it becomes if the image stays."""


def risen(times_s: ArrayLike, speed: float = 1.0) -> NDArray[np.float64]:
    """Return the answer to an image that came on at 0 and stays: 0 before, 1 in the end.

    Args:
        times_s: any shape.
        speed: how many times faster than a brain's the response is, 1 unless a simulation is compressed.
    """
    times = np.maximum(np.asarray(times_s, dtype=np.float64) * speed, 0.0)
    raised = gammainc(PEAK_SHAPE, times) - UNDERSHOOT_SHARE * gammainc(UNDERSHOOT_SHAPE, times)
    answer: NDArray[np.float64] = raised / (1 - UNDERSHOOT_SHARE)
    return answer


def answer_to_image(times_s: ArrayLike, on_s: float, speed: float = 1.0) -> NDArray[np.float64]:
    """Return the answer to an image that was on for ``on_s``, as a share of what a lasting one ends at."""
    times = np.asarray(times_s, dtype=np.float64)
    return risen(times, speed) - risen(times - on_s, speed)


def mean_in(start_s: float, end_s: float, on_s: float, speed: float = 1.0) -> float:
    """Return the mean of ``answer_to_image`` in a window after the onset (to some thousandths)."""
    steps = np.linspace(start_s, end_s, 65)
    return float(answer_to_image((steps[1:] + steps[:-1]) / 2, on_s, speed).mean())
