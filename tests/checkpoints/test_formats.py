"""Every accepted format gives the same tensors; everything else one clear error."""

from __future__ import annotations

import os
import struct
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from micronet.checkpoints.formats import read_state_file
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.checkpoints.conftest import Files, Release

DATA = os.environ.get("MICRONET_TEST_DATA")
TYPES = [
    *[torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn],
    *[torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.uint16, torch.bool],
]


def small_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    """Names, order, types and every number agree."""
    return list(found) == list(expected) and all(
        found[k].dtype == expected[k].dtype and torch.equal(found[k], expected[k]) for k in expected
    )


WRAPPERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "plain": lambda state: state,
    "ordered": OrderedDict,
    "state_dict": lambda state: {"epoch": 3, "arch": "x", "state_dict": state},
    "model": lambda state: {"model": state, "optimizer": {"state": {}}},
    "module. prefix": lambda state: {f"module.{k}": v for k, v in state.items()},
    "wrapped prefix": lambda state: {"state_dict": {f"module.{k}": v for k, v in state.items()}},
    "model in checkpoint": lambda state: {"model": {"state_dict": state}},
    "parameters": lambda state: {
        k: nn.Parameter(v) if v.is_floating_point() else v for k, v in state.items()
    },
}


@pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "zip"])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_state_dicts_are_found(wrapper: str, *, legacy: bool, files: Files) -> None:
    expected = small_net().state_dict()
    state = read_state_file(files.torch(WRAPPERS[wrapper](expected), legacy=legacy))
    assert state.format == ("torch-legacy" if legacy else "torch-zip")
    assert same(state.tensors, dict(expected))


@pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "zip"])
def test_a_whole_pickled_model_gives_its_weights(*, legacy: bool, files: Files) -> None:
    """torch.save(model): the weights are found in it, and no class of it is imported."""
    net = small_net()
    state = read_state_file(files.torch(net, legacy=legacy))
    assert same(state.tensors, dict(net.state_dict()))
    assert state.meta["class"] == "torch.nn.modules.container.Sequential"


@pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "zip"])
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_every_type_of_number(dtype: torch.dtype, *, legacy: bool, files: Files) -> None:
    if legacy and dtype in (torch.uint16, torch.float8_e4m3fn):
        pytest.skip("torch writes this type in the new format only")
    expected = torch.tensor([[0, 1, 2], [3, 0, 1]]).to(dtype)
    found = read_state_file(files.torch({"w": expected}, legacy=legacy)).tensors["w"]
    assert found.dtype == dtype
    assert torch.equal(found.double(), expected.double())


@pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "zip"])
def test_shapes_strides_and_shared_storage(*, legacy: bool, files: Files) -> None:
    base = torch.arange(24.0).view(4, 6)
    expected = {
        "transposed": base.t(),
        "part": base[1:3, 2:],
        "scalar": torch.tensor(7.0),
        "empty": torch.empty(0, 3),
        "channels_last": torch.rand(1, 2, 3, 4).to(memory_format=torch.channels_last),
    }
    found = read_state_file(files.torch(expected, legacy=legacy)).tensors
    assert same(found, expected)
    assert [t.stride() for t in found.values()] == [t.stride() for t in expected.values()]
    shared = found["part"].untyped_storage().data_ptr()
    assert found["transposed"].untyped_storage().data_ptr() == shared


@pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "zip"])
def test_what_torch_load_accepts_is_read_alike(*, legacy: bool, files: Files) -> None:
    path = files.torch({"state_dict": small_net().state_dict(), "epoch": 3}, legacy=legacy)
    ours = read_state_file(path)
    assert same(ours.tensors, dict(torch.load(path, weights_only=True)["state_dict"]))
    assert ours.meta == {"epoch": 3}


def test_a_release_of_dnw_is_read(release: Release) -> None:
    """Legacy stream, foreign class, numpy scalars, prefix, optimizer: torch's reader refuses it."""
    expected = dict(small_net().state_dict())
    path = release(expected, "dnw.pt", optimizer=True)
    with pytest.raises(Exception, match=r"numpy|train"):
        torch.load(path, weights_only=True)
    with pytest.raises(ModuleNotFoundError, match="train"):
        torch.load(path, weights_only=False)
    state = read_state_file(path)
    assert state.format == "torch-legacy"
    assert same(state.tensors, expected)
    assert (state.meta["last_epoch"], state.meta["best_val"]) == (249, 0.609)
    assert state.meta["iter"] == 626_000


def test_a_release_under_the_name_t7_is_the_same_file(release: Release, tmp_path: Path) -> None:
    path = release({"w": torch.ones(2)}, "dnw.pt").rename(tmp_path / "dnw.t7")
    assert read_state_file(path).tensors["w"].tolist() == [1, 1]


