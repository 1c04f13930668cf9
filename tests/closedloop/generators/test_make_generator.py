from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from closedloop.errors import HashMismatchError, ModelError
from closedloop.generators import make_generator


def test_an_unknown_generator_is_met_with_the_nearest_name() -> None:
    with pytest.raises(ModelError, match="Did you mean 'dcgan'"):
        make_generator("dcgam")


def test_an_unknown_parameter_is_named() -> None:
    with pytest.raises(ModelError) as caught:
        make_generator("pixels", parameters={"heigth_px": 3})
    assert "heigth_px" in caught.value.where
    assert "Did you mean 'height_px'" in caught.value.remedy


@pytest.mark.parametrize("value", [0, -1, "many", 1.5])
def test_a_parameter_that_can_not_be_is_named(value: object) -> None:
    with pytest.raises(ModelError, match="height_px"):
        make_generator("pixels", parameters={"height_px": value})


def test_weights_for_a_generator_that_takes_none_are_refused() -> None:
    with pytest.raises(ModelError, match="weights: null"):
        make_generator("pixels", "dcgan-faces")


def test_the_default_weights_are_asked_for_when_none_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOSEDLOOP_MODELS", str(tmp_path))
    with pytest.raises(ModelError, match="closedloop models fetch dcgan-faces"):
        make_generator("dcgan")


def test_weights_of_another_hash_are_refused(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"x")
    with pytest.raises(HashMismatchError):
        make_generator("dcgan", "w.pth", sha256="0" * 64, folder=tmp_path)


def test_torch_is_loaded_only_when_needed() -> None:
    code = (
        "import sys; from closedloop.generators import make_generator; make_generator('pixels'); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
