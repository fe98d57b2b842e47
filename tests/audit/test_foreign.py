"""Somebody else's entry is counted as it is: their file, their weights, nothing rewritten."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from micronet.checkpoints.target import load_target
from micronet.scoring.api import score_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from micronet.checkpoints.loaded import LoadedTarget

HERE = Path(__file__).parent / "foreign"
IMAGE = (1, 3, 16, 16)
P = 16 * 16  # positions of a layer that keeps the size
State = dict[str, "Tensor"]


def built(name: str) -> nn.Module:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    found: nn.Module = module.model()
    return found.eval()


def entry(
    name: str, folder: Path, change: Callable[[State], None] | None = None
) -> tuple[nn.Module, LoadedTarget]:
    """The network as its author has it, and as it is loaded from the code and the saved weights."""
    net = built(name)
    state = net.state_dict()
    if change is not None:
        change(state)
    net.load_state_dict(state)
    torch.save(state, folder / "theirs.pth")
    shape = (1, 16) if name == "parametrized" else IMAGE
    model = f"{HERE / name}.py:model"
    return net, load_target(None, model=model, weights=folder / "theirs.pth", input_shape=shape)


def costs(document: dict[str, Any]) -> tuple[int, int, int, int]:
    """(multiplications, additions, other operations, bits stored)."""
    operations = document["operations"]
    parts = (operations[key] for key in ("multiplications", "additions", "other"))
    return (*parts, document["storage"]["bits"])


def cycled(shape: torch.Size, whole: list[int], scale: float) -> Tensor:
    """A tensor filled with the integers ``whole``, again and again, times a scale."""
    return torch.tensor([whole[i % len(whole)] * scale for i in range(shape.numel())]).view(shape)


# --- masks ----------------------------------------------------------------------------------------


def thinned(state: State) -> None:
    state["conv1.mask"][:, 1:] = 0  # it sees the first colour alone
    state["conv2.mask"][4:] = 0  # four of eight filters are pruned,
    state["conv2.mask"][:, ::2] = 0  # and nobody reads four of its inputs
    state["fc.keep"][9] = False  # nothing speaks for the last class


def test_masks_in_buffers_are_applied_and_followed(tmp_path: Path) -> None:
    _, loaded = entry("masked", tmp_path, thinned)
    document = score_target(loaded)
    positions = 8 * 8  # the first layer halves the size
    conv1 = 4 * 1 * 9  # 4 of 8 filters are read, each with one colour
    conv2 = 4 * 4 * 9
    fc = 9 * 4  # 9 classes have weights, 4 inputs are not always 0
    assert costs(document) == (
        (conv1 + conv2) * positions + 4 + fc,  # average pooling: one factor a channel
        # norms fold: n products and a shift; pooling; a class: 4 − 1; its bias is added apart
        (conv1 + conv2) * positions + 4 * (positions - 1) + 9 * 3 + 9,
        2 * 4 * positions,  # ReLU of the live channels
        16 * (conv1 + conv2 + fc) + 16 * (4 + 4) + 16 * 10,  # weights, shifts, biases; no zero left
    )


def test_prune_is_counted_from_its_own_masks(tmp_path: Path) -> None:
    """Half of 216 by size, 2 of 4 filters whole, a quarter of 40."""
    net, loaded = entry("pruned", tmp_path)
    masks = {key: value for key, value in net.state_dict().items() if key.endswith("_mask")}
    alive = masks["2.weight_mask"].flatten(1).any(1)
    last = masks["5.weight_mask"][:, alive]
    edges, classes = int(last.sum()), int(last.any(1).sum())
    assert (int(masks["0.weight_mask"].sum()), int(alive.sum())) == (108, 2)
    assert costs(score_target(loaded)) == (
        108 * P + 2 * 8 * P + 2 + edges,
        (108 - 8) * P + 2 * 7 * P + 2 * (P - 1) + edges,  # − classes + biases, as many
        8 * P,
        16 * 108 + 216 + 16 * 2 * 8 + 16 * edges + 2 * classes + 16 * 10,
    )


def test_parametrisations_are_computed_and_not_counted(tmp_path: Path) -> None:
    """Two of every four weights; the other layer's weights are halved before use."""
    _, loaded = entry("parametrized", tmp_path)
    assert costs(score_target(loaded)) == (
        32 * 8 + 320,
        32 * (8 - 1) + 320,  # 32 · (n − 1) + 32 … the second layer has a bias
        32,
        16 * 256 + 512 + 16 * 320 + 16 * 10,  # a bit for each of 512, though a pattern would do
    )


