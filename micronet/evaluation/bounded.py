"""Files of other people, read whole: bounded before memory is taken, and JSON without surprises."""

from __future__ import annotations

import json
import math
import stat
from typing import TYPE_CHECKING, Any

from micronet.errors import MicronetError

if TYPE_CHECKING:
    from pathlib import Path


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """The bytes of a regular file; MicronetError if it is none, or has more than ``most_bytes``."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "not a regular file"
            raise MicronetError(f"{path}: is {kind}, expected a file.")
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as error:
        raise MicronetError(f"{path}: cannot be read: {error.strerror}.") from error
    except ValueError as error:  # a NUL in the path
        raise MicronetError(f"{path!r}: is no file name.") from error
    if len(data) > most_bytes:
        raise MicronetError(f"{path}: has more than {most_bytes:,} bytes, which is refused.")
    return data


def read_json(path: Path, most_bytes: int) -> Any:
    """The JSON value in ``path``; MicronetError for NaN, infinity, keys given twice, and what is not JSON."""
    data = read_bounded(path, most_bytes)
    try:
        return json.loads(
            data.decode("utf-8"),
            parse_constant=_finite,
            parse_float=_finite,
            object_pairs_hook=_without_repeats,
        )
    except (ValueError, RecursionError) as error:  # ValueError: syntax, UTF-8, endless digits
        reason = str(error).splitlines()[0]
        raise MicronetError(f"{path}: is not JSON ({reason}).") from error


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:60]} is no finite number")
    return number


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:60]!r} is there twice")
    return found
