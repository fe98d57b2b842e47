"""What the files of a package are called, what each is for, and how large it may be."""

from __future__ import annotations

import re
from typing import Final

from micronet.checkpoints.source import RefusedError
from micronet.evaluation.predictions_file import MAX_FILE_BYTES as MAX_PREDICTIONS_BYTES
from micronet.evaluation.receipt_file import MAX_FILE_BYTES as MAX_RECEIPT_BYTES
from micronet.evaluation.receipt_file import SUFFIX as RECEIPT_SUFFIX
from micronet.packages.canonical import LONGEST

CHECKPOINT: Final = "checkpoint.pt"
SCORE: Final = "score.json"
LAYERS: Final = "layers.csv"
WRITE_UP: Final = "README.md"
APPROACH: Final = "APPROACH.md"
ENVIRONMENT: Final = "environment.json"
CITATION: Final = "CITATION.cff"
LICENCE: Final = "LICENSE"
MANIFEST: Final = "manifest.json"
CHECKSUMS: Final = "SHA256SUMS"
CODE: Final = "code/"
INFERENCE: Final = "code/inference.py"
EVALUATION: Final = "evaluation/"

ROLES: Final = {
    CHECKPOINT: "checkpoint",
    SCORE: "score",
    LAYERS: "per-layer table",
    WRITE_UP: "write-up",
    APPROACH: "approach",
    ENVIRONMENT: "environment",
    CITATION: "citation",
    LICENCE: "licence",
    MANIFEST: "manifest",
    CHECKSUMS: "checksums",
    INFERENCE: "inference",
}
MAX_CODE_BYTES: Final = 4 * 2**20
MAX_DOCUMENT_BYTES: Final = 2**26
_LONGEST_NAME: Final = 255
_PART: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_DRIVE: Final = re.compile(r"[A-Za-z]:")


def role(name: str) -> str:
    """What the file ``name`` is for; RefusedError if a package has no such file."""
    if name in ROLES:
        return ROLES[name]
    if name.startswith(CODE):
        return "source"
    if name.startswith(EVALUATION):
        return "receipt" if name.endswith(RECEIPT_SUFFIX) else "predictions"
    raise RefusedError(f"{shown(name)} is no file of a package")


def most_bytes(name: str) -> int:
    """How large the file ``name`` may be."""
    if name == CHECKPOINT:
        return LONGEST
    if name.startswith(CODE):
        return MAX_CODE_BYTES
    if name.startswith(EVALUATION):
        receipt = name.endswith(RECEIPT_SUFFIX)
        return MAX_RECEIPT_BYTES if receipt else MAX_PREDICTIONS_BYTES
    return MAX_DOCUMENT_BYTES


def check_name(name: str) -> None:
    """RefusedError unless ``name`` is a plain relative path of at most one folder."""
    parts = name.split("/")
    if name.startswith("/"):
        raise RefusedError(f"the path {shown(name)} is absolute")
    if _DRIVE.match(name):
        raise RefusedError(f"the path {shown(name)} names a drive")
    if ".." in parts or "\\" in name:
        raise RefusedError(f"the path {shown(name)} leads out of the package")
    if name.endswith("/"):
        raise RefusedError(f"{shown(name)} is a folder, not a file")
    plain = all(_PART.fullmatch(part) for part in parts) and not name.endswith(".")
    if not plain or len(parts) > 2 or len(name) > _LONGEST_NAME:
        raise RefusedError(f"{shown(name)} is no name of a file in a package")


def shown(name: str) -> str:
    """``name``, of whoever made the archive, without what could act on a terminal."""
    text = name if name.isascii() and name.isprintable() else ascii(name)[1:-1]
    return text if len(text) <= 80 else f"{text[:80]}…"
