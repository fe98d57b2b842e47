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


def _pixels(value: Any) -> bool:
    return _whole(value) and value <= MAX_PIXELS


def _resize(value: Any) -> bool:
    return _pixels(value) or (_filled_list_of(_pixels)(value) and len(value) == 2)


def _list_of(fits: Check) -> Check:
    return lambda value: isinstance(value, list) and all(fits(item) for item in value)


def _filled_list_of(fits: Check) -> Check:
    return lambda value: isinstance(value, list) and bool(value) and all(map(fits, value))


def _colours(fits: Check) -> Check:
    """Three numbers, one for each of red, green, blue."""
    number = _list_of(lambda value: _number(value) and fits(value))
    return lambda value: number(value) and len(value) == 3


def _one_of(*words: str) -> Field:
    return Field("one of " + ", ".join(words), lambda value: value in words)


HEX_DIGITS: Final = 64  # of a sha256
MAX_PIXELS: Final = 4096  # of a side: no network here is evaluated with more


def _sha256(value: Any) -> bool:
    return (
        isinstance(value, str)
        and len(value) == HEX_DIGITS
        and set(value) <= set("0123456789abcdef")
    )


def _inner_path(value: Any) -> bool:
    parts = value.split("/") if _text(value) else [""]
    return not {"", ".", ".."} & set(parts) and not set(value) & set("\\:")


TEXT: Final = Field("a text", _text)
TABLE: Final = Field("a table", lambda value: isinstance(value, dict))

CARD: Final[Mapping[str, Field]] = {
    "name": TEXT,
    "title": TEXT,
    "architecture": TEXT,
    "config": TABLE,
    "track": _one_of("imagenet", "cifar100", "cifar10", "wikitext103"),
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
INTERPOLATIONS: Final = ("bilinear", "bicubic", "nearest", "none")
_PIXELS: Final = f"1 to {MAX_PIXELS} pixels"
_THREE: Final = "three numbers of "
PREPROCESSING: Final[Mapping[str, Field]] = {
    "resize": Field(f"{_PIXELS}, or [height, width] of such", _resize, required=False),
    "crop": Field(_PIXELS, _pixels, required=False),
    "interpolation": _one_of(*INTERPOLATIONS),
    "mean": Field(f"{_THREE}0 to 1", _colours(lambda value: 0 <= value <= 1)),
    "std": Field(f"{_THREE}(0, 1]", _colours(lambda value: 0 < value <= 1)),
    "antialias": Field("true or false", lambda value: isinstance(value, bool), required=False),
}
SOURCE: Final[Mapping[str, Field]] = {
    "url": Field("an http or https address", lambda v: _text(v) and v.startswith("http")),
    "kind": _one_of("file", "page", "package", "shipped"),
    "sha256": Field("64 hexadecimal digits", _sha256, required=False),
}
PACKAGE: Final[Mapping[str, Field]] = {
    **SOURCE,
    "sha256": Field("64 hexadecimal digits", _sha256),
    "package": Field("the name of a Python package", lambda v: _text(v) and v.isidentifier()),
    "file": Field("a path within the package, parts joined by /", _inner_path),
}
SHIPPED: Final[Mapping[str, Field]] = {key: PACKAGE[key] for key in ("kind", "sha256")}
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
    if isinstance(raw.get("paper"), dict):
        problems += _check(raw["paper"], PAPER, "paper.")
    look = raw.get("preprocessing")
    if isinstance(look, dict):
        wrong = _check(look, PREPROCESSING, "preprocessing.")
        problems += wrong or [f"preprocessing.{found}" for found in step_problems(**_steps(look))]
    for key in ("sources", "claims"):
        entries = raw.get(key)
        for index, entry in enumerate(entries if isinstance(entries, list) else []):
            if isinstance(entry, dict):
                fields = CLAIM if key == "claims" else _source_fields(entry)
                problems += _check(entry, fields, f"{key}[{index}].")
    return problems or _shipping_problems(raw)


def _shipping_problems(raw: Mapping[str, Any]) -> list[str]:
    """Trained weights are those that come with micronet, and the card pins their one file."""
    pins = sum(source["kind"] == "shipped" for source in raw.get("sources", ()))
    due = int(raw["weights"] == "trained")
    if pins == due:
        return []
    return [f"sources: found {pins} of kind shipped, expected {due} for weights {raw['weights']!r}"]


def step_problems(*, resize: Any, crop: int | None, interpolation: str) -> list[str]:
    """What contradicts itself in a preprocessing whose values are right each on its own."""
    found = []
    if (resize is None) != (interpolation == "none"):
        what = "nothing is" if resize is None else "images are"
        found.append(f"interpolation: found '{interpolation}', but {what} resized")
    shorter = resize if isinstance(resize, int) else min(resize or [MAX_PIXELS])
    if crop is not None and shorter < crop:
        found.append(f"crop: found {crop}, more than the {shorter} pixels that resize leaves")
    return found


def _steps(look: Mapping[str, Any]) -> dict[str, Any]:
    return {key: look.get(key) for key in ("resize", "crop", "interpolation")}


def _source_fields(source: Mapping[str, Any]) -> Mapping[str, Field]:
    kind = source.get("kind")
    return PACKAGE if kind == "package" else SHIPPED if kind == "shipped" else SOURCE


def _check(table: Mapping[str, Any], fields: Mapping[str, Field], prefix: str) -> list[str]:
    problems = [f"{prefix}{key}: unknown key" for key in table if key not in fields]
    for key, field in fields.items():
        if key not in table:
            if field.required:
                problems.append(f"{prefix}{key}: missing, expected {field.expected}")
        elif not field.fits(table[key]):
            problems.append(f"{prefix}{key}: found {table[key]!r}, expected {field.expected}")
    return problems
