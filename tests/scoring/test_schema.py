"""The schema of `micronet.score/1`: it takes what we write, and refuses what would mislead."""

from __future__ import annotations

import copy
import json
from importlib import resources
from typing import Any

import jsonschema
import pytest

Document = dict[str, Any]
SCHEMA = json.loads(
    resources.files("micronet").joinpath("scoring/score.schema.json").read_text("utf-8")
)
VALID: Document = {
    "schema": "micronet.score/1",
    "target": {"name": "x", "sha256": None, "architecture": "y", "weights": "untrained"},
    "rules": {"name": "macs", "sha256": "0" * 64},
    "track": "imagenet",
    "storage": {"bits": 48, "parameters": 1.5, "by": {"values": 48}},
    "operations": {"multiplications": 3, "additions": 2, "other": 0, "total": 3},
    "edges": {"stored": 3, "active": 3, "live": 3},
    "score": None,
    "quality": None,
    "layers": [
        {
            "name": "fc",
            "operator": "linear",
            "weight_shape": [1, 3],
            "stored": 3,
            "active": 3,
            "live": 3,
            "weight_bits": 16,
            "input_bits": 16,
            "output_positions": 1,
            "multiplications": 3,
            "additions": 2,
            "other": 0,
            "storage_bits": 48,
        }
    ],
    "notes": [],
}
REFUSED: dict[str, tuple[tuple[str | int, ...], Any]] = {
    "another edition": (("schema",), "micronet.score/2"),
    "a number as text": (("operations", "multiplications"), "1,014"),
    "half a multiplication": (("operations", "multiplications"), 1.5),
    "negative bits": (("storage", "bits"), -32),
    "a negative count": (("edges", "live"), -1),
    "an unknown state of weights": (("target", "weights"), "pretrained"),
    "a short digest": (("rules", "sha256"), "abc"),
    "an unknown track": (("track",), "mnist"),
    "a layer without name": (("layers", 0, "name"), ""),
    "a note that is no text": (("notes",), [1]),
}


def problems(document: Document) -> list[str]:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    return [error.json_path for error in validator.iter_errors(document)]


def changed(path: tuple[str | int, ...], value: Any) -> Document:
    document = copy.deepcopy(VALID)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return document


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_sound_document_passes() -> None:
    assert problems(VALID) == []


@pytest.mark.parametrize(("path", "value"), REFUSED.values(), ids=REFUSED.keys())
def test_what_would_mislead_is_refused(path: tuple[str | int, ...], value: Any) -> None:
    assert problems(changed(path, value)) != []


@pytest.mark.parametrize("key", sorted(set(VALID)))
def test_no_part_may_be_missing(key: str) -> None:
    document = {name: part for name, part in VALID.items() if name != key}
    assert problems(document) == ["$"]
