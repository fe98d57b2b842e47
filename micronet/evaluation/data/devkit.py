"""The order of the ILSVRC2012 IDs, which the devkit's ground truth is written in.

It is not the order of the WordNet IDs, and the ground truth does not say it: the devkit's
``meta.mat`` does, or a text made from that. Without one of them the labels cannot be known.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from micronet.errors import MicronetError
from micronet.evaluation.data.classes import WNID, wnid_labels
from micronet.evaluation.data.files import read_whole

if TYPE_CHECKING:
    from pathlib import Path

MAX_MAP_BYTES: Final = 4 * 2**20
TEXTS: Final = ("map_clsloc.txt", "synsets.txt")
MATLAB: Final = "meta.mat"
# ILSVRC2012 IDs 1 (kit fox) and 2 (English setter), by which a list in another order is told, such
# as Caffe's synsets.txt, which is sorted. Source: the devkit's meta.mat.
_FIRST: Final = ("n02119789", "n02100735")
_SECONDS: Final = 120
# Python's own words for "ID wnid" of each synset without children. A process of its own, because
# a MAT file can ask for any amount of memory, which is then its own and bounded.
_PROGRAM: Final = """
import contextlib, sys
with contextlib.suppress(ImportError, ValueError, OSError):
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
from scipy.io import loadmat
for row in loadmat(sys.argv[1], squeeze_me=True, variable_names=["synsets"])["synsets"]:
    if int(row["num_children"]) == 0:
        print(int(row["ILSVRC2012_ID"]), str(row["WNID"]))
"""


def ids_in_order(truth: Path) -> tuple[str, ...]:
    """The WordNet ID of each ILSVRC2012 ID from 1 on, from a file beside ``truth``.

    MicronetError if there is none, or if it is not that order of ImageNet's 1,000 classes.
    """
    for name in (*TEXTS, MATLAB):
        place = truth.with_name(name)
        if place.is_file():
            text = (
                _from_matlab(place) if name == MATLAB else _text(read_whole(place, MAX_MAP_BYTES))
            )
            return _checked(place, text)
    raise MicronetError(
        f"{truth}: holds ILSVRC2012 IDs, whose order only the devkit's meta.mat tells.",
        f"Put {MATLAB} (needs scipy) beside it, or {TEXTS[0]} with lines 'n02119789 1'.",
    )


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _from_matlab(place: Path) -> str:
    if importlib.util.find_spec("scipy") is None:
        raise MicronetError(
            f"{place}: is a MATLAB file, and scipy, which reads it, is not installed.",
            f"pip install scipy, or put {TEXTS[0]} with lines 'n02119789 1' beside it.",
        )
    read_whole(place, MAX_MAP_BYTES)
    command = [sys.executable, "-P", "-c", _PROGRAM, str(place.absolute())]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            command,
            check=True,
            capture_output=True,
            timeout=_SECONDS,
            env={**os.environ, **threads},
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise MicronetError(
            f"{place}: scipy finds no synsets of ILSVRC2012 in it.",
            f"Give the devkit's own file, or {TEXTS[0]} with lines 'n02119789 1'.",
        ) from error
    return _text(done.stdout)


def _checked(place: Path, text: str) -> tuple[str, ...]:
    """Lines ``wnid id …``, ``id wnid …``, or bare WordNet IDs in the order of the IDs."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    found: dict[int, str] = {}
    for number, row in enumerate(rows, 1):
        wnid = next((word for word in row[:2] if WNID.fullmatch(word)), "")
        digits = next((word for word in row[:2] if word.isascii() and word.isdigit()), str(number))
        if wnid in wnid_labels() and len(digits) <= 4:
            found[int(digits)] = wnid
    order = tuple(found[key] for key in sorted(found))
    count = len(wnid_labels())
    if len(rows) != count or sorted(found) != list(range(1, count + 1)) or len(set(order)) != count:
        raise MicronetError(
            f"{place}: is not a list of the {count:,} ILSVRC2012 IDs with their WordNet IDs.",
            "Expected 1,000 lines such as 'n02119789 1 kit_fox'.",
        )
    if order[: len(_FIRST)] != _FIRST:
        raise MicronetError(
            f"{place}: is in another order than the ILSVRC2012 IDs: 1 is {order[0]},"
            f" expected {_FIRST[0]} (kit fox).",
            "Caffe's synsets.txt is sorted and does not tell these IDs; the devkit's meta.mat does.",
        )
    return order
