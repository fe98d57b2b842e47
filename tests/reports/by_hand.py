"""Receipts, evidence and an audit worked out by hand, and folders that hold them."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from micronet.reports.material import Material, gather
from micronet.scoring.rulebook import rule_book
from micronet.scoring.tracks import track

ROOT: Final = Path(__file__).resolve().parents[2]
HOSTILE: Final = "<script>alert(1)</script>|`a`\\{x}$1$ & =1+1 \x1b[31m\u202e _b_ 中"

# For each output position: 100 live of 216 stored weights into 8 channels, then a ReLU.
CONV: Final = {"multiplications": 100, "additions": 92, "other": 0}
RELU: Final = {"multiplications": 0, "additions": 0, "other": 8}
CLASSIFIER: Final = {"multiplications": 80, "additions": 70, "other": 0}
CONV_BITS: Final = 100 * 16 + 216  # values of 16 bits and a bitmask
CLASSIFIER_BITS: Final = 80 * 16
REST_BITS: Final = 10 * 16
BITS: Final = CONV_BITS + CLASSIFIER_BITS + REST_BITS


def operations(positions: int) -> int:
    """Multiplications of 16 bits count half: (50 + 92 + 8) a position, 40 + 70 for the classifier."""
    return 150 * positions + 110


def score(positions: int) -> Fraction:
    """The score on ImageNet."""
    return Fraction(BITS, 32 * 6_900_000) + Fraction(operations(positions), 1_170_000_000)


def document(name: str = "by_hand", positions: int = 1000, **changes: Any) -> dict[str, Any]:
    """A network of four rows under micronet2019, whose convolution has so many positions."""
    layers = [
        _layer("stem.conv", [8, 3, 3, 3], (216, 120, 100), CONV, CONV_BITS, positions=positions),
        _layer("stem.relu", None, (0, 0, 0), RELU, 0, positions=positions),
        _layer("classifier", [10, 8], (80, 80, 80), CLASSIFIER, CLASSIFIER_BITS, positions=1),
        _layer(
            "(biases, norms, tables)",
            None,
            (0, 0, 0),
            dict.fromkeys(CONV, 0),
            REST_BITS,
            positions=1,
        ),
    ]
    parts = track("imagenet").score(Fraction(BITS, 32), operations(positions))
    made: dict[str, Any] = {
        "schema": "micronet.score/1",
        "target": {
            "name": name,
            "sha256": None,
            "architecture": "hand_made",
            "weights": "trained",
            "input": [1, 3, 224, 224],
        },
        "rules": {
            "name": "micronet2019",
            "sha256": rule_book("micronet2019").sha256,
            "unit": "operations",
        },
        "track": "imagenet",
        "storage": {
            "bits": BITS,
            "parameters": BITS / 32,
            "by": {"values": 180 * 16 + REST_BITS, "bitmask": 216},
        },
        "operations": {
            "multiplications": 100 * positions + 80,
            "additions": 92 * positions + 70,
            "other": 8 * positions,
            "total": operations(positions),
        },
        "edges": {"stored": 296, "active": 200, "live": 180},
        "score": {key: float(value) for key, value in parts._asdict().items()},
        "quality": {
            "metric": "top1",
            "correct": None,
            "of": None,
            "value": None,
            "threshold": 0.75,
            "qualifies": None,
            "receipt": None,
        },
        "layers": layers,
        "notes": [],
    }
    return made | changes


def _layer(
    name: str,
    shape: list[int] | None,
    edges: tuple[int, int, int],
    each: dict[str, int],
    bits: int,
    *,
    positions: int,
) -> dict[str, Any]:
    costs = {key: count * positions for key, count in each.items()}
    total = Fraction(costs["multiplications"], 2) + costs["additions"] + costs["other"]
    return {
        "name": name,
        "operator": "convolution" if shape else "relu",
        "weight_shape": shape,
        **dict(zip(("stored", "active", "live"), edges, strict=True)),
        "weight_bits": 16 if shape else None,
        "input_bits": 16,
        "output_positions": positions if shape else None,
        **costs,
        "total": int(total),
        "storage_bits": bits,
    }


def untrained(made: dict[str, Any]) -> dict[str, Any]:
    """The same of weights that nobody trained."""
    return made | {"target": made["target"] | {"weights": "untrained"}}


def measured(made: dict[str, Any], correct: int, of: int, *, qualifies: bool) -> dict[str, Any]:
    """The same with an accuracy."""
    verdict = f"{'qualifies' if qualifies else 'does not qualify'}: {correct:,} of {of:,}"
    quality = {"correct": correct, "of": of, "value": correct / of, "qualifies": qualifies}
    return made | {"quality": made["quality"] | quality | {"verdict": verdict}}


def folder(root: Path, *documents: dict[str, Any], **named: Any) -> Path:
    """``root`` with receipts: each document by its target's name, or as "NAME.json" if named."""
    receipts = root / "reports" / "receipts"
    receipts.mkdir(parents=True, exist_ok=True)
    for made in documents:
        named[f"{made['target']['name']}.{made['rules']['name']}"] = made
    for name, made in named.items():
        (receipts / f"{name}.json").write_text(json.dumps(made), encoding="utf-8")
    return root


def material(root: Path, *documents: dict[str, Any], audit: Any = None, **named: Any) -> Material:
    """What is gathered from such a folder."""
    return gather(folder(root, *documents, **named), audit)


def committed(name: str) -> dict[str, Any]:
    """A receipt that this project keeps."""
    path = ROOT / "reports" / "receipts" / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def audit(title: str = "Somebody's entry") -> dict[str, Any]:
    """Three claims of one entry, two checks, a waterfall."""
    usual = {"unit": "values", "where": "table 1", "steps": []}
    claims: list[dict[str, Any]] = [
        {
            "quantity": "parameters",
            "stated": "4.2M",
            "verdict": "holds",
            "dialect": "macs",
            "found": 4_231_976,
            "difference": 0,
            "explanation": "counted as macs",
        },
        {
            "quantity": "score",
            "stated": "0.8460",
            "verdict": "fails",
            "dialect": "micronet2019",
            "found": 0.9776473011519881,
            "difference": "1/8",
            "explanation": "the bitmask is left out",
        },
        {
            "quantity": "top1",
            "stated": "80.9±0.6",
            "verdict": "unjudged",
            "dialect": None,
            "found": None,
            "difference": None,
            "explanation": "no weights were released",
        },
    ]
    check = {"title": "Bitmasks are paid for", "layers": ["conv1", "conv2"], "remedy": "Add them."}
    checks: list[dict[str, Any]] = [
        {"id": "bitmask", "outcome": "fail", "because": "it is missing", **check},
        {"id": "freebie", "outcome": "pass", "because": "nothing is quantised", **check},
    ]
    return {
        "schema": "micronet.audit/1",
        "entries": [
            {
                "name": "somebody",
                "title": title,
                "by": "Somebody",
                "where": "somewhere",
                "file": "cards",
                "target": {"name": "somebody"},
                "verdict": "fails",
                "claims": [usual | claim for claim in claims],
                "checks": checks,
                "waterfall": [
                    {
                        "name": "as claimed",
                        "parameters": "4178689/2",
                        "operations": 8,
                        "score": 0.5,
                    },
                    {"name": "bitmask", "parameters": 16, "operations": 0, "score": 0.125},
                ],
                "notes": [],
            }
        ],
        "totals": {
            "entries": 1,
            "claims": 3,
            "holds": 1,
            "holds in another dialect": 0,
            "fails": 1,
            "unjudged": 1,
            "findings": 1,
        },
    }
