"""One run: the same bits for the same seed, whatever interrupts it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from micronet.checkpoints import load_target
from micronet.errors import MicronetError
from micronet.training.network import stored
from micronet.training.run import prepare, train
from micronet.training.team import Team
from tests.training.small import BATCH, TEST, TRAIN, order_of, trainer_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from micronet.training.loop import Trainer
    from micronet.training.run import Order

BATCHES = 4
METHODS = {
    "dnw": "",
    "random-graph": "",
    "no-update": "",
    "l1-anneal": "",
    "targeted-dropout": "",
    "lottery-ticket": "",
    "fine-tune": "cycle_rates = [0.1, 0.01]",
    "snfs": "",
    "set": "",
    "rigl": "knobs = { delta_t = 2 }",
    "st3": "",
}


def run(order: Order, stop: Callable[[], bool] = lambda: False) -> Trainer:
    """Go on with the order until it is over or ``stop`` says so."""
    trainer = prepare(order, Team())
    train(order, trainer, lambda _: None, stop)
    return trainer


def after(steps: int) -> Callable[[], bool]:
    """Says stop after so many steps."""
    left = iter(range(steps - 1, -1, -1))
    return lambda: next(left) == 0


def state_of(trainer: Trainer) -> dict[str, Tensor]:
    return {**trainer.model.state_dict(), **trainer.run.memory}


def bias_of(trainer: Trainer) -> Tensor:
    """The classifier's bias, the very memory that is trained."""
    return trainer.model.get_parameter("fc.bias").detach()


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize(("method", "more"), METHODS.items(), ids=METHODS)
def test_a_run_that_was_stopped_in_an_epoch_ends_with_the_same_bytes(
    method: str, more: str, photographs: Path, tmp_path: Path
) -> None:
    recipe = f'method = "{method}"\naverage = 0.5\n{more}'
    whole = order_of(photographs, tmp_path / "whole", recipe)
    broken = order_of(photographs, tmp_path / "broken", recipe)

    straight = run(whole)
    for steps in (BATCHES + 2, 3):  # in the second epoch, then in the third
        with pytest.raises(KeyboardInterrupt):
            run(broken, after(steps))
    resumed = run(broken)

    assert same(state_of(straight), state_of(resumed))
    assert whole.folder.wiring.read_bytes() == broken.folder.wiring.read_bytes()
    assert [replace(e, seconds=0) for e in straight.history] == [
        replace(e, seconds=0) for e in resumed.history
    ]


