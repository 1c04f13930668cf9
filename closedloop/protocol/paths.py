"""Which values of a protocol are paths of inputs, and where relative ones start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from closedloop.protocol.fields import KeyPath

WEIGHT_SUFFIXES = frozenset({".safetensors", ".pt", ".pth", ".tar", ".ckpt"})


def is_weight_path(weights: str) -> bool:
    """Return whether a generator's ``weights`` name a file; otherwise they are a model id.

    A path has a slash (or backslash) in it, or ends as weight files do.
    """
    return "/" in weights or "\\" in weights or Path(weights).suffix.lower() in WEIGHT_SUFFIXES


def absolute_inputs(tree: Any, base: Path) -> Iterator[tuple[KeyPath, str, str]]:
    """Yield each input path that is relative: its key, what it is, and what it is from ``base``.

    Args:
        tree: a protocol's values, not validated yet: what has not the right form is passed over.
        base: the protocol's folder.
    """
    for path, value in _candidates(tree):
        if isinstance(value, str) and value:
            absolute = str(base.absolute() / Path(value).expanduser())
            if absolute != value:
                yield path, str(value), absolute


def _candidates(tree: Any) -> Iterator[tuple[KeyPath, Any]]:
    yield ("references", "folder"), _get(_get(tree, "references"), "folder")
    for index, thread in enumerate(_items(_get(tree, "threads"))):
        codes = _get(_get(thread, "optimizer"), "initial_codes")
        yield ("threads", index, "optimizer", "initial_codes"), codes
        weights = _get(_get(thread, "generator"), "weights")
        if isinstance(weights, str) and is_weight_path(weights):
            yield ("threads", index, "generator", "weights"), weights
    yield from _candidates_of_scan(tree)


def _candidates_of_scan(tree: Any) -> Iterator[tuple[KeyPath, Any]]:
    for index, condition in enumerate(_items(_get(_get(tree, "stimuli"), "conditions"))):
        at: KeyPath = ("stimuli", "conditions", index)
        for key in ("folder", "code_file"):
            yield (*at, key), _get(condition, key)
        for number, file in enumerate(_items(_get(condition, "files"))):
            yield (*at, "files", number), file
        weights = _get(_get(condition, "generator"), "weights")
        if isinstance(weights, str) and is_weight_path(weights):
            yield (*at, "generator", "weights"), weights
    for key in ("file", "folder"):
        yield ("design", key), _get(_get(tree, "design"), key)
    for index, run in enumerate(_items(_get(_get(tree, "runs"), "each"))):
        yield ("runs", "each", index, "events"), _get(run, "events")


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _get(section: Any, key: str) -> Any:
    return section.get(key) if isinstance(section, dict) else None
