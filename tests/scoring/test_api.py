"""The counter from Python says what the command line says."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

import micronet
from micronet.errors import MicronetError
from micronet.scoring.api import Score, learned_numbers
from micronet.scoring.document import UNTRAINED

if TYPE_CHECKING:
    from pathlib import Path

FACTORY = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 2))
"""


def build() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 2))


def counted(document: Any) -> dict[str, Any]:
    """What does not depend on where the model came from."""
    keys = (
        "rules",
        "track",
        "storage",
        "operations",
        "edges",
        "freebie",
        "score",
        "transient",
        "layers",
    )
    return {key: document[key] for key in keys}


def test_a_model_counts_the_same_from_python_and_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "factory.py"
    file.write_text(FACTORY, encoding="utf-8")
    arguments = ["score", "--model", f"{file}:build", "--input", "1,3,6,6", "--json"]
    result = subprocess.run(
        [sys.executable, "-m", "micronet", *arguments], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    here = micronet.score(build(), input_shape=(1, 3, 6, 6)).document
    assert counted(json.loads(result.stdout)) == counted(here)


def test_the_properties_are_those_of_the_document() -> None:
    """16 positions; 216 + 256 edges; 8 + 2 biases; 8 · 16 values through the ReLU."""
    found = micronet.score(build(), input_shape=(1, 3, 6, 6))
    products = 16 * 216 + 256
    assert found.multiplications == products
    assert found.additions == 16 * 216 + 256  # n − 1 and a bias: n
    assert found.operations == Fraction(products, 2) + products + 128
    assert found.parameters == Fraction(216 + 256 + 10, 2)  # 16 bits
    assert found.total == found.document["score"]["total"]
    assert micronet.score(build(), rules="macs", input_shape=(1, 3, 6, 6)).operations == products


def test_total_is_none_where_no_baseline_applies() -> None:
    assert Score({"score": None}).total is None


def test_the_default_input_is_an_image_of_224() -> None:
    assert micronet.score(nn.Conv2d(3, 1, 1)).document["target"]["input"] == [1, 3, 224, 224]


def test_a_card_brings_its_own_input_rules_and_track() -> None:
    found = micronet.score("wideresnet_28_10").document
    assert found["track"] == "cifar100"
    assert found["target"]["input"] == [1, 3, 32, 32]


@pytest.mark.parametrize(
    ("options", "found", "suggested"),
    [
        ({"rules": "micronet2018"}, "micronet2018", "micronet2019"),
        ({"rules": "mac"}, "mac", "macs"),
        ({"track": "imagnet"}, "imagnet", "imagenet"),
    ],
    ids=["edition", "letter", "track"],
)
def test_an_unknown_name_suggests_a_near_miss(
    options: dict[str, Any], found: str, suggested: str
) -> None:
    with pytest.raises(MicronetError) as error:
        micronet.score(build(), input_shape=(1, 3, 6, 6), **options)
    assert f"'{found}'" in str(error.value)
    assert suggested in str(error.value)


def test_an_unknown_target_is_an_error() -> None:
    with pytest.raises(MicronetError, match="no-such-wiring"):
        micronet.score("no-such-wiring")


def test_declared_bits_that_the_values_contradict() -> None:
    with pytest.raises(MicronetError) as error:
        micronet.score(build(), input_shape=(1, 3, 6, 6), bits=8)
    assert error.value.message.startswith(
        "--bits 8 contradicts the values: 0.weight needs 32 bits (float)"
    )
    assert error.value.message.endswith(" and 1 more.")


def test_declared_bits_are_an_upper_bound_that_prices() -> None:
    """±1 on 256 edges: 1 bit measured, 4 declared; the scale of 32 bits stays."""
    linear = nn.Linear(32, 8, bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.where(linear.weight > 0, 0.3, -0.3))
    by = [
        micronet.score(linear, input_shape=(1, 32), bits=bits).document["storage"]["by"]
        for bits in (None, 4)
    ]
    assert by == [{"values": 256, "scales": 32}, {"values": 4 * 256, "scales": 32}]


# --- notes ----------------------------------------------------------------------------------------


class Aside(nn.Module):
    """One layer is never called, one is called for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.used = nn.Linear(4, 2, bias=False)
        self.idle = nn.Linear(4, 2, bias=False)
        self.dead = nn.Linear(4, 2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.dead(x)
        return self.used(x)  # type: ignore[no-any-return]


def test_notes_say_what_is_not_stored_and_what_is_dead() -> None:
    found = micronet.score(Aside(), input_shape=(1, 4)).document
    assert "never used by forward, so not stored: idle.weight" in found["notes"]
    assert any(
        note.startswith("all edges dead") and "dead.weight" in note for note in found["notes"]
    )
    assert found["storage"]["by"] == {"values": 16 * 8}


def test_parameters_that_share_a_storage_are_not_called_unused() -> None:
    whole = torch.randn(24)

    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Parameter(whole[:12].view(3, 4))
            self.b = nn.Parameter(whole[12:].view(4, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ self.b @ self.a

    assert micronet.score(Shared(), input_shape=(1, 4)).document["notes"] == []


def test_a_batch_is_counted_whole_and_says_so() -> None:
    one, two = (micronet.score(build(), input_shape=(n, 3, 6, 6)) for n in (1, 2))
    assert two.multiplications == 2 * one.multiplications
    assert "counts are for the whole input, a batch of 2" in two.document["notes"]
    assert one.document["notes"] == []


def test_an_architecture_without_weights_says_so() -> None:
    found = micronet.score("mobilenet_v2_1.4").document
    assert found["target"]["weights"] in ("untrained", "unknown")
    assert (UNTRAINED in found["notes"]) == (found["target"]["weights"] == "untrained")


def test_a_half_precision_model_is_counted_or_told_which_type_is_wrong() -> None:
    model = build().half()
    try:
        found = micronet.score(model, input_shape=(1, 3, 6, 6))
    except MicronetError as error:
        assert "type" in (error.next_step or "")  # noqa: PT017  # either way is right
    else:
        assert found.multiplications == 16 * 216 + 256


def test_learned_numbers_list_tied_parameters_once() -> None:
    tied = nn.Linear(4, 4, bias=False)
    assert learned_numbers(nn.Sequential(tied, tied)) == [("0.weight", 16)]
