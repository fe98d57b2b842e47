"""Mistakes that need the entry's own words or its layers, each against a count made by hand."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from micronet.audit.entry import Declared
from micronet.audit.gather import gather
from micronet.audit.suspected import suspected
from micronet.checkpoints.loaded import LoadedTarget
from micronet.models import InputSpec

if TYPE_CHECKING:
    from micronet.audit.evidence import Deviation, Evidence

PAGE = "micronet2019"
PLAIN = f"{PAGE} without the 16-bit allowance"
PIXELS = 6 * 6
NOTHING = Declared()


class Net(nn.Module):
    """8 channels of 3×3, depthwise 3×3, 1×1 to 16, and a classifier; no biases."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(4, 8, 3, padding=1, bias=False)
        self.deep = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.point = nn.Conv2d(8, 16, 1, bias=False)
        self.head = nn.Linear(16, 5, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.point(self.deep(self.stem(x)))
        result: Tensor = self.head(x.mean((2, 3)))
        return result


STEM, DEEP, POINT, HEAD = 8 * 4 * 9, 8 * 9, 16 * 8, 5 * 16
WEIGHTS = STEM + DEEP + POINT + HEAD
MACS = (STEM + DEEP + POINT) * PIXELS + HEAD


def pruned() -> Net:
    model = Net()
    for layer in (model.stem, model.point):
        layer.weight.data[layer.weight < 0] = 0
    return model


def evidence(model: nn.Module, shape: tuple[int, ...] = (1, 4, 6, 6)) -> Evidence:
    inputs = InputSpec(shape)
    loaded = LoadedTarget("net", None, None, "net", {}, "unknown", model.eval(), inputs, None, ())
    return gather(loaded)


def one(
    found: tuple[Deviation, ...], what: str, dialect: str = "macs", quantity: str = "macs"
) -> Deviation:
    [same] = [d for d in found if (d.what, d.dialect, d.quantity) == (what, dialect, quantity)]
    return same


# --- one sparsity for all -------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "whole"), [("", False), (", each layer's number cut off", True)])
def test_every_layer_at_the_sparsity_of_all(how: str, *, whole: bool) -> None:
    """The stem and the 1×1 layer are half zeros, the others dense; pretend that all are alike."""
    known = evidence(model := pruned())
    live = {name: int(p.count_nonzero()) for name, p in model.named_parameters()}
    share = Fraction(sum(live.values()), WEIGHTS)
    what = f"every layer at the sparsity of all layers together, {float(1 - share):.4g}{how}"
    pretended = [n * share for n in (STEM * PIXELS, DEEP * PIXELS, POINT * PIXELS, HEAD)]
    claimed = sum((Fraction(int(n)) if whole else n for n in pretended), Fraction(0))
    true = known.count("macs", "macs")
    assert true is not None
    step = one(suspected(known, NOTHING), what)
    assert true + step.change == claimed
    assert set(step.layers) == {"stem", "deep", "point", "head"}


def test_the_declared_sparsity_is_tried_too() -> None:
    """A dense network that says 90 %: a tenth of all products, and of all weights."""
    known = evidence(Net())
    found = suspected(known, Declared(sparsity=Fraction(9, 10)))
    what = "every layer at the declared sparsity, 0.9"
    assert one(found, what).change == -Fraction(9 * MACS, 10)
    assert one(found, what, "2 × macs", "operations").change == -2 * Fraction(9 * MACS, 10)
    assert one(found, what, quantity="parameters").change == -Fraction(9 * WEIGHTS, 10)


def test_layers_that_have_the_declared_sparsity_are_not_named() -> None:
    model = Net()
    model.stem.weight.data[:, :2] = 0
    what = "every layer at the declared sparsity, 0.5"
    step = one(suspected(evidence(model), Declared(sparsity=Fraction(1, 2))), what)
    assert set(step.layers) == {"deep", "point", "head"}


def test_a_dense_network_that_declares_nothing_has_no_sparsity_to_misuse() -> None:
    assert not [d for d in suspected(evidence(Net()), NOTHING) if d.id == "global-sparsity"]


# --- missing factors ------------------------------------------------------------------------------


def test_depthwise_without_its_channels_is_an_eighth() -> None:
    step = one(suspected(evidence(Net()), NOTHING), "depthwise layers without their channels")
    assert (step.id, step.layers) == ("depthwise", ("deep",))
    assert step.change == DEEP * PIXELS // 8 - DEEP * PIXELS


@pytest.mark.parametrize("batch", [1, 3])
def test_a_hook_that_reads_the_batch_size_for_the_output_channels(batch: int) -> None:
    """Dimension 0 of the output is the batch: for each image kernel · inputs · batch · pixels."""
    known = evidence(Net(), (batch, 4, 6, 6))
    hooked = batch * (4 * 9 + 1 * 9 + 8) * PIXELS + batch * 16
    what = "the batch size where the number of output channels belongs"
    step = one(suspected(known, NOTHING), what)
    assert step.id == "batch-size"
    true = known.count("macs", "macs")
    assert true == batch * MACS
    assert true + step.change == batch * hooked


def test_a_hook_that_reads_it_in_convolutions_only() -> None:
    known = evidence(Net())
    what = "the batch size where the number of output channels belongs, in convolutions"
    assert MACS + one(suspected(known, NOTHING), what).change == (36 + 9 + 8) * PIXELS + HEAD


def test_a_hook_that_reads_the_batch_size_for_the_input_channels() -> None:
    hooked = (8 * 9 + 8 * 9 // 8 + 16) * PIXELS + 5
    what = "the batch size where the number of input channels belongs"
    assert MACS + one(suspected(evidence(Net()), NOTHING), what).change == hooked


def test_a_missing_product_costs_what_the_dialect_charges_for_one() -> None:
    """A multiplication of 16 bits and an addition: 1.5; of 32 bits: 2."""
    found = suspected(evidence(Net()), NOTHING)
    what = "depthwise layers without their channels"
    macs = one(found, what).change
    assert one(found, what, "2 × macs", "operations").change == 2 * macs
    assert one(found, what, PAGE, "operations").change == Fraction(3, 2) * macs
    assert one(found, what, PLAIN, "operations").change == 2 * macs
    assert one(found, what, PAGE, "multiplications").change == macs


# --- other words ----------------------------------------------------------------------------------


def test_multiply_accumulates_called_operations() -> None:
    known = evidence(Net())
    found = suspected(known, NOTHING)
    what = "multiply-accumulates called operations: no additions"
    for dialect in ("2 × macs", PAGE, PLAIN):
        true = known.count(dialect, "operations")
        assert true is not None
        assert true + one(found, what, dialect, "operations").change == MACS


def test_operations_called_multiply_accumulates() -> None:
    what = "multiplications and additions counted one by one"
    assert one(suspected(evidence(Net()), NOTHING), what).change == MACS


def test_additions_at_the_declared_width() -> None:
    """8 of 32 bits: three quarters of all additions are gone."""
    known = evidence(Net())
    additions = known.count(PAGE, "additions")
    assert additions is not None
    found = suspected(known, Declared(addition_bits=8))
    step = one(found, "all additions at 8 bits", PAGE, "operations")
    assert step.change == -Fraction(3, 4) * additions
    dots = MACS - (8 + 8 + 16) * PIXELS - 5
    step = one(found, "dot products' additions at 8 bits", PAGE, "operations")
    assert step.change == -Fraction(3, 4) * dots


def test_what_changes_nothing_is_not_suspected() -> None:
    assert all(each.change for each in suspected(evidence(pruned()), Declared(addition_bits=32)))


def test_nothing_is_suspected_twice() -> None:
    declared = Declared(sparsity=Fraction(1, 2), addition_bits=8, activation_bits=8)
    found = suspected(evidence(pruned()), declared)
    keys = [(each.dialect, each.quantity, each.what) for each in found]
    assert len(keys) == len(set(keys))
