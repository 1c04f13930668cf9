"""A recorded session scored again another way."""

from __future__ import annotations

from closedloop.replay.rescoring.page import write_page
from closedloop.replay.rescoring.rescore import Rescored, RescoredGeneration, RescoredThread, rescore
from closedloop.replay.rescoring.settings import with_settings

__all__ = ["Rescored", "RescoredGeneration", "RescoredThread", "rescore", "with_settings", "write_page"]
