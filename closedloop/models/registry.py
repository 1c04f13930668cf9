"""Which models there are: the ones that come with closedloop and the ones that a rig's owner added."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rapidfuzz import process
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from closedloop.errors import ModelError
from closedloop.models.entry import FileSource, ModelEntry
from closedloop.models.folder import models_folder

USER_REGISTRY = "registry.yaml"


def list_models() -> list[ModelEntry]:
    """Return all models: those that come with closedloop, then the rig's own.

    Raises:
        ModelError: the rig's own registry can't be read, or names an id twice.
    """
    shipped = files("closedloop.models") / "registry.yaml"
    entries = _entries(shipped.read_text(encoding="utf-8"), Path(str(shipped)))
    own = models_folder() / USER_REGISTRY
    if own.is_file():
        entries += _entries(_text(own), own)
    seen: set[str] = set()
    for entry in entries:
        if entry.id in seen:
            raise ModelError(
                str(own),
                found=f"a second model with id {entry.id!r}",
                expected="ids that no other model has, the ones that come with closedloop included",
                remedy="Give it another id.",
            )
        seen.add(entry.id)
    return entries


def find_model(model_id: str) -> ModelEntry:
    """Return the model of that id.

    Raises:
        ModelError: there is none.
    """
    entries = {entry.id: entry for entry in list_models()}
    if model_id in entries:
        return entries[model_id]
    raise ModelError(
        f"model {model_id!r}",
        found="no model with this id",
        expected=f"one of {', '.join(sorted(entries))}",
        remedy=did_you_mean(model_id, entries)
        + "`closedloop models list` shows all; docs/models.md tells how to add one.",
    )


def did_you_mean(word: str, choices: Any) -> str:
    """Return ``"Did you mean 'x'? "`` when one of the choices is close to the word, else nothing."""
    best = process.extractOne(word, list(choices), score_cutoff=60)
    return f"Did you mean {best[0]!r}? " if best else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            str(path),
            found=f"a file that can't be read ({error})",
            expected="a UTF-8 text file",
            remedy="Mend or remove it.",
        ) from error


def _entries(text: str, path: Path) -> list[ModelEntry]:
    try:
        raw = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        place = getattr(getattr(error, "problem_mark", None), "line", None)
        raise ModelError(
            str(path) if place is None else f"{path}, line {place + 1}",
            found=f"text that is no YAML ({getattr(error, 'problem', None) or error})",
            expected="a YAML list of models",
            remedy="Mend the file; docs/models.md shows an example.",
        ) from error
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise ModelError(
            str(path),
            found=f"a {type(raw).__name__}",
            expected="a YAML list of models, each beginning with '- id:'",
            remedy="Mend the file; docs/models.md shows an example.",
        )
    return [_entry(item, number, path) for number, item in enumerate(raw, start=1)]


def _entry(item: Any, number: int, path: Path) -> ModelEntry:
    name = item.get("id", number) if isinstance(item, dict) else number
    try:
        entry = ModelEntry.model_validate(item)
    except ValidationError as error:
        first = error.errors()[0]
        missing = first["type"] == "missing"
        raise ModelError(
            f"{path}, model {name}, {'.'.join(str(part) for part in first['loc']) or 'the entry'}",
            found="nothing" if missing else repr(first["input"])[:80],
            expected="this key" if missing else first["msg"],
            remedy="Mend the entry; docs/models.md explains every key.",
        ) from error
    if isinstance(entry.source, FileSource):
        there = (path.parent / entry.source.file.expanduser()).resolve()
        return entry.model_copy(update={"source": FileSource(file=there)})
    return entry
