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


def choices_in(annotation: Any) -> dict[str, type[BaseModel]]:
    """Return the models that a field chooses from by the `kind` in it, by that kind; empty if it does not."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return choices_in(arguments[0])
    if origin not in (Union, UnionType):
        return {}
    for member in arguments:
        if found := choices_in(member):
            return found
    models = [member for member in arguments if isinstance(member, type) and issubclass(member, BaseModel)]
    if len(models) < 2:
        return {}
    return {get_args(model.model_fields["kind"].annotation)[0]: model for model in models}


def section_in(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """Return the model that a field holds, if it holds one, and whether it holds a list of them.

    A field that chooses by `kind` holds several; for these there is ``choices_in``.
    """
    origin = get_origin(annotation)
    if origin is Annotated:
        return section_in(get_args(annotation)[0])
    if origin in (Union, UnionType):
        if choices_in(annotation):
            return None, False
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
    """Return the model of the section at ``path``; None where there is no section.

    Below a field that chooses by `kind`, the path goes on with that kind, as pydantic has it.
    """
    model: type[BaseModel] | None = top
    choices: dict[str, type[BaseModel]] = {}
    for key in path:
        if isinstance(key, int):
            continue  # an item of a list has the model that its list names
        if choices:
            model, choices = choices.get(key), {}
            continue
        if model is None or key not in model.model_fields:
            return None
        annotation = model.model_fields[key].annotation
        choices = choices_in(annotation)
        model, _ = section_in(annotation)
    return model


def without_kinds(path: KeyPath, top: type[BaseModel] = Protocol) -> KeyPath:
    """Return a path of pydantic's as the file has it: without the kinds that a section was chosen by."""
    kept: list[Key] = []
    chosen = False
    for depth, key in enumerate(path):
        if chosen:
            chosen = False
            continue
        kept.append(key)
        above = section_at(path[:depth], top)
        if above is not None and isinstance(key, str) and key in above.model_fields:
            chosen = bool(choices_in(above.model_fields[key].annotation))
    return tuple(kept)


def sections(top: type[BaseModel] = Protocol, path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield every section with its path, the top first; a list's items as ``threads[]``.

    Those that are chosen by `kind` all have the path of their field.
    """
    yield path, top
    for name, field in top.model_fields.items():
        below = f"{path}.{name}" if path else name
        model, many = section_in(field.annotation)
        if model is not None:
            yield from sections(model, below + "[]" if many else below)
        for choice in choices_in(field.annotation).values():
            yield from sections(choice, below)


def homes_of(key: str, top: type[BaseModel] = Protocol) -> list[str]:
    """Return the full paths of every key of that name, wherever it belongs."""
    homes = (f"{path}.{key}" if path else key for path, model in sections(top) if key in model.model_fields)
    return list(dict.fromkeys(homes))
