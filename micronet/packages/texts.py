"""How the documents of a package are written down, so that equal content is equal bytes."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def json_bytes(document: Mapping[str, Any]) -> bytes:
    """JSON as receipts keep it: sorted keys, two spaces, a newline at the end, no NaN."""
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return f"{text}\n".encode("ascii")


def csv_bytes(rows: Iterable[Sequence[Any]]) -> bytes:
    """CSV with newlines alone; None is an empty cell."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", errors="backslashreplace")


def plain(text: str) -> str:
    """``text`` of somebody else's making on one line, without what would act on a terminal."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def count(value: float | None) -> str:
    """A count with thousands separators, exact: ``1,234``, ``2,089,345.25``."""
    if value is None:
        return "–"
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.10f}".rstrip("0")
