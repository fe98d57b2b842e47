"""Receipts and predictions in packages, and what a forger makes of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from micronet.evaluation.predictions_file import predictions_csv, read_file
from micronet.evaluation.receipt import content_sha256
from micronet.packages.texts import json_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from micronet.evaluation.prediction import Prediction
    from micronet.packages.compose import Members


def predictions_in(members: Members) -> str:
    return next(name for name in members if name.endswith(".csv") and name.startswith("evaluation"))


def receipt_in(members: Members) -> str:
    return next(name for name in members if name.endswith(".evaluation.json"))


def with_answers(
    tmp_path: Path, change: Callable[[list[Prediction]], None], *, counted: bool = True
) -> Callable[[Members], None]:
    """The stored predictions changed, and digest and content of the receipt made right again."""

    def forge(members: Members) -> None:
        csv, receipt = predictions_in(members), receipt_in(members)
        (tmp_path / "p.csv").write_bytes(members[csv])
        found = list(read_file(tmp_path / "p.csv").predictions)
        change(found)
        members[csv] = predictions_csv(found, real=None)
        document = json.loads(bytes(members[receipt]))
        document["predictions"]["sha256"] = hashlib.sha256(members[csv]).hexdigest()
        if counted:
            document["data"]["content_sha256"] = content_sha256(found)
        members[receipt] = json_bytes(document)

    return forge


def replaced(found: list[Prediction], index: int, **changes: Any) -> None:
    found[index] = replace(found[index], **changes)
