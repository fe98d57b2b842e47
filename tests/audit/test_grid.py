"""Grids are found under the rounding that float arithmetic leaves, and not where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from micronet.audit.grid import MOST_STEPS, clusters, likely_grid

Floats = NDArray[np.float32]
SCALES = [2.0**-7, 0.0123456789, 1 / 255, 6 / 15, 3e4, 1e-6]


def levels(values: object) -> Floats:
    found: Floats = np.unique(np.asarray(values, dtype=np.float32) + np.float32(0))
    return found


def whole(lowest: int, highest: int) -> Floats:
    return np.arange(lowest, highest + 1, dtype=np.float32)


def real(count: int, seed: int = 0) -> Floats:
    return levels(np.random.default_rng(seed).normal(size=count))


def activations(count: int = 100_000) -> Floats:
    return np.random.default_rng(1).exponential(1.0, count).astype(np.float32)


@pytest.mark.parametrize("scale", SCALES, ids=str)
@pytest.mark.parametrize(("lowest", "highest", "bits"), [
    (-128, 127, 8), (0, 255, 8), (-8, 7, 4), (0, 15, 4), (0, 256, 9), (-100, 4000, 13),
    (0, MOST_STEPS, 16),
], ids=str)  # fmt: skip
def test_integers_times_a_scale(scale: float, lowest: int, highest: int, bits: int) -> None:
    step = np.float32(scale)
    found = likely_grid(levels(whole(lowest, highest) * step))
    assert found is not None
    assert (found.bits, found.steps) == (bits, highest - lowest)
    assert (found.grid.scale, found.grid.offset) == (float(step), 0.0)


def test_rounding_to_a_fraction_and_dividing_again() -> None:
    """DoReFa: round(x · n) / n; 1/15 is no float32, so the scale is only nearly what was meant."""
    x = np.clip(activations(), 0, 1)
    found = likely_grid(levels(np.rint(x * 15) / np.float32(15)))
    assert found is not None
    assert found.bits == 4
    assert abs(found.grid.scale * 15 - 1) < 1e-7


@pytest.mark.parametrize("bits", [2, 3, 4, 6, 8, 12])
@pytest.mark.parametrize("estimator", ["x + (q - x)", "(r - y) + y, then · s"])
def test_straight_through_estimators_leave_more_values_than_codes(
    bits: int, estimator: str
) -> None:
    x, top = activations(), 2**bits - 1
    step = np.float32(1.7 / top)  # an eighth of all values is clipped
    if estimator == "x + (q - x)":
        q = np.clip(np.rint(x / step), 0, top) * step
        values = levels(x + (q - x))
    else:
        y = np.clip(x / step, 0, top)
        values = levels(((np.rint(y) - y) + y) * step)
    found = likely_grid(values)
    assert found is not None
    assert len(clusters(values)) == 2**bits
    assert found.bits == bits
    assert abs(found.grid.scale / float(step) - 1) < 1e-6


def test_a_zero_point_between_two_codes() -> None:
    """Pixels: (k / 255 − mean) / deviation."""
    pixels = whole(0, 255) / np.float32(255)
    found = likely_grid(levels((pixels - np.float32(0.485)) / np.float32(0.229)))
    assert found is not None
    assert found.bits == 8
    assert abs(found.grid.scale * 255 * 0.229 - 1) < 1e-6
    steps = (-0.485 / 0.229 - found.grid.offset) / found.grid.scale  # from 0 to the black pixel
    assert abs(steps - round(steps)) < 1e-3
    assert found.grid.offset != 0


def test_a_few_codes_of_many() -> None:
    """No two of them are neighbours: the smallest gap is 2 steps, then 4."""
    for chosen in ([0, 28, 44, 46, 54, 127], [6, 10, 15, 20, 50, 90]):
        found = likely_grid(levels(np.array(chosen) * np.float32(0.0123)))
        assert found is not None
        assert found.steps == chosen[-1] - chosen[0]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 16, 100, 1000, 65_536])
def test_real_numbers_are_on_no_grid(count: int) -> None:
    tries = 100 if count < 1000 else 5
    assert all(likely_grid(real(count, seed)) is None for seed in range(tries))


def test_one_value_between_the_codes_is_seen() -> None:
    values = whole(0, 255) * np.float32(0.01)
    assert likely_grid(levels(values)) is not None
    assert likely_grid(levels(np.append(values, np.float32(1.01 / np.sqrt(2))))) is None


def test_sixteen_units_in_the_last_place_are_rounding_and_a_hundredth_of_a_step_is_not() -> None:
    """The largest value is 255/128, so these are 16 · 2⁻²³ = 2⁻¹⁹, and a step is 2⁻⁷ = 2¹² of them."""
    near = whole(0, 255) * np.float32(2**-7)
    off = np.random.default_rng(0).uniform(-1, 1, 256)
    assert likely_grid(levels(near + off * 2**-19 * 0.9)) is not None
    assert likely_grid(levels(near + off * 2**-7 / 100)) is None


def test_two_scales_in_one_tensor_are_no_grid() -> None:
    both = np.append(whole(0, 15) * np.float32(0.01), whole(0, 15) * np.float32(0.01 / np.sqrt(2)))
    assert likely_grid(levels(both)) is None