def test_safetensors(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    expected = dict(sorted(small_net().state_dict().items()))
    path = tmp_path / "net.safetensors"
    save_file(expected, path, metadata={"format": "pt"})
    state = read_state_file(path)
    assert (state.format, state.meta) == ("safetensors", {"format": "pt"})
    assert {k: v.tolist() for k, v in state.tensors.items()} == {
        k: v.tolist() for k, v in expected.items()
    }


# --- errors --------------------------------------------------------------------------------------


def refusal(path: Path) -> MicronetError:
    with pytest.raises(MicronetError) as caught:
        read_state_file(path)
    assert "\n" not in caught.value.message
    assert caught.value.message.startswith(f"{path}: ")
    return caught.value


WRONG = {
    "text": (b"hello, this is not a checkpoint at all\n", "is of no kind that micronet reads"),
    "one byte": (b"\x07", "is of no kind that micronet reads"),
    "web page": (b"<!DOCTYPE html><html>", "is a web page"),
    "git lfs pointer": (b"version https://git-lfs.github.com/spec/v1\noid", "is a Git LFS pointer"),
    "gzip": (b"\x1f\x8b\x08" + b"\0" * 40, "is a gzip archive"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + b"\0" * 40, "is an HDF5"),
    "tar": (b"storages" + b"\0" * 249 + b"ustar" + b"\0" * 300, "is a tar archive"),
    "Lua Torch7 object": (
        struct.pack("<iii", 4, 1, 3) + b"V 1" + b"\x0d\0\0\0nn.Sequential",
        "is a Lua Torch7 file",
    ),
    "Lua Torch7 table": (struct.pack("<iiii", 3, 1, 2, 2) + b"x", "looks like a Lua Torch7 table"),
    "bare pickle": (b"\x80\x04\x95\x05\0\0\0\0\0\0\0}\x94.", "is a bare Python pickle"),
    "zip of nothing": (b"PK\3\4" + b"\0" * 30, "broken or truncated archive"),
    "safetensors, header too long": (struct.pack("<Q", 999) + b"{}      ", "its header needs 999"),
    "safetensors, header no JSON": (struct.pack("<Q", 4) + b"{{{{", "as a safetensors file"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_kind_of_file_is_named(name: str, files: Files) -> None:
    content, expected = WRONG[name]
    assert expected in refusal(files.raw(content)).message


def test_empty_missing_and_folder(files: Files, tmp_path: Path) -> None:
    assert "is empty" in refusal(files.raw(b"")).message
    assert "cannot be read" in refusal(tmp_path / "none.pt").message
    folder = tmp_path / "folder.pt"
    folder.mkdir()
    assert "is a folder" in refusal(folder).message


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.pt"
    os.mkfifo(path)
    assert "not a regular file" in refusal(path).message


@pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "zip"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file_is_refused(share: float, *, legacy: bool, files: Files) -> None:
    path = files.torch(small_net().state_dict(), legacy=legacy)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refusal(path)


@pytest.mark.parametrize("value", [{}, [1, 2], 7, {"a": 1}, "text"], ids=str)
def test_a_torch_file_without_weights_is_refused(value: Any, files: Files) -> None:
    assert "holds no state dict" in refusal(files.torch(value)).message


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_no_numbers_are_refused(number: float, files: Files) -> None:
    net = small_net()
    state = net.state_dict()
    state["3.weight"][1, 2] = number
    error = refusal(files.torch(state))
    assert "3.weight holds 1 of 8 numbers NaN or infinite" in error.message


def test_a_sparse_tensor_is_named(files: Files) -> None:
    value = {"a": torch.ones(2), "w": torch.eye(3).to_sparse()}
    assert "w is a tensor of a kind that is not read" in refusal(files.torch(value)).message


def test_a_weight_without_text_for_a_name_is_refused(files: Files) -> None:
    assert "has the name 3" in refusal(files.torch({3: torch.ones(2)})).message


def test_messages_carry_nothing_that_moves_a_terminal(files: Files) -> None:
    path = files.zip(b"\x80\x02\x8c\x05\x1b[31m\x8c\x01x\x93)R.")
    assert "\x1b" not in refusal(path).message


@pytest.mark.skipif(DATA is None, reason="MICRONET_TEST_DATA names no folder of real checkpoints")
def test_a_real_pruned_squeezenet_is_read_as_torch_reads_it() -> None:
    path = Path(str(DATA)) / "squeezenet1_0_deep_compression.pth"
    expected = torch.load(path, weights_only=True)
    assert same(read_state_file(path).tensors, expected)
