"""What one may get wrong about ``wired.py``: every number is worked out here by hand."""

from __future__ import annotations

from tests.audit.faults.claimed import Claim, Fault, Said

MODEL = "wired.py:model"

POSITIONS = 16 * 16
CONV1, CONV2, CONV3, CLASSIFIER = 32 * 27, 24 * 288, 64 * 24 * 9, 100 * 64  # live weights
MACS = (CONV1 + CONV2 + CONV3) * POSITIONS + CLASSIFIER
ZEROS = 8 * 288  # of conv2
FED_BY_ZEROS = 64 * 8 * 9  # of conv3
WEIGHTS = CONV1 + CONV2 + CONV3 + CLASSIFIER
HEAD = 64 * 30 + 30


def macs(number: int) -> Said:
    return Said((Claim("macs", number, "macs"),))


def parameters(number: int) -> Said:
    return Said((Claim("parameters", number, "macs"),))


def _fault(words: str, check: str, layers: tuple[str, ...], faulty: Said, twin: Said) -> Fault:
    return Fault(words, MODEL, check, layers, faulty, twin, (faulty.claims[0].quantity,))


FAULTS = [
    _fault(
        "filters of zeros computed, and what they feed",
        "dead-edges",
        ("conv2", "conv3"),
        macs(MACS + (ZEROS + FED_BY_ZEROS) * POSITIONS),
        macs(MACS),
    ),
    _fault(
        "weights that read zeros are computed",
        "dead-edges",
        ("conv3",),
        macs(MACS + FED_BY_ZEROS * POSITIONS),
        macs(MACS),
    ),
    _fault(
        "weights that read zeros are stored",
        "dead-edges",
        ("conv3",),
        parameters(WEIGHTS + FED_BY_ZEROS + 100),
        parameters(WEIGHTS + 100),
    ),
    _fault(
        "every parameter of the checkpoint, run or not",
        "unused-modules",
        ("head",),
        parameters(WEIGHTS + 100 + HEAD),
        parameters(WEIGHTS + 100),
    ),
]
