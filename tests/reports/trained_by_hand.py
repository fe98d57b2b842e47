"""Training receipts worked out by hand: 50,000 images in batches of 512 are 98 steps an epoch."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from micronet.reports.training_receipt import read_trainings
from micronet.reports.training_runs import experiments

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from micronet.reports.training_runs import Experiment

IMAGES: Final = 50_000
TESTED: Final = 10_000
STEPS: Final = 98  # 97 batches of 512, and one of 336
EDGES: Final = 32_000
NODES: Final = 768
SHORT: Final = "tiny_static_dnw_short"
COSINE: Final = "cosine, per iteration"


def trained(
    right: Sequence[int] = (4_000, 7_000), *, seed: int = 1, card: str = SHORT, **recipe: Any
) -> dict[str, Any]:
    """A run with so many test images right after each epoch; a fourth of the edges is new in each."""
    asked = {"method": "dnw", "batch_size": 512, "epochs": len(right)} | recipe
    history = [
        {
            "epoch": number,
            "step": number * STEPS,
            "learning_rate": 0.1 / number,
            "loss": 2.0 / number,
            "right": answered + 1_000,
            "images": IMAGES,
            "test_right": answered,
            "test_images": TESTED,
            "kept": EDGES,
            "entered": EDGES // 4,
            "left": EDGES // 4,
            "alive": NODES - number,
            "targets": NODES,
            "thresholds": [None if asked["method"] == "random-graph" else 0.01 * number],
        }
        for number, answered in enumerate(right, 1)
    ]
    made = {
        "schema": "micronet.training/1",
        "card": card,
        "architecture": "tiny_static",
        "method": asked["method"],
        "recipe": whole_recipe(asked),
        "recipe_digest": sha256(sorted(asked.items()))[:8],
        "seed": seed,
        "data": {
            "train": sha256("train"),
            "train_images": IMAGES,
            "test": sha256("test"),
            "test_images": TESTED,
        },
        "epochs": len(right),
        "edges": EDGES,
        "wiring": {"file": f"{card}.pt", "sha256": sha256([card, seed])},
        "versions": {"micronet": "0.1.0"},
        "history": history,
    }
    return with_totals(made)


def whole_recipe(asked: dict[str, Any]) -> dict[str, Any]:
    """The recipe of the short cards, changed as ``asked``."""
    usual = {
        "source": "by hand",
        "accumulate": 1,
        "learning_rate": 0.1,
        "schedule": COSINE,
        "gamma": 0.1,
        "optimizer": "sgd",
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 1e-4,
        "weight_decay_on_batch_norm": True,
        "label_smoothing": 0.0,
        "average": 0.0,
        "autocast": "none",
        "train_transform": "random crop with 4 pixels of padding, horizontal flip",
        "budgets": "graph",
        "initialisation": "",
        "seed": 1996,
        "milestones": [],
        "cycle_rates": [],
        "knobs": {},
    }
    return usual | asked


def with_totals(made: dict[str, Any]) -> dict[str, Any]:
    """The same with the totals of its last epoch."""
    last = made["history"][-1]
    return made | {
        "steps": last["step"],
        "edges": last["kept"],
        "train_right": last["right"],
        "train_images": last["images"],
        "test_right": last["test_right"],
        "test_images": last["test_images"],
    }


def untested(made: dict[str, Any]) -> dict[str, Any]:
    """The same without test images."""
    for epoch in made["history"]:
        epoch |= {"test_right": None, "test_images": None}
    data = {key: made["data"][key] for key in ("train", "train_images")}
    return with_totals(made | {"data": data})


def keep(root: Path, *made: dict[str, Any], **named: dict[str, Any]) -> Path:
    """``root`` with receipts: by card, recipe and seed, or as "NAME.training.json" if named."""
    receipts = root / "reports" / "receipts"
    receipts.mkdir(parents=True, exist_ok=True)
    for each in made:
        named[f"{each['card']}.{each['recipe_digest']}.seed{each['seed']}"] = each
    for name, each in named.items():
        (receipts / f"{name}.training.json").write_text(json.dumps(each), encoding="utf-8")
    return root


def together(root: Path, *made: dict[str, Any], **named: dict[str, Any]) -> tuple[Experiment, ...]:
    """The experiments that such receipts are."""
    return experiments(read_trainings(keep(root, *made, **named)))


def sha256(of: object) -> str:
    """A digest as good as any."""
    return hashlib.sha256(repr(of).encode()).hexdigest()
