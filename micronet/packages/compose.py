"""All files of a package from those that are given: built and verified by the same lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from micronet.packages import names
from micronet.packages.citation import citation, licence
from micronet.packages.environment import environment
from micronet.packages.inference import inference_script
from micronet.packages.layers import layers_csv
from micronet.packages.manifest import checksums, manifest
from micronet.packages.statement import LICENCE_FILE
from micronet.packages.texts import json_bytes
from micronet.packages.write_up import write_up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from micronet.packages.recount import Recount
    from micronet.packages.statement import Statement

Members = dict[str, bytes | memoryview]
_GIVEN: Final = ("checkpoint", "approach", "source", "receipt", "predictions")


def composed(
    statement: Statement,
    recount: Recount,
    given: Mapping[str, bytes | memoryview],
    receipt: Mapping[str, Any] | None,
) -> Members:
    """The files of the package: those ``given``, and what follows from them.

    ``given`` may hold more; what follows is always made anew. ``receipt`` is the document of the
    accuracy receipt among them, which was read before and is sound.
    """
    members: Members = {name: given[name] for name in sorted(given) if is_given(name, statement)}
    surroundings = environment(receipt)
    document = recount.document
    members[names.SCORE] = json_bytes(document)
    members[names.LAYERS] = layers_csv(document)
    members[names.ENVIRONMENT] = json_bytes(surroundings)
    members[names.CITATION] = citation(statement)
    if names.LICENCE not in members:
        members[names.LICENCE] = licence(statement)
    script = inference_script(statement)
    if script is not None:
        members[names.INFERENCE] = script
    members[names.WRITE_UP] = write_up(statement, document, surroundings, sorted(members))
    members[names.MANIFEST] = json_bytes(manifest(statement, recount, surroundings, members))
    members[names.CHECKSUMS] = checksums(members)
    return members


def is_given(name: str, statement: Statement) -> bool:
    """Whether the file ``name`` does not follow from the others."""
    own_licence = name == names.LICENCE and statement.licence == LICENCE_FILE
    return own_licence or names.role(name) in _GIVEN


def receipt_name(members: Mapping[str, object]) -> str | None:
    """What the accuracy receipt among ``members`` is called; None without one."""
    return next((name for name in sorted(members) if names.role(name) == "receipt"), None)
