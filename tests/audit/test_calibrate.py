"""Mean operations per example: each path counted once, averaged exactly, stored together."""

from __future__ import annotations

import importlib.util
import json
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn

from micronet.audit.calibrate import (
    MOST_PATHS,
    Calibrated,
    calibrated_row,
    mean_operations,
    mean_over,
    walk,
)
from micronet.checkpoints.loaded import LoadedTarget
from micronet.errors import MicronetError
from micronet.models import InputSpec
from micronet.scoring.api import score_target
from micronet.scoring.tally import Cost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EXITS = Path(__file__).parent / "foreign" / "exits.py"
IMAGE = (1, 3, 16, 16)
DARK, GREY, BRIGHT = (torch.full(IMAGE, value) for value in (0.0, 0.5, 1.0))


def loaded(model: nn.Module, shape: tuple[int, ...] = IMAGE) -> LoadedTarget:
    return LoadedTarget(
        "theirs", None, None, "theirs", {}, "unknown", model.eval(), InputSpec(shape), None, ()
    )


class Run(nn.Module):
    """A forward pass given as a function, with two layers to choose from."""

    def __init__(self, run: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.run = run
        self.small = nn.Conv2d(3, 4, 1, bias=False)
        self.large = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        nn.init.ones_(self.small.weight)
        nn.init.ones_(self.large.weight)
        self.thin = nn.Parameter(torch.ones(4, 3, 1, 1))
        with torch.no_grad():
            self.thin[:, 1:] = 0

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def branchy() -> Any:
    """Three stages of 8, 16 and 32 channels; the brighter the image, the surer every exit."""
    spec = importlib.util.spec_from_file_location("exits", EXITS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    net = module.model()
    torch.manual_seed(0)  # numbers without a pattern, or these weights would count as quantised
    for i, stage in enumerate(net.stages):
        nn.init.uniform_(stage.conv.weight, 0.05, 0.15)
        nn.init.zeros_(stage.exit.bias)
        nn.init.uniform_(stage.exit.weight, 0.0, 0.01)
        nn.init.uniform_(stage.exit.weight[:1], *[(0.12, 0.18), (0.2, 0.25), (0.1, 0.2)][i])
    return net


# What each stage computes: 3×3 convolution with stride 2, ReLU, mean, exit with bias, softmax, maximum
# of 10 and a comparison. (multiplications, additions, others)
def stage(c_in: int, c_out: int, pixels: int) -> tuple[int, int, int]:
    edges = 9 * c_in * c_out
    return (
        edges * pixels + c_out + 10 * c_out + 10,
        (edges - c_out) * pixels + c_out * (pixels - 1) + 10 * c_out + 9,
        c_out * pixels + 10 + 9 + 1,
    )


STAGES = [stage(3, 8, 64), stage(8, 16, 16), stage(16, 32, 4)]


def until(exit_number: int) -> Cost:
    """The cost of the stages up to an exit; products of 16 bits count half, and so does softmax's."""
    multiplications, additions, other = map(sum, zip(*STAGES[:exit_number], strict=True))
    total = Fraction(multiplications, 2) + additions + other
    return Cost(multiplications, additions, other, total)


def test_early_exits_are_averaged_over_the_paths_that_were_taken() -> None:
    found = mean_operations(
        loaded(branchy()), [torch.cat([DARK, BRIGHT, GREY]), BRIGHT, BRIGHT], "micronet2019"
    )
    assert [(path.examples, path.first, path.cost) for path in found.paths] == [
        (1, 0, until(3)),
        (3, 1, until(1)),
        (1, 2, until(2)),
    ]
    assert found.examples == 5
    assert found.mean == (3 * until(1).total + until(2).total + until(3).total) / 5
    assert found.multiplications == Fraction(
        3 * 13922 + (13922 + 18618) + (13922 + 18618 + 18794), 5
    )
    assert found.by_count == {until(1).total: 3, until(2).total: 1, until(3).total: 1}


def test_paths_say_which_modules_not_every_example_ran() -> None:
    found = mean_operations(loaded(branchy()), [DARK, BRIGHT], "micronet2019")
    assert [path.modules for path in found.paths] == [
        tuple(f"stages.{i}{part}" for i in (1, 2) for part in (".conv", "", ".exit")),
        (),
    ]


def test_what_is_stored_is_that_of_all_paths_together() -> None:
    model = loaded(branchy())
    whole = mean_operations(model, [DARK, BRIGHT], "micronet2019").storage_bits
    first = mean_operations(model, [BRIGHT], "micronet2019").storage_bits
    assert whole == 16 * (216 + 1152 + 4608 + 10 * (8 + 16 + 32) + 3 * 10)
    assert first == 16 * (216 + 10 * 8 + 10)


def test_a_channel_that_one_path_does_not_use_is_computed_on_all() -> None:
    """The exit is decided after the first layer has run: what another path needs of it was computed."""

    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 1, bias=False)
            self.early, self.late = nn.Linear(2, 10, bias=False), nn.Linear(8, 10, bias=False)

        def forward(self, x: Tensor) -> Any:
            y = self.stem(x)
            if x.mean() > 0.7:
                return self.early(y[:, :2].mean((2, 3)))
            return self.late(y.mean((2, 3)))

    model = loaded(Half())
    alone = mean_operations(model, [BRIGHT], "macs")
    both = mean_operations(model, [BRIGHT, DARK], "macs")
    assert alone.mean == 3 * 2 * 256 + 20
    assert both.mean == 3 * 8 * 256 + Fraction(20 + 80, 2)


def test_a_network_without_choices_costs_what_it_scores() -> None:
    model = loaded(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten()))
    found = mean_operations(model, [torch.rand(3, 3, 16, 16)], "micronet2019")
    score = score_target(model)
    assert len(found.paths) == 1
    assert found.mean == Fraction(score["operations"]["total"])
    assert found.multiplications == score["operations"]["multiplications"]
    assert found.storage_bits == score["storage"]["bits"]


