"""How numbers look on a screen; nowhere else are they rounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

UNKNOWN: Final = "–"
_KILO: Final = 1000


def count(value: float | None, decimals: int = 3) -> str:
    """A count with thousands separators: ``1,234``, ``2,089,345.25``, a dash for None."""
    if value is None:
        return UNKNOWN
    if isinstance(value, int):
        return f"{value:,}"
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".")


def score(value: float | None) -> str:
    """A score with the four decimals that the challenge's leaderboard prints."""
    return UNKNOWN if value is None else f"{value:.4f}"


def shape(extents: Sequence[int] | None) -> str:
    """A tensor's shape as ``64×3×7×7``; empty where there is no weight."""
    return "" if extents is None else "×".join(str(extent) for extent in extents)


def percent(part: int, whole: int) -> str:
    """A share in percent with one decimal; a dash for a share of nothing."""
    return UNKNOWN if whole == 0 else f"{100 * part / whole:.1f} %"


def file_size(size_bytes: int) -> str:
    """Bytes in the unit people read, decimal as disks and downloads are: ``4.2 MB``."""
    if size_bytes < _KILO:
        return f"{size_bytes} B"
    size, unit = size_bytes / _KILO, "kB"
    for larger in ("MB", "GB"):
        if size >= _KILO:
            size, unit = size / _KILO, larger
    return f"{size:.1f} {unit}"


def digest(sha256: str | None) -> str:
    """The first twelve digits of a sha256, enough to tell two files apart at a glance."""
    return UNKNOWN if sha256 is None else sha256[:12]
