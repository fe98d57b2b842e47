"""A journal is gone on from by the same evaluation only: the same weights, code, images, arithmetic."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from micronet.checkpoints.card import Preprocessing
from micronet.checkpoints.target import load_target
from micronet.evaluation.data.open import open_dataset
from micronet.evaluation.identity import arithmetic_facts, evaluation_id
from micronet.evaluation.network import Arithmetic
from micronet.evaluation.state_digest import target_facts
from micronet.evaluation.worker import Plan
from tests.evaluation import nets
from tests.evaluation.pictures import class_folders

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

LOOK = Preprocessing(36, 32, "bilinear", (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(open_dataset(class_folders(tmp_path / "val", 20)), LOOK)


def identity(source: Path, plan: Plan, name: str = "small") -> str:
    """Of the network that a file makes, loaded as a user loads it."""
    loaded = load_target(None, model=f"{source}:{name}")
    return evaluation_id(target_facts(loaded), loaded.model, plan)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(Path(nets.__file__).read_text())
    return path


def test_it_is_the_same_every_time(source: Path, plan: Plan) -> None:
    assert identity(source, plan) == identity(source, plan)


def test_speed_is_not_in_it(source: Path, plan: Plan) -> None:
    fast = replace(plan, batch_size=99, lanes=7, strict=True)
    assert identity(source, plan) == identity(source, fast)


OTHER: dict[str, Callable[[Plan], Plan]] = {
    "crop": lambda plan: replace(plan, look=replace(plan.look, crop=30)),
    "interpolation": lambda plan: replace(plan, look=replace(plan.look, interpolation="bicubic")),
    "antialias": lambda plan: replace(plan, look=replace(plan.look, antialias=False)),
    "mean": lambda plan: replace(plan, look=replace(plan.look, mean=(0.5, 0.5, 0.500001))),
    "decoder": lambda plan: replace(plan, decoder="draft"),
    "dtype": lambda plan: replace(plan, arithmetic=Arithmetic("bf16")),
    "compiled": lambda plan: replace(plan, arithmetic=Arithmetic(compiled=True)),
    "device": lambda plan: replace(plan, arithmetic=Arithmetic(device=torch.device("meta"))),
    "images": lambda plan: replace(plan, dataset=replace(plan.dataset, fingerprint="0" * 64)),
}


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER.keys())
def test_whatever_an_answer_depends_on_is_in_it(
    change: Callable[[Plan], Plan], source: Path, plan: Plan
) -> None:
    assert identity(source, plan) != identity(source, change(plan))


def test_other_weights_are_another_evaluation(source: Path, plan: Plan) -> None:
    assert identity(source, plan, "small") != identity(source, plan, "other")


def test_other_code_with_the_same_weights_is_another_evaluation(source: Path, plan: Plan) -> None:
    """The state and the printed structure are the same; only ``forward`` is not."""
    before = identity(source, plan)
    text = source.read_text()
    assert text.count("found.mean((2, 3))") == 1
    source.write_text(text.replace("found.mean((2, 3))", "found.amax((2, 3))"))
    assert identity(source, plan) != before


def test_the_code_of_what_is_inherited_counts(tmp_path: Path, source: Path, plan: Plan) -> None:
    """In a file of its own."""
    child = tmp_path / "child.py"
    child.write_text(
        "import importlib.util as u\n"
        f"spec = u.spec_from_file_location('net', {str(source)!r})\n"
        "net = u.module_from_spec(spec)\nspec.loader.exec_module(net)\n"
        "class Child(net.Small):\n    pass\n"
        "def make():\n    return net.seeded(Child())\n"
    )
    before = identity(child, plan, "make")
    source.write_text(source.read_text().replace("found.mean((2, 3))", "found.amax((2, 3))"))
    assert identity(child, plan, "make") != before


def test_another_structure_of_the_same_state_is_another_evaluation(plan: Plan) -> None:
    facts = {"name": "x"}
    ids = {
        evaluation_id(facts, net, plan)
        for net in (nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU6()), nn.Sequential(nn.GELU()))
    }
    assert len(ids) == 3


class Shows(nn.Module):
    """Prints a function, with its address in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.function = lambda images: images

    def extra_repr(self) -> str:
        return f"{self.function}"

    def forward(self, images: Tensor) -> Tensor:
        return images


def test_an_address_in_memory_is_no_part_of_it(plan: Plan) -> None:
    """Else no run would ever be gone on from, and no two processes would agree."""
    one, two = Shows(), Shows()
    assert " at 0x" in repr(one) != repr(two)
    assert evaluation_id({}, one, plan) == evaluation_id({}, two, plan)


def test_a_class_without_a_file_is_no_obstacle(plan: Plan) -> None:
    names: dict[str, type[nn.Module]] = {"Base": nn.Module}
    exec("class Made(Base):\n    def forward(self, x):\n        return x\n", names)  # noqa: S102
    assert len(evaluation_id({}, names["Made"](), plan)) == 64


def test_arithmetic_is_told_in_torchs_words(plan: Plan) -> None:
    assert arithmetic_facts(plan) == {"dtype": "float32", "device": "cpu", "compiled": False}
    other = replace(plan, arithmetic=Arithmetic("bf16", torch.device("cuda", 1), compiled=True))
    assert arithmetic_facts(other) == {"dtype": "bfloat16", "device": "cuda", "compiled": True}