@pytest.mark.parametrize("book", ["macs", "thop", "fvcore", "torch", "micronet2019-counter"])
def test_every_book_that_counts_what_runs_can_average(book: str) -> None:
    found = mean_operations(loaded(nn.Conv2d(3, 4, 1, bias=False)), [DARK, BRIGHT], book)
    assert found.multiplications == 12 * 256


def test_examples_that_ran_once_are_priced_by_several_books() -> None:
    model = loaded(Run(either))
    ran = walk(model, [DARK, GREY, BRIGHT])
    for book in ("macs", "micronet2019"):
        assert mean_over(ran, book) == mean_operations(model, [DARK, GREY, BRIGHT], book)


@pytest.mark.parametrize("book", ["thop", "fvcore", "torch"])
def test_what_a_book_does_not_see_is_not_averaged(book: str) -> None:
    """thop sees modules alone; its mean is what it scores."""

    def half_seen(model: Any, x: Tensor) -> Any:
        return nn.functional.conv2d(model.small(x), model.large.weight.transpose(0, 1))

    model = loaded(Run(half_seen))
    expected = {
        "thop": 12 * 256,
        "fvcore": 12 * 256 + 108 * 196,
        "torch": 2 * (12 * 256 + 108 * 196),
    }
    assert mean_operations(model, [DARK, BRIGHT], book).mean == expected[book]


def either(model: Any, x: Tensor) -> Tensor:
    chosen = model.large if x.mean() > 0.7 else model.small
    return chosen(x)  # type: ignore[no-any-return]


def times_its_mean(model: Any, x: Tensor) -> Tensor:
    return model.small(x * float(x.mean() + 0.1))  # type: ignore[no-any-return]


def turned_by_its_sum(model: Any, x: Tensor) -> Tensor:
    return model.small(x.roll(int(x.sum()) % 1000, 3))  # type: ignore[no-any-return]


def cropped(model: Any, x: Tensor) -> Tensor:
    return model.small(x[..., : 8 + int(8 * x.mean())])  # type: ignore[no-any-return]


