"""A package that was read: its files, and the manifest that says what they are."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from micronet.checkpoints.source import RefusedError
from micronet.errors import MicronetError
from micronet.evaluation.bounded import read_json
from micronet.evaluation.schema import problems
from micronet.packages import names
from micronet.packages.manifest import package_schema
from micronet.packages.statement import Statement, statement_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NEEDED: Final = (names.CHECKPOINT, names.SCORE, names.LAYERS, names.CHECKSUMS)
_MOST_SHOWN: Final = 3


@dataclass(frozen=True)
class Opened:
    """The files of a package by name, its manifest, and the statement in it."""

    members: Mapping[str, memoryview]
    manifest: Mapping[str, Any]
    statement: Statement


def opened(members: Mapping[str, memoryview], folder: Path) -> Opened:
    """The package of these files, some of which go to ``folder``, a private one.

    RefusedError if they are no package, or the manifest has another form.
    """
    if names.MANIFEST not in members:
        raise RefusedError(f"it is no package: it has no {names.MANIFEST}")
    for name in members:
        names.role(name)
    missing = [name for name in NEEDED if name not in members]
    if missing:
        raise RefusedError(f"it lacks {', '.join(missing)}")
    for name, content in members.items():
        if names.role(name) in {"checkpoint", "manifest", "score", "receipt", "predictions"}:
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
    manifest = plain_json(folder / names.MANIFEST)
    found = list(islice(problems(manifest, package_schema()), _MOST_SHOWN))
    if found:
        raise RefusedError(f"{names.MANIFEST}: {'; '.join(found)}")
    return Opened(members, manifest, statement_of(manifest["statement"]))


def plain_json(path: Path) -> Any:
    """The JSON of an unpacked file; RefusedError, which names the file alone, if it is none."""
    try:
        return read_json(path, names.most_bytes(path.name))
    except MicronetError as error:
        raise RefusedError(without(path.parent, error)) from error


def without(folder: Path, error: MicronetError) -> str:
    """The message of ``error`` as part of a sentence, without the folder that nobody knows."""
    return error.message.replace(f"{folder}/", "").rstrip(".")
