"""What was asked of ``micronet evaluate``, and how its result is handed over."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from micronet.commands import console

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from micronet.evaluation.prediction import Prediction


@dataclass(frozen=True)
class Request:
    """One ``micronet evaluate`` command line; the fields are its options."""

    target: str | None
    data: Path
    model: str | None = None
    weights: Path | None = None
    trust: bool = False
    labels: Path | None = None
    real: Path | None = None
    vocabulary: Path | None = None
    vocabulary_order: Literal["appearance", "frequency"] = "appearance"
    context: int | None = None
    stride: int | None = None
    online: bool = False
    track: str | None = None
    resize: str | None = None
    crop: str | None = None
    interpolation: str | None = None
    decoder: str = "pil"
    batch_size: int = 16
    dtype: str = "fp32"
    compiled: bool = False
    strict: bool = False
    save: bool = True
    predictions: Path | None = None
    device: str = "cpu"
    threads: int | None = None
    json: bool = False


def finish(
    request: Request,
    document: Mapping[str, Any],
    predictions: Sequence[Prediction] = (),
    real: Sequence[tuple[int, ...]] | None = None,
) -> None:
    """Show the document, and write it with its predictions where that was asked for."""
    if request.json:
        console.write_json(document)
    else:
        from micronet.commands.render_evaluation import evaluation_view

        console.write(evaluation_view(document))
    if request.save:
        from micronet.evaluation.receipt_file import save

        console.say(f"receipt: {save(document, predictions, Path.cwd(), real=real)}")
    if request.predictions is not None:
        from micronet.evaluation.predictions_file import write_predictions

        write_predictions(request.predictions, predictions, real=real)
