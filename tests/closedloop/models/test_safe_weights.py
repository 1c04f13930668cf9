from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch

from closedloop.errors import HashMismatchError, ModelError
from closedloop.models import path_of
from closedloop.models.weights import load_tensors

STATE = {"main.0.weight": torch.arange(6.0).reshape(2, 3), "main.0.bias": torch.ones(3)}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def saved(path: Path, content: object, **how: object) -> Path:
    torch.save(content, path, **how)
    return path


class Attack:
    """Unpickling this runs a shell command."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, (f"echo run > '{self.trace}'",))


@pytest.mark.parametrize(
    "content", [STATE, {"netG_state_dict": STATE}, {"netG_state_dict": STATE, "epoch": 7}]
)
def test_a_torch_checkpoint_gives_its_tensors(tmp_path: Path, content: object) -> None:
    path = saved(tmp_path / "w.pth", content)
    loaded = load_tensors(path, sha256(path))
    assert loaded.keys() == STATE.keys()
    assert all(torch.equal(loaded[name], STATE[name]) for name in STATE)


def test_torchs_old_format_is_read_too(tmp_path: Path) -> None:
    path = saved(tmp_path / "w.pth", STATE, _use_new_zipfile_serialization=False)
    assert torch.equal(load_tensors(path, sha256(path))["main.0.weight"], STATE["main.0.weight"])


def test_safetensors_are_read(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file(STATE, path)
    assert torch.equal(load_tensors(path, sha256(path))["main.0.weight"], STATE["main.0.weight"])


def test_the_hash_is_checked_at_every_load(tmp_path: Path) -> None:
    path = saved(tmp_path / "w.pth", STATE)
    right = sha256(path)
    load_tensors(path, right)
    path.write_bytes(path.read_bytes() + b"!")
    with pytest.raises(HashMismatchError) as caught:
        load_tensors(path, right)
    assert sha256(path) in caught.value.found
    assert right in caught.value.expected


@pytest.mark.parametrize("where", ["alone", "among tensors"])
def test_a_pickle_that_runs_code_is_refused_and_not_run(tmp_path: Path, where: str) -> None:
    trace = tmp_path / "trace"
    attack = Attack(trace)
    path = saved(tmp_path / "w.pth", attack if where == "alone" else STATE | {"main.1.weight": attack})
    with pytest.raises(ModelError, match="not run"):
        load_tensors(path, sha256(path))
    assert not trace.exists()
    torch.load(path, weights_only=False)  # the attack is a real one: this is what must never be done
    assert trace.exists()


def test_a_plain_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / "w.pkl"
    path.write_bytes(pickle.dumps(Attack(tmp_path / "trace"), protocol=2))
    with pytest.raises(ModelError):
        load_tensors(path, sha256(path))
    assert not (tmp_path / "trace").exists()


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "w.pth", torch.nn.Linear(2, 2))
    with pytest.raises(ModelError, match="more than tensors"):
        load_tensors(path, sha256(path))


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "middle gone"])
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_damaged_file_is_one_clear_error(tmp_path: Path, damage: str, name: str) -> None:
    path = tmp_path / name
    if name == "w.pth":
        torch.save(STATE, path)
    else:
        safetensors.torch.save_file(STATE, path)
    whole = path.read_bytes()
    path.write_bytes(
        {
            "truncated": whole[:-20],
            "empty": b"",
            "text": b"<html>404</html>",
            "middle gone": whole[: len(whole) // 3] + whole[len(whole) // 2 :],
        }[damage]
    )
    with pytest.raises(ModelError) as caught:
        load_tensors(path, sha256(path))
    assert str(path) in caught.value.where
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        load_tensors(tmp_path / "none.pth", "0" * 64)


def test_two_state_dicts_need_a_name(tmp_path: Path) -> None:
    path = saved(tmp_path / "w.pth", {"netG": STATE, "netD": STATE})
    with pytest.raises(ModelError, match="2 state dicts: netG, netD"):
        load_tensors(path, sha256(path))
    assert load_tensors(path, sha256(path), key="netG").keys() == STATE.keys()
    with pytest.raises(ModelError, match="there is netG, netD"):
        load_tensors(path, sha256(path), key="netX")


@pytest.mark.parametrize("content", [{}, [1, 2], {"epoch": 3}, torch.ones(3)])
def test_a_file_without_a_state_dict_is_refused(tmp_path: Path, content: object) -> None:
    path = saved(tmp_path / "w.pth", content)
    with pytest.raises(ModelError, match="0 state dicts"):
        load_tensors(path, sha256(path))


@pytest.mark.models
@pytest.mark.parametrize(("model", "tensors"), [("dcgan-faces", 25), ("mobilenet-v2", 314)])
def test_the_demo_models_load(model: str, tensors: int) -> None:
    from closedloop.models import ModelStatus, find_model, status

    entry = find_model(model)
    if status(entry) is not ModelStatus.READY:
        pytest.skip(f"{model} is not fetched: closedloop models fetch {model}")
    assert len(load_tensors(path_of(model), entry.sha256)) == tensors
