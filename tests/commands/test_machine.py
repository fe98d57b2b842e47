"""Words of the command line become values, or an error that shows how to say it."""

from __future__ import annotations

import pytest
import torch

from micronet.commands import machine
from micronet.errors import MicronetError

SHAPES = {
    None: None,
    "1,3,224,224": (1, 3, 224, 224),
    " 1 , 35 ": (1, 35),
    "7": (7,),
}


@pytest.mark.parametrize(("text", "shape"), SHAPES.items())
def test_shapes(text: str | None, shape: tuple[int, ...] | None) -> None:
    assert machine.input_shape(text) == shape


@pytest.mark.parametrize("text", ["", ",", "1,", "0", "-1,3", "1.5", "1x3", "²", "1e3"])
def test_not_a_shape(text: str) -> None:
    with pytest.raises(MicronetError, match="expected positive whole numbers"):
        machine.input_shape(text)


@pytest.mark.parametrize(("text", "limit"), [("all", None), ("0", 0), ("12", 12)])
def test_layer_limits(text: str, limit: int | None) -> None:
    assert machine.layer_limit(text) == limit


def test_threads_are_torch_s() -> None:
    before = torch.get_num_threads()
    try:
        assert machine.prepare("cpu", 1).type == "cpu"
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("device", ["abacus", "cuda:99", ""])
def test_a_device_that_is_not_there(device: str) -> None:
    with pytest.raises(MicronetError, match="No device"):
        machine.prepare(device, None)
