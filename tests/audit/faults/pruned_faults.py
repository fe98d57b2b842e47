"""What one may get wrong about ``pruned.py``: every number is worked out here by hand."""

from __future__ import annotations

from fractions import Fraction

from tests.audit.faults.claimed import Claim, Fault, Row, Said

MODEL = "pruned.py:model"
SPARSE = ("conv2", "conv3")
LAYERS = ("conv1", "conv2", "conv3", "classifier")

POSITIONS = 16 * 16
DENSE = {"conv1": 32 * 27, "conv2": 64 * 288, "conv3": 64 * 576, "classifier": 100 * 64}
KEPT = {**DENSE, "conv2": DENSE["conv2"] // 4, "conv3": DENSE["conv3"] // 8}
USES = {"conv1": POSITIONS, "conv2": POSITIONS, "conv3": POSITIONS, "classifier": 1}
MACS = sum(KEPT[name] * USES[name] for name in LAYERS)
DENSE_MACS = sum(DENSE[name] * USES[name] for name in LAYERS)
NORMS = 32 + 64 + 64
MASKS = DENSE["conv2"] + DENSE["conv3"]  # a bit for each element, kept or not
NONZERO_MASKS = KEPT["conv2"] + KEPT["conv3"]
VALUE_BITS = 16 * (sum(KEPT.values()) + NORMS + 100)  # weights, shifts, biases of the classifier
STORED = Fraction(VALUE_BITS + MASKS, 32)

# n − 1 additions for n products, and a shift or a bias more: n. The mean adds 256 and scales once.
OPERATIONS = MACS * 3 // 2 + POSITIONS * NORMS + 64 * (POSITIONS - 1) + 64 // 2
SHARE = Fraction(sum(KEPT.values()), sum(DENSE.values()))  # kept, of all layers together


def macs(number: int, **declared: object) -> Said:
    return Said((Claim("macs", number, "macs"),), declared)


def stored(number: Fraction) -> Said:
    claims = (
        Claim("parameters", f"{number.numerator}/{number.denominator}", "micronet2019"),
        Claim("bits", int(32 * number), "micronet2019"),
    )
    return Said(claims)


def score(stored: Fraction) -> Said:
    total = stored / 6_900_000 + Fraction(OPERATIONS, 1_170_000_000)
    return Said((Claim("score", f"{float(total):.12f}"),))


def table(**more: Row) -> Said:
    rows: list[Row] = [
        {"name": name, "parameters": KEPT[name], "macs": KEPT[name] * USES[name]} for name in LAYERS
    ]
    layers = tuple({**row, **more.get(row["name"], {})} for row in rows)
    return Said((Claim("macs", sum(row["macs"] for row in layers), "macs"),), layers=layers)


FAULTS = [
    Fault(
        "bitmask left out",
        MODEL,
        "bitmask",
        SPARSE,
        stored(Fraction(VALUE_BITS, 32)),
        stored(STORED),
        ("parameters", "bits"),
    ),
    Fault(
        "bitmask left out of the score",
        MODEL,
        "bitmask",
        SPARSE,
        score(Fraction(VALUE_BITS, 32)),
        score(STORED),
        ("score",),
    ),
    Fault(
        "bitmask of the nonzeros only",
        MODEL,
        "bitmask",
        SPARSE,
        stored(Fraction(VALUE_BITS + NONZERO_MASKS, 32)),
        stored(STORED),
        ("parameters", "bits"),
    ),
    Fault(
        "bitmask left out of one row of the table",
        MODEL,
        "bitmask",
        ("conv3",),
        table(conv3={"bits": 16 * KEPT["conv3"]}),
        table(conv3={"bits": 16 * KEPT["conv3"] + DENSE["conv3"]}),
    ),
    Fault(
        "one sparsity for all layers in the total",
        MODEL,
        "global-sparsity",
        LAYERS,
        macs(sum(int(SHARE * DENSE[name] * USES[name]) for name in LAYERS)),
        macs(MACS),
        ("macs",),
    ),
    Fault(
        "one sparsity declared, and counted by",
        MODEL,
        "global-sparsity",
        ("conv3",),
        macs(
            sum(
                KEPT[name] * USES[name] if name != "conv3" else DENSE[name] * POSITIONS // 4
                for name in LAYERS
            ),
            sparsity="0.75",
            dense=["conv1", "classifier"],
        ),
        macs(MACS),
        ("macs",),
    ),
    Fault(
        "one sparsity for all layers in the table",
        MODEL,
        "global-sparsity",
        SPARSE,
        table(conv2={"sparsity": "0.8"}, conv3={"sparsity": "0.8"}),
        table(conv2={"sparsity": "0.75"}, conv3={"sparsity": "0.875"}),
    ),
    Fault(
        "zeros paid for",
        MODEL,
        "dead-edges",
        SPARSE,
        macs(DENSE_MACS),
        macs(MACS),
        ("macs",),
    ),
    Fault(
        "zeros paid for in one row of the table",
        MODEL,
        "dead-edges",
        ("conv2",),
        table(conv2={"macs": DENSE["conv2"] * POSITIONS}),
        table(),
        ("macs",),
    ),
]
