"""Single values of a claims file, each bounded: a getter takes the table and the key.

What is wrong is noted in the table; the value returned then only lets reading go on.
"""

from __future__ import annotations

import re
from math import prod
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, TypeVar

from micronet.errors import MicronetError
from micronet.scoring.printed import printed
from micronet.scoring.tables import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from fractions import Fraction
    from pathlib import Path

    from micronet.audit.entry import Exact

T = TypeVar("T")

LARGEST: Final = 10**30  # of a count: still a float where somebody wants one
WIDEST: Final = 64  # bits of a value
MOST_SIZES: Final = 8  # of an input
MOST_ELEMENTS: Final = 10**8  # of an input
_SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NAME: Final = r"[A-Za-z_]\w*"
_MODEL: Final = re.compile(rf"torchvision:\w+|{_NAME}(\.{_NAME})*:{_NAME}", re.ASCII)
_FILE_MODEL: Final = re.compile(rf"(?P<file>.+\.py):(?P<factory>{_NAME})", re.ASCII)


def optional(row: Table, key: str, get: Callable[[Table, str], T]) -> T | None:
    """What ``get`` reads, or None where the key is left out."""
    return get(row, key) if row.has(key) else None


def rows(row: Table, key: str) -> tuple[Table, ...]:
    """The tables ``[[key]]``, none where the key is left out."""
    return row.tables(key) if row.has(key) else ()


def line(row: Table, key: str) -> str:
    """One line of text without control signs: it will stand on a terminal and on a page."""
    text = row.text(key)
    if not text.isprintable():
        row.problem(key, "should be one line of printable signs")
    return text


def slug(row: Table, key: str) -> str:
    """A name that is fit for a file's."""
    text = row.text(key)
    if text and not _SLUG.fullmatch(text):
        row.problem(key, "should be letters, digits, and . _ - after the first, at most 100")
    return text


def stated(row: Table, key: str = "stated") -> str:
    """A number as it was printed, which can be read; "0" if it cannot."""
    text = row.text(key)
    try:
        printed(text)
    except MicronetError as error:
        if text:
            row.problem(key, f"cannot be read: {error.message}")
        return "0"
    return text


def exact(row: Table, key: str) -> Exact:
    """A count, or a fraction of one, of 0 or more."""
    value = row.fraction(key)
    if not 0 <= value <= LARGEST:
        row.problem(key, "should be a count from 0 to 10^30")
    return value.numerator if value.denominator == 1 else value


def share(row: Table, key: str) -> Fraction:
    """A part of a whole, from 0 to 1."""
    value = row.fraction(key)
    if not 0 <= value <= 1:
        row.problem(key, "should be a share from 0 to 1")
    return value


def width(row: Table, key: str) -> int:
    """Bits of a value."""
    bits = row.positive(key)
    if bits > WIDEST:
        row.problem(key, f"should be at most {WIDEST} bits")
    return bits


def shape(row: Table, key: str) -> tuple[int, ...]:
    """The sizes of an input."""
    sizes = row.sequence(key, of=Table.positive)
    if not row.sound():
        return ()
    if not 1 <= len(sizes) <= MOST_SIZES or prod(sizes) > MOST_ELEMENTS:
        row.problem(
            key,
            f"should be 1 to {MOST_SIZES} sizes, of at most {MOST_ELEMENTS:,} elements together",
        )
    return sizes


def model(row: Table, key: str) -> str:
    """``file.py:factory`` with the file's place filled in, or a name that needs none."""
    spec = line(row, key)
    if found := _FILE_MODEL.fullmatch(spec):
        return f"{_beside(row, key, found['file'])}:{found['factory']}"
    if spec and not _MODEL.fullmatch(spec):
        row.problem(key, "should be torchvision:NAME, package.module:factory or file.py:factory")
    return spec


def file(row: Table, key: str) -> Path:
    """A file in the folder of the claims file, or deeper."""
    return _beside(row, key, line(row, key))


def _beside(row: Table, key: str, name: str) -> Path:
    if PurePosixPath(name).is_absolute() or ".." in name.split("/") or set(name) & set("\\:"):
        row.problem(key, "should be a path within the folder of the claims file")
    return row.path.parent / name


def unlike(row: Table, key: str, names: Iterable[Hashable]) -> None:
    """Note each name that is there twice."""
    seen: set[Hashable] = set()
    for name in names:
        if name in seen:
            row.problem(key, f"is there twice: {name}")
        seen.add(name)
