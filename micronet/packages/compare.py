"""Where two documents differ, field by field: what is stated, and what was found."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from micronet.packages.texts import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_SHOWN: Final = 3
_SHOWN_LENGTH: Final = 60
_ABSENT: Final = object()


def first_differences(stated: object, found: object) -> str:
    """The first few differences in words, or "" where there is none."""
    shown = list(islice(differences(stated, found), MOST_SHOWN + 1))
    more = ", …" if len(shown) > MOST_SHOWN else ""
    return ", ".join(shown[:MOST_SHOWN]) + more


def differences(stated: object, found: object, place: str = "") -> Iterator[str]:
    """Each difference with its place: "storage.bits is 5, recounted 6". 1 and 1.0 differ, as bytes do."""
    if isinstance(stated, dict) and isinstance(found, dict):
        for key in sorted({*stated, *found}):
            inner = f"{place}.{key}" if place else str(key)
            yield from differences(stated.get(key, _ABSENT), found.get(key, _ABSENT), inner)
    elif isinstance(stated, list) and isinstance(found, list):
        if len(stated) != len(found):
            yield f"{plain(place)} has {len(stated)} entries, recounted {len(found)}"
        for index, (one, other) in enumerate(zip(stated, found, strict=False)):
            yield from differences(one, other, f"{place}[{_label(other, index)}]")
    elif type(stated) is not type(found) or stated != found:
        yield f"{plain(place)} is {_shown(stated)}, recounted {_shown(found)}"


def _label(item: Any, index: int) -> str:
    """How a row is called: by the name or path it has, else by its number."""
    if isinstance(item, dict):
        return str(item.get("name") or item.get("path") or index)
    return str(index)


def _shown(value: object) -> str:
    if value is _ABSENT:
        return "missing"
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'an array'} of {len(value)}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,}"
    text = plain(str(value))
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}…"
