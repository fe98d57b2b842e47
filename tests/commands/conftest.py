"""A ``micronet.score/1`` document worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

POSITIONS = 112 * 112
CONV_LIVE = 480  # of 3·32·3·3 = 864 stored
CONV = {
    "name": "features.0",
    "operator": "convolution",
    "weight_shape": [32, 3, 3, 3],
    "stored": 864,
    "active": 500,
    "live": CONV_LIVE,
    "weight_bits": 16,
    "input_bits": 16,
    "output_positions": POSITIONS,
    "multiplications": CONV_LIVE * POSITIONS,
    "additions": (CONV_LIVE - 32) * POSITIONS,  # one less than its weights for each channel
    "other": 0,
    "storage_bits": CONV_LIVE * 16 + 864,  # values and a bitmask
}
RELU = {
    **CONV,
    "name": "features.1",
    "operator": "relu",
    "weight_shape": None,
    "stored": 0,
    "active": 0,
    "live": 0,
    "weight_bits": None,
    "multiplications": 0,
    "additions": 0,
    "other": 32 * POSITIONS,
    "storage_bits": 0,
}
POOL = {
    **RELU,
    "name": "pool",
    "operator": "mean",
    "output_positions": 1,
    "multiplications": 32,
    "additions": (POSITIONS - 1) * 32,
    "other": 0,
}
CLASSIFIER = {
    "name": "classifier",
    "operator": "linear",
    "weight_shape": [1000, 32],
    "stored": 32_000,
    "active": 32_000,
    "live": 32_000,
    "weight_bits": 16,
    "input_bits": 16,
    "output_positions": 1,
    "multiplications": 32_000,
    "additions": 31 * 1000 + 1000,  # and the bias
    "other": 0,
    "storage_bits": 32_000 * 16 + 1000 * 16,
}
MULTIPLICATIONS = 480 * POSITIONS + 32 + 32_000
ADDITIONS = 448 * POSITIONS + (POSITIONS - 1) * 32 + 32_000
OTHER = 32 * POSITIONS
STORAGE_BITS = (480 + 32_000 + 1000) * 16 + 864
OPERATIONS = (MULTIPLICATIONS + OTHER) // 2 + ADDITIONS  # multiplications of 16 bits count half


@pytest.fixture
def document() -> dict[str, Any]:
    """An untrained network of four layers under micronet2019, every optional part present."""
    return {
        "schema": "micronet.score/1",
        "target": {
            "name": "by_hand",
            "sha256": "1234567890abcdef" * 4,
            "architecture": "hand_made",
            "weights": "untrained",
        },
        "rules": {"name": "micronet2019", "sha256": "fedcba0987654321" * 4},
        "track": "imagenet",
        "storage": {
            "bits": STORAGE_BITS,
            "parameters": STORAGE_BITS / 32,
            "by": {"values": 32_480 * 16, "bitmask": 864, "bias": 1000 * 16},
        },
        "operations": {
            "multiplications": MULTIPLICATIONS,
            "additions": ADDITIONS,
            "other": OTHER,
            "total": OPERATIONS,
        },
        "edges": {"stored": 32_864, "active": 32_500, "live": 32_480},
        "score": {
            "storage": STORAGE_BITS / 32 / 6_900_000,
            "operations": OPERATIONS / 1_170_000_000,
            "total": STORAGE_BITS / 32 / 6_900_000 + OPERATIONS / 1_170_000_000,
        },
        "quality": {
            "metric": "top-1",
            "correct": None,
            "of": None,
            "value": None,
            "threshold": 75,
            "qualifies": None,
            "receipt": None,
        },
        "layers": [CONV, RELU, POOL, CLASSIFIER],
        "notes": ["the input is 1×3×224×224"],
        "claims": [
            {
                "quantity": "operations",
                "claimed": 9_280_368,
                "found": 9_280_368,
                "unit": "operations",
                "source": "by hand",
                "verdict": "holds",
                "explanation": None,
            }
        ],
        "transient": {"elements": 2 * 32 * POSITIONS, "bits": 32 * 32 * POSITIONS, "at": "relu"},
        "reference": [
            {"name": "MobileNetV2 1.4", "parameters": 6_900_000, "operations": 10**9, "score": 2.0}
        ],
        "second_opinion": [
            {
                "tool": "fvcore",
                "total": 6_053_120 - 401_408,
                "ours": 6_053_120,
                "difference": [{"name": "global average pool", "count": 32, "each": -12_544}],
            }
        ],
    }
