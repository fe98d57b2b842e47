"""Activation bits are what the values need, operand by operand, and more values than codes are a finding."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from micronet.audit.activations import measure_activations
from micronet.audit.following import Following, follow
from micronet.audit.images import images
from micronet.audit.watched import Grid, as_rows, contradictions, of_rows
from micronet.checkpoints.loaded import LoadedTarget
from micronet.checkpoints.target import load_target
from micronet.errors import MicronetError
from micronet.models import InputSpec
from tests.audit.watching import Run, loaded, noise, photograph, rounded, watched

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = os.environ.get("MICRONET_TEST_DATA")
FOREIGN = Path(__file__).parent / "foreign"

# --- what is found --------------------------------------------------------------------------------


def test_an_image_has_eight_bits_a_colour_and_more_as_a_whole() -> None:
    """Its three colours have scales and offsets of their own, which weights and biases can take in."""
    (found,) = watched(lambda m, x: m.conv(x), photograph(), photograph())
    assert (found.layer, found.operator, found.operand) == ("conv", "convolution", "input")
    assert (found.weight, found.call, found.role) == ("conv.weight", 0, "layer")
    assert (found.examples, found.elements, found.distinct) == (2, 2 * 768, 768)
    assert (found.code, found.bits, found.grid) == ("grid per channel", 8, None)
    assert contradictions([found], 8) == ()
    (finding,) = contradictions([found], 7)
    assert (finding.layer, finding.declared_bits, finding.needed_bits) == ("conv", 7, 8)
    assert (finding.distinct, finding.elements) == (768, 1536)
    assert finding.sentence.startswith(
        "conv: 768 different values among the 1,536 that enter its convolution as input, where 7 "
        "bits hold 128"
    )


@pytest.mark.parametrize(("lowest", "highest", "bits"), [
    (-128, 127, 8), (0, 15, 4), (-2, 1, 2), (0, 255, 8), (-1000, 1000, 11),
], ids=str)  # fmt: skip
def test_quantised_inputs_are_found_on_their_grid(lowest: int, highest: int, bits: int) -> None:
    # noise of ±4 fills 2¹¹ steps of 0.004 or fewer
    step = 8 / (highest - lowest)
    found = watched(lambda m, x: m.conv(rounded(x, step, lowest, highest)), noise(32))
    (layer,) = (each for each in found if each.role == "layer")
    assert layer.bits <= bits
    assert layer.distinct is not None
    assert layer.distinct <= highest - lowest + 1
    if bits > 2:  # four values may be on any grid
        assert layer.code == "grid"
        assert layer.grid is not None
        assert layer.grid.offset == 0.0
        assert abs(layer.grid.scale / step - 1) < 1e-6
    assert contradictions(found, bits) == ()
    assert [each.layer for each in contradictions(found, bits - 2)] == ["conv"]


def test_the_rounding_of_a_straight_through_estimator_is_no_contradiction() -> None:
    def straight(model: Any, x: Tensor) -> Any:
        quantised = rounded(x.abs() * 3, 0.1, 0, 15)
        return model.conv(x * 3 + (quantised - x * 3).detach())

    (layer,) = (each for each in watched(straight, noise(8)) if each.role == "layer")
    assert layer.distinct is not None
    assert layer.distinct > 16
    assert (layer.codes, layer.code, layer.bits) == (16, "grid", 4)
    assert contradictions([layer], 4) == ()
    assert len(contradictions([layer], 3)) == 1


def test_powers_of_two_are_few_values_on_a_wide_grid() -> None:
    """Additive powers of two: 8 magnitudes and a sign take 4 bits, their uniform grid 8."""

    def powers(model: Any, x: Tensor) -> Any:
        return model.conv(x.sign() * 2.0 ** x.abs().log2().round().clamp(-4, 3))

    (layer,) = (each for each in watched(powers, noise(64)) if each.role == "layer")
    assert (layer.distinct, layer.code, layer.bits) == (14, "codebook", 4)  # none is 8 or -8
    assert contradictions([layer], 4) == ()


def test_tensors_put_together_have_a_grid_for_each_channel() -> None:
    """Two tensors of 4 bits make 31 different values; each channel still has 16."""

    def joined(model: Any, x: Tensor) -> Any:
        y = x.abs()
        both = torch.cat([rounded(y[:, :1], 0.1, 0, 15), rounded(y[:, 1:], 0.137, 0, 15)], 1)
        return model.conv(both)

    (layer,) = (each for each in watched(joined, noise(8)) if each.role == "layer")
    assert (layer.distinct, layer.code, layer.bits) == (31, "grid per channel", 4)
    assert contradictions([layer], 4) == ()
    assert len(contradictions([layer], 3)) == 1


def test_a_scale_that_each_image_has_for_itself() -> None:
    def dynamic(model: Any, x: Tensor) -> Any:
        return model.conv(rounded(x, x.abs().max() / 127, -127, 127))

    found = watched(dynamic, noise(8))
    (layer,) = (each for each in found if each.role == "layer")
    assert layer.distinct is not None
    assert layer.distinct > 1000
    assert (layer.code, layer.bits) == ("grid per image", 8)
    assert contradictions(found, 8) == ()
    assert [each.layer for each in contradictions(found, 6)] == ["conv"]


@pytest.mark.parametrize(("narrow", "code", "bits"), [
    (lambda x: x, "float", 32),
    (lambda x: x.half().float(), "float16", 16),
    (lambda x: (x * 1e6).bfloat16().float(), "bfloat16", 16),
    (lambda x: x.to(torch.float8_e4m3fn).float(), "codebook", 8),
    (lambda x: x.clamp(0, 0), "constant", 0),
    (lambda x: x.clamp(5, 5), "constant", 0),
    (lambda x: x * 0, "constant", 0),
    (torch.sign, "codebook", 1),
    (lambda x: (x > 0).float(), "codebook", 1),
], ids=["float", "half", "bfloat", "float8", "zeros", "fives", "signed zeros", "sign", "mask"])  # fmt: skip
def test_other_codes_are_named(narrow: Callable[[Tensor], Tensor], code: str, bits: int) -> None:
    found = watched(lambda m, x: m.conv(narrow(x)), noise(64))
    (layer,) = (each for each in found if each.role == "layer")
    assert (layer.code, layer.bits) == (code, bits)


def test_one_value_that_is_no_half_is_seen() -> None:
    image = torch.randn(1, 3, 64, 64).half().float()
    image[0, -1, -1, -1] = 0.1
    (found,) = watched(lambda m, x: m.conv(x), image)
    assert found.code != "float16"


def test_different_values_are_counted_exactly_up_to_65536() -> None:
    order = torch.randperm(2**16, generator=torch.Generator().manual_seed(0))
    values = (order.float() + 1).sqrt()  # on no grid
    exact = values.view(-1, 1, 16, 16).expand(-1, 3, -1, -1)
    (found,) = watched(lambda m, x: m.conv(x), exact)
    assert found.distinct == found.elements // 3 == 65_536
    (more,) = watched(lambda m, x: m.conv(x), exact, torch.full((1, 3, 16, 16), 0.5))
    assert more.distinct is None
    assert more.least_bits == 17
    (finding,) = contradictions([more], 16)
    assert finding.sentence.startswith("conv: more than 65,536 different values among the 197,376")


def test_real_numbers_that_lie_close_are_not_taken_for_one() -> None:
    """Half of these are no further apart than rounding puts values; but nothing holds them together."""
    values = torch.linspace(0, 1, 40_000, dtype=torch.float64).pow(4).float()
    image = values.view(-1, 1, 16, 250).expand(-1, 3, -1, -1)
    (found,) = watched(lambda m, x: m.conv(x), image)
    assert (found.distinct, found.code, found.bits) == (40_000, "codebook", 16)
    assert found.codes < 2**15  # but as proof only what is certain counts
    assert contradictions([found], 15) == ()


def test_more_than_65536_real_numbers_are_more_than_16_bits_however_close_they_lie() -> None:
    values = torch.linspace(0, 1, 80_000, dtype=torch.float64).pow(4).float()
    (found,) = watched(lambda m, x: m.conv(x), values.view(1, 1, 200, 400).expand(-1, 3, -1, -1))
    assert (found.distinct, found.code, found.least_bits) == (None, "float", 17)
    assert found.codes < 2**16
    assert len(contradictions([found], 16)) == 1


# --- what is judged -------------------------------------------------------------------------------


def two_layers(model: Any, x: Tensor) -> Any:
    return model.last(rounded(model.conv(rounded(x, 0.05, -128, 127)).relu(), 0.02, 0, 255))


def one_forgotten(model: Any, x: Tensor) -> Any:
    return model.last(model.conv(rounded(x, 0.05, -128, 127)).relu())


def test_the_layer_with_unquantised_input_is_named_and_its_twin_is_not() -> None:
    assert contradictions(watched(two_layers), 8) == ()
    (finding,) = contradictions(watched(one_forgotten), 8)
    assert (finding.layer, finding.operand, finding.needed_bits) == ("last", "input", 32)
    assert contradictions(watched(one_forgotten), {"conv": 8}) == ()
    assert len(contradictions(watched(one_forgotten), {"conv": 8, "last": 8})) == 1
    assert contradictions(watched(one_forgotten), 32) == ()


def test_fewer_values_than_codes_prove_nothing_and_more_do() -> None:
    """200 real numbers may be 8 bits of some code; 300 are not."""
    few, more = (noise(1).flatten()[:count].view(1, -1, 1, 1) for count in (200, 300))

    def apply(_: Any, x: Tensor) -> Any:
        return F.conv2d(x, torch.ones(1, x.shape[1], 1, 1))

    (found,) = watched(apply, few)
    assert (found.distinct, found.code, found.bits) == (200, "float", 32)
    assert contradictions([found], 8) == ()
    (found,) = watched(apply, more)
    assert len(contradictions([found], 8)) == 1


def test_a_declared_width_of_any_size_is_judged_at_once() -> None:
    began = time.perf_counter()
    assert contradictions(watched(one_forgotten), 10**12) == ()
    assert time.perf_counter() - began < 5


# --- how it runs ----------------------------------------------------------------------------------


def test_examples_run_alone_however_they_are_batched() -> None:
    batch = noise(6)
    assert watched(two_layers, batch) == watched(two_layers, *batch.split(1))
    assert watched(two_layers, batch) == watched(two_layers, *batch.split(4))


def test_rows_keep_everything_through_json() -> None:
    found = watched(two_layers, photograph())
    assert found[0].grid is None or isinstance(found[0].grid, Grid)
    assert of_rows(json.loads(json.dumps(as_rows(found)))) == found


def test_data_dependent_paths_are_watched_as_they_are_taken() -> None:
    def gated(model: Any, x: Tensor) -> Any:
        return model.last(model.conv(x)) if x.mean() > 0 else model.conv(x)

    found = watched(gated, torch.cat([noise(3).abs(), -noise(2).abs()]))
    assert [(each.layer, each.examples) for each in found] == [("conv", 5), ("last", 3)]


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_left_as_it_was(*, fails: bool) -> None:
    def run(model: Any, x: Tensor) -> Any:
        model.calls = getattr(model, "calls", 0) + 1
        if fails:
            raise ValueError("broken")
        return model.conv(x)

    model = Run(run).train()
    target = loaded(model)
    model.train()
    before = set(vars(model))
    if fails:
        with pytest.raises(MicronetError, match="ValueError: broken"):
            measure_activations(target, [noise(1)])
    else:
        measure_activations(target, [noise(1)])
    assert set(vars(model)) == before
    assert model.training
    assert not model._forward_hooks
    assert torch._C._get_mkldnn_enabled()


def test_what_forward_writes_into_the_model_is_taken_back() -> None:
    """A counter, a mask pressed into the weight, a range that an observer keeps: for each example anew."""

    def run(model: Any, x: Tensor) -> Any:
        model.scale += x.abs().max()
        model.conv.weight.data.mul_(model.a_mask * 0.5)
        torch.add(x.mean(), 1, out=model.a_scale.data)
        return model.conv(x)

    model = Run(run)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    measure_activations(loaded(model), [noise(2)])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_mistake_of_ours_does_not_pass_for_one_of_the_network() -> None:
    class Broken(Following):
        def seen(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            raise KeyError(name, args, kwargs)

    model = Run(lambda m, x: m.conv(x))
    with pytest.raises(KeyError):
        follow(model, noise(1), Broken(model, noise(1)))


@pytest.mark.parametrize(("model", "batch", "message"), [
    (Run(lambda m, x: m.conv(x)), torch.empty(0, 3, 4, 4), "no example"),
    (Run(lambda _, x: x + 1), noise(1), "no operator that multiplies"),
    (Run(lambda m, x: m.conv(x / 0)), noise(1), "conv: what enters its convolution is not a number"),
    (Run(lambda m, x: m.conv(x)), torch.full((1, 3, 4, 4), float("nan")), "not a number"),
    (nn.Conv2d(3, 4, 1, device="meta"), noise(1), "There are no weights"),
], ids=["nothing", "sum", "infinite", "NaN", "meta"])  # fmt: skip
def test_what_cannot_be_measured_is_said(model: nn.Module, batch: Tensor, message: str) -> None:
    with pytest.raises(MicronetError, match=message):
        measure_activations(loaded(model), [batch] if len(batch) else [])


@pytest.mark.parametrize("name", sorted(path.stem for path in FOREIGN.glob("*.py")))
def test_somebody_elses_network_is_measured_as_it_is(name: str) -> None:
    shape = (1, 16) if name == "parametrized" else (1, 3, 16, 16)
    torch.manual_seed(0)
    target = load_target(None, model=f"{FOREIGN / name}.py:model", input_shape=shape)
    found = measure_activations(target, [torch.rand(4, *shape[1:])])
    by_layer = {each.layer: each.bits for each in found if each.role == "layer"}
    if name == "lsq":  # the classifier is what they left at full width
        assert by_layer == {"conv1": 5, "conv2": 4, "fc": 32}  # 0 to 1 in steps of 0.05
    elif name == "dorefa":
        assert (by_layer["conv1"], by_layer["conv2"]) == (32, 2)
        assert by_layer["classifier"] > 2  # sums of 256 values of 2 bits
    else:
        assert set(by_layer.values()) == {32}


# --- photographs ---------------------------------------------------------------------------------


@pytest.mark.skipif(DATA is None, reason="MICRONET_TEST_DATA is not set")
def test_32_photographs_through_mobilenet_v2_in_a_few_seconds() -> None:
    """Every layer but the first sees floats; the first sees photographs, 8 bits a colour."""
    from torchvision.models import mobilenet_v2

    torch.manual_seed(0)
    spec = InputSpec((1, 3, 224, 224))
    target = LoadedTarget(
        "v2", None, None, "torchvision:mobilenet_v2", {}, "unknown", mobilenet_v2().eval(), spec,
        None, (),
    )  # fmt: skip
    assert DATA is not None
    began = time.perf_counter()
    found = measure_activations(target, images(target, Path(DATA) / "imagenet-cc", 32))
    assert time.perf_counter() - began < 20
    assert len(found) == 53
    assert (found[0].distinct, found[0].code, found[0].bits) == (768, "grid per channel", 8)
    assert {each.examples for each in found} == {32}
    assert len(contradictions(found, 8)) == 52
    assert len(contradictions(found, 7)) == 53
