"""Where fetched model files lie."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_dir

ENVIRONMENT = "CLOSEDLOOP_MODELS"


def models_folder() -> Path:
    """Return the folder of model files: ``$CLOSEDLOOP_MODELS``, or ``models`` in the user's cache folder."""
    chosen = os.environ.get(ENVIRONMENT, "")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(user_cache_dir("closedloop", appauthor=False)) / "models"
