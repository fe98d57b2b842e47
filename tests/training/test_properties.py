"""What the DNW paper proves or claims of its update rule, held against the real thing.

Wortsman, Farhadi, Rastegari, "Discovering Neural Wirings", NeurIPS 2019, section 3. All numbers
are small multiples of powers of two, so that floating point computes them without rounding.
"""

from __future__ import annotations

from itertools import product

import pytest
import torch
import torch.nn.functional as F
from hypothesis import event, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from micronet.training.gates import Gated, Gates, Group, gated
from micronet.training.sparsify import sparsify
from micronet.wiring import BlockShape, legal_edges

SOURCES, TARGETS, IMAGES, SIDE = 4, 3, 2, 2
KEPT = 5  # of 12 edges

integers = st.integers(-4, 4).map(float)


def tensors(*shape: int) -> st.SearchStrategy[Tensor]:
    """Whole numbers from -4 to 4."""
    size = torch.Size(shape).numel()
    rows = st.lists(integers, min_size=size, max_size=size)
    return rows.map(lambda row: torch.tensor(row, dtype=torch.float64).view(shape))


# 1 + n / 64, of either sign: close enough together for small steps to exchange edges.
weights = st.lists(
    st.builds(lambda n, sign: sign * (1 + n / 64), st.integers(0, 63), st.sampled_from([-1, 1])),
    min_size=TARGETS * SOURCES,
    max_size=TARGETS * SOURCES,
).map(lambda row: torch.tensor(row, dtype=torch.float64).view(TARGETS, SOURCES, 1, 1))


def graph(weight: Tensor, kept: int, legal: Tensor | None = None) -> tuple[nn.Conv2d, Gated, Gates]:
    """A 1×1 convolution of single-channel nodes that uses its ``kept`` largest edges."""
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], 1, bias=False, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(weight)
    member = gated(layer, "weight", "weight", legal)
    gates = Gates([Group((member,), kept)])
    gates.follow_largest()
    return layer, member, gates


def hallucinated(z: Tensor, g: Tensor) -> Tensor:
    """⟨Z_u, ∂L/∂I_v⟩ for every edge (v, u), there or not: over all images and positions."""
    return torch.einsum("nvhw,nuhw->vu", g, z)[:, :, None, None]


nodes = tensors(IMAGES, SOURCES, SIDE, SIDE)
pulls = tensors(IMAGES, TARGETS, SIDE, SIDE)


@settings(max_examples=50, deadline=None)
@given(weight=weights, z=nodes, target=pulls)
def test_every_edge_moves_by_its_source_times_the_gradient_of_its_target(
    weight: Tensor, z: Tensor, target: Tensor
) -> None:
    """w ← w - α ⟨Z_u, ∂L/∂I_v⟩, one step of SGD, for the edges in use and for all others."""
    layer, member, _ = graph(weight, KEPT)
    optimizer = torch.optim.SGD(layer.parameters(), lr=2.0**-6)

    i = layer(z)
    i.retain_grad()
    (0.5 * (i - target).square()).sum().backward()  # ∂L/∂I = I - target
    optimizer.step()

    assert i.grad is not None
    assert torch.equal(i.grad, i.detach() - target)
    moved = member.weight.detach() - weight
    expected = -(2.0**-6) * hallucinated(z, i.grad)
    active = member.gate.kept
    assert int(active.sum()) == KEPT
    assert torch.equal(moved[~active], expected[~active])
    assert torch.equal(moved[active], expected[active])


@settings(max_examples=50, deadline=None)
@given(weight=weights, z=nodes, target=pulls)
def test_activations_get_gradients_through_active_edges_only(
    weight: Tensor, z: Tensor, target: Tensor
) -> None:
    layer, member, _ = graph(weight, KEPT)
    z = z.clone().requires_grad_()
    i = layer(z)
    i.retain_grad()
    (0.5 * (i - target).square()).sum().backward()
    active = weight.where(member.gate.kept, 0)[:, :, 0, 0]
    assert i.grad is not None
    assert z.grad is not None
    assert torch.equal(z.grad, torch.einsum("nvhw,vu->nuhw", i.grad, active))


