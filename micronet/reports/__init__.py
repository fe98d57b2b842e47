"""Where the tools write what they found, how its files are called, and how a receipt is written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from micronet.checkpoints.atomic import write_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

RECEIPTS: Final = Path("reports") / "receipts"
PREDICTIONS: Final = Path("reports") / "predictions"
JOURNALS: Final = Path("reports") / "journals"  # of evaluations that are not finished


def file_name(name: str) -> str:
    """``name`` as a file's that stays in its folder: "../a b/c.json" becomes "a-b-c.json"."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).lstrip(".-")


def write_receipt(path: Path, document: Mapping[str, Any]) -> None:
    """Write ``document`` as JSON: sorted keys, two spaces, a newline at the end, no NaN."""
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    # A file's name may hold bytes that are no UTF-8: JSON has "\udc80" for them.
    write_bytes(path, f"{text}\n".encode("utf-8", errors="backslashreplace"))
