"""Predictions as a file: a row an image, in the order of the data set. No torch here.

The columns are those of ``COLUMNS``: the image's name and label, the five best classes, the margin
(softmax probability of the first less that of the second, two decimals), the state, the sha256
of the image's bytes, and the problem of an unreadable one; ``real`` follows where ReaL labels were
given, as numbers between spaces. Names that are not UTF-8 are written as the bytes that they are.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from micronet.checkpoints.atomic import write_bytes
from micronet.checkpoints.source import RefusedError
from micronet.errors import MicronetError
from micronet.evaluation.bounded import read_bounded
from micronet.evaluation.prediction import OK, STATES, TIED, UNREADABLE, Prediction

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence
    from pathlib import Path

    Real = Sequence[Sequence[int]]

BEST: Final = 5
COLUMNS: Final = (
    "name", "label", *(f"top{place + 1}" for place in range(BEST)),
    "margin", "state", "content", "problem",
)  # fmt: skip
REAL: Final = "real"
PARQUET: Final = ".parquet"
MAX_FILE_BYTES: Final = 2**29  # 3 million images
MAX_NAME_LENGTH: Final = 4096

_CLASS = re.compile(r"0|[1-9][0-9]{0,6}")
_MARGIN = re.compile(r"0\.[0-9]{2}|1\.00")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHOWN_LENGTH: Final = 60
_AGAIN: Final = "Evaluate again, or name another file."


@dataclass(frozen=True)
class PredictionsFile:
    """What a file of predictions holds, and the sha256 of its bytes.

    ``real`` has the ReaL labels of each image, or is None where the file has no such column.
    """

    predictions: tuple[Prediction, ...]
    real: tuple[tuple[int, ...], ...] | None
    sha256: str


def write_predictions(
    path: Path, predictions: Sequence[Prediction], *, real: Real | None = None
) -> None:
    """Write ``path``: Parquet where it ends in .parquet (extra ``parquet``), else CSV."""
    if path.suffix == PARQUET:
        from micronet.evaluation.predictions_parquet import parquet_bytes

        write_bytes(path, parquet_bytes(rows_of(predictions, real), header(real)))
    else:
        write_bytes(path, predictions_csv(predictions, real=real))


def predictions_csv(predictions: Sequence[Prediction], *, real: Real | None = None) -> bytes:
    """The CSV file's bytes, the same for the same predictions: texts quoted, numbers bare."""
    text = io.StringIO(newline="")
    # What Python's minimal quoting quotes differs between its versions; this does not.
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    text.write(",".join(header(real)) + "\n")
    writer.writerows(rows_of(predictions, real))
    return text.getvalue().encode("utf-8", errors="surrogateescape")


def read_predictions(path: Path) -> tuple[Prediction, ...]:
    """The predictions in ``path``; MicronetError for whatever `write_predictions` does not write."""
    return read_file(path).predictions


def read_file(path: Path) -> PredictionsFile:
    """Everything in ``path``, as `read_predictions`."""
    data = read_bounded(path, MAX_FILE_BYTES)
    if path.suffix == PARQUET:
        from micronet.evaluation.predictions_parquet import parquet_rows

        found, rows = parquet_rows(path, data)
    else:
        found, rows = _csv_rows(path, data)
    if found not in (COLUMNS, (*COLUMNS, REAL)):
        raise MicronetError(
            f"{path}: the columns are {_cut(','.join(found))}, expected {','.join(COLUMNS)}.",
            _AGAIN,
        )
    predictions, real = _checked(path, rows, len(found))
    if not predictions:
        raise MicronetError(f"{path}: has no predictions.", _AGAIN)
    return PredictionsFile(
        predictions, real if REAL in found else None, hashlib.sha256(data).hexdigest()
    )


def header(real: Real | None) -> tuple[str, ...]:
    """The columns of a file with or without ReaL labels."""
    return COLUMNS if real is None else (*COLUMNS, REAL)


