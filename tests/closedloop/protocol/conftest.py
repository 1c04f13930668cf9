from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import jsonschema
import pytest

from closedloop.protocol.schema import json_schema

MINIMAL = """\
subject:
  id: m1
seed: 7
threads:
  - name: evolution  # the only one
    optimizer:
      preset: in-vivo
      parameters: {population: 20, n_conserve: 5}
response:
  stream:
    source_id: sorter
  kind: spikes
  unit_count: 4
"""


@pytest.fixture
def minimal() -> str:
    return MINIMAL


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """Write a protocol into the test's own folder, and return its path."""

    def to_file(content: str | bytes, name: str = "p.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else dedent(content).encode())
        return path

    return to_file


@pytest.fixture(scope="session")
def schema() -> jsonschema.Draft202012Validator:
    """The schema of protocol files, made once: that alone takes seconds."""
    made = json_schema()
    jsonschema.Draft202012Validator.check_schema(made)
    return jsonschema.Draft202012Validator(made)
