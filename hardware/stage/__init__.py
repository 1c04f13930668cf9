"""The stage: shows trials in a window of its own process, and a simulator of it.

Importing this package brings neither PsychoPy nor a window: only the stage's own process does.
"""

from hardware.stage.proxy import PsychopyStage
from hardware.stage.shuffled import ShuffledStage
from hardware.stage.simulated import SimulatedStage, StageFault

__all__ = ["PsychopyStage", "ShuffledStage", "SimulatedStage", "StageFault"]
