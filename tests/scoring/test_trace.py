"""What one forward pass really ran: which operators are seen, and what stops a trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from micronet.errors import MicronetError
from micronet.scoring.trace import meta_input, trace
from tests.scoring.bills import bill, edges
from tests.scoring.members import Convolution, Forward

if TYPE_CHECKING:
    from collections.abc import Callable

    from micronet.scoring.ir import Trace


def traced(forward: Forward, dtype: str = "float32") -> Trace:
    return trace(Convolution(forward), [meta_input((1, 4, 2, 2), dtype)])


def names(found: Trace) -> list[str]:
    return [op.name for op in found.operations]


# --- which operators ------------------------------------------------------------------------------


def test_operators_carry_their_module_and_its_class() -> None:
    model = nn.Sequential(nn.Sequential(nn.Conv2d(4, 2, 1)), nn.ReLU())
    found = trace(model, [meta_input((1, 4, 2, 2))])
    assert [(op.name, op.module, op.module_type) for op in found.operations] == [
        ("convolution", "0.0", "Conv2d"),
        ("relu", "1", "ReLU"),
    ]
    assert found.shape_only
    assert found.notes == ()


def test_what_does_not_depend_on_the_input_is_no_operation() -> None:
    def forward(model: Any, x: Tensor) -> Any:
        weight = torch.sigmoid(model.conv.weight * 3) + torch.ones(2, 4, 1, 1).cumsum(0)
        return F.conv2d(x, weight)

    assert names(traced(forward)) == ["convolution"]


@pytest.mark.parametrize("make", [
    lambda x: torch.ones(1, 4, 2, 2, device=x.device),
    lambda x: x.new_ones(1, 4, 2, 2),
    torch.ones_like,
    lambda x: torch.arange(16, device=x.device, dtype=x.dtype).view(1, 4, 2, 2),
    lambda x: torch.full((4, 1, 1), x.shape[1], device=x.device),
    lambda _: torch.ones(1, 4, 2, 2),
], ids=["device", "new", "like", "arange", "from the shape", "on the processor"])  # fmt: skip
def test_tensors_made_by_code_are_constants_with_their_values(
    make: Callable[[Tensor], Tensor],
) -> None:
    found = traced(lambda m, x: m.conv(x * make(x)))
    assert names(found) == ["mul", "convolution"]
    constant = next(v for v in found.operations[0].inputs if not v.dynamic)
    assert constant.tensor is not None
    assert not constant.tensor.is_meta


def test_a_plain_tensor_attribute_is_a_constant() -> None:
    def forward(model: Any, x: Tensor) -> Any:
        return model.conv(x * model.scale)

    model = Convolution(forward)
    model.scale = torch.tensor([1.0, 0.0, 2.0, 0.0]).view(4, 1, 1)
    assert edges(bill(model, (1, 4, 2, 2))) == (8, 8, 4)  # two input channels are fed nothing


@pytest.mark.parametrize("reach", [
    lambda x: x.data,
    lambda x: x.detach(),
    nn.Parameter,
    lambda x: torch.Tensor.view(x, 1, 4, 2, 2),
    lambda x: x.as_subclass(torch.Tensor),
    lambda x: x.to("meta") if x.is_meta else x,
    lambda x: torch.utils.checkpoint.checkpoint(lambda t: t * 1, x, use_reentrant=False),
], ids=["data", "detach", "Parameter", "view", "subclass", "to", "checkpoint"])  # fmt: skip
def test_another_handle_on_the_input_is_still_the_input(reach: Callable[[Tensor], Tensor]) -> None:
    """Else all that follows would be a constant, and free."""
    assert "convolution" in names(traced(lambda m, x: m.conv(reach(x))))


def test_keyword_arguments_inside_forward() -> None:
    class Named(nn.Module):
        def forward(self, *, image: Tensor, scale: float) -> Tensor:
            return image * scale

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Named()

        def forward(self, x: Tensor) -> Any:
            return self.inner(image=x, scale=2.0)

    assert names(trace(Outer(), [meta_input((1, 4))])) == ["mul"]


def test_several_inputs() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x + y

    assert len(trace(Two(), [meta_input((1, 4)), meta_input((1, 4))]).inputs) == 2


@pytest.mark.parametrize(("model", "shape", "dtype", "operators"), [
    (nn.Embedding(10, 4), (1, 3), "int64", ["embedding"]),
    (nn.Linear(4, 2).half(), (1, 4), "float16", ["addmm"]),
    (nn.Linear(4, 2).bfloat16(), (1, 4), "bfloat16", ["addmm"]),
    (nn.Linear(4, 2).double(), (1, 4), "float64", ["addmm"]),
], ids=["tokens", "float16", "bfloat16", "float64"])  # fmt: skip
def test_types_of_input(
    model: nn.Module, shape: tuple[int, ...], dtype: str, operators: list[str]
) -> None:
    found = trace(model, [meta_input(shape, dtype)])
    assert [op.name for op in found.operations if op.name != "t"] == operators
    assert found.shape_only


def test_a_compiled_module_is_traced_as_what_it_computes() -> None:
    model: Any = torch.compile(nn.Sequential(nn.Conv2d(4, 2, 1), nn.ReLU()), backend="eager")
    assert names(trace(model, [meta_input((1, 4, 2, 2))])) == ["convolution", "relu"]


# --- data-dependent control flow ------------------------------------------------------------------


@pytest.mark.parametrize("decide", [
    lambda x: x.sum() > -1e9,
    lambda x: x.mean().item() > -1e9,
    lambda x: bool((x < 1e9).all()),
    lambda x: len(x.nonzero()) > 0,
], ids=["if", "item", "bool", "nonzero"])  # fmt: skip
def test_control_flow_on_values_falls_back_to_one_real_run_and_says_so(
    decide: Callable[[Tensor], Any],
) -> None:
    found = traced(lambda m, x: m.conv(x) if decide(x) else x * 2)
    assert names(found)[-1] == "convolution"
    assert not found.shape_only
    (note,) = found.notes
    assert note.startswith("traced on one real random input, because shapes alone do not decide")


def test_a_real_run_is_priced_like_any_other() -> None:
    """4 · 8 products of the convolution; the sum of 16 and the comparison that decide; a note."""
    found = bill(Convolution(lambda m, x: m.conv(x) if x.sum() > -1e9 else x), (1, 4, 2, 2))
    assert found.cost.multiplications == 4 * 8
    assert edges(found) == (8, 8, 8)


def test_a_real_run_is_the_same_every_time() -> None:
    """The input is seeded: which branch is counted does not change from call to call."""
    runs = {
        tuple(names(traced(lambda m, x: m.conv(x) if x.sum() > 0 else x * 2))) for _ in range(3)
    }
    assert len(runs) == 1


@pytest.mark.parametrize("leave", [
    lambda x: torch.from_numpy(x.numpy() * 2),
    lambda x: torch.tensor(x.tolist()),
], ids=["numpy", "lists"])  # fmt: skip
def test_computing_outside_of_torch_is_an_error_and_not_free(
    leave: Callable[[Tensor], Tensor],
) -> None:
    """What comes back from there looks like a constant; the convolution of it must not cost 0."""
    with pytest.raises(MicronetError):
        traced(lambda m, x: m.conv(leave(x)))


# --- results --------------------------------------------------------------------------------------


@dataclass
class Result:
    """What some models return."""

    scores: Tensor


@pytest.mark.parametrize("wrap", [
    lambda y: y,
    lambda y: (y, 3),
    lambda y: [None, [y]],
    lambda y: {"scores": y, "aux": (y * 2,)},
    lambda y: torch.max(y, 1),
], ids=["tensor", "tuple", "lists", "dict", "named tuple"])  # fmt: skip
def test_every_tensor_in_the_result_is_an_output(wrap: Callable[[Tensor], Any]) -> None:
    found = bill(Convolution(lambda m, x: wrap(m.conv(x))), (1, 4, 2, 2))
    assert edges(found) == (8, 8, 8)


@pytest.mark.parametrize("wrap", [
    Result,
    lambda y: {"scores": Result(y), "other": y.new_zeros(1)},
    lambda y: (y.sum() * 0, Result(y)),
], ids=["dataclass", "in a dict", "beside a tensor"])  # fmt: skip
def test_a_tensor_inside_an_object_is_an_output_or_an_error_but_never_dropped(
    wrap: Callable[[Tensor], Any],
) -> None:
    try:
        found = bill(Convolution(lambda m, x: wrap(m.conv(x))), (1, 4, 2, 2))
    except MicronetError as error:
        assert "Result" in error.message  # noqa: PT017  # either way is right
    else:
        assert edges(found) == (8, 8, 8)


@pytest.mark.parametrize("nothing", [None, 3, "text", [], {"a": 1}], ids=repr)
def test_a_result_without_a_tensor_is_an_error(nothing: Any) -> None:
    with pytest.raises(MicronetError, match=r"forward returned .* without a tensor"):
        traced(lambda m, x: (m.conv(x), nothing)[1])


# --- failures -------------------------------------------------------------------------------------


def test_a_forward_that_raises_is_an_error_that_quotes_it() -> None:
    def forward(m: Any, x: Tensor) -> Any:
        del m, x
        raise KeyError("the key")

    with pytest.raises(MicronetError) as error:
        traced(forward)
    assert error.value.message == "Convolution.forward failed on an input of 1x4x2x2: 'the key'"


def test_a_wrong_shape_names_the_shape() -> None:
    with pytest.raises(MicronetError) as error:
        trace(nn.Conv2d(3, 4, 1), [meta_input((1, 5, 2, 2))])
    assert "an input of 1x5x2x2" in error.value.message
    assert error.value.next_step == "Give the shape that the network expects: --input 1,3,224,224"


def test_control_flow_in_a_model_without_weights_is_an_error() -> None:
    with torch.device("meta"):
        model = Convolution(lambda m, x: m.conv(x) if x.sum() > 0 else x)
    with pytest.raises(MicronetError, match="depends on values"):
        trace(model, [meta_input((1, 4, 2, 2))])


def test_a_module_that_keeps_an_activation_is_left_as_it_was() -> None:
    def forward(m: Any, x: Tensor) -> Any:
        m.last = m.conv(x)
        return m.last * 2

    model = Convolution(forward)
    before = set(vars(model))
    assert names(trace(model, [meta_input((1, 4, 2, 2))])) == ["convolution", "mul"]
    assert set(vars(model)) == before


def test_packed_sequences_are_priced_or_refused() -> None:
    """Three steps of one sequence and two of the other: 5 steps through an LSTM of 4 · (3 + 4) · 4."""

    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(3, 4, bias=False, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            packed = nn.utils.rnn.pack_padded_sequence(x, [3, 2], batch_first=True)
            return nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0]

    try:
        found = bill(Packed(), (2, 3, 3))
    except MicronetError as error:
        assert "_pack_padded_sequence" in error.message  # noqa: PT017  # either way is right
    else:
        products = sum(row.cost.multiplications for row in found.layers if "mm" in row.operator)
        assert products == 5 * 4 * (3 + 4) * 4


class Remembers(nn.Module):
    """Writes what it saw into a buffer, and looks at a value, so that only a real run can follow it."""

    seen: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.tensor(7.0))
        self.layer = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.add(x.mean(), 1, out=self.seen)
        y: torch.Tensor = self.layer(x if x.sum() > 0 else -x)
        return y


def test_a_real_run_leaves_no_value_of_its_input_in_a_buffer() -> None:
    model = Remembers().eval()
    found = trace(model, [torch.ones(1, 3)])
    assert not found.shape_only
    assert model.seen == 7
