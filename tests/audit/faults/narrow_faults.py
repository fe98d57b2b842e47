"""What one may get wrong about ``narrow.py``: every number is worked out here by hand."""

from __future__ import annotations

from fractions import Fraction

from tests.audit.faults.claimed import Claim, Fault, Said

FOUR_BITS, MIXED, TERNARY = (
    f"narrow.py:{name}" for name in ("four_bits", "four_bits_but_conv2", "ternary")
)
CODED = ("conv1", "conv2")
NORMS = ("bn1",)

CONV1, CONV2, CLASSIFIER = 32 * 27, 64 * 288, 100 * 64  # weights
POSITIONS = 16 * 16
MACS = (CONV1 + CONV2) * POSITIONS + CLASSIFIER
RELU = POSITIONS * 32
MEAN = 64 * (POSITIONS - 1) + 64  # additions, and one product a channel
# Nothing at 16 bits, for four bits meet inputs of 32. n − 1 additions for n products, and a shift
# or a bias more, but for conv2.
OPERATIONS = 2 * MACS - POSITIONS * 64 + RELU + MEAN

SHIFTS, BIASES = 32 * 32, 32 * 100
SCALES = 32 * (32 + 64)
BITS = 4 * (CONV1 + CONV2) + SCALES + 32 * CLASSIFIER + SHIFTS + BIASES

# Weights of 6 bits that share 64 floats. No scale of a channel goes into them: scale and shift.
CODEBOOKS = 2 * 64 * 32
SHARED_BITS = 6 * (CONV1 + CONV2) + CODEBOOKS + 32 * CLASSIFIER + 2 * SHIFTS + BIASES

# Two of three ternary weights are not 0: 1 bit each, and a bit for each element in the mask.
TERNARY_BITS = (CONV1 + CONV2) * 2 // 3 + (CONV1 + CONV2) + 2 * 32
TERNARY_NORMS = 2 * SHIFTS  # again scale and shift
TERNARY_MACS = (CONV1 + CONV2) * 2 // 3 * POSITIONS + CLASSIFIER
NORMED = 32 * POSITIONS  # results of conv1: a product and an addition each
TERNARY_OPERATIONS = 2 * TERNARY_MACS - (32 + 64) * POSITIONS + 2 * NORMED + RELU + MEAN
TERNARY_STORED = TERNARY_BITS + TERNARY_NORMS + 32 * CLASSIFIER + BIASES


def stored(bits: int, model: str | None = None, **declared: object) -> Said:
    number = Fraction(bits, 32)
    claim = Claim("parameters", f"{number.numerator}/{number.denominator}", "micronet2019")
    return Said((claim,), declared, model=model)


def rows(**bits: int) -> Said:
    return Said(stored(BITS).claims, layers=tuple({"name": n, "bits": b} for n, b in bits.items()))


def operations(number: int) -> Said:
    return Said((Claim("operations", number, "micronet2019"),))


FAULTS = [
    Fault(
        "16 bits for the rest beside 4-bit layers",
        FOUR_BITS,
        "freebie",
        CODED,
        stored(4 * (CONV1 + CONV2) + SCALES + 16 * CLASSIFIER + (SHIFTS + BIASES) // 2),
        stored(BITS),
        ("parameters",),
    ),
    Fault(
        "multiplications at 16 bits beside 4-bit layers",
        FOUR_BITS,
        "freebie",
        CODED,
        operations(OPERATIONS - (MACS + 64) // 2),
        operations(OPERATIONS),
        ("operations",),
    ),
    Fault(
        "the allowance declared beside 4-bit layers",
        FOUR_BITS,
        "freebie",
        CODED,
        stored(BITS, freebie=True),
        stored(BITS, freebie=False),
    ),
    Fault(
        "scales of the channels not stored",
        FOUR_BITS,
        "scales",
        CODED,
        stored(BITS - SCALES),
        stored(BITS),
        ("parameters",),
    ),
    Fault(
        "codebooks not stored",
        "narrow.py:shared",
        "scales",
        CODED,
        stored(SHARED_BITS - CODEBOOKS),
        stored(SHARED_BITS),
        ("parameters",),
    ),
    Fault(
        "scales left out of one row of the table",
        FOUR_BITS,
        "scales",
        ("conv2",),
        rows(conv2=4 * CONV2, classifier=32 * CLASSIFIER),
        rows(conv2=4 * CONV2 + 32 * 64, classifier=32 * CLASSIFIER),
    ),
    Fault(
        "the allowance taken in the table",
        FOUR_BITS,
        "freebie",
        ("classifier",),
        rows(conv2=4 * CONV2 + 32 * 64, classifier=16 * CLASSIFIER),
        rows(conv2=4 * CONV2 + 32 * 64, classifier=32 * CLASSIFIER),
    ),
    Fault(
        "a layer declared 4 bits that is not",
        FOUR_BITS,
        "weight-bits",
        ("conv2",),
        Said(
            stored(BITS).claims,
            layers=tuple({"name": name, "weight_bits": 4} for name in CODED),
            model=MIXED,
        ),
        Said(stored(BITS).claims, layers=tuple({"name": name, "weight_bits": 4} for name in CODED)),
        ("parameters",),
    ),
    Fault(
        "ternary weights with batch norms folded into them",
        TERNARY,
        "folded-norms",
        NORMS,
        stored(TERNARY_STORED - 32 * 32),
        stored(TERNARY_STORED),
        ("parameters",),
    ),
    Fault(
        "rescaling behind ternary weights not counted",
        TERNARY,
        "folded-norms",
        NORMS,
        operations(TERNARY_OPERATIONS - NORMED),
        operations(TERNARY_OPERATIONS),
        ("operations",),
    ),
]

# Weights of 4 bits times inputs of 7 count 7/32. A quantiser multiplies, rounds, compares twice and
# divides: 5 operations for each value of the image, and of what enters conv2.
IMAGE, BETWEEN = 3 * 32 * 32, POSITIONS * 32
AT_SEVEN = (CONV1 + CONV2) * POSITIONS * 7 // 32 + CLASSIFIER + (OPERATIONS - MACS) + 5 * IMAGE
ROWS = tuple({"name": name, "input_bits": 7} for name in CODED)

WATCHED = [
    Fault(
        "an unquantised input of a 7-bit layer",
        "narrow.py:quantised_inputs",
        "activation-bits",
        ("conv2",),
        Said(
            operations(AT_SEVEN).claims, layers=ROWS, model="narrow.py:quantised_inputs_but_conv2"
        ),
        Said(operations(AT_SEVEN + 5 * BETWEEN).claims, layers=ROWS),
        ("operations",),
    ),
]
