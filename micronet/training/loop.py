"""The loop: the same for every method, short and dull.

Whatever decides the next step is stored by ``snapshot``, so a run that was killed goes on with the
same bits: weights, momenta, edges, statistics, averages, generators, and where it stood.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from micronet.errors import MicronetError
from micronet.training.average import Average
from micronet.training.data.batches import batches_in, epoch_batches, eval_batches
from micronet.training.forward import Computed
from micronet.training.job import Epoch, Job, Progress, Tally
from micronet.training.method import Moment, Run
from micronet.training.network import trainable
from micronet.training.optimizer import optimizer_of, set_rate
from micronet.training.schedule import learning_rate
from micronet.training.team import Team, norms_of_all
from micronet.training.wires import kept_now, watch_wires

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from micronet.training.data.batches import Batch
    from micronet.training.data.images import Images

EVALUATED_AT_ONCE = 500  # images


class Trainer:
    """One run of a ``job``, by this process of a ``team``, on the team's device."""

    def __init__(self, job: Job, team: Team | None = None) -> None:
        self.job, self.team = job, team or Team()
        self.model, self.gates = trainable(
            job.architecture, job.config, job.seed, job.recipe.budgets
        )
        self.model.to(self.team.device)
        if self.team.world > 1:
            norms_of_all(self.model)
        _check_shares(job, self.team)
        self.steps_per_epoch = batches_in(job.train.count, job.recipe.batch_size)
        self.steps = self.steps_per_epoch * job.recipe.epochs
        self.run = Run(
            self.gates,
            optimizer_of(self.model, job.recipe),
            torch.Generator().manual_seed(job.seed),
            Moment(0, self.steps, self.steps_per_epoch),
        )
        self.average = Average(self.model, job.recipe.average)
        computed = Computed(self.model, job.recipe.autocast, split=self.team.world > 1)
        self._computed, self._spread = computed, self.team.spread(computed)
        self.history: list[Epoch] = []
        self.tally = Tally()
        self.last_kept: list[Tensor] = []

    @property
    def step(self) -> int:
        """Steps that are done."""
        return self.run.now.step

    def begin(self) -> None:
        """The method's first choice of edges."""
        self.job.method.begin(self.run)
        self.last_kept = kept_now(self.gates)

    def train(self, watch: Callable[[Progress], None]) -> None:
        """From where the run is to its end; ``watch`` is told of every step."""
        while self.step < self.steps:
            self._epoch(watch)
        self.job.method.finish(self.run)

    def _epoch(self, watch: Callable[[Progress], None]) -> None:
        epoch, first = divmod(self.step, self.steps_per_epoch)
        self._spread.train()
        batches = epoch_batches(
            self.job.train,
            self.job.look,
            seed=self.job.seed,
            epoch=epoch,
            batch_size=self.job.recipe.batch_size,
            rank=self.team.rank,
            world=self.team.world,
            first_batch=first,
            threads=torch.get_num_threads(),
        )
        since = time.perf_counter()
        for number, batch in enumerate(batches, first):
            rate = learning_rate(self.job.recipe, self.step, self.steps, self.steps_per_epoch)
            set_rate(self.run.optimizer, rate)
            self._step(batch, number)
            self.tally.seconds += time.perf_counter() - since
            last = number == self.steps_per_epoch - 1
            progress = self._progress(epoch, number)
            if last:
                self._close(epoch, rate)
            watch(progress)
            since = time.perf_counter()

    def _step(self, batch: Batch, number: int) -> None:
        """One step of all processes, by the mean loss of the whole batch."""
        method, recipe = self.job.method, self.job.recipe
        method.before_step(self.run)
        self.run.optimizer.zero_grad(set_to_none=True)
        whole = self._images_in(number)
        total, right = 0.0, 0
        parts = min(recipe.accumulate, len(batch.labels))
        for images, answers in zip(
            batch.images.chunk(parts), batch.labels.chunk(parts), strict=True
        ):
            labels = answers.to(self.team.device)
            logits = self._spread(images.to(self.team.device))
            loss = F.cross_entropy(
                logits, labels, label_smoothing=recipe.label_smoothing, reduction="sum"
            )
            (loss * (self.team.world / whole)).backward()  # the team averages over processes
            total += float(loss.detach())
            right += int((logits.detach().argmax(1) == labels).sum())
        total, all_right = self.team.sum(total, right)
        if not math.isfinite(total):
            raise _not_finite(total / whole, self, batch, number)
        method.after_backward(self.run)
        self.run.optimizer.step()
        method.after_step(self.run)
        self.run.now = replace(self.run.now, step=self.step + 1)
        self.average.update(self.step)
        self.tally.images += whole
        self.tally.right += int(all_right)
        self.tally.loss += total

    def _images_in(self, number: int) -> int:
        """How many images all processes together have in batch ``number``."""
        size = self.job.recipe.batch_size
        return min(size, self.job.train.count - number * size)

    def _close(self, epoch: int, rate: float) -> None:
        """The epoch is over: evaluate, and note what it came to."""
        test = self.job.test
        wires = watch_wires(self.gates, self.last_kept)
        self.last_kept = kept_now(self.gates)
        tally, self.tally = self.tally, Tally()
        self.history.append(
            Epoch(
                epoch=epoch + 1,
                step=self.step,
                learning_rate=rate,
                loss=tally.loss / tally.images,
                right=tally.right,
                images=tally.images,
                seconds=tally.seconds,
                test_right=None if test is None else self.evaluate(test),
                test_images=None if test is None else test.count,
                wires=wires,
            )
        )

    @torch.no_grad()
    def evaluate(self, images: Images) -> int:
        """How many of ``images`` the network, or its average, gets right as it is now."""
        right = 0
        self._spread.eval()
        with self.average.in_place():
            for batch in eval_batches(
                images,
                self.job.look,
                batch_size=EVALUATED_AT_ONCE * self.team.world,
                rank=self.team.rank,
                world=self.team.world,
            ):
                answers = self._computed(batch.images.to(self.team.device)).argmax(1)
                right += int((answers.cpu() == batch.labels).sum())
        self._spread.train()
        return int(self.team.sum(right)[0])

    def _progress(self, epoch: int, number: int) -> Progress:
        tally = self.tally
        return Progress(
            epoch=epoch + 1,
            epochs=self.job.recipe.epochs,
            batch=number + 1,
            batches=self.steps_per_epoch,
            images_per_second=tally.images / max(tally.seconds, 1e-9),
            loss=tally.loss / tally.images,
            right=tally.right / tally.images,
            wires=self.history[-1].wires if self.history else None,
        )


def _check_shares(job: Job, team: Team) -> None:
    """Refuse a last batch of which a process would get nothing."""
    rest = job.train.count % job.recipe.batch_size
    if 0 < rest < team.world:
        raise MicronetError(
            f"The last batch has {rest} images for {team.world} processes.",
            "Use fewer processes, or another batch size.",
        )


class NotFiniteError(MicronetError):
    """A loss that is no number: the run stops before it changes a weight."""


def _not_finite(loss: float, trainer: Trainer, batch: Batch, number: int) -> NotFiniteError:
    epoch = trainer.step // trainer.steps_per_epoch
    images = ", ".join(str(int(index)) for index in batch.indices[:5])
    return NotFiniteError(
        f"The loss is {loss} at step {trainer.step + 1} (epoch {epoch + 1}, batch {number + 1}, "
        f"images {images}, …).",
        "Lower the learning rate, or look at these images.",
    )
