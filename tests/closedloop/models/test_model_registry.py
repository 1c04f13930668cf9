from __future__ import annotations

from pathlib import Path

import pytest

from closedloop.errors import ModelError
from closedloop.models import WheelSource, find_model, list_models, models_folder


def test_the_demo_models_are_registered_with_hash_licence_and_use() -> None:
    entries = {entry.id: entry for entry in list_models()}
    assert entries["dcgan-faces"].sha256 == "0c3b90b138cfc4e8a73310b9fd5ce2a8f1f3a542a037de277412307fcd28771f"
    assert (
        entries["mobilenet-v2"].sha256 == "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"
    )
    assert "research only" in entries["dcgan-faces"].use.lower()
    for name in ("dcgan-faces", "mobilenet-v2"):
        assert isinstance(entries[name].source, WheelSource)
        assert entries[name].attribution
        assert entries[name].citations


def test_the_folder_is_the_users_cache_unless_the_environment_names_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLOSEDLOOP_MODELS", str(tmp_path))
    assert models_folder() == tmp_path
    monkeypatch.delenv("CLOSEDLOOP_MODELS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert models_folder().name == "models"
    assert models_folder().parent.name == "closedloop"


def test_a_rig_can_add_a_model_and_relative_paths_are_seen_from_its_registry(
    models_dir: Path, register
) -> None:
    register({"file": "weights/own.pth"})
    assert find_model("mine").source.file == (models_dir / "weights" / "own.pth").resolve()
    assert [entry.id for entry in list_models()] == ["dcgan-faces", "mobilenet-v2", "mine"]


def test_an_unknown_model_is_met_with_the_nearest_name() -> None:
    with pytest.raises(ModelError, match="Did you mean 'dcgan-faces'"):
        find_model("dcgan-face")


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"sha256": "abc"}, "sha256"),
        ({"licence": ""}, "licence"),
        ({"size_bytes": 0}, "size_bytes"),
        ({"colour": "red"}, "colour"),
        ({"id": "../up"}, "id"),
        ({"source": {"wheel": "--index-url=evil", "version": "1", "member": "x"}}, "wheel"),
        ({"source": {"wheel": "fine", "version": "1 --pre", "member": "x"}}, "version"),
        ({"source": {"url": "file:///etc/passwd"}}, "url"),
        ({"source": {"ftp": "x"}}, "source"),
        ({"source": {"file": "x", "member": "y"}}, "member"),
    ],
)
def test_a_bad_entry_is_refused_with_file_model_and_key(
    models_dir: Path, register, changes, key: str
) -> None:
    register(
        changes.get("source", {"file": "own.pth"}), **{k: v for k, v in changes.items() if k != "source"}
    )
    with pytest.raises(ModelError) as caught:
        list_models()
    assert str(models_dir / "registry.yaml") in caught.value.where
    assert key in caught.value.where


def test_an_id_can_not_be_taken_over(register) -> None:
    register({"file": "own.pth"}, id="dcgan-faces")
    with pytest.raises(ModelError, match="second model with id 'dcgan-faces'"):
        list_models()


@pytest.mark.parametrize("text", ["id: mine\n", "- [unclosed\n", "- !!python/object:os.system x\n", "- 7\n"])
def test_a_registry_that_is_no_list_of_models_is_refused(models_dir: Path, text: str) -> None:
    (models_dir / "registry.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=r"registry\.yaml"):
        list_models()


def test_an_empty_registry_is_no_error(models_dir: Path) -> None:
    (models_dir / "registry.yaml").write_text("# nothing yet\n", encoding="utf-8")
    assert len(list_models()) == 2