def masked(model: Any, x: Tensor) -> Tensor:
    weight = model.small.weight * (torch.eye(4)[:, :3, None, None] if x.mean() > 0.7 else 1)
    return nn.functional.conv2d(x, weight)


def other_weight(model: Any, x: Tensor) -> Tensor:
    weight = model.small.weight if x.mean() > 0.7 else model.thin  # alike but for its zeros
    return nn.functional.conv2d(x, weight)


def some_only(model: Any, x: Tensor) -> Tensor:
    rows = x.flatten(2).transpose(1, 2)[0]
    return rows[rows.mean(1) > 0.7] @ model.small.weight[:, :, 0, 0].t()  # type: ignore[no-any-return]


@pytest.mark.parametrize(("run", "macs"), [
    (either, [12 * 256, 12 * 256, 108 * 256]),
    (cropped, [12 * 16 * 8, 12 * 16 * 12, 12 * 16 * 16]),
    (masked, [12 * 256, 12 * 256, 3 * 256]),
    (other_weight, [4 * 256, 4 * 256, 12 * 256]),
    (some_only, [0, 0, 12 * 256]),
], ids=["layer", "size", "mask", "weight", "positions"])  # fmt: skip
def test_whatever_the_data_decide_is_seen(
    run: Callable[[Any, Tensor], Tensor], macs: list[int]
) -> None:
    found = mean_operations(loaded(Run(run)), [DARK, GREY, BRIGHT], "macs")
    assert found.mean == Fraction(sum(macs), 3)
    assert {int(path.cost.total) for path in found.paths} == set(macs)


def test_numbers_that_cost_the_same_are_one_path() -> None:
    """Each image is multiplied by a number of its own; that is no other path."""
    images = torch.rand(8, 3, 16, 16)
    assert len(mean_operations(loaded(Run(times_its_mean)), [images], "macs").paths) == 1


def test_as_many_paths_as_examples_are_too_many_to_count() -> None:
    model = loaded(Run(turned_by_its_sum), (1, 3, 2, 1))
    ramp = (torch.arange(MOST_PATHS + 1) + 0.5).view(-1, 1, 1, 1) / 6
    images = ramp.expand(-1, 3, 2, 1).contiguous()
    with pytest.raises(MicronetError, match="257 examples took 257 different paths, expected 256"):
        mean_operations(model, [images], "macs")


@pytest.mark.parametrize(("model", "batches", "rules", "message"), [
    (Run(either), [], "macs", "no example"),
    (Run(either), [DARK], "dnw-release", "counts from the wiring"),
    (Run(either), [torch.rand(1, 5, 16, 16)], "macs", "cannot compute an input of"),
    (Run(either), [DARK], "mac", "rule book"),
    (nn.Conv2d(3, 4, 1, device="meta"), [DARK], "macs", "no weights"),
], ids=["nothing", "book", "shape", "no book", "meta"])  # fmt: skip
def test_what_cannot_be_averaged_is_said(
    model: nn.Module, batches: Sequence[Tensor], rules: str, message: str
) -> None:
    with pytest.raises(MicronetError, match=message):
        mean_operations(loaded(model), batches, rules)


def test_the_model_is_left_as_it_was() -> None:
    class Counting(nn.Module):
        calls = 0
        seen: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)
            self.register_buffer("seen", torch.zeros(1))

        def forward(self, x: Tensor) -> Any:
            self.calls += 1
            self.seen = self.seen + 1
            return self.conv(x)

    model = Counting()
    mean_operations(loaded(model), [DARK, BRIGHT], "macs")
    assert model.calls == 0
    assert model.seen.item() == 0
    assert not model.conv._forward_hooks


def test_the_row_for_the_evidence_is_exact_and_json() -> None:
    found: Calibrated = mean_operations(loaded(Run(either)), [DARK, GREY, BRIGHT], "macs")
    row = json.loads(json.dumps(calibrated_row(found)))
    assert Fraction(row["operations"]) == Fraction((12 + 12 + 108) * 256, 3)
    assert row["examples"] == 3
    assert [(path["examples"], path["modules"]) for path in row["paths"]] == [
        (2, ["small"]),
        (1, ["large"]),
    ]
