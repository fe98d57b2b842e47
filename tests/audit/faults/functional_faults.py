"""What one may get wrong about ``functional.py``: every number is worked out here by hand."""

from __future__ import annotations

from tests.audit.faults.claimed import Claim, Fault, Said

MODEL = "functional.py:model"

POSITIONS = 16 * 16
STEM, FILTERS, CLASSIFIER = POSITIONS * 32 * 27, POSITIONS * 64 * 288, 64 * 100
MACS = STEM + FILTERS + CLASSIFIER
GATES = 2 * POSITIONS * 64  # x · gate · sigmoid
SIGMOIDS = POSITIONS * 64
MEAN_ADDITIONS, MEAN_SCALES = 64 * (POSITIONS - 1), 64
RELU = POSITIONS * 32
# The filters have no bias: n − 1 additions for n products.
ADDITIONS = STEM + (FILTERS - POSITIONS * 64) + CLASSIFIER + MEAN_ADDITIONS
OPERATIONS = (MACS + GATES + MEAN_SCALES) // 2 + ADDITIONS + RELU + SIGMOIDS
SEEN = (STEM + CLASSIFIER) * 3 // 2 + RELU  # by hooks on the modules


def macs(number: int) -> Said:
    return Said((Claim("macs", number, "macs"),))


def operations(number: int) -> Said:
    return Said((Claim("operations", number, "micronet2019"),))


FAULTS = [
    Fault(
        "a convolution without a module is not counted",
        MODEL,
        "functional-calls",
        ("filters",),
        macs(STEM + CLASSIFIER),
        macs(MACS),
        ("macs",),
    ),
    Fault(
        "hooks on modules see no functional call",
        MODEL,
        "functional-calls",
        ("filters", "(model)"),
        operations(SEEN),
        operations(OPERATIONS),
        ("operations",),
    ),
    Fault(
        "gates counted 0",
        MODEL,
        "free-operations",
        ("(model)",),
        operations(OPERATIONS - GATES // 2),
        operations(OPERATIONS),
        ("operations",),
    ),
]
