"""What is known about figures that no recount gives, from ``scoring/baselines.toml``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from micronet.scoring.baselines import baselines

if TYPE_CHECKING:
    from micronet.audit.entry import Entry, StatedClaim


def known_reason(entry: Entry, claim: StatedClaim) -> str | None:
    """Why a baseline's published figure differs from its recount, as far as anybody knows."""
    for baseline in baselines():
        if baseline.name == entry.name or (baseline.card and baseline.card == entry.card):
            figure = baseline.figure(claim.quantity)
            if figure is not None and figure.stated == claim.stated and figure.why:
                return " ".join(figure.why.split()).rstrip(".")
    return None
