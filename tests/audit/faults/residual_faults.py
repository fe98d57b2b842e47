"""What one may get wrong about ``residual.py``: every number is worked out here by hand."""

from __future__ import annotations

from tests.audit.faults.claimed import Claim, Fault, Said

MODEL = "residual.py:model"
LAYERS = ("stem", "conv1", "conv2", "down", "classifier")
NORMS = ("bn", "bn1", "bn2", "bn3")

# Positions of each result, results of each layer, weights that each result needs.
STEM, CONV, DOWN, CLASSIFIER = 32 * 32 * 32, 16 * 16 * 32, 8 * 8 * 64, 100
MACS = STEM * 27 + 2 * CONV * 288 + DOWN * 288 + CLASSIFIER * 64
WEIGHTS = 32 * 27 + 2 * 32 * 288 + 64 * 288 + 100 * 64
CHANNELS = 32 + 32 + 32 + 64  # of the four batch norms

RESULTS = STEM + 2 * CONV + DOWN + CLASSIFIER  # n products need n − 1 additions each
DOT_ADDITIONS = MACS - RESULTS
SHIFTS = STEM + 2 * CONV + DOWN  # added by the folded batch norms
RELU = STEM + CONV + DOWN
MAX_POOL = 3 * CONV  # the largest of 4 takes 3 comparisons
RESIDUAL = CONV
MEAN_ADDITIONS, MEAN_SCALES = 64 * 63, 64  # 64 channels of 8 × 8
ADDITIONS = DOT_ADDITIONS + SHIFTS + CLASSIFIER + RESIDUAL + MEAN_ADDITIONS
MULTIPLICATIONS = MACS + MEAN_SCALES
OPERATIONS = MULTIPLICATIONS // 2 + ADDITIONS + RELU + MAX_POOL  # the allowance: 16 of 32 bits
FULL_WIDTH = MULTIPLICATIONS + ADDITIONS + RELU + MAX_POOL
COUNTERS = (MULTIPLICATIONS + RELU) // 2 + ADDITIONS + MAX_POOL  # it prices ReLU as a product
STORED = (WEIGHTS + CHANNELS + 100) // 2  # 16 bits each; the classifier has 100 biases

RIGHT = Said((Claim("macs", MACS, "macs"), Claim("operations", OPERATIONS, "micronet2019")))


def operations(number: int) -> Said:
    return Said((Claim("macs", MACS, "macs"), Claim("operations", number, "micronet2019")))


def macs(number: int) -> Said:
    return Said((Claim("macs", number, "macs"),))


def parameters(number: int) -> Said:
    return Said((Claim("parameters", number, "micronet2019"),))


def full_width(number: int) -> Said:
    return Said((Claim("operations", number, "micronet2019"),), {"freebie": False})


ROW = {
    "stem": STEM * 27,
    "conv1": CONV * 288,
    "conv2": CONV * 288,
    "down": DOWN * 288,
    "classifier": CLASSIFIER * 64,
}


def table(**macs: int) -> tuple[dict[str, object], ...]:
    return tuple({"name": name, "macs": number} for name, number in (ROW | macs).items())


def _op(words: str, check: str, layers: tuple[str, ...], number: int) -> Fault:
    return Fault(words, MODEL, check, layers, operations(number), RIGHT, ("operations",))


