"""The native checkpoint: exact, deterministic, as small as its storage, never half written."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from micronet.checkpoints import native
from micronet.checkpoints.atomic import write_bytes
from micronet.checkpoints.formats import read_state_file
from micronet.checkpoints.native import Checkpoint, write_native
from micronet.checkpoints.packing import Packed, pack, packing_saves, unpack
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from tests.checkpoints.conftest import Files

ARRAYS = hnp.arrays(
    dtype=st.sampled_from([np.float32, np.float64, np.float16, np.int8, np.int64, np.bool_]),
    shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9),
    fill=st.just(0),
)


@settings(max_examples=200, deadline=None)
@given(ARRAYS)
def test_packing_is_exact(array: np.ndarray[Any, Any]) -> None:
    tensor = torch.from_numpy(np.asarray(np.nan_to_num(array)))
    packed = pack(tensor)
    assert len(packed.mask) == -(-tensor.numel() // 8)
    assert len(packed.values) == int(torch.count_nonzero(tensor))
    found = unpack(packed)
    assert found.dtype == tensor.dtype
    assert found.shape == tensor.shape
    assert torch.equal(found, tensor)


def test_the_bitmask_is_one_bit_an_element_lowest_first() -> None:
    """[5, 0, 0, 7 | 0, 0, 0, 0 | 9] → bits 0 and 3 of byte 0, bit 0 of byte 1."""
    packed = pack(torch.tensor([5, 0, 0, 7, 0, 0, 0, 0, 9]))
    assert packed.mask.tolist() == [0b1001, 0b1]
    assert packed.values.tolist() == [5, 7, 9]


WRONG_PACKS = {
    "too few bits": Packed((9,), torch.tensor([1], dtype=torch.uint8), torch.ones(1)),
    "bits behind the end": Packed((3,), torch.tensor([9], dtype=torch.uint8), torch.ones(2)),
    "values missing": Packed((8,), torch.tensor([7], dtype=torch.uint8), torch.ones(2)),
    "values left over": Packed((8,), torch.tensor([7], dtype=torch.uint8), torch.ones(4)),
    "mask of another type": Packed((8,), torch.tensor([7]), torch.ones(3)),
}


@pytest.mark.parametrize("name", WRONG_PACKS)
def test_bits_and_values_must_agree(name: str) -> None:
    with pytest.raises(ValueError, match="a bitmask of"):
        unpack(WRONG_PACKS[name])


def sparse(shape: tuple[int, ...], kept: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    flat = torch.zeros(int(np.prod(shape)))
    chosen = torch.randperm(flat.numel(), generator=generator)[:kept]
    flat[chosen] = torch.randn(kept, generator=generator)
    return flat.view(shape)


def example() -> Checkpoint:
    edges = sparse((200, 300, 1, 1), 5000)
    return Checkpoint(
        architecture="mobilenetv1_dnw",
        config={"width": 1, "density": 0.225, "wiring": "dnw", "nested": [1, {"a": None}]},
        tensors={
            "graph.weight": edges,
            "bn.weight": torch.ones(7),
            "bn.num_batches_tracked": torch.tensor(3),
            "half": sparse((64, 64), 100).half(),
            "tied": edges,
        },
        provenance={"weights": "trained", "recipe": {"epochs": 5, "lr": 0.1}},
        quantisation={"graph.weight": {"bits": 8}},
    )


def test_the_round_trip_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "n.pt"
    write_native(path, example())
    state = read_state_file(path)
    wanted = example()
    assert state.format == "micronet"
    assert list(state.tensors) == list(wanted.tensors)
    for name, tensor in wanted.tensors.items():
        assert state.tensors[name].dtype == tensor.dtype
        assert torch.equal(state.tensors[name], tensor), name
    assert state.meta["architecture"] == wanted.architecture
    assert state.meta["config"] == wanted.config
    assert state.meta["provenance"] == wanted.provenance
    assert state.meta["quantisation"] == wanted.quantisation


def test_torch_reads_it_with_weights_only(tmp_path: Path) -> None:
    path = tmp_path / "n.pt"
    write_native(path, example())
    value = torch.load(path, weights_only=True)
    assert value["format"] == "micronet.checkpoint"
    assert set(value["tensors"]["graph.weight"]) == {"shape", "mask", "values"}
    assert value["tensors"]["bn.weight"].tolist() == [1.0] * 7


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    """Whatever the file is called, and whether or not equal texts are one object."""
    digests = set()
    for name, suffix in (("a.pt", "ed"), ("b.pt", "ed")):
        checkpoint = example()
        text = f"train{suffix}"  # a new object each time
        copy = Checkpoint(
            checkpoint.architecture,
            {**checkpoint.config, "again": text},
            checkpoint.tensors,
            {**checkpoint.provenance, "more": "trained"},
            checkpoint.quantisation,
        )
        write_native(tmp_path / name, copy)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1


def test_the_file_is_as_big_as_its_storage(tmp_path: Path) -> None:
    """1,000,000 edges, 50,000 of them kept: 125,000 bytes of bitmask + 200,000 of values."""
    path = tmp_path / "n.pt"
    write_native(path, Checkpoint("x", {}, {"w": sparse((1000, 1000), 50_000)}, {}))
    storage_bytes = 1_000_000 // 8 + 50_000 * 4
    assert storage_bytes < path.stat().st_size < storage_bytes + 3000


def test_dense_and_small_tensors_are_stored_as_they_are() -> None:
    assert not packing_saves(torch.ones(1000))
    assert not packing_saves(torch.zeros(50))
    assert packing_saves(torch.zeros(1000))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"config": {"a": {1, 2}}}, "config.a: a set cannot be stored"),
        ({"provenance": {"path": Path("x")}}, "provenance.path: a .*Path cannot be stored"),
        ({"config": {1: 2}}, "config: a key that is not text"),
        ({"tensors": {"w": torch.ones(2, device="meta")}}, "w: tensors of type"),
        ({"tensors": {"w": torch.ones(2, dtype=torch.complex64)}}, "w: tensors of type"),
    ],
    ids=["set", "path", "key", "meta", "complex"],
)
def test_only_plain_values_are_written(
    change: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    fields = {"architecture": "x", "config": {}, "tensors": {}, "provenance": {}} | change
    with pytest.raises(MicronetError, match=expected):
        write_native(tmp_path / "n.pt", Checkpoint(**fields))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "n.pt"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(MicronetError, match="No space left on device"):
        write_bytes(path, b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["n.pt"]
    assert path.read_bytes() == b"old"


def native_value(**change: Any) -> dict[str, Any]:
    base = {"format": "micronet.checkpoint", "version": 1, "architecture": "x", "config": {}}
    base |= {"provenance": {}, "quantisation": {}, "tensors": {"w": torch.ones(3)}}
    return base | change


def packed_entry(**change: Any) -> dict[str, Any]:
    mask = torch.tensor([3], dtype=torch.uint8)
    return {"w": {"shape": [8], "mask": mask, "values": torch.ones(2)} | change}


BROKEN = {
    "newer version": (native_value(version=2), "version 2 of its format, expected 1"),
    "no config": (native_value(config=None), "config is missing"),
    "architecture no text": (native_value(architecture=3), "architecture is missing"),
    "tensor no tensor": (native_value(tensors={"w": 3}), "w: neither a tensor nor a packed one"),
    "shape no list": (native_value(tensors=packed_entry(shape=8)), "w: a broken packed tensor"),
    "mask no tensor": (native_value(tensors=packed_entry(mask=b"3")), "w: a broken packed tensor"),
    "values short": (native_value(tensors=packed_entry(values=torch.ones(1))), "w: a bitmask of"),
    "a terabyte": (native_value(tensors=packed_entry(shape=[2**40])), "it unpacks to 43980465111"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_native_file_says_what_is_broken(name: str, files: Files) -> None:
    value, expected = BROKEN[name]
    with pytest.raises(MicronetError) as caught:
        read_state_file(files.torch(value))
    assert expected in caught.value.message


def test_zeros_unpack_to_a_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "n.pt"
    write_native(path, Checkpoint("x", {}, {"w": torch.zeros(100_000)}, {}))
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(native, "MAX_UNPACKED_BYTES", 399_999)
    with pytest.raises(MicronetError, match="unpacks to 400000 bytes, more than 399999"):
        read_state_file(path)