def loss(weight: Tensor, edges: set[int], z: Tensor, g: Tensor) -> float:
    """The mini-batch loss, linear in I: Σ ⟨I_v, ∂L/∂I_v⟩ with I_v = Σ w_vu Z_u over ``edges``."""
    mask = torch.zeros(weight.numel(), dtype=torch.bool)
    mask[sorted(edges)] = True
    used = weight.where(mask.view_as(weight), 0)
    return float((F.conv2d(z, used) * g).sum())


def small_step(weight: Tensor, step: Tensor) -> float:
    """The largest power of two by which no weight loses half of its magnitude."""
    rate = 1.0
    while bool((weight - rate * step).mul(weight.sign()).le(weight.abs() / 2).any()):
        rate /= 2
    return rate


def swaps(weight: Tensor, z: Tensor, g: Tensor) -> int:
    """Take one small step; check every exchange of an edge for another; how many there were.

    Let i enter and j leave: |w_i| ≤ |w_j| before, |w̃_i| ≥ |w̃_j| after, not equal both times.
    With w̃ = w - α⟨Z, g⟩ and no change of sign, w̃ ⟨Z, g⟩ = -|w̃| (|w̃| - |w|) / α, so the swap
    changes the loss by

        w̃_i ⟨Z_i, g_i⟩ - w̃_j ⟨Z_j, g_j⟩ = -(1/α) [|w̃_i| (|w̃_i| - |w_i|) - |w̃_j| (|w̃_j| - |w_j|)].

    Write |w̃_i| = |w̃_j| + δ and |w_j| = |w_i| + ε, with δ, ε ≥ 0. The bracket is
    δ (2 |w̃_j| + δ - |w_i|) + ε |w̃_j|, which is positive while 2 |w̃_j| > |w_j| ≥ |w_i|: the step is
    small enough as long as no weight loses half of itself.
    """
    layer, member, _ = graph(weight, KEPT)
    (layer(z) * g).sum().backward()
    before = set(member.gate.kept.flatten().nonzero().flatten().tolist())
    rate = small_step(weight, hallucinated(z, g))
    torch.optim.SGD(layer.parameters(), lr=rate).step()
    layer(z)
    after = set(member.gate.kept.flatten().nonzero().flatten().tolist())
    moved = member.weight.detach()
    for entering, leaving in product(after - before, before - after):
        without = after - {entering} | {leaving}
        assert loss(moved, after, z, g) < loss(moved, without, z, g)
    return len(after - before)


@settings(max_examples=80, deadline=None)
@given(weight=weights, z=nodes, g=pulls)
def test_a_swap_of_edges_lowers_the_loss_of_the_mini_batch(
    weight: Tensor, z: Tensor, g: Tensor
) -> None:
    event(f"{swaps(weight, z, g)} swaps")


def test_edges_are_really_swapped() -> None:
    """The theorem is not proved by cases in which nothing happens."""
    generator = torch.Generator().manual_seed(0)
    found = 0
    for _ in range(20):
        weight = 1 + torch.randint(0, 64, (TARGETS, SOURCES, 1, 1), generator=generator) / 64
        z = torch.randint(-4, 5, (IMAGES, SOURCES, SIDE, SIDE), generator=generator)
        g = torch.randint(-4, 5, (IMAGES, TARGETS, SIDE, SIDE), generator=generator)
        found += swaps(weight.double(), z.double(), g.double())
    assert found >= 20


powers = st.builds(
    lambda exponent, sign: sign * 2.0**exponent, st.integers(-6, 6), st.sampled_from([-1, 1])
)


