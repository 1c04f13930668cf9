"""Model files: which ones there are, where they lie, how they come here, and how they are read safely."""

from closedloop.models.cache import ModelStatus, WeightFile, path_of, resolve, status
from closedloop.models.entry import FileSource, ModelEntry, UrlSource, WheelSource
from closedloop.models.fetch import fetch
from closedloop.models.folder import models_folder
from closedloop.models.progress import OnProgress, Progress
from closedloop.models.registry import find_model, list_models

__all__ = [
    "FileSource",
    "ModelEntry",
    "ModelStatus",
    "OnProgress",
    "Progress",
    "UrlSource",
    "WeightFile",
    "WheelSource",
    "fetch",
    "find_model",
    "list_models",
    "models_folder",
    "path_of",
    "resolve",
    "status",
]