# --- quantisers -----------------------------------------------------------------------------------


def stepped(state: State) -> None:
    eight = [k for k in range(-127, 128) if k]
    four = [k for k in range(-8, 8) if k]
    state["conv1.quan_w.s"].fill_(2**-7)
    state["conv1.weight"].copy_(cycled(state["conv1.weight"].shape, eight, 2**-7))
    state["conv2.quan_w.s"].fill_(2**-3)
    state["conv2.weight"].copy_(cycled(state["conv2.weight"].shape, four, 2**-3))


def test_learned_steps_are_found_in_the_values(tmp_path: Path) -> None:
    _, loaded = entry("lsq", tmp_path, stepped)
    document = score_target(loaded)
    inner = 8 * P
    assert [(row["name"], row["weight_bits"]) for row in document["layers"] if row["stored"]] == [
        ("conv1", 8),
        ("conv2", 4),
        ("fc", 32),  # no 16-bit allowance beside quantised layers
    ]
    assert costs(document) == (
        2 * 3 * P + 216 * P + 2 * inner + 576 * P + 8 + 80,  # x / s and q · s around each rounding
        216 * P + 576 * P + 8 * (P - 1) + 80,  # as many as products: every layer has a bias
        3 * 3 * P + inner + 3 * inner + inner,  # clamp (2) and round; ReLU; again; ReLU
        (216 * 8 + 32) + (576 * 4 + 32) + 80 * 32 + 26 * 32 + 2 * 32,  # biases, steps of the inputs
    )


def test_bits_of_weights_are_what_the_tanh_makes_of_them(tmp_path: Path) -> None:
    _, loaded = entry("dorefa", tmp_path)
    inner = 16 * P
    assert costs(score_target(loaded)) == (
        48 * P + 256 * P + 2 * 2 * inner + 16 + 160,  # x · n and q / n around both roundings
        16 * 2 * P + 16 * 15 * P + 16 * (P - 1) + 160,
        2 * (2 + 1) * inner,  # clamp (2) and round
        (48 * 3 + 8 * 32) + (256 * 1 + 32) + 160 * 32 + 10 * 32,  # 8 levels; ±1 and a scale
    )


def test_weights_are_standardised_once_and_stored_as_used(tmp_path: Path) -> None:
    _, loaded = entry("standardised", tmp_path)
    values = 8 * P
    assert costs(score_target(loaded)) == (
        # 4 groups: mean and variance; squares; scale; weight of the group norm
        216 * P + (2 * 4 + 3 * values) + 8 + 80,
        216 * P + (2 * (values - 4) + values + 4 + values) + 8 * (P - 1) + 10 * 7,
        4,  # square roots
        16 * (216 + 80) + 16 * 8 + 16 * 2 * 8,
    )


# --- how it is written ----------------------------------------------------------------------------


def test_functional_products_and_means_count_and_idle_modules_do_not(tmp_path: Path) -> None:
    _, loaded = entry("mobile", tmp_path)
    document = score_target(loaded)
    half, wide = 8 * 8, 16 * 8 * 8
    assert costs(document) == (
        216 * half + 128 * half + 144 * half + 128 * half  # stem, expand, depthwise, project
        + 2 * 2 * wide  # x · relu6(x + 3) / 6, twice
        + 16 + 64 + 64 + wide  # squeeze and excite
        + (64 + 8) + 80,  # the mean over columns, then over rows
        216 * half + 128 * half + 144 * half + 128 * half  # bias, or the shift of a norm
        + 2 * wide + 8 * half  # x + 3, twice; the shortcut
        + 16 * (half - 1) + 64 + 64
        + (64 * 7 + 8 * 7) + 80,
        2 * wide + 4 + 16,  # ReLU6, ReLU, sigmoid
        16 * (216 + 128 + 144 + 64 + 64 + 128 + 80) + 16 * (8 + 4 + 16 + 10) + 16 * (16 + 16 + 8),
    )  # fmt: skip
    assert any("aux_head" in note for note in document["notes"])