def rows_of(predictions: Sequence[Prediction], real: Real | None) -> Iterator[tuple[Any, ...]]:
    """One tuple an image, by column: texts, whole numbers, a Decimal margin, None for no answer."""
    if [each.index for each in predictions] != list(range(len(predictions))):
        raise ValueError("predictions are not those of examples 0, 1, 2, … in order")
    if real is not None and len(real) != len(predictions):
        raise ValueError(f"{len(real)} sets of ReaL labels for {len(predictions)} images")
    if len({each.name for each in predictions}) != len(predictions):
        raise MicronetError(
            f"Two images have the same name, {_repeated(predictions)}.", "Rename one of them."
        )
    for each in predictions:
        top = (*each.top, *(None,) * (BEST - len(each.top)))
        percent = each.margin_percent
        margin = None if percent is None else Decimal(percent).scaleb(-2)
        facts = (each.name, each.label, *top, margin, each.state, each.content, each.problem)
        extra = () if real is None else (" ".join(map(str, real[each.index])),)
        yield (*facts, *extra)


def _repeated(predictions: Sequence[Prediction]) -> str:
    counts = Counter(each.name for each in predictions)
    return _cut(repr(counts.most_common(1)[0][0]))


def _csv_rows(path: Path, data: bytes) -> tuple[tuple[str, ...], Iterator[list[str]]]:
    reader = csv.reader(
        io.StringIO(data.decode("utf-8", errors="surrogateescape"), newline=""), strict=True
    )
    try:
        found = tuple(next(reader, ()))
    except csv.Error as error:
        raise MicronetError(
            f"{path}: is not a CSV file of predictions: {error}.", _AGAIN
        ) from error
    return found, reader


def _checked(
    path: Path, rows: Iterable[Sequence[str]], width: int
) -> tuple[tuple[Prediction, ...], tuple[tuple[int, ...], ...]]:
    predictions: list[Prediction] = []
    real: list[tuple[int, ...]] = []
    names: set[str] = set()
    try:
        for cells in rows:
            predictions.append(_prediction(len(predictions), cells, width, names))
            names.add(predictions[-1].name)
            if width > len(COLUMNS):
                real.append(tuple(_class(REAL, word) for word in cells[-1].split(" ") if word))
    except (csv.Error, RefusedError) as error:
        raise MicronetError(f"{path}: image {len(predictions) + 1}: {error}.", _AGAIN) from error
    return tuple(predictions), tuple(real)


def _prediction(index: int, cells: Sequence[str], width: int, known: Container[str]) -> Prediction:
    """A row as a prediction; RefusedError says what is wrong with it."""
    if len(cells) != width:
        raise RefusedError(f"{len(cells)} columns, expected {width}")
    name, label, *best, margin, state, content, problem = cells[: len(COLUMNS)]
    if not 0 < len(name) <= MAX_NAME_LENGTH:
        raise RefusedError(f"a name of {len(name)} characters, expected 1 to {MAX_NAME_LENGTH}")
    if name in known:
        raise RefusedError(f"the name {_cut(repr(name))} was there before")
    if state not in STATES:
        raise RefusedError(f"state is {_cut(state)!r}, expected one of {', '.join(STATES)}")
    given = [cell for cell in best if cell]
    if given != best[: len(given)] or len(set(given)) != len(given):
        raise RefusedError(f"the best classes are {_cut(' '.join(map(repr, best)))}")
    if margin and not _MARGIN.fullmatch(margin):
        raise RefusedError(f"margin is {_cut(margin)!r}, expected 0.00 to 1.00")
    found = Prediction(
        index=index,
        name=name,
        label=_class("label", label),
        top=tuple(_class("top5", cell) for cell in given),
        margin_percent=int(margin.replace(".", "")) if margin else None,
        state=state,
        content=content,
        problem=problem,
    )
    _check_state(found)
    return found


def _check_state(found: Prediction) -> None:
    """RefusedError where the state and the other columns cannot be true together."""
    answered = found.state in (OK, TIED)
    if answered != bool(found.top) or answered != (found.margin_percent is not None):
        wanted = "an answer and a margin" if answered else "neither an answer nor a margin"
        raise RefusedError(f"state {found.state} goes with {wanted}")
    if (found.state == UNREADABLE) != bool(found.problem):
        raise RefusedError(f"state {found.state}, but the problem is {_cut(found.problem)!r}")
    missing = found.state == UNREADABLE and not found.content  # not even its bytes could be read
    if not missing and not _SHA256.fullmatch(found.content):
        raise RefusedError(f"content is {_cut(found.content)!r}, expected a sha256")


def _class(column: str, cell: str) -> int:
    if not _CLASS.fullmatch(cell):
        raise RefusedError(f"{column} has {_cut(cell)!r}, expected a class number")
    return int(cell)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}…"
