"""A transformer of seven billion parameters, counted without ever allocating it.

    python benchmarks/large.py

32 blocks, 4096 wide, 32 heads, SwiGLU of 11 008, 32 000 words, 128 tokens; built on the meta device.
The goal is less than 2 GiB of memory; the total is checked against the formula in ``expected``.
"""
# ruff: noqa: INP001, T201  # a script: it prints, and finds its neighbours by path

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks import machine

LAYERS, WIDTH, HEADS, HIDDEN, WORDS, TOKENS = 32, 4096, 32, 11_008, 32_000, 128
_GIBIBYTE = 1 << 30


class Block(nn.Module):
    """Attention and SwiGLU, each after a norm and beside a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.before_attention, self.before_mlp = nn.RMSNorm(WIDTH), nn.RMSNorm(WIDTH)
        self.query, self.key, self.value, self.out = (
            nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4)
        )
        self.gate, self.up = (nn.Linear(WIDTH, HIDDEN, bias=False) for _ in range(2))
        self.down = nn.Linear(HIDDEN, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, tokens, width] → the same."""
        y = self.before_attention(x)
        query, key, value = (
            part(y).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        y = self.before_mlp(x)
        down: Tensor = self.down(F.silu(self.gate(y)) * self.up(y))
        return x + down


def build() -> nn.Module:
    """The network, without memory for its weights."""
    with torch.device("meta"):
        blocks = [Block() for _ in range(LAYERS)]
        head = nn.Linear(WIDTH, WORDS, bias=False)
        return nn.Sequential(nn.Embedding(WORDS, WIDTH), *blocks, nn.RMSNorm(WIDTH), head).eval()


def expected() -> int:
    """Multiply-accumulates: each weight of a linear layer once a token, and attention's two products."""
    weights = LAYERS * (4 * WIDTH * WIDTH + 3 * WIDTH * HIDDEN) + WIDTH * WORDS
    attention = (
        LAYERS * 2 * TOKENS * TOKENS * WIDTH
    )  # query · key and weight · value, over all heads
    return TOKENS * weights + attention


def main() -> int:
    """Build, count, compare; exit code 1 if the total is not the formula's."""
    from micronet.scoring.network import Network
    from micronet.scoring.rulebook import rule_book
    from micronet.scoring.tally import tally
    from micronet.scoring.trace import meta_input, trace

    torch.set_num_threads(1)
    before = machine.peak_bytes()
    start = time.perf_counter()
    model = build()
    built = time.perf_counter()
    network = Network(trace(model, [meta_input((1, TOKENS), "int64")]))
    total = tally(network, rule_book("macs")).cost.total
    counted = time.perf_counter()
    parameters = sum(parameter.numel() for parameter in model.parameters())
    peak = machine.peak_bytes()
    print(f"parameters          {parameters:,}")
    print(f"multiply-adds       {int(total):,}  formula {expected():,}")
    print(f"seconds             {built - start:.2f} to build, {counted - built:.2f} to count")
    print(
        f"peak memory         {peak / _GIBIBYTE:.2f} GiB, {before / _GIBIBYTE:.2f} before building"
    )
    print(f"\n{machine.describe()}")
    return int(total != expected())


if __name__ == "__main__":
    sys.exit(main())
