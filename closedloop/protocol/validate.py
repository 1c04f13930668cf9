"""Turns what pydantic says into problems that a person at a rig can act on."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from closedloop.protocol.fields import KeyPath, choices_in, homes_of, section_at, without_kinds
from closedloop.protocol.models import MismatchError, Protocol
from closedloop.protocol.problems import Problem, did_you_mean, in_words, one_of

_WORDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "model_type": "a section (lines of 'key: value')",
    "model_attributes_type": "a section (lines of 'key: value')",
    "dict_type": "a section (lines of 'key: value')",
    "tuple_type": "a list",
    "list_type": "a list",
    "path_type": "a path",
}
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def problems_in(error: ValidationError, top: type[BaseModel] = Protocol, at: KeyPath = ()) -> list[Problem]:
    """Return every problem of a validation.

    Args:
        error: what pydantic raised.
        top: the model that was validated.
        at: where in the protocol its values stand.
    """
    details = error.errors(include_url=False)
    whole = not at  # of a whole protocol, rather than of a plugin's parameters
    # a list whose items failed is also reported as too short: that says nothing new
    below = {detail["loc"][:depth] for detail in details for depth in range(len(detail["loc"]))}
    problems = [
        _problem(detail, top, at)
        for detail in details
        if not (detail["type"] == "too_short" and detail["loc"] in below)
    ]
    return [replace(item, path=without_kinds(item.path, top)) for item in problems] if whole else problems


def _problem(detail: ErrorDetails, top: type[BaseModel], at: KeyPath) -> Problem:
    loc, kind, value = detail["loc"], detail["type"], detail["input"]
    context: dict[str, Any] = detail.get("ctx", {})
    path, found = (*at, *loc), in_words(value)
    if kind == "extra_forbidden":
        return _unknown_key(loc, top, at)
    if kind == "missing":
        return _missing(loc, value, top, at)
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return _unknown_kind(loc, value, top, at)
    if kind == "value_error":
        return _mismatch(path, context["error"])
    if kind in ("literal_error", "enum"):
        choices = re.findall(r"'([^']*)'", context["expected"])
        remedy = did_you_mean(value, choices) if isinstance(value, str) else ""
        shown = [choice or "''" for choice in choices]
        return Problem(path, found, one_of(shown) if shown else context["expected"], remedy)
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return Problem(path, found, f"{words} {context[key]:g}")
    if kind in ("too_long", "too_short"):
        limit = context.get("max_length", context.get("min_length"))
        items = f"{limit} item" + ("s" if limit != 1 else "")
        return Problem(path, found, ("at most " if kind == "too_long" else "at least ") + items)
    if kind == "string_pattern_mismatch":
        return Problem(path, found, f"text of the form {context['pattern']}", _description(loc, top))
    if kind == "string_type" and isinstance(value, (int, float)):
        if isinstance(value, bool):
            return Problem(path, found, "text", f"Put it in quotes: '{'true' if value else 'false'}'.")
        # the number's own form may be another than what was written: 000 and 12e999 are 0 and infinite
        remedy = """Put it in quotes, as it was written (with --set: 'KEY="VALUE"')."""
        return Problem(path, found, "text", remedy)
    return Problem(path, found, _WORDS.get(kind, detail["msg"]))


def _unknown_key(loc: KeyPath, top: type[BaseModel], at: KeyPath) -> Problem:
    key = str(loc[-1])
    section = section_at(loc[:-1], top)
    known = list(section.model_fields) if section is not None else []
    if at:  # parameters of an optimizer or generator, whose name and preset stand beside them
        known = [name for name in known if name not in ("name", "preset")]
    remedy = did_you_mean(key, known) or _other_kind(loc, top)
    if not remedy and (homes := homes_of(key, Protocol if at else top)):
        remedy = f"Is it meant as {' or '.join(homes)}?"
    elif not remedy and "parameters" in known:
        remedy = "If it is one of its parameters, put it below 'parameters:'."
    return Problem((*at, *loc), f"the unknown key '{key}'", one_of(known) if known else "no key here", remedy)


def _other_kind(loc: KeyPath, top: type[BaseModel]) -> str:
    """Say so where the key is one that this section has with another `kind`."""
    above = section_at(loc[:-3], top)
    field = above.model_fields.get(str(loc[-3])) if above is not None and len(loc) > 2 else None
    choices = choices_in(field.annotation) if field is not None else {}
    kinds = [kind for kind, model in choices.items() if loc[-1] in model.model_fields]
    return f"It goes with kind {' or '.join(kinds)}." if kinds else ""


def _unknown_kind(loc: KeyPath, value: Any, top: type[BaseModel], at: KeyPath) -> Problem:
    """Tell which kinds there are of a section that is chosen by its `kind`."""
    above = section_at(loc[:-1], top)
    key = str(loc[-1])
    kinds = list(choices_in(above.model_fields[key].annotation)) if above is not None else []
    # the second `kind` stands where pydantic has the chosen kind, and is left out again
    path = (*at, *loc, "kind", "kind")
    if "kind" not in value:
        return Problem((*at, *loc), "no key 'kind'", f"a kind, {one_of(kinds)}")
    given = value["kind"]
    return Problem(
        path, in_words(given), one_of(kinds), did_you_mean(given, kinds) if isinstance(given, str) else ""
    )


def _missing(loc: KeyPath, value: Any, top: type[BaseModel], at: KeyPath) -> Problem:
    if isinstance(loc[-1], int):  # an item of a list of fixed length
        return Problem((*at, *loc[:-1]), in_words(value), f"at least {loc[-1] + 1} items")
    return Problem((*at, *loc), "nothing", f"the key '{loc[-1]}'", _description(loc, top) or "Add it.")


def _mismatch(path: KeyPath, error: Exception) -> Problem:
    if isinstance(error, MismatchError):
        return Problem((*path, *error.key), error.found, error.expected, error.remedy)
    return Problem(path, "values that do not fit together", f"another choice: {error}")


def _description(loc: KeyPath, top: type[BaseModel]) -> str:
    names = [key for key in loc if isinstance(key, str)]
    section = section_at(loc[: loc.index(names[-1])], top) if names else None
    field = section.model_fields.get(names[-1]) if section is not None else None
    return (field.description or "") if field is not None else ""
