"""What keys the protocol has, read off its models: for messages, the reference and overrides."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel

from closedloop.protocol.models import Protocol

Key: TypeAlias = str | int
KeyPath: TypeAlias = tuple[Key, ...]


def dotted(path: KeyPath) -> str:
    """Return a path as people write it: ``threads.0.size_deg``; empty for the whole protocol."""
    return ".".join(str(key) for key in path)


def section_in(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """Return the model that a field holds, if it holds one, and whether it holds a list of them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return section_in(get_args(annotation)[0])
    if origin in (Union, UnionType):
        for member in get_args(annotation):
            found = section_in(member)
            if found[0] is not None:
                return found
        return None, False
    if origin in (tuple, list):
        model, _ = section_in(get_args(annotation)[0])
        return model, model is not None
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    return None, False


def section_at(path: KeyPath, top: type[BaseModel] = Protocol) -> type[BaseModel] | None:
    """Return the model of the section at ``path``; None where there is no section."""
    model: type[BaseModel] | None = top
    for key in path:
        if isinstance(key, int):
            continue  # an item of a list has the model that its list names
        if model is None or key not in model.model_fields:
            return None
        model, _ = section_in(model.model_fields[key].annotation)
    return model


def sections(top: type[BaseModel] = Protocol, path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield every section with its path, the top first; a list's items as ``threads[]``."""
    yield path, top
    for name, field in top.model_fields.items():
        model, many = section_in(field.annotation)
        if model is not None:
            below = f"{path}.{name}" if path else name
            yield from sections(model, below + "[]" if many else below)


def homes_of(key: str) -> list[str]:
    """Return the full paths of every key of that name, wherever it belongs."""
    return [f"{path}.{key}" if path else key for path, model in sections() if key in model.model_fields]
