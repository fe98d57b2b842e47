"""The criterion of this room: as near to float64 as the plain float32 formulation is."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

TIMES = 8.0  # single sums are lucky or not; what is wrong is off by thousands of times
ROUNDING = 1e-5  # relative errors of the plain formulation are below, else nothing is shown


def error(found: Tensor, exact: Tensor) -> float:
    """Distance from what is exact, over all entries."""
    return float((found.double() - exact.double()).norm())


def assert_as_precise(
    fast: Mapping[str, Tensor], plain: Mapping[str, Tensor], exact: Mapping[str, Tensor]
) -> None:
    """Each of ``fast`` is off by at most eight times what ``plain`` is off by, there or as a rule.

    What is zero in truth (the gradient of a bias in front of a norm) is compared with the largest.
    """
    assert fast.keys() == plain.keys() == exact.keys()
    sizes = {name: float(value.double().norm()) for name, value in exact.items()}
    largest = max(sizes.values())
    for name, size in sizes.items():
        sizes[name] = size if size > 1e-9 * largest else largest
    as_a_rule = median(error(plain[name], exact[name]) / sizes[name] for name in exact)
    assert as_a_rule < ROUNDING
    for name, value in exact.items():
        allowed = TIMES * max(error(plain[name], value), as_a_rule * sizes[name])
        assert fast[name].shape == value.shape, name
        assert error(fast[name], value) <= allowed, name
