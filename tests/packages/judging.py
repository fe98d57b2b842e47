"""What ``micronet verify`` says, as the tests ask for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema

from micronet import cli

if TYPE_CHECKING:
    import pytest

    Capture = pytest.CaptureFixture[str]

SCHEMA = Path(__file__).resolve().parents[2] / "micronet" / "packages" / "verify.schema.json"


def judged(capsys: Capture, *words: object) -> tuple[int, dict[str, Any]]:
    """The exit code and the document of ``micronet verify``."""
    code = cli.main(["verify", "--json", *map(str, words)])
    shown, _ = capsys.readouterr()
    found: dict[str, Any] = json.loads(shown)
    jsonschema.validate(found, json.loads(SCHEMA.read_text()))
    return code, found


def rows(found: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {row["id"]: row for row in found["packages"][0]["checks"]}


def failed(found: dict[str, Any]) -> list[str]:
    return [name for name, row in rows(found).items() if row["outcome"] in ("fail", "unjudged")]
