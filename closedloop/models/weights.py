"""Read weight files as tensors and nothing but tensors.

A weight file is somebody else's data: nothing in it is ever run. Two formats are read, safetensors and
torch's own with ``weights_only=True``, and the content must have the SHA-256 that was asked for, at every
load.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from closedloop.errors import HashMismatchError, ModelError

_REMEDY = "Fetch or export the file again (`closedloop models fetch` for a registered model); docs/models.md."


def load_tensors(path: Path, sha256: str, *, key: str | None = None) -> dict[str, torch.Tensor]:
    """Return the named tensors of a weight file, on the CPU.

    A torch checkpoint may hold its state dict under a name. If there is one such dict it is taken.

    Args:
        path: a ``.safetensors`` file, or a file that ``torch.save`` wrote.
        sha256: what the content must hash to.
        key: name of the state dict, where a checkpoint holds more than one.

    Raises:
        HashMismatchError: the content is another one.
        ModelError: the file is missing, damaged, holds anything besides tensors and plain values, or has no or
            more than one state dict.
    """
    content = _content(path, sha256)
    loaded = _safetensors(content, path) if path.suffix == ".safetensors" else _torch(content, path)
    return _state_dict(loaded, path, key)


def _content(path: Path, sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            str(path), found=f"no readable file ({error.strerror})", expected="a weight file", remedy=_REMEDY
        ) from error
    # of the bytes that are then read, so that nothing can change in between
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise HashMismatchError(
            str(path), found=f"SHA-256 {found}", expected=f"SHA-256 {sha256}", remedy=_REMEDY
        )
    return content


def _safetensors(content: bytes, path: Path) -> Any:
    try:
        return safetensors.torch.load(content)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise ModelError(
            str(path), found=f"a damaged file ({error})", expected="a safetensors file", remedy=_REMEDY
        ) from error


def _torch(content: bytes, path: Path) -> Any:
    try:
        return torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:
        # torch raises this for what its safe loader does not know, and for a damaged file too
        raise ModelError(
            str(path),
            found=f"content that is damaged, or is more than tensors and could run code ({_first_line(error)}); it was not run",
            expected="tensors and plain values only",
            remedy="If you trust its maker, export the tensors alone, best as safetensors; docs/models.md shows how.",
        ) from error
    except Exception as error:  # a damaged file makes torch raise almost anything, and all of it means this
        raise ModelError(
            str(path),
            found=f"a damaged file ({_first_line(error)})",
            expected="a file that torch.save wrote",
            remedy=_REMEDY,
        ) from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:160]


def _state_dict(loaded: Any, path: Path, key: str | None) -> dict[str, torch.Tensor]:
    if _is_state(loaded):
        named = {"": loaded}
    elif isinstance(loaded, Mapping):
        named = {str(name): value for name, value in loaded.items() if _is_state(value)}
    else:
        named = {}
    if key is not None:
        if key not in named:
            raise ModelError(
                f"{path}, key {key!r}",
                found=f"no state dict of that name; there is {', '.join(filter(None, named)) or 'none with a name'}",
                expected="a name of a state dict in the file",
                remedy="Correct generator.parameters.state_key, or leave it out.",
            )
        return dict(named[key])
    if len(named) != 1:
        raise ModelError(
            str(path),
            found=f"{len(named)} state dicts{': ' + ', '.join(named) if named else ''}",
            expected="one state dict (names with tensors)",
            remedy="Name the one that you mean in generator.parameters.state_key." if named else _REMEDY,
        )
    return dict(next(iter(named.values())))


def _is_state(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(item, torch.Tensor) for item in value.values())
    )
