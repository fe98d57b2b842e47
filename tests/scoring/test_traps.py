"""Counting leaves no mark on the model, and what cannot be counted is refused by name."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules import module as process_wide

from micronet.errors import MicronetError
from micronet.scoring.network import Network
from micronet.scoring.rulebook import rule_book
from micronet.scoring.tally import tally
from micronet.scoring.trace import meta_input, trace
from tests.scoring.small import Shape, bill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
)
PROCESS_WIDE = ("_global_forward_hooks", "_global_forward_pre_hooks", "_global_backward_hooks")


class Net(nn.Module):
    """Convolution, batch norm, dropout and attention: everything that tools leave marks on."""

    def __init__(self, *, raises: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.5)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.fc = nn.Linear(8, 4)
        self.raises = raises

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(self.norm(self.conv(x)).relu_())
        tokens = x.flatten(2).transpose(1, 2)
        tokens = tokens + self.attention(tokens, tokens, tokens)[0]
        if self.raises:
            message = "out of paper"
            raise ValueError(message)
        logits: Tensor = self.fc(tokens.mean(1))
        return logits


def parts_of(module: nn.Module) -> dict[str, Any]:
    """Everything that a module holds, except the tensors' values; containers by their content."""
    found = dict(vars(module))
    return {key: list(value) if isinstance(value, dict) else value for key, value in found.items()}


def state_of(model: nn.Module) -> dict[str, Any]:
    """All that a count could disturb, in the model and in the process, by name."""
    state: dict[str, Any] = {
        "random numbers": torch.get_rng_state().tolist(),
        "gradients on": torch.is_grad_enabled(),
        "fast path": torch.backends.mha.get_fastpath_enabled(),
        "oneDNN": torch.backends.mkldnn.enabled,
        "threads": torch.get_num_threads(),
        "default device": torch.get_default_device(),
    }
    for name in ("linear", "conv2d", "relu", "softmax", "scaled_dot_product_attention"):
        state[f"F.{name}"] = getattr(F, name)
    for name in ("matmul", "bmm", "mm", "addmm", "conv2d"):
        state[f"torch.{name}"] = getattr(torch, name)
    for name in PROCESS_WIDE:
        state[name] = list(getattr(process_wide, name))
    for place, module in model.named_modules():
        state[f"{place}: type"] = type(module)
        state[f"{place}: parts"] = parts_of(module)
        state[f"{place}: hooks"] = [list(getattr(module, name)) for name in HOOKS]
    for name, tensor in model.state_dict(keep_vars=True).items():
        state[f"{name}: tensor"] = (id(tensor), tensor.requires_grad, tensor.grad)
        state[f"{name}: values"] = tensor.detach().clone().tolist()
    return state


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("raises", [False, True], ids=["forward returns", "forward raises"])
def test_a_count_leaves_no_mark(raises: bool, training: bool) -> None:
    model = Net(raises=raises).train(training)
    model.norm.eval()  # a mixed state has to survive as well
    before = state_of(model)
    if raises:
        with pytest.raises(MicronetError, match=r"Net\.forward failed .*: out of paper"):
            bill(model, (1, 3, 8, 8))
    else:
        bill(model, (1, 3, 8, 8))
    after = state_of(model)
    assert after.keys() == before.keys()
    assert [key for key in before if before[key] != after[key]] == []


@pytest.mark.parametrize("spoil", ["hook", "key", "mode", "buffer", "random"])
def test_the_comparison_of_states_sees_a_mark(spoil: str) -> None:
    model = Net()
    before = state_of(model)
    if spoil == "hook":
        model.fc.register_forward_hook(lambda *_: None)
    elif spoil == "key":
        model.fc.register_buffer("total_ops", torch.zeros(1))
    elif spoil == "mode":
        model.drop.eval()
    elif spoil == "buffer":
        model.norm.running_mean.add_(1)  # type: ignore[union-attr]
    else:
        torch.rand(1)
    assert state_of(model) != before


def test_batch_norm_of_a_model_in_training_mode_keeps_its_statistics() -> None:
    # In training mode a forward pass would replace them by those of the batch.
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).train()
    before = copy.deepcopy(model.state_dict())
    assert bill(model, (2, 3, 5, 5)).cost.total == 2 * 25 * 12
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert model.training


class Steps(nn.Module):
    """Repeats its layer as often as the input's sum says: only data can tell."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.norm = nn.BatchNorm1d(8)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.fc(x))
        return x if bool(x.sum() > 1e30) else self.fc(x)


def test_control_flow_that_depends_on_data_is_run_for_real_and_says_so() -> None:
    model = Steps().train()
    before = state_of(model)
    network = Network(trace(model, [meta_input((1, 8))]))
    assert tally(network, rule_book("macs")).cost.total == 2 * 64
    (note,) = network.trace.notes
    assert note == (
        "traced on one real random input, because shapes alone do not decide what runs "
        "(the value of an activation decides what runs)"
    )
    assert not network.trace.shape_only
    after = state_of(model)
    assert [key for key in before if before[key] != after[key]] == []


def test_shapes_are_enough_where_data_decides_nothing() -> None:
    found = trace(Net(), [meta_input((1, 3, 8, 8))])
    assert (found.notes, found.shape_only) == ((), True)


class Positions(nn.Module):
    """Keeps its position table on the device of its last input, as detectors keep their anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)
        self.table = torch.arange(5.0)[:, None]
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.table = self.table.to(x.device) * 1
        self.seen.append(x)
        positioned: Tensor = self.fc(x + self.table)
        return positioned


