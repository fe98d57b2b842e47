"""Lists of labels for images that lie in one folder (``--labels``), in the formats they come in.

``name index`` and ``name wnid`` lines, separated by spaces, a tab or a comma; the devkit's ground
truth (``devkit``); Kaggle's ``LOC_val_solution.csv``. Nothing is shifted or guessed: an index counts
from 0, and a list that counts from 1 is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from micronet.errors import MicronetError
from micronet.evaluation.data.classes import IMAGENET, WNID, class_list, wnid_labels
from micronet.evaluation.data.devkit import ids_in_order
from micronet.evaluation.data.files import read_whole, shown, stem_of
from micronet.evaluation.data.numbered_labels import Labels, checked, labels_of_numbers
from micronet.evaluation.data.recognise import val_stem

if TYPE_CHECKING:
    from pathlib import Path

FORMATS: Final = (
    "--labels takes lines 'name index' (from 0) or 'name wnid', LOC_val_solution.csv, or"
    " ILSVRC2012_validation_ground_truth.txt."
)
MAX_LIST_BYTES: Final = 64 * 2**20
MAX_DIGITS: Final = 6
_HEADINGS: Final = frozenset({"label", "labels", "class", "index", "target", "wnid", "synset"})
_KAGGLE: Final = "ImageId,PredictionString"
_BOX_WORDS: Final = 5
_SHOWN_LINE: Final = 60


@dataclass(frozen=True)
class _Row:
    line: int
    name: str
    value: str


def read_labels(path: Path, track: str | None) -> Labels:
    """Read a list of labels; MicronetError names the first line that does not fit."""
    content = read_whole(path, MAX_LIST_BYTES)
    if b"\0" in content:
        raise MicronetError(f"{path}: is not a text file.", FORMATS)
    lines = content.decode("utf-8-sig", "surrogateescape").split("\n")
    kept = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    if not kept:
        raise MicronetError(f"{path}: is empty.", FORMATS)
    if kept[0][1].replace(" ", "") == _KAGGLE:
        return _by_rows(path, [_kaggle(path, *row) for row in kept[1:]], track)
    if all(is_number(line) for _, line in kept):
        return _by_devkit(path, kept)
    rows = [_pair(path, *row) for row in kept]
    return _by_rows(path, rows[1:] if rows[0].value.lower() in _HEADINGS else rows, track)


def is_number(text: str) -> bool:
    """Whether ``text`` is a whole number from 0 on that could be a label."""
    return text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS


def _pair(path: Path, number: int, line: str) -> _Row:
    cut = max(line.rfind(separator) for separator in " \t,")
    name, value = line[: max(cut, 0)].rstrip(" \t,").strip('"'), line[cut + 1 :].strip('"')
    if not name or not value:
        raise _misfit(path, number, line, "expected a name and a label")
    return _Row(number, name, value)


def _kaggle(path: Path, number: int, line: str) -> _Row:
    """``name,wnid x y x y wnid x y x y …``: all boxes of an image are of one class."""
    name, _, boxes = line.partition(",")
    words = boxes.split()
    wnids = set(words[::_BOX_WORDS])
    if not name or len(words) % _BOX_WORDS or len(wnids) != 1:
        raise _misfit(path, number, line, "expected a name and boxes 'wnid x y x y' of one wnid")
    return _Row(number, name, wnids.pop())


def _misfit(path: Path, number: int, found: str, expected: str) -> MicronetError:
    return MicronetError(
        f"{path}: line {number}: {expected}: '{shown(found[:_SHOWN_LINE])}'.", FORMATS
    )


def _by_rows(path: Path, rows: list[_Row], track: str | None) -> Labels:
    if not rows:
        raise MicronetError(f"{path}: has a heading and no labels.", FORMATS)
    by_wnid = WNID.fullmatch(rows[0].value) is not None
    by_stem: dict[str, int] = {}
    for row in rows:
        label = _wnid_label(path, row) if by_wnid else _index(path, row)
        if by_stem.setdefault(stem_of(row.name), label) != label:
            raise MicronetError(f"{path}: line {row.line}: '{shown(row.name)}' has two labels.")
    if by_wnid:
        return checked(str(path), by_stem, class_list(IMAGENET))
    return labels_of_numbers(str(path), by_stem, track)


def _wnid_label(path: Path, row: _Row) -> int:
    label = wnid_labels().get(row.value)
    if label is None:
        raise _misfit(
            path, row.line, row.value, "expected a WordNet ID of ImageNet's 1,000 classes"
        )
    return label


def _index(path: Path, row: _Row) -> int:
    if not is_number(row.value):
        raise _misfit(path, row.line, row.value, "expected an index from 0 on")
    return int(row.value)


def _by_devkit(path: Path, kept: list[tuple[int, str]]) -> Labels:
    """Line k is the ILSVRC2012 ID, 1 to 1,000, of validation image k."""
    wnids, known = ids_in_order(path), wnid_labels()
    by_stem: dict[str, int] = {}
    for position, (number, line) in enumerate(kept, 1):
        if not 1 <= int(line) <= len(wnids):
            raise _misfit(path, number, line, "expected an ILSVRC2012 ID, 1 to 1,000")
        by_stem[val_stem(position)] = known[wnids[int(line) - 1]]
    return Labels(by_stem, class_list(IMAGENET))
