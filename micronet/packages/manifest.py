"""``manifest.json``, schema ``micronet.package/1``: what is in a package, and what it states."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import micronet
from micronet.packages.environment import components
from micronet.packages.names import CHECKSUMS, INFERENCE, MANIFEST, role
from micronet.packages.statement import stated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from micronet.packages.recount import Recount
    from micronet.packages.statement import Statement

SCHEMA: Final = "micronet.package/1"


@cache
def package_schema() -> Mapping[str, Any]:
    """The schema of ``micronet.package/1``."""
    text = resources.files("micronet.packages").joinpath("package.schema.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def manifest(
    statement: Statement,
    recount: Recount,
    environment: Mapping[str, Any],
    members: Mapping[str, bytes | memoryview],
) -> dict[str, Any]:
    """The manifest of a package that holds ``members`` besides it and the checksums."""
    document = recount.document
    return {
        "schema": SCHEMA,
        "made_by": {"name": "micronet-wirings", "version": micronet.__version__},
        "statement": stated(statement),
        "network": {
            "architecture": document["target"]["architecture"],
            "config": dict(recount.config),
            "weights": document["target"]["weights"],
            "sha256": document["target"]["sha256"],
            "state_sha256": recount.state_sha256,
        },
        "rules": {key: document["rules"][key] for key in ("name", "sha256")},
        "metrics": {
            "bits": document["storage"]["bits"],
            "parameters": document["storage"]["parameters"],
            "operations": document["operations"]["total"],
            "score": document["score"]["total"],
        },
        "quality": document["quality"],
        "components": components(environment),
        "files": [_file(name, members[name], statement) for name in sorted(members)],
    }


def _file(name: str, content: bytes | memoryview, statement: Statement) -> dict[str, Any]:
    return {
        "path": name,
        "role": role(name),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "licence": "Apache-2.0" if name == INFERENCE else statement.licence,
    }


def checksums(members: Mapping[str, bytes | memoryview]) -> bytes:
    """``SHA256SUMS`` of all files but itself, as ``sha256sum --check`` reads it."""
    rows = (
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in sorted(members.items())
        if name != CHECKSUMS
    )
    return "".join(rows).encode("ascii")


def listed(document: Mapping[str, Any]) -> set[str]:
    """The files that a package with this manifest has."""
    return {each["path"] for each in document["files"]} | {MANIFEST, CHECKSUMS}