def test_what_forward_keeps_for_itself_is_undone() -> None:
    model = Positions()
    table = model.table
    assert bill(model, (1, 5, 8)).cost.total == 5 * 32
    assert model.table is table
    assert model(torch.ones(1, 5, 8)).device.type == "cpu"


class Decides(Positions):
    """The same, where data decide what runs: the second, real run meets what the first one kept."""

    def forward(self, x: Tensor) -> Tensor:
        positioned = super().forward(x)
        return positioned if bool(positioned.sum() < 1e30) else positioned * 2


def test_what_the_first_pass_kept_does_not_reach_the_second() -> None:
    model = Decides()
    table = model.table
    assert bill(model, (1, 5, 8)).cost.total == 5 * 32
    assert model.table is table
    assert model.seen == []


class Counter(nn.Module):
    """Counts its calls in a buffer, in place."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)
        self.calls: Tensor
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.register_buffer("last", torch.zeros(1, 8))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.last.copy_(x)  # type: ignore[operator]
        result: Tensor = self.fc(x)
        return result


def test_buffers_that_forward_overwrites_keep_their_values() -> None:
    model = Counter()
    before = state_of(model)
    assert bill(model, (1, 8)).cost.total == 32
    after = state_of(model)
    assert [key for key in before if before[key] != after[key]] == []


@pytest.fixture
def scan() -> Iterator[Callable[[Tensor], Tensor]]:
    """A custom operator, as a package with its own kernels would define it."""
    library = torch.library.Library("micronet_test", "DEF")
    library.define("scan(Tensor x) -> Tensor")
    library.impl("scan", lambda x: x.cumsum(-1), "CPU")
    library.impl("scan", torch.empty_like, "Meta")
    yield torch.ops.micronet_test.scan
    library._destroy()


class Calls(nn.Module):
    """A linear layer and something else."""

    def __init__(self, then: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.then = then

    def forward(self, x: Tensor) -> Tensor:
        return self.then(self.fc(x))


def test_a_custom_operator_is_refused_by_name(scan: Callable[[Tensor], Tensor]) -> None:
    model = nn.Sequential()
    model.add_module("mixer", Calls(scan))
    with pytest.raises(MicronetError) as caught:
        bill(model, (1, 8))
    assert caught.value.message == (
        "No price for 1 operator(s): micronet_test.scan.default in mixer."
    )


def test_all_operators_without_price_are_named_at_once() -> None:
    model = nn.Sequential(Calls(torch.linalg.inv), Calls(torch.fft.fft))
    with pytest.raises(MicronetError, match=r"No price for \d operator.*inv.* in 0; .*fft.* in 1"):
        bill(model, (8, 8))


def test_a_quantised_linear_layer_is_refused_by_name() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch is about to move it to torchao
        model = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(8, 4)), {nn.Linear})
    with pytest.raises(MicronetError, match=r"quantized\.linear_dynamic"):
        bill(model, (1, 8))


@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
def test_a_sparse_weight_counts_its_edges_or_is_refused(layout: torch.layout) -> None:
    dense = torch.eye(8)[:, :4].T.contiguous()  # 4 of 32 edges
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "in beta state"
        sparse = dense.to_sparse(layout=layout)
    model = Calls(lambda x: torch.sparse.mm(sparse, x.T).T)
    try:
        found = bill(model, (3, 8)).cost.total
    except MicronetError as refused:
        assert "sparse" in f"{refused}".lower()  # noqa: PT017  # either answer is right
    else:
        assert found == 3 * 64 + 3 * 4


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        (
            nn.Conv2d(3, 8, 3),
            (1, 4, 8, 8),
            "Conv2d.forward failed on an input of 1x4x8x8: Given groups=1, weight of size [8, 3, 3, 3]",
        ),
        (nn.Linear(8, 4), (1, 9), "Linear.forward failed on an input of 1x9: "),
    ],
)
def test_a_wrong_input_is_one_error_with_the_shape(
    model: nn.Module, shape: Shape, message: str
) -> None:
    with pytest.raises(MicronetError) as caught:
        bill(model, shape)
    assert caught.value.message.startswith(message)
    assert "\n" not in caught.value.message
    assert caught.value.next_step is not None


class Words(nn.Module):
    def forward(self, x: Tensor) -> str:
        return f"{x.shape}"


def test_a_forward_without_tensors_is_refused() -> None:
    with pytest.raises(MicronetError, match=r"Words.forward returned str without a tensor\."):
        bill(Words(), (1, 8))
