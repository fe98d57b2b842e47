"""What a card must hold, as tables: key, type, whether it may be left out, allowed words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Check = Callable[[Any], bool]


@dataclass(frozen=True)
class Field:
    """One key: what its value must be, in words and as a test."""

    expected: str
    fits: Check
    required: bool = True


def _text(value: Any) -> bool:
    return isinstance(value, str) and value.strip() != ""


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _list_of(fits: Check) -> Check:
    return lambda value: isinstance(value, list) and all(fits(item) for item in value)


def _filled_list_of(fits: Check) -> Check:
    return lambda value: isinstance(value, list) and bool(value) and all(map(fits, value))


def _one_of(*words: str) -> Field:
    return Field("one of " + ", ".join(words), lambda value: value in words)


HEX_DIGITS: Final = 64  # of a sha256


def _sha256(value: Any) -> bool:
    return (
        isinstance(value, str)
        and len(value) == HEX_DIGITS
        and set(value) <= set("0123456789abcdef")
    )


TEXT: Final = Field("a text", _text)
TABLE: Final = Field("a table", lambda value: isinstance(value, dict))

CARD: Final[Mapping[str, Field]] = {
    "name": TEXT,
    "title": TEXT,
    "architecture": TEXT,
    "config": TABLE,
    "track": _one_of("imagenet", "cifar100", "wikitext103"),
    "rules": TEXT,
    "input": Field("a list of whole numbers above 0", _filled_list_of(_whole)),
    "weights": _one_of("released", "never released", "baseline", "trained"),
    "licence": TEXT,
    "paper": TABLE,
    "prune_rate": Field("a number of [0, 1)", lambda v: _number(v) and 0 <= v < 1, required=False),
    "preprocessing": Field("a table", TABLE.fits, required=False),
    "recipe": Field("a table", TABLE.fits, required=False),
    "sources": Field("a list of tables", _list_of(TABLE.fits), required=False),
    "claims": Field("a list of tables", _list_of(TABLE.fits)),
    "notes": Field("a list of texts", _list_of(_text), required=False),
}
PAPER: Final[Mapping[str, Field]] = {
    "title": TEXT,
    "authors": TEXT,
    "year": Field("a whole number", _whole),
    "url": TEXT,
}
PREPROCESSING: Final[Mapping[str, Field]] = {
    "resize": Field("a whole number of pixels", _whole),
    "crop": Field("a whole number of pixels", _whole),
    "interpolation": _one_of("bilinear", "bicubic", "none"),
    "mean": Field("a list of numbers", _filled_list_of(_number)),
    "std": Field("a list of numbers", _filled_list_of(_number)),
}
SOURCE: Final[Mapping[str, Field]] = {
    "url": Field("an http or https address", lambda v: _text(v) and v.startswith("http")),
    "kind": _one_of("file", "page"),
    "sha256": Field("64 hexadecimal digits", _sha256, required=False),
}
CLAIM: Final[Mapping[str, Field]] = {
    "quantity": _one_of("parameters", "macs", "operations", "score", "top1"),
    "stated": TEXT,
    "value": Field("a number", _number),
    "unit": TEXT,
    "where": TEXT,
}


def problems_of(raw: Mapping[str, Any]) -> list[str]:
    """Everything wrong with a card's table, each problem naming its key; empty when it is right."""
    problems = _check(raw, CARD, "")
    for key, fields in (("paper", PAPER), ("preprocessing", PREPROCESSING)):
        if isinstance(raw.get(key), dict):
            problems += _check(raw[key], fields, f"{key}.")
    for key, fields in (("sources", SOURCE), ("claims", CLAIM)):
        entries = raw.get(key)
        for index, entry in enumerate(entries if isinstance(entries, list) else []):
            if isinstance(entry, dict):
                problems += _check(entry, fields, f"{key}[{index}].")
    return problems


def _check(table: Mapping[str, Any], fields: Mapping[str, Field], prefix: str) -> list[str]:
    problems = [f"{prefix}{key}: unknown key" for key in table if key not in fields]
    for key, field in fields.items():
        if key not in table:
            if field.required:
                problems.append(f"{prefix}{key}: missing, expected {field.expected}")
        elif not field.fits(table[key]):
            problems.append(f"{prefix}{key}: found {table[key]!r}, expected {field.expected}")
    return problems
