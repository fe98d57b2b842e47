"""The networks that a score is set beside: the published baselines and the track's own yardstick."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from micronet.scoring.baselines import Baseline, baselines
from micronet.scoring.tracks import Track, track


def references(track_name: str) -> list[dict[str, Any]]:
    """Rows (name, parameters, operations, score) of the baselines, as published: 2 operations a MAC."""
    if track_name != "imagenet":
        return []
    chosen = track(track_name)
    rows = [_row(baseline, chosen) for baseline in baselines()]
    return [row for row in rows if row is not None]


def _row(baseline: Baseline, chosen: Track) -> dict[str, Any] | None:
    parameters, macs, top1 = (baseline.figure(q) for q in ("parameters", "macs", "top1"))
    if parameters is None or macs is None or top1 is None:
        return None
    operations = 2 * Fraction(macs.number)
    score = chosen.score(Fraction(parameters.number), operations).total
    return {
        "name": f"{baseline.title} (published {parameters.stated}, {macs.stated}, {top1.stated} %)",
        "parameters": int(parameters.number),
        "operations": int(operations),
        "score": float(score),
    }
