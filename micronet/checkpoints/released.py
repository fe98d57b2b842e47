"""DNW's released files store every edge, used or not: choose the used ones as the release does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from micronet.checkpoints.recognise import CONVOLUTION_DIMENSIONS
from micronet.errors import MicronetError
from micronet.wiring import keep_largest, mobilenet_blocks, released_selection

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from micronet.checkpoints.card import Card
    from micronet.checkpoints.recognise import Recognised

TINY_EDGES: Final = 32_000  # of the published tiny classifiers


def selected(
    path: Path, found: Recognised, tensors: Mapping[str, torch.Tensor], card: Card | None
) -> tuple[dict[str, torch.Tensor], dict[str, Any], str]:
    """The weights with unused edges zero, the whole configuration, and a note of what was done.

    MicronetError if the file is dense and nothing says how much of it is used.
    """
    config = dict(found.config)
    state = dict(tensors)
    masked = [name for name in state if name.endswith("graph.mask")]
    if card is not None and card.prune_rate is not None:
        config |= card.config
        if masked:
            return state, config, "the wiring is the file's own 0/1 mask"
        count = _prune(found.architecture, config, state, card.prune_rate)
        return state, config, f"{count} edges kept, chosen as DNW's release does"
    if masked:
        return state, config, "the wiring is the file's own 0/1 mask"
    if found.architecture.startswith("tiny"):
        (name,) = [name for name in state if name.endswith("graph.weight")]
        if int(torch.count_nonzero(state[name])) > TINY_EDGES:
            state[name] = state[name] * keep_largest(state[name], TINY_EDGES)
        return state, config, f"{TINY_EDGES} edges kept, as published"
    if _dense(found.architecture, state):
        raise MicronetError(
            f"{path}: every edge is stored, and how many are used (prune_rate) is not.",
            "Name the file as its card, such as dnw_x225.pt; `micronet list` shows the cards.",
        )
    return state, config, "the wiring is the file's nonzero weights"


def _prune(
    architecture: str, config: Mapping[str, Any], state: dict[str, torch.Tensor], rate: float
) -> int:
    """Zero what the release leaves out; how many entries it keeps."""
    rates: dict[str, float] = {}
    if architecture == "resnet50_sparse":
        rates = {
            name: rate for name, tensor in state.items() if tensor.dim() == CONVOLUTION_DIMENSIONS
        }
        if config.get("dense_first"):
            rates.pop("conv1.weight", None)
    else:
        for index, block in enumerate(mobilenet_blocks(int(config["width"]))):
            rates[f"layers.{index}.graph.weight"] = block.released_prune_rate(rate)
        if config["classifier"] == "sparse":
            rates["linear.graph.weight"] = rate
    kept = 0
    for name, each in rates.items():
        if name not in state:
            continue  # reported with everything else that is missing
        mask = released_selection(state[name], each)
        state[name] = state[name] * mask
        kept += int(mask.sum())
    return kept


def _dense(architecture: str, state: Mapping[str, torch.Tensor]) -> bool:
    end = ".conv2.weight" if architecture == "resnet50_sparse" else "graph.weight"
    edges = [tensor for name, tensor in state.items() if name.endswith(end)]
    return all(bool(tensor.all()) for tensor in edges)
