"""Where a model's file lies, and whether it is the right one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from closedloop.errors import HashMismatchError, ModelError
from closedloop.models.entry import FileSource, ModelEntry
from closedloop.models.folder import models_folder
from closedloop.models.registry import did_you_mean, find_model, list_models


class ModelStatus(str, Enum):
    """Whether a model can be used."""

    READY = "ready"
    MISSING = "missing"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class WeightFile:
    """A weight file that has been found, with the SHA-256 that it must have.

    Attributes:
        name: model id, or the path as it was given.
        path: the file.
        sha256: what its content must hash to; checked again at every load.
    """

    name: str
    path: Path
    sha256: str


def place_of(entry: ModelEntry) -> Path:
    """Return where the model's file lies, or will once fetched.

    The hash is part of the name, so that another version of a model never meets this one's file.
    """
    if isinstance(entry.source, FileSource):
        return entry.source.file
    return models_folder() / f"{entry.id}-{entry.sha256[:12]}{entry.suffix}"


def status(entry: ModelEntry) -> ModelStatus:
    """Return whether the model's file is there and right; reads all of it."""
    path = place_of(entry)
    if not path.is_file():
        return ModelStatus.MISSING
    return ModelStatus.READY if sha256_of(path) == entry.sha256 else ModelStatus.DAMAGED


def path_of(model_id: str) -> Path:
    """Return the path of a model's file, which is there and has the registered SHA-256.

    Raises:
        ModelError: no such model, or not fetched yet.
        HashMismatchError: the file is not the registered one.
    """
    entry = find_model(model_id)
    path = place_of(entry)
    remedy = _remedy(entry)
    if not path.is_file():
        raise ModelError(f"model {entry.id!r}", found=f"no file {path}", expected=entry.title, remedy=remedy)
    require_hash(path, entry.sha256, remedy=remedy)
    return path


def resolve(weights: str, sha256: str | None = None, *, folder: Path | None = None) -> WeightFile:
    """Find the weight file that a protocol names.

    Args:
        weights: model id of the registry, or path of a file.
        sha256: required for a path; for an id it may be given, and must then be the registered one.
        folder: a relative path is seen from here (the protocol's folder); None: the working folder.

    Raises:
        ModelError: neither a model nor a file, or a path without a SHA-256.
        HashMismatchError: the file is another one.
    """
    entries = {entry.id: entry for entry in list_models()}
    if weights in entries:
        registered = entries[weights].sha256
        if sha256 is not None and sha256.lower() != registered:
            raise HashMismatchError(
                f"model {weights!r}",
                found=f"SHA-256 {registered} in the registry",
                expected=f"SHA-256 {sha256.lower()}, as asked for",
                remedy="Leave generator.sha256 out for a model of the registry, or name the file that you mean by its path.",
            )
        return WeightFile(weights, path_of(weights), registered)
    path = (folder or Path()) / Path(weights).expanduser()
    if not path.is_file():
        raise ModelError(
            f"weights {weights!r}",
            found=f"no model with this id and no file {path}",
            expected=f"one of {', '.join(sorted(entries))}, or the path of a weight file",
            remedy=did_you_mean(weights, entries) + "`closedloop models list` shows all models.",
        )
    if sha256 is None:
        raise ModelError(
            f"weights {weights!r}",
            found="a file without a SHA-256 to hold it to",
            expected="generator.sha256 beside generator.weights",
            remedy=f"If this is the file that you mean, write: sha256: {sha256_of(path)}",
        )
    require_hash(
        path,
        sha256.lower(),
        remedy="Name the file that the protocol was written for, or correct generator.sha256.",
    )
    return WeightFile(weights, path.resolve(), sha256.lower())


def require_hash(path: Path, sha256: str, *, remedy: str) -> None:
    """Raise a HashMismatchError unless the file's content has this SHA-256."""
    found = sha256_of(path)
    if found != sha256:
        raise HashMismatchError(
            str(path), found=f"SHA-256 {found}", expected=f"SHA-256 {sha256}", remedy=remedy
        )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content as 64 lower-case hexadecimal digits.

    Raises:
        ModelError: the file can't be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise ModelError(
            str(path),
            found=f"a file that can't be read ({error})",
            expected="a weight file",
            remedy="Check its permissions.",
        ) from error
    return digest.hexdigest()


def _remedy(entry: ModelEntry) -> str:
    if isinstance(entry.source, FileSource):
        return "Put the right file there, or correct the entry in the model folder's registry.yaml."
    return f"closedloop models fetch {entry.id}"
