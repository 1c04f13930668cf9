"""The tables of docs/protocol.md and docs/scanner.md: every key of a protocol, made from its models.

``python -m closedloop.protocol.reference``, run in the repository's root, writes them and
protocols/protocol.schema.json anew; tests compare all with what is made here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from closedloop.protocol.fields import sections
from closedloop.protocol.models import Protocol
from closedloop.protocol.scan import ScanProtocol
from closedloop.protocol.schema import SCHEMA_FILE, json_schema_text, kind_schema

REFERENCE_FILES: dict[Path, type[BaseModel]] = {
    Path("docs/protocol.md"): Protocol,
    Path("docs/scanner.md"): ScanProtocol,
}
BEGIN = "<!-- tables: begin (written by python -m closedloop.protocol.reference) -->"
END = "<!-- tables: end -->"

_BOUNDS = (
    ("exclusiveMinimum", "above {}"),
    ("minimum", "from {}"),
    ("exclusiveMaximum", "below {}"),
    ("maximum", "to {}"),
)


def with_tables(text: str, top: type[BaseModel] = Protocol) -> str:
    """Return the document with the tables between its two marks written anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables(top)}\n{END}{after}"


def tables(top: type[BaseModel] = Protocol) -> str:
    """Return a Markdown table for each section, the whole protocol first, plugins' parameters last.

    Of another kind of protocol than an evolution, sections that an evolution has, too, are left out.
    """
    schema = kind_schema(top)
    definitions = schema["$defs"]
    elsewhere = set() if top is Protocol else {model for _, model in sections()}
    parts: list[str] = []
    for path, model in sections(top):
        if model in elsewhere:
            continue
        heading = f"### `{path}`" if path else "### The file"
        described = schema if not path else definitions[model.__name__]
        kind = described["properties"].get("kind", {}).get("const")
        if path and kind is not None:
            heading += f", kind `{kind}`"
        parts.append("\n".join([heading, "", model.__doc__ or "", "", *_table(described, definitions)]))
    for name, described in definitions.items():
        kind, _, plugin = name.partition("_")
        if plugin and top is Protocol:
            heading = f"### Parameters of the {kind.lower()} `{plugin}`"
            rows = list(_table(described, definitions)) if described.get("properties") else ["It takes none."]
            parts.append("\n".join([heading, "", f"Under `threads[].{kind.lower()}.parameters`.", "", *rows]))
    return "\n\n".join(parts) + "\n"


def _table(described: dict[str, Any], definitions: dict[str, Any]) -> Iterator[str]:
    yield "| Key | Value | Default | |"
    yield "| --- | --- | --- | --- |"
    for key, field in described["properties"].items():
        required = key in described.get("required", [])
        text = field.get("description") or _target(field, definitions).get("description", "")
        cells = (f"`{key}`", _kind(field, definitions), "**required**" if required else _default(field), text)
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _kind(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Return what values a key takes, in words."""
    if "$ref" in field:
        target = _target(field, definitions)
        return _kind(target, definitions) if "enum" in target else "section"
    if "oneOf" in field:
        kinds = ", ".join(f"`{kind}`" for kind in field["discriminator"]["mapping"])
        return f"section with `kind`: {kinds}"
    if "anyOf" in field:
        return " or ".join(_kind(choice, definitions) for choice in field["anyOf"])
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{choice}`" if choice != "" else "empty" for choice in field["enum"])
    if "prefixItems" in field:
        items = [_kind(item, definitions) for item in field["prefixItems"]]
        return f"list of {len(items)}: {items[0]}"
    if field.get("type") == "array":
        return "list of " + _kind(field.get("items", {}), definitions)
    word = {
        "null": "`null`",
        "boolean": "`true` or `false`",
        "string": "path" if field.get("format") == "path" else "text",
        "integer": "whole number",
        "number": "number",
        "object": "section",
    }.get(str(field.get("type")), "any")
    bounds = [words.format(_number(field[key])) for key, words in _BOUNDS if key in field]
    if "pattern" in field:
        bounds.append(f"of the form `{field['pattern']}`")
    return " ".join([word, *bounds])


def _target(field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the definition that a key refers to; an empty one if it refers to none."""
    found: dict[str, Any] = definitions.get(field.get("$ref", "").rsplit("/", 1)[-1], {})
    return found


def _default(field: dict[str, Any]) -> str:
    if "default" not in field:
        return "its defaults" if "$ref" in field or "anyOf" in field else "empty"
    value = field["default"]
    if value in ("", [], {}):
        return "empty"
    return f"`{json.dumps(value)}`" if not isinstance(value, str) else f"`{value}`"


def _number(value: float) -> str:
    return f"{value:g}" if abs(value) < 1e6 else f"{value:.2g}"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(json_schema_text(), encoding="utf-8")
    for reference, top in REFERENCE_FILES.items():
        written = reference.read_text(encoding="utf-8")
        reference.write_text(with_tables(written, top), encoding="utf-8")
