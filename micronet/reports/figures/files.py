"""The figures as SVG, PNG and PDF files, by matplotlib, which is imported here only."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from micronet.errors import MicronetError
from micronet.evaluation.bounded import read_json
from micronet.reports.figures.spec import digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from micronet.reports.figures.spec import Figure

FOLDER: Final = Path("figures")
INDEX: Final = FOLDER / "figures.json"
ENDINGS: Final = ("svg", "png", "pdf")
_MOST_BYTES: Final = 10**6
# Without these matplotlib writes the day and its own version into the file.
_METADATA: Final[Mapping[str, Mapping[str, Any]]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def files(figures: Sequence[Figure]) -> dict[Path, bytes]:
    """Every figure in every format, and the index of what each was drawn from."""
    import matplotlib as mpl

    from micronet.reports.figures.plot import STYLE, plot

    found: dict[Path, bytes] = {}
    with mpl.rc_context(STYLE):
        for figure in figures:
            drawn = plot(figure)
            for ending in ENDINGS:
                file = io.BytesIO()
                drawn.savefig(file, format=ending, metadata=dict(_METADATA[ending]))
                found[FOLDER / f"{figure.name}.{ending}"] = file.getvalue()
    found[INDEX] = index(figures)
    return found


def index(figures: Sequence[Figure]) -> bytes:
    """``figures.json``: the digest of the data of each figure, by its name."""
    digests = {figure.name: digest(figure) for figure in figures}
    return (json.dumps(digests, indent=2, sort_keys=True) + "\n").encode()


def stale(folder: Path, figures: Sequence[Figure]) -> list[str]:
    """What is wrong with the figures in ``folder``; nothing is where none were ever drawn.

    The files' bytes are matplotlib's business and change with its version; what they show does not.
    """
    if not (folder / INDEX).exists():
        return []
    try:
        kept = read_json(folder / INDEX, _MOST_BYTES)
    except MicronetError as error:
        return [error.message.removesuffix(".")]
    if not isinstance(kept, dict):
        return [f"{folder / INDEX}: is no index of figures"]
    due = {figure.name: digest(figure) for figure in figures}
    found = [
        f"{folder / FOLDER / name}: drawn from other data than the receipts give"
        for name in sorted({*due, *kept})
        if due.get(name) != kept.get(name)
    ]
    places = (folder / FOLDER / f"{name}.{ending}" for name in due for ending in ENDINGS)
    return [*found, *(f"{place}: is missing" for place in places if not place.is_file())]
