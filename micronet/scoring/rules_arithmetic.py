"""The arithmetic that the challenge's page spells out: bits of a bitmask, weights of bit widths.

Clauses: https://micronet-challenge.github.io/scoring_and_submission. All results are exact.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import zip_longest
from math import prod

from micronet.errors import MicronetError

# "A 32-bit value is one parameter" (Scoring §1 ¶3), "a 32-bit operation counts as one" (§2 ¶2).
FULL_BITS = 32
# "An entry that quantises nothing may count in 16 bits" (§1 ¶4).
FREEBIE_BITS = 16


def bitmask_bits(shape: tuple[int, ...], block: tuple[int, ...] = (1, 1)) -> int:
    """Bits of the mask that says where a sparse tensor's nonzeros are (Scoring §1 ¶2).

    One bit an element of the full shape, or one a block. ``block`` gives the block's size along
    the leading dimensions; a block that sticks out over the edge needs its bit all the same.

    >>> bitmask_bits((512, 128)), bitmask_bits((512, 128), block=(4, 4))
    (65536, 4096)
    """
    if any(size < 0 for size in shape) or any(size < 1 for size in block):
        raise MicronetError(f"No bitmask has shape {shape} in blocks of {block}.")
    if any(size > 1 for size in block[len(shape) :]):
        raise MicronetError(f"Blocks of {block} need more dimensions than the shape {shape} has.")
    sizes = zip_longest(shape, block[: len(shape)], fillvalue=1)
    return prod(-(-size // step) for size, step in sizes)


def operation_weight(input_bits: tuple[int, ...]) -> Fraction:
    """What one operation counts: its widest input over 32; the output is ignored (Scoring §2 ¶2).

    >>> operation_weight((3, 5))
    Fraction(5, 32)
    """
    if not input_bits or min(input_bits) < 1:
        raise MicronetError(f"An operation needs inputs of at least 1 bit, found {input_bits}.")
    return Fraction(max(input_bits), FULL_BITS)


def parameter_weight(bits: int | Fraction) -> Fraction:
    """What one stored value of ``bits`` bits counts, in 32-bit parameters (Scoring §1 ¶3).

    >>> parameter_weight(8)
    Fraction(1, 4)
    """
    if bits < 0:
        raise MicronetError(f"A parameter cannot have {bits} bits.")
    return Fraction(bits) / FULL_BITS
