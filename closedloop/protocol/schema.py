"""The JSON Schema of protocol files, by which editors complete and check them while they are written.

``closedloop.protocol.reference`` writes it to its file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from closedloop.generators import GENERATORS, generator_class
from closedloop.optimizers import OPTIMIZERS
from closedloop.protocol.models import GeneratorSpec, OptimizerSpec, Protocol
from closedloop.protocol.scan import ScanProtocol

SCHEMA_FILE = Path("protocols/protocol.schema.json")
DIALECT = "https://json-schema.org/draft/2020-12/schema"
# These stand beside `parameters` in a protocol, though the optimizers' models hold them all.
BESIDE = ("name", "preset")


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of protocol files of every kind."""
    evolution, scan = kind_schema(Protocol), kind_schema(ScanProtocol)
    definitions = {**scan.pop("$defs"), **evolution.pop("$defs")}
    definitions |= {Protocol.__name__: evolution, ScanProtocol.__name__: scan}
    return {
        "$schema": DIALECT,
        "$defs": definitions,
        "title": "closedloop protocol",
        "type": "object",
        "if": {"properties": {"kind": {"const": "scan"}}, "required": ["kind"]},
        "then": {"$ref": f"#/$defs/{ScanProtocol.__name__}"},
        "else": {"$ref": f"#/$defs/{Protocol.__name__}"},
    }


def kind_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of one kind of protocol, with the parameters of each optimizer and generator."""
    schema = model.model_json_schema(ref_template="#/$defs/{model}")
    definitions = schema["$defs"]
    if OptimizerSpec.__name__ in definitions:
        _add_plugins(
            definitions, OptimizerSpec, ((name, kind.parameters_type) for name, kind in OPTIMIZERS.items())
        )
    if GeneratorSpec.__name__ in definitions:
        _add_plugins(
            definitions, GeneratorSpec, ((name, generator_class(name).Parameters) for name in GENERATORS)
        )
    return schema


def json_schema_text() -> str:
    """Return the schema as it is written to its file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _add_plugins(
    definitions: dict[str, Any], spec: type[BaseModel], plugins: Iterable[tuple[str, type[BaseModel]]]
) -> None:
    """Give the section ``spec`` the names that there are, and to each name its own parameters."""
    section = definitions[spec.__name__]
    default = section["properties"]["name"]["default"]
    names: list[str] = []
    section["allOf"] = []
    for name, model in plugins:
        names.append(name)
        parameters = model.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(parameters.pop("$defs", {}))
        beside = {
            key: parameters["properties"].pop(key)
            for key in BESIDE
            if key in parameters.get("properties", {})
        }
        definition = f"{spec.__name__.removesuffix('Spec')}_{name}"
        definitions[definition] = parameters
        then: dict[str, Any] = {"parameters": {"$ref": f"#/$defs/{definition}"}}
        if "preset" in beside:
            then["preset"] = {"enum": [*beside["preset"].get("enum", []), None]}
        condition: dict[str, Any] = {"properties": {"name": {"const": name}}}
        if name != default:  # without a name, it is the default's parameters
            condition["required"] = ["name"]
        section["allOf"].append({"if": condition, "then": {"properties": then}})
    section["properties"]["name"]["enum"] = names
