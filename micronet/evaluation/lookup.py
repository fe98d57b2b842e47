"""Find the evaluation receipt that tells the quality of what is scored. No torch here."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from micronet.errors import MicronetError
from micronet.evaluation.receipt_file import SUFFIX, Receipt, predictions_of, read_receipt
from micronet.reports import RECEIPTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_KEPT = ("metric", "correct", "of", "value", "threshold", "qualifies", "verdict")


def quality_for(
    target: Mapping[str, Any],
    track: str | None,
    root: Path,
    *,
    state_sha256: Callable[[], str | None],
) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """The ``quality`` of a score's ``target`` on ``track``, and notes on receipts not used.

    It names the receipt that it is from, and is None without one.
    """
    best, notes = receipt_for(target, track, root, state_sha256=state_sha256)
    return None if best is None else quality_of(best), notes


def quality_of(receipt: Receipt) -> dict[str, Any]:
    """The ``quality`` of a score's document that a receipt tells, with the place of the receipt."""
    quality = {key: receipt.document["quality"][key] for key in _KEPT}
    return {**quality, "receipt": (RECEIPTS / receipt.path.name).as_posix()}


def receipt_for(
    target: Mapping[str, Any],
    track: str | None,
    root: Path,
    *,
    state_sha256: Callable[[], str | None],
) -> tuple[Receipt | None, tuple[str, ...]]:
    """The evaluation receipt of a score's ``target`` on ``track``, and notes on those not used.

    Receipts are those in ``root``/reports/receipts; ``track`` is None for a data set that is no
    track. A receipt belongs to the target if the file has the same sha256, or, where
    neither has a file, the tensors (``state_sha256`` is asked only then), and the architecture and
    the size of the input are the same. Of several the one of a whole data set counts, then one with
    the card's own preprocessing, then the last by name. MicronetError for a receipt that is none,
    that its predictions contradict, or if two of the whole data set disagree.
    """
    found = [read_receipt(path) for path in sorted((root / RECEIPTS).glob(f"*{SUFFIX}"))]
    state = cache(state_sha256)
    found = [each for each in found if _same_network(each, target, track, state)]
    notes: list[str] = []
    usable: list[Receipt] = []
    for receipt in found:
        remark = _unusable(receipt, target)
        if remark is None:
            usable.append(receipt)
        else:
            notes.append(f"{RECEIPTS / receipt.path.name}: not used, {remark}")
    if not usable:
        return None, tuple(notes)
    _check_agreement([each for each in usable if _complete(each)])
    return max(usable, key=_rank), tuple(notes)


def _same_network(
    receipt: Receipt, target: Mapping[str, Any], track: str | None, state: Callable[[], str | None]
) -> bool:
    measured = receipt.document["target"]
    if receipt.document["track"] != track or measured["architecture"] != target["architecture"]:
        return False
    if target["sha256"] is not None or measured["sha256"] is not None:
        return bool(measured["sha256"] == target["sha256"])
    return measured["state_sha256"] is not None and bool(measured["state_sha256"] == state())


def _unusable(receipt: Receipt, target: Mapping[str, Any]) -> str | None:
    """Why the measurement does not hold for this score; None if it does."""
    measured, scored = _input_size(receipt), tuple(target["input"][-2:])
    if measured is not None and measured != scored:
        return f"measured with inputs of {_size(measured)}, scored with {_size(scored)}"
    said = receipt.document["predictions"]
    if said is not None and predictions_of(receipt) is None:
        return f"its predictions {said['file']} are not here"
    return None


def _input_size(receipt: Receipt) -> tuple[int, ...] | None:
    """Height and width that the preprocessing gives; None where it takes images as they are."""
    look = receipt.document["preprocessing"]
    if look is None:
        return None
    if look["crop"] is not None:
        return (look["crop"], look["crop"])
    return tuple(look["resize"]) if isinstance(look["resize"], list) else None


def _size(extents: tuple[int, ...]) -> str:
    return "×".join(str(extent) for extent in extents)


def _complete(receipt: Receipt) -> bool:
    return bool(receipt.document["data"]["complete"])


def _rank(receipt: Receipt) -> tuple[bool, bool, str]:
    look = receipt.document["preprocessing"]
    own = look is not None and re.fullmatch(r"card \S+", look["source"]) is not None
    return _complete(receipt), own, receipt.path.name


def _check_agreement(complete: list[Receipt]) -> None:
    for first, other in pairwise(complete):
        one, two = (each.document["quality"] for each in (first, other))
        if (one["correct"], one["value"]) != (two["correct"], two["value"]):
            raise MicronetError(
                f"{first.path.name} and {other.path.name} disagree on the same network:"
                f" {one['verdict']} against {two['verdict']}.",
                f"Delete the one in {RECEIPTS} that does not hold.",
            )