FAULTS = [
    _op("macs called operations", "additions", LAYERS, MACS),
    _op("additions missing", "additions", LAYERS, OPERATIONS - DOT_ADDITIONS),
    _op("n products charged n additions", "additions", LAYERS, OPERATIONS + RESULTS),
    _op("additions at 16 bits", "addition-bits", (), OPERATIONS - ADDITIONS // 2),
    _op("shifts of batch norms not added", "folded-norms", NORMS, OPERATIONS - SHIFTS),
    _op("relu counted 0", "free-operations", ("relu",), OPERATIONS - RELU),
    _op("max pool counted 0", "free-operations", ("pool",), OPERATIONS - MAX_POOL),
    _op("residual adds counted 0", "free-operations", ("(model)",), OPERATIONS - RESIDUAL),
    _op(
        "relu and max pool counted 0",
        "free-operations",
        ("relu", "pool"),
        OPERATIONS - RELU - MAX_POOL,
    ),
    Fault(
        "additions of an adder tree at 8 bits",
        MODEL,
        "addition-bits",
        (),
        Said(
            (Claim("operations", OPERATIONS - ADDITIONS * 24 // 32, "micronet2019"),),
            {"addition_bits": 8},
        ),
        RIGHT,
        ("operations",),
    ),
    Fault(
        "macs called operations, and no rule book named",
        MODEL,
        "additions",
        LAYERS,
        Said((Claim("operations", MACS),)),
        Said((Claim("operations", 2 * MACS),)),
        ("operations",),
    ),
    Fault(
        "additions missing at 32 bits",
        MODEL,
        "additions",
        LAYERS,
        full_width(FULL_WIDTH - DOT_ADDITIONS),
        full_width(FULL_WIDTH),
        ("operations",),
    ),
    Fault(
        "additions missing at the counter's prices",
        MODEL,
        "additions",
        LAYERS,
        Said((Claim("operations", COUNTERS - DOT_ADDITIONS, "micronet2019-counter"),)),
        Said((Claim("operations", COUNTERS, "micronet2019-counter"),)),
        ("operations",),
    ),
    Fault(
        "biases and shifts not stored",
        MODEL,
        "folded-norms",
        (*NORMS, "classifier"),
        parameters(STORED - CHANNELS // 2 - 50),
        parameters(STORED),
        ("parameters",),
    ),
    Fault(
        "shifts of batch norms not stored",
        MODEL,
        "folded-norms",
        NORMS,
        parameters(STORED - CHANNELS // 2),
        parameters(STORED),
        ("parameters",),
    ),
    Fault(
        "hook reads the batch size for the input channels",
        MODEL,
        "batch-size",
        ("stem", "conv1", "conv2", "down"),
        macs(STEM * 9 + 2 * CONV * 9 + DOWN * 9 + CLASSIFIER * 64),
        macs(MACS),
        ("macs",),
        "the batch size where the number of input channels belongs, in convolutions",
    ),
    Fault(
        "hook reads the batch size for the output channels",
        MODEL,
        "batch-size",
        LAYERS,
        macs(32 * 32 * 27 + 2 * 16 * 16 * 288 + 8 * 8 * 288 + 64),
        macs(MACS),
        ("macs",),
        "the batch size where the number of output channels belongs",
    ),
    Fault(
        "batch size for the input channels in one row of the table",
        MODEL,
        "batch-size",
        ("down",),
        Said((Claim("macs", MACS - DOWN * 279, "macs"),), layers=table(down=DOWN * 9)),
        Said((Claim("macs", MACS, "macs"),), layers=table()),
        ("macs",),
        "what the entry's own table states of down",
    ),
    Fault(
        "a row without the additions",
        MODEL,
        "additions",
        ("conv1",),
        Said(RIGHT.claims, layers=({"name": "conv1", "operations": CONV * 288},)),
        Said(RIGHT.claims, layers=({"name": "conv1", "operations": 2 * CONV * 288},)),
    ),
    Fault(
        "fvcore's total called multiply-accumulates",
        MODEL,
        "claim-dialect",
        (),
        macs(MACS + 2 * SHIFTS + 64 * 8 * 8),  # 2 a BatchNorm element, 1 an element pooled
        macs(MACS),
        ("macs",),
        "it is the number of fvcore",
    ),
    Fault(
        "fvcore's total, rounded, called multiply-accumulates",
        MODEL,
        "claim-dialect",
        (),
        Said((Claim("macs", "6.90M", "macs"),)),
        Said((Claim("macs", "6.79M", "macs"),)),
        ("macs",),
        "it is the number of fvcore",
    ),
    Fault(
        "totals that do not follow from their parts",
        MODEL,
        "totals",
        (),
        Said(
            (Claim("macs", MACS, "macs"),),
            parts=(
                {"of": "macs", "name": "convolutions", "stated": str(MACS)},
                {"of": "macs", "name": "classifier", "stated": str(CLASSIFIER * 64)},
            ),
        ),
        Said(
            (Claim("macs", MACS, "macs"),),
            parts=(
                {"of": "macs", "name": "convolutions", "stated": str(MACS - CLASSIFIER * 64)},
                {"of": "macs", "name": "classifier", "stated": str(CLASSIFIER * 64)},
            ),
        ),
    ),
    Fault(
        "readme and write-up disagree",
        MODEL,
        "agreement",
        (),
        Said(
            (
                Claim("macs", MACS, "macs", "README.md"),
                Claim("macs", "7.1M", "macs", "write-up, table 2"),
            )
        ),
        Said(
            (
                Claim("macs", MACS, "macs", "README.md"),
                Claim("macs", "6.8M", "macs", "write-up, table 2"),
            )
        ),
        ("macs",),
    ),
]