def test_a_cell_called_twice_works_twice_and_is_stored_once(tmp_path: Path) -> None:
    _, loaded = entry("shared", tmp_path)
    document = score_target(loaded)
    values = 4 * P
    assert costs(document) == (
        12 * P + 2 * 144 * P + 40,
        12 * P + 2 * 4 * 35 * P + 2 * 2 * values + 40,
        2 * 8 * values + values + 4 * (P - 1),  # two max pools of 9, a ReLU, the last pool
        16 * (12 + 144 + 40) + 16 * (4 + 10),
    )
    assert any("cell.ops.conv1.weight" in note for note in document["notes"])


def test_a_shuffle_is_a_product_with_a_permutation(tmp_path: Path) -> None:
    _, loaded = entry("shuffled", tmp_path)
    document = score_target(loaded)
    products = 24 * P + 32 * P + 32 * P + 16 + 160
    additions = 8 * 2 * P + 2 * 8 * 3 * P + 16 * (P - 1) + 10 * 15
    moved, relu = 8 * P, 8 * P
    assert costs(document) == (
        products + moved,
        additions,
        relu,
        16 * (24 + 32 + 32 + 160) + 8 * 8 + 8,  # the mask of an 8 × 8 permutation, and its ones
    )
    # 16-bit products count half, those with a ±1 of the permutation 1/32
    assert document["operations"]["total"] == products / 2 + moved / 32 + additions + relu


def test_attention_by_hand_counts_both_products(tmp_path: Path) -> None:
    _, loaded = entry("attention", tmp_path)
    n, heads = 16 + 1, 2  # patches and the class token
    scores = heads * n * n
    assert costs(score_target(loaded)) == (
        8 * 48 * 16 + 192 * n + 2 * scores * 4 + scores + scores + 64 * n + 80,
        8 * 48 * 16 + 24 * 7 * n  # patches with bias, queries, keys and values without
        + scores * 3 + 8 * n * (n - 1)  # q · k of 4, attention · v of 17
        + (scores - heads * n)  # the sums of softmax
        + 64 * n + 8 * n + 80,
        scores,  # exponentials
        16 * (384 + 192 + 8 + 64 + 80) + 16 * (8 + 8 + 10),
    )  # fmt: skip


# --- the file of weights --------------------------------------------------------------------------

NAMES = sorted(path.stem for path in HERE.glob("*.py"))


every_entry = pytest.mark.parametrize("name", NAMES)


def test_there_are_entries_to_judge() -> None:
    assert len(NAMES) == 11


@every_entry
def test_the_loaded_network_answers_as_its_authors_does(name: str, tmp_path: Path) -> None:
    """Also after it was counted, and bit for bit."""
    net, loaded = entry(name, tmp_path)
    example = torch.rand(loaded.inputs.shape)
    with torch.no_grad():
        theirs = net(example)
        assert torch.equal(loaded.model(example), theirs)
        before = {key: value.clone() for key, value in loaded.model.state_dict().items()}
        score_target(loaded)
        assert torch.equal(loaded.model(example), theirs)
    after = loaded.model.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())


@every_entry
def test_weights_saved_from_several_devices_in_the_middle_of_a_run_are_the_same_entry(
    name: str, tmp_path: Path
) -> None:
    """Saved with the epoch and the optimiser, from inside a DataParallel."""
    net, loaded = entry(name, tmp_path)
    state = {f"module.{key}": value for key, value in net.state_dict().items()}
    kept = {"epoch": 90, "state_dict": state, "optimizer": {"lr": 0.1}, "best_acc1": 74.2}
    torch.save(kept, tmp_path / "model_best.pth.tar")
    model = f"{HERE / name}.py:model"
    again = load_target(
        None,
        model=model,
        weights=tmp_path / "model_best.pth.tar",
        input_shape=loaded.inputs.shape,
    )
    assert costs(score_target(again)) == costs(score_target(loaded))
