"""Check a receipt that somebody else wrote against its schema, with what is always installed.

Only the words of JSON Schema that ``evaluation.schema.json`` uses are known here.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}
_SHOWN_LENGTH: Final = 60


@cache
def evaluation_schema() -> Mapping[str, Any]:
    """The schema of ``micronet.evaluation/1``."""
    text = resources.files("micronet").joinpath("evaluation/evaluation.schema.json")
    found: dict[str, Any] = json.loads(text.read_text("utf-8"))
    return found


def problems(value: object, schema: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """Whatever in ``value`` is not as ``schema`` says, with its place ("quality.of")."""
    where = place or "the document"
    expected = _form(value, schema)
    if expected is not None:
        yield f"{where} is {_shown(value)}, expected {expected}"
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from problems(each, schema.get("items", {}), f"{place}[{index}]")
    elif isinstance(value, dict):
        dot = f"{place}." if place else ""
        for key, inner in schema.get("properties", {}).items():
            if key in value:
                yield from problems(value[key], inner, f"{dot}{key}")
            elif key in schema["required"]:
                yield f"{dot}{key} is missing"


def _form(value: object, schema: Mapping[str, Any]) -> str | None:
    """What was expected of ``value`` itself, its parts aside; None if that is what it is."""
    if "const" in schema:
        return None if value == schema["const"] else repr(schema["const"])
    if "enum" in schema:
        return None if value in schema["enum"] else f"one of {schema['enum']}"
    if "type" in schema and not _has_type(value, schema["type"]):
        return schema["type"] if isinstance(schema["type"], str) else " or ".join(schema["type"])
    if isinstance(value, str):
        pattern = schema.get("pattern", "")
        fits = len(value) >= schema.get("minLength", 0) and re.search(pattern, value)
        return None if fits else pattern or "a text"
    if isinstance(value, int | float) and not isinstance(value, bool):
        least, most = schema.get("minimum", value), schema.get("maximum", value)
        return None if least <= value <= most else f"from {least} to {most}"
    if isinstance(value, list) and len(value) > schema.get("maxItems", len(value)):
        return f"at most {schema['maxItems']} entries"
    return None


def _has_type(value: object, wanted: str | list[str]) -> bool:
    names = [wanted] if isinstance(wanted, str) else wanted
    if isinstance(value, bool):
        return "boolean" in names
    return any(isinstance(value, _TYPES[name]) for name in names)


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'an array'} of {len(value)}"
    shown = repr(value)
    return shown if len(shown) <= _SHOWN_LENGTH else f"{shown[:_SHOWN_LENGTH]}…"
