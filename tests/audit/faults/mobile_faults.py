"""What one may get wrong about ``mobile.py``: every number is worked out here by hand."""

from __future__ import annotations

from tests.audit.faults.claimed import Claim, Fault, Said

MODEL = "mobile.py:model"

POSITIONS = 16 * 16
STEM, DEPTHWISE, POINTWISE = POSITIONS * 32, POSITIONS * 32, POSITIONS * 64  # results
STEM_MACS, DEPTHWISE_MACS, POINTWISE_MACS = STEM * 27, DEPTHWISE * 9, POINTWISE * 32
EXCITE_MACS = 32 * 8 + 8 * 32
CLASSIFIER_MACS = 64 * 100
MACS = STEM_MACS + DEPTHWISE_MACS + EXCITE_MACS + POINTWISE_MACS + CLASSIFIER_MACS
WEIGHTS = 32 * 27 + 32 * 9 + 2 * 32 * 8 + 32 * 64 + 64 * 100
NORMS, BIASES = 2 * (32 + 32 + 64), 8 + 32 + 100
AUXILIARY = 64 * 100 + 100

# n − 1 additions for n products, and one addition more for a shift or a bias: n in all.
MEANS = (32 + 64) * (POSITIONS - 1)
EXCITE_PRODUCTS = POSITIONS * 32
RELU_AND_SIGMOID = STEM + DEPTHWISE + 8 + 32
OPERATIONS = (MACS + 32 + 64 + EXCITE_PRODUCTS) // 2 + MACS + MEANS + RELU_AND_SIGMOID


def macs(number: int) -> Said:
    return Said((Claim("macs", number, "macs"),))


def parameters(number: int) -> Said:
    return Said((Claim("parameters", number, "macs"),))


def operations(number: int) -> Said:
    return Said((Claim("operations", number, "micronet2019"),))


def table(**macs: int) -> Said:
    rows = {
        "stem": STEM_MACS,
        "depthwise": DEPTHWISE_MACS,
        "excite.reduce": 32 * 8,
        "excite.expand": 8 * 32,
        "pointwise": POINTWISE_MACS,
        "classifier": CLASSIFIER_MACS,
    }
    layers = tuple({"name": name, "macs": number} for name, number in (rows | macs).items())
    return Said((Claim("macs", MACS, "macs"),), layers=layers)


def whole_table(**macs: int) -> Said:
    """The table with the total that follows from it."""
    said = table(**macs)
    total = sum(row["macs"] for row in said.layers)
    return Said((Claim("macs", total, "macs"),), layers=said.layers)


FAULTS = [
    Fault(
        "depthwise without the channel factor",
        MODEL,
        "depthwise",
        ("depthwise",),
        macs(MACS - DEPTHWISE_MACS + POSITIONS * 9),
        macs(MACS),
        ("macs",),
    ),
    Fault(
        "depthwise without the channel factor in the table",
        MODEL,
        "depthwise",
        ("depthwise",),
        whole_table(depthwise=POSITIONS * 9),
        table(),
        ("macs",),
    ),
    Fault(
        "batch size for the input channels all over the table",
        MODEL,
        "batch-size",
        ("stem", "depthwise", "excite.reduce", "excite.expand", "pointwise"),
        whole_table(
            stem=STEM * 9,
            depthwise=DEPTHWISE * 9 // 32,
            pointwise=POINTWISE,
            **{"excite.reduce": 8, "excite.expand": 32},
        ),
        table(),
        ("macs",),
    ),
    Fault(
        "squeeze and excite products counted 0",
        MODEL,
        "free-operations",
        ("excite",),
        operations(OPERATIONS - EXCITE_PRODUCTS // 2),
        operations(OPERATIONS),
        ("operations",),
    ),
    Fault(
        "global pools counted 0",
        MODEL,
        "free-operations",
        ("excite", "(model)"),
        operations(OPERATIONS - MEANS - (32 + 64) // 2),
        operations(OPERATIONS),
        ("operations",),
    ),
    Fault(
        "a head that never runs is paid for",
        MODEL,
        "unused-modules",
        ("auxiliary",),
        parameters(WEIGHTS + NORMS + BIASES + AUXILIARY),
        parameters(WEIGHTS + NORMS + BIASES),
        ("parameters",),
    ),
    Fault(
        "a head that never runs has a row in the table",
        MODEL,
        "unused-modules",
        ("auxiliary",),
        whole_table(auxiliary=64 * 100),
        table(),
        ("macs",),
    ),
    Fault(
        "batch norms not counted among the parameters",
        MODEL,
        "folded-norms",
        ("bn", "bn1", "bn2"),
        parameters(WEIGHTS + BIASES),
        parameters(WEIGHTS + NORMS + BIASES),
        ("parameters",),
    ),
]
