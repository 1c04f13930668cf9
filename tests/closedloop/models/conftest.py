"""A model folder of each test's own, and a way to write its registry."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML


@pytest.fixture
def models_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("CLOSEDLOOP_MODELS", str(folder))
    return folder


@pytest.fixture
def register(models_dir: Path) -> Callable[..., None]:
    """Write a registry with one model; ``content`` is what its file is to hold."""

    def write(source: dict[str, Any], content: bytes = b"weights", **changes: Any) -> None:
        entry = {
            "id": "mine",
            "title": "a test model",
            "source": source,
            "sha256": hashlib.sha256(content).hexdigest(),
            "size_bytes": len(content),
            "licence": "CC0-1.0",
            "use": "tests",
        }
        with (models_dir / "registry.yaml").open("w", encoding="utf-8") as file:
            YAML(typ="safe").dump([entry | changes], file)

    return write
