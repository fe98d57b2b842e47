"""The MobileNetV1-like wiring: how many edges, which ones, and what they compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from micronet.models import build_model
from micronet.models.mobilenetv1_dnw import Block
from micronet.wiring import BlockShape, legal_edges, mobilenet_blocks

if TYPE_CHECKING:
    from collections.abc import Callable

WIRINGS: dict[str, dict[str, object]] = {
    "dnw_small_x15": {"density": 0.15, "classifier": "sparse"},
    "dnw_x225": {"density": 0.225},
    "rg_x225": {"density": 0.225, "wiring": "random"},
    "twice_as_wide": {"width": 2, "density": 0.5, "classifier": "sparse"},
}


def edge_masks(model: nn.Module) -> list[Tensor]:
    """For each of the five graphs, the boolean [targets, sources] of edges that are there."""
    blocks = [model.get_submodule(f"layers.{index}") for index in range(5)]
    return [block.graph.edge_weights().flatten(1) != 0 for block in blocks]  # type: ignore[union-attr,operator]


@pytest.mark.parametrize("config", WIRINGS.values(), ids=WIRINGS)
def test_fresh_wiring_has_its_budget_of_legal_edges_and_no_dead_node(
    config: dict[str, object],
) -> None:
    torch.manual_seed(1)
    model = build_model("mobilenetv1_dnw", config)

    shapes = mobilenet_blocks(int(str(config.get("width", 1))))
    for block, (shape, edges) in enumerate(zip(shapes, edge_masks(model), strict=True)):
        budget = shape.edge_budget(float(str(config["density"])))
        assert int(edges.sum()) == budget
        assert not bool((edges & ~legal_edges(shape)).any())
        assert bool(edges.any(dim=0).all())
        # 47 edges cannot reach the 64 outputs of the first graph at d = .15.
        reached = min(budget, shape.targets) if block == 0 else shape.targets
        assert int(edges.any(dim=1).sum()) == reached


def test_sparse_classifier_of_the_wide_wiring_has_1024000_edges() -> None:
    model = build_model("mobilenetv1_dnw", WIRINGS["twice_as_wide"])

    assert int(model.get_parameter("linear.graph.weight").count_nonzero()) == 1_024_000


def test_random_wiring_masks_a_dense_weight() -> None:
    model = build_model("mobilenetv1_dnw", WIRINGS["rg_x225"])
    mask = model.get_buffer("layers.1.graph.mask")

    assert set(mask.flatten().tolist()) == {0.0, 1.0}
    assert int(model.get_parameter("layers.1.graph.weight").count_nonzero()) == 256 * 192


def test_same_seed_gives_the_same_wiring() -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(7)
        states.append(build_model("mobilenetv1_dnw", {"density": 0.15}).state_dict())

    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def naive_block(block: Block, x: Tensor) -> Tensor:
    """The same function node by node: I_v = Σ w_uv Z_u over legal edges, Z = conv(relu(bn(I)))."""
    shape, weight = block.shape, block.graph.weight[:, :, 0, 0]
    legal = legal_edges(shape)

    def node(value: Tensor, norm: nn.Module, channel: int, kernel: Tensor, stride: int) -> Tensor:
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight[channel] / (norm.running_var[channel] + norm.eps).sqrt()
        value = scale * (value - norm.running_mean[channel]) + norm.bias[channel]
        return F.conv2d(value.clamp(min=0)[:, None], kernel[None], None, stride, 1)[:, 0]

    outgoing = [
        node(x[:, u], block.norm[0], u, block.downsample[0].weight[u], shape.stride)  # type: ignore[index]
        for u in range(shape.inputs)
    ]
    incoming = []
    for target in range(shape.targets):
        total = sum(
            weight[target, source] * outgoing[source]
            for source in range(len(outgoing))
            if legal[target, source]
        )
        assert isinstance(total, Tensor)
        incoming.append(total)
        level, channel = divmod(target, shape.outputs)
        if level < shape.levels - 1:
            kernel = block.conv.weight[target]
            outgoing.append(node(total, block.norm[level + 1], channel, kernel, 1))
    return torch.stack(incoming[-shape.outputs :], dim=1)


@pytest.mark.parametrize(
    "shape",
    [BlockShape(3, 4, 1, 1), BlockShape(3, 4, 2, 2), BlockShape(4, 3, 2, 4)],
    ids=["one_level", "two_levels", "four_levels"],
)
def test_forward_is_the_sum_over_legal_edges_node_by_node(shape: BlockShape) -> None:
    """Illegal entries of the matrix are filled as well: no forward pass may read them."""
    torch.manual_seed(0)
    block = Block(shape, 1.0, "dnw").double().eval()
    for tensor in block.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5)
    block.graph.weight.data.uniform_(-1, 1)
    x = torch.randn(2, shape.inputs, 6, 6, dtype=torch.float64)

    assert torch.allclose(block(x), naive_block(block, x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("image_size", "stride"), [(32, 1), (64, 1), (65, 2), (224, 2)])
def test_small_images_keep_the_stem_unstrided(
    image_size: int, stride: int, meta_model: Callable[[str, dict[str, object]], nn.Module]
) -> None:
    model = meta_model("mobilenetv1_dnw", {"image_size": image_size})
    stem = model.get_submodule("conv1")

    assert isinstance(stem, nn.Conv2d)
    assert stem.stride == (stride, stride)
    assert model(torch.zeros(1, 3, image_size, image_size, device="meta")).shape == (1, 1000)


def test_stem_grows_with_the_width(
    meta_model: Callable[[str, dict[str, object]], nn.Module],
) -> None:
    model = meta_model("mobilenetv1_dnw", {"width": 2})

    assert model.get_parameter("conv1.weight").shape == (64, 3, 3, 3)


def test_sparse_classifier_is_a_matrix_product() -> None:
    torch.manual_seed(0)
    model = build_model(
        "mobilenetv1_dnw",
        {"classifier": "sparse", "density": 0.15, "image_size": 32, "classes": 10},
    ).eval()
    features = torch.randn(3, 1024)
    weight = model.get_parameter("linear.graph.weight")[:, :, 0, 0]

    scores = model.get_submodule("linear")(features)

    assert torch.allclose(scores, features @ weight.T, atol=1e-5)
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 10)