@settings(max_examples=50, deadline=None)
@given(
    row=st.lists(powers, min_size=6, max_size=6),
    pull=st.lists(integers, min_size=6, max_size=6),
    exponent=st.integers(-6, 6),
)
def test_the_straight_through_gradient_is_that_of_a_softer_gate(
    row: list[float], pull: list[float], exponent: int
) -> None:
    """The gate g(w) = 1 - ε/|w| makes w · g(w) = w - ε sign(w), whose derivative is 1 for any ε."""
    upstream = torch.tensor(pull, dtype=torch.float64)
    epsilon = 2.0**exponent

    def gradient(use: object) -> Tensor:
        weight = torch.tensor(row, dtype=torch.float64).requires_grad_()
        (use(weight) * upstream).sum().backward()  # type: ignore[operator]
        assert weight.grad is not None
        return weight.grad

    _, member, gates = graph(torch.tensor(row, dtype=torch.float64).view(1, 6, 1, 1), 3)
    gates.choose_largest()
    ours = gradient(lambda w: member.gate(w.view(1, 6, 1, 1)).flatten())
    assert torch.equal(ours, gradient(lambda w: w * (1 - epsilon / w.abs())))
    assert torch.equal(ours, gradient(lambda w: w - epsilon * w.sign()))


def small_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
        *(nn.Conv2d(8, 8, 3, padding=1, groups=4), nn.ReLU(), nn.Flatten()),
        nn.Linear(8 * 36, 5),
    )


@pytest.mark.parametrize(
    ("budgets", "expected"),
    [
        # a tenth of 3·8·9 = 216, 8·2·9 = 144 and 288·5 = 1,440
        ("layer", [[22], [15], [144]]),
        # a tenth of 1,800; dimensions add up to 17, 16 and 293: 9.39, 8.83 and 161.78 of 180
        ("erk", [[9], [9], [162]]),
        ("global", [[180]]),
    ],
)
def test_budgets_are_exact_at_every_step_of_training(
    budgets: str, expected: list[list[int]]
) -> None:
    """Fifteen steps with momentum and decay; the edges are those of a sort, and they do change."""
    net = small_net()
    gates = sparsify(net, 0.1, budgets=budgets)  # type: ignore[arg-type]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9, weight_decay=1e-2)
    seen = set()
    for _ in range(15):
        images, labels = torch.randn(8, 3, 6, 6), torch.randint(5, (8,))
        optimizer.zero_grad()
        F.cross_entropy(net(images), labels).backward()
        for group, (budget,) in zip(gates.groups, expected, strict=True):
            sizes = torch.cat([m.weight.detach().abs().flatten() for m in group.members])
            kept = torch.cat([m.gate.kept.flatten() for m in group.members])
            used = torch.cat([m.used.detach().flatten() for m in group.members])
            assert int(kept.sum()) == int(used.count_nonzero()) == group.budget == budget
            assert set(kept.nonzero().flatten().tolist()) == set(
                sizes.sort(descending=True, stable=True).indices[:budget].tolist()
            )
        seen.add(bytes(torch.cat([m.gate.kept.flatten() for m in gates]).tolist()))
        optimizer.step()
    assert len(seen) > 5


@pytest.mark.parametrize("decay", [0.0, 0.25])
def test_illegal_edges_are_never_kept_and_never_learn(decay: float) -> None:
    """The largest weights of all are illegal here; weight decay alone moves them.

    Two levels of two nodes behind three inputs: rows of level 1 may not have the columns of it.
    """
    legal = legal_edges(BlockShape(3, 2, 1, 2))
    torch.manual_seed(0)
    weight = torch.randn(4, 5, 1, 1, dtype=torch.float64).where(legal[:, :, None, None], 64.0)
    layer, member, _ = graph(weight, 6, legal)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.5, momentum=0.5, weight_decay=decay)
    expected, momentum = 64.0, 0.0
    for _ in range(8):
        optimizer.zero_grad()
        layer(torch.randn(2, 5, 3, 3, dtype=torch.float64)).square().sum().mul(1e-3).backward()
        kept = member.gate.kept[:, :, 0, 0]
        assert int(kept.sum()) == 6
        assert not (kept & ~legal).any()
        assert member.weight.grad is not None
        assert member.weight.grad[:, :, 0, 0][~legal].eq(0).all()
        optimizer.step()
        momentum = 0.5 * momentum + decay * expected
        expected -= 0.5 * momentum
    illegal = member.weight.detach()[:, :, 0, 0][~legal]
    assert illegal.tolist() == [expected] * int((~legal).sum())
    assert (expected == 64.0) == (decay == 0.0)