def test_the_seed_decides_the_weights(photographs: Path, tmp_path: Path) -> None:
    first, again, other = (
        stored(run(order_of(photographs, tmp_path / name, seed=seed, epochs=1)).model)
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert same(first, again)
    assert not torch.equal(first["graph.weight"], other["graph.weight"])


def test_a_run_leaves_torchs_own_generator_alone(photographs: Path, tmp_path: Path) -> None:
    before = torch.random.get_rng_state()
    run(order_of(photographs, tmp_path, epochs=1))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_every_epoch_counts_every_image_once(photographs: Path, tmp_path: Path) -> None:
    history = run(order_of(photographs, tmp_path)).history
    assert [(e.epoch, e.step, e.images) for e in history] == [
        (n, n * BATCHES, TRAIN) for n in (1, 2, 3)
    ]
    assert all(0 <= e.right <= TRAIN and e.test_images == TEST for e in history)
    assert all(e.wires.kept == 900 and e.wires.entered == e.wires.left for e in history)


def test_a_run_learns(photographs: Path, tmp_path: Path) -> None:
    """Ten kinds of stripes are soon told apart: chance is 1 in 10."""
    history = run(order_of(photographs, tmp_path, epochs=16)).history
    assert history[-1].right > TRAIN // 3
    assert history[-1].loss < history[0].loss


def test_a_batch_in_parts_has_the_gradient_of_the_whole(photographs: Path, tmp_path: Path) -> None:
    """But for batch norm, which sees the parts; so there is none here."""
    gradients = []
    for parts in (1, 3):
        trainer = trainer_of(photographs, tmp_path / str(parts), accumulate=parts, epochs=1)
        for number in (1, 5):
            setattr(trainer.model.downsample, str(number), nn.Identity())
        seen: list[Tensor] = []

        def look(trainer: Trainer = trainer, seen: list[Tensor] = seen) -> None:
            seen.extend(p.grad.clone() for p in trainer.model.parameters() if p.grad is not None)

        trainer.run.optimizer.register_step_pre_hook(lambda *_, look=look: look())
        with pytest.raises(StopIteration):
            trainer.train(_stop)
        gradients.append(seen)
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def _stop(_: object) -> None:
    raise StopIteration


def test_norms_are_spared_from_decay_where_the_recipe_says_so(
    photographs: Path, tmp_path: Path
) -> None:
    trainer = trainer_of(photographs, tmp_path, weight_decay_on_batch_norm=False)
    decaying, spared = trainer.run.optimizer.param_groups
    norms = [
        m for m in trainer.model.modules() if isinstance(m, nn.BatchNorm2d | nn.InstanceNorm2d)
    ]
    assert {id(p) for p in spared["params"]} == {id(p) for m in norms for p in m.parameters()}
    assert (decaying["weight_decay"], spared["weight_decay"]) == (1e-4, 0.0)


def test_the_average_follows_the_weights(photographs: Path, tmp_path: Path) -> None:
    """After step n it moves by 1 - min(decay, (1 + n) / (10 + n)) of the way."""
    trainer = trainer_of(photographs, tmp_path, average=0.99, epochs=1)
    expected = bias_of(trainer).clone()

    def watch(_: object) -> None:
        nonlocal expected
        n = trainer.step
        expected = expected.lerp(bias_of(trainer), 1 - (1 + n) / (10 + n))

    trainer.train(watch)
    assert torch.equal(trainer.average.weights["fc.bias"], expected)
    own = bias_of(trainer).clone()
    with trainer.average.in_place():
        assert torch.equal(bias_of(trainer), expected)
    assert torch.equal(bias_of(trainer), own)


def test_a_loss_that_is_no_number_names_step_batch_and_the_last_good_state(
    photographs: Path, tmp_path: Path
) -> None:
    order = order_of(photographs, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(order, after(2))
    trainer = prepare(order, Team())
    bias_of(trainer)[0] = float("nan")
    with pytest.raises(MicronetError) as caught:
        train(order, trainer, lambda _: None)
    first, second = str(caught.value).splitlines()
    assert first.startswith("The loss is nan at step 3 (epoch 1, batch 3, images ")
    assert second.startswith(
        f"The last good state is {order.folder.state}. Lower the learning rate"
    )


def test_the_state_of_another_run_is_refused(photographs: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(order_of(photographs, tmp_path), after(1))
    with pytest.raises(
        MicronetError, match=r"is of another run: found tiny_static, dnw, seed 1 \("
    ):
        prepare(order_of(photographs, tmp_path, seed=2), Team())


@pytest.mark.parametrize(
    "content", [b"", b"not a zip", bytes(5000)], ids=["empty", "text", "zeros"]
)
def test_a_broken_state_is_refused_in_two_lines(
    content: bytes, photographs: Path, tmp_path: Path
) -> None:
    order = order_of(photographs, tmp_path)
    order.folder.state.write_bytes(content)
    with pytest.raises(MicronetError, match="is not a run that can go on"):
        prepare(order, Team())


def test_the_last_batch_is_the_rest(photographs: Path, tmp_path: Path) -> None:
    trainer = trainer_of(photographs, tmp_path, epochs=1)
    assert trainer.steps == BATCHES
    assert TRAIN == 3 * BATCH + 18
    seen: list[int] = []
    trainer.train(lambda _: seen.append(trainer.tally.images))
    assert seen == [24, 48, 72, 0]  # the fourth closes the epoch


def test_a_random_wiring_is_stored_without_its_mask_and_can_be_loaded(
    photographs: Path, tmp_path: Path
) -> None:
    """Its card may speak of a mask; what is stored has zeros instead."""
    order = order_of(photographs, tmp_path, 'method = "random-graph"', epochs=1)
    card = replace(order.card, config={**order.card.config, "wiring": "random"})
    run(replace(order, card=card))
    loaded = load_target(str(order.folder.wiring))
    assert loaded.weights == "trained"
    assert int(loaded.model.get_parameter("graph.weight").count_nonzero()) == 900
