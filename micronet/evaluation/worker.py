"""One lane's work: a chunk of images in, their predictions out."""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from micronet.errors import MicronetError
from micronet.evaluation.lanes import Finished, Stopwatch
from micronet.evaluation.network import Arithmetic, answering
from micronet.evaluation.pixels import REFERENCE, UnreadableError, normalised, pixels
from micronet.evaluation.predict import Answer, answers
from micronet.evaluation.prediction import UNREADABLE, Prediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from micronet.checkpoints.card import Preprocessing
    from micronet.evaluation.data.dataset import Dataset
    from micronet.evaluation.network import Network

    Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Plan:
    """What to evaluate and how; batches and lanes change the speed, never an answer.

    ``lanes`` threads each take ``batch_size`` images at a time. ``strict`` stops at the first
    image that cannot be read instead of counting it as wrong.
    """

    dataset: Dataset
    look: Preprocessing
    arithmetic: Arithmetic = field(default_factory=Arithmetic)
    decoder: str = REFERENCE
    batch_size: int = 16
    lanes: int = 1
    strict: bool = False


class Worker:
    """Turns the indices of a chunk into predictions; called from every lane."""

    def __init__(self, network: Network, plan: Plan) -> None:
        self.network, self.plan = network, plan
        self._device = network.arithmetic.device
        self._turn = threading.Lock()  # of a device that is not the CPU: one batch at a time

    def work(self, chunk: Sequence[int]) -> Finished:
        """The predictions of ``chunk``; images of different sizes go in batches of their own."""
        clock = Stopwatch()
        found: dict[int, Prediction] = {}
        sizes: dict[tuple[int, ...], list[tuple[int, str, Pixels]]] = defaultdict(list)
        for index in chunk:
            content, image, problem = self._image(index)
            if image is None:
                found[index] = self._prediction(index, content, None, problem)
            else:
                sizes[image.shape].append((index, content, image))
        batches = [
            (rows, normalised([image for _, _, image in rows], self.plan.look))
            for rows in sizes.values()
        ]
        decode_seconds = clock.lap()
        for rows, inputs in batches:
            for (index, content, _), answer in zip(rows, self._answers(inputs), strict=True):
                found[index] = self._prediction(index, content, answer, "")
        return Finished(tuple(found[index] for index in chunk), decode_seconds, clock.lap())

    def _answers(self, inputs: Tensor) -> list[Answer]:
        classes = len(self.plan.dataset.classes)
        with answering(inputs):
            if self._device.type == "cpu":
                return answers(self.network, inputs, classes)
            there = inputs.pin_memory().to(self._device, non_blocking=True)
            with self._turn:
                return answers(self.network, there, classes)

    def _image(self, index: int) -> tuple[str, Pixels | None, str]:
        """The sha256 of the stored image, and its pixels or the reason why there are none."""
        content = ""
        try:
            sample = self.plan.dataset.read(index)
            raw = sample if isinstance(sample, bytes) else sample.tobytes()
            content = hashlib.sha256(raw).hexdigest()
            return content, pixels(sample, self.plan.look, self.plan.decoder), ""
        except (UnreadableError, OSError) as error:
            # Without the path, which is another one on another machine
            problem = getattr(error, "strerror", None) or str(error) or type(error).__name__
            if self.plan.strict:
                name = self.plan.dataset.examples[index].name
                raise MicronetError(
                    f"{name}: cannot be read as an image: {problem}.",
                    "Without --strict it would be listed, and counted as wrong.",
                ) from error
            return content, None, problem

    def _prediction(
        self, index: int, content: str, answer: Answer | None, problem: str
    ) -> Prediction:
        example = self.plan.dataset.examples[index]
        answer = answer or Answer((), None, UNREADABLE)
        return Prediction(
            index=index,
            name=example.name,
            label=example.label,
            top=answer.top,
            margin_percent=answer.margin_percent,
            state=answer.state,
            content=content,
            problem=problem,
        )
