"""Random numbers as a function of the session's seed and of what they are for.

Nothing keeps a generator alive: each draw's generator is made anew from the seed, the purpose, the
thread and the generation. So a resumed session draws what the uninterrupted one would have drawn,
without any generator's state in the file.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What random numbers are drawn for. The numbers are part of the session file: never reuse one."""

    BREEDING = 1
    TRIAL_ORDER = 2
    REFERENCE_CODES = 3
    REFERENCE_CHOICE = 4
    JITTER = 5
    SIMULATION = 6
    DESIGN = 7
    FIXATION_TASK = 8
    STIMULUS_CODES = 9


def random_for(seed: int, purpose: Purpose, thread: int = 0, generation: int = 0) -> np.random.Generator:
    """Return the generator of one purpose, thread and generation.

    Args:
        seed: the session's seed, 0 or more.
        purpose: what the numbers are for.
        thread: index of the evolution within the session.
        generation: index of the generation, from 0.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(int(purpose), thread, generation))
    return np.random.Generator(np.random.PCG64(sequence))
