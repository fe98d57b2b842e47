"""Where the audit of a report comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from micronet.audit.evidence import SUFFIX
from micronet.reports import RECEIPTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def shipped_audit_of(root: Path) -> Mapping[str, Any] | None:
    """The ``micronet.audit/1`` document of every shipped claim, by the evidence in ``root``.

    None where no evidence was kept: a table in which nothing is judged says nothing.
    """
    if not any((root / RECEIPTS).glob(f"*{SUFFIX}")):
        return None
    from micronet.audit.receipts import shipped_audit

    return shipped_audit(root)
