"""Whether a document is evidence by its form, before anybody believes a word of it."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from micronet.evaluation.schema import problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SCHEMA: Final = "micronet.evidence/1"


@cache
def schema_of(name: str) -> Mapping[str, Any]:
    """The JSON schema of ``micronet.NAME/1``."""
    text = resources.files("micronet").joinpath(f"audit/{name}.schema.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def unsound(document: object) -> str | None:
    """The first thing in ``document`` that ``evidence.schema.json`` forbids; None if nothing is."""
    schema = schema_of("evidence")
    wrong = next(problems(document, schema), None) or next(_strange(document, schema), None)
    return wrong or next(_not_digests(document), None) or next(_nowhere(document), None)


def _strange(value: Any, schema: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """Keys that the schema has no name for."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _strange(each, schema.get("items", {}), f"{place}[{index}]")
    elif isinstance(value, dict) and "properties" in schema:
        for key, inner in value.items():
            known = schema["properties"].get(key)
            if known is not None:
                yield from _strange(inner, known, f"{place}.{key}".strip("."))
            elif schema["additionalProperties"] is False:
                yield f"{place or 'the document'} has a key {key[:60]!r} that is not known"


def _not_digests(document: Any) -> Iterator[str]:
    for name, digest in document["rules"].items():
        if not isinstance(digest, str):
            yield f"rules.{name[:60]} is no text"


def _nowhere(document: Any) -> Iterator[str]:
    """Deviations that refer to the layers of a row that names none."""
    rows = document["deviations"]
    for at, row in enumerate(rows):
        if isinstance(row["layers"], int) and (
            row["layers"] >= at or isinstance(rows[row["layers"]]["layers"], int)
        ):
            yield f"deviations[{at}].layers is no number of a row before that names layers"
