"""A file's note on slimming is data: it is checked, and it can only do what it is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from micronet.checkpoints.filling import filled
from micronet.checkpoints.native import Checkpoint, write_native
from micronet.checkpoints.slimmed import Slim, fold_structure, slim_of
from micronet.checkpoints.target import load_target
from micronet.errors import MicronetError
from micronet.models import build_model

if TYPE_CHECKING:
    from pathlib import Path


def chain() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU())


def test_a_fold_gives_the_layer_a_bias_and_takes_the_norm_out() -> None:
    model = fold_structure(chain(), {"0": "1"})
    assert list(model.state_dict()) == ["0.weight", "0.bias"]
    assert model.state_dict()["0.bias"].tolist() == [0.0] * 4


def test_a_bias_that_is_there_stays() -> None:
    model = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
    bias = model[0].bias
    assert fold_structure(model, {"0": "1"}).get_parameter("0.bias") is bias


def test_a_norm_that_is_registered_twice_goes_from_both_places() -> None:
    model = chain()
    model.alias = nn.Sequential(model[1])
    fold_structure(model, {"0": "1"})
    assert not [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]


def test_absent_tensors_load_as_zeros() -> None:
    tensors = {"0.weight": torch.ones(4, 3, 1, 1)}
    slim = Slim({"0": "1"}, ("0.bias",))
    model = filled(slim.around(chain), tensors, what="x", name="y", absent=slim.absent)
    assert model.get_parameter("0.bias").tolist() == [0.0] * 4
    assert model.get_parameter("0.weight").tolist() == [[[[1.0]]] * 3] * 4


def test_absent_is_no_way_around_a_missing_tensor() -> None:
    with pytest.raises(MicronetError, match=r"1 missing \(0\.weight\)"):
        filled(
            lambda: nn.Sequential(nn.Linear(2, 2, bias=False)),
            {},
            what="x",
            name="y",
            absent=("1",),
        )


BROKEN = {
    "no mapping": (7, "folded or absent is missing"),
    "no folded": ({"absent": []}, "folded or absent is missing"),
    "absent is text": ({"folded": {}, "absent": "0.bias"}, "folded or absent is missing"),
    "a name is a number": ({"folded": {"0": 1}, "absent": []}, "a name is not text"),
    "an absent number": ({"folded": {}, "absent": [3]}, "a name is not text"),
}


@pytest.mark.parametrize(("note", "expected"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_note_says_what_is_broken(note: Any, expected: str) -> None:
    with pytest.raises(MicronetError, match=f"f: its note on slimming is broken: {expected}"):
        slim_of({"provenance": {"slim": note}}, "f")


def test_a_file_that_was_never_slimmed_has_no_note() -> None:
    assert slim_of({}, "f") == slim_of({"provenance": {"weights": "trained"}}, "f") == Slim()


WRONG = {
    "no such layer": ({"5": "1"}, "a network with a module 5; this one has none"),
    "no such norm": ({"0": "1.x"}, "a network with a module 1.x; this one has none"),
    "not a layer": ({"2": "1"}, "1 cannot be folded into 2: they are ReLU and BatchNorm2d"),
    "not a norm": ({"0": "2"}, "2 cannot be folded into 0: they are Conv2d and ReLU"),
    "the whole model": ({"0": ""}, "they are Conv2d and Sequential"),
}


@pytest.mark.parametrize(("folded", "expected"), WRONG.values(), ids=WRONG.keys())
def test_only_a_norm_goes_and_only_into_a_layer(folded: dict[str, str], expected: str) -> None:
    with pytest.raises(MicronetError, match=expected):
        fold_structure(chain(), folded)


def test_a_hostile_note_in_a_file_is_two_lines(tmp_path: Path) -> None:
    path = tmp_path / "n.pt"
    state = build_model("tiny_static", {}).state_dict()
    note = {"folded": {"forward": "__class__"}, "absent": []}
    write_native(path, Checkpoint("tiny_static", {}, state, {"slim": note}))
    with pytest.raises(MicronetError, match="with a module forward; this one has none"):
        load_target(str(path))
