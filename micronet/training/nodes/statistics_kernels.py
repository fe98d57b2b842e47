"""Mean and variance of nodes, compiled: of each image, of the whole batch, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import uint64 as u

from micronet.training.nodes.jit import inlined, part
from micronet.training.nodes.vectors import (
    LANES,
    add,
    add_product,
    divide,
    load,
    multiply,
    spread,
    store,
    subtract,
    total,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from micronet.training.nodes.layout import Maps

    Numbers = NDArray[np.float32]  # flat, but where a shape is named

f32 = np.float32

NONE: Final = 0  # of a node's values: no norm
IMAGE: Final = 1  # statistics of each image
BATCH: Final = 2  # statistics of all images

SHORT: Final = 32  # vectors that are added up in single precision


@inlined
def lanes_in_use(images: int) -> Any:
    """1 for the images of the last block, 0 for those that are missing."""
    marks = np.zeros(LANES, f32)
    marks[: (images - 1) % LANES + 1] = 1
    return load(marks, u(0))


@part
def _moments(x: Numbers, start: int, count: int, used: Any, shift: Any) -> Any:
    """Over ``count`` vectors of ``x``, lane by lane: the sums of x - shift and of its squares.

    Lanes count where ``used`` is 1, and add nothing where it is 0. There are four sums of each
    kind: shorter ones are more precise, and they do not wait for one another.
    """
    zero = spread(f32(0))
    a = b = c = d = p = q = r = s = zero
    at, whole = u(start), count // 4 * 4
    for _ in range(0, whole, 4):
        i = multiply(subtract(load(x, at), shift), used)
        j = multiply(subtract(load(x, at + u(LANES)), shift), used)
        k = multiply(subtract(load(x, at + u(2 * LANES)), shift), used)
        m = multiply(subtract(load(x, at + u(3 * LANES)), shift), used)
        a, b, c, d = add(a, i), add(b, j), add(c, k), add(d, m)
        p, q = add_product(p, i, i), add_product(q, j, j)
        r, s = add_product(r, k, k), add_product(s, m, m)
        at += u(4 * LANES)
    for _ in range(whole, count):
        i = multiply(subtract(load(x, at), shift), used)
        a, p = add(a, i), add_product(p, i, i)
        at += u(LANES)
    return add(add(a, b), add(c, d)), add(add(p, q), add(r, s))


@part
def _measure_images(x: Numbers, blocks: int, plane: int, mean: Numbers, variance: Numbers) -> None:
    """Mean and variance of each image's map, into lane and block of the image."""
    zero, one, size = spread(f32(0)), spread(f32(1)), spread(f32(plane))
    for block in range(blocks):
        start = block * plane * LANES
        centre = divide(_moments(x, start, plane, one, zero)[0], size)
        squares = _moments(x, start, plane, one, centre)[1]
        store(mean, u(block * LANES), centre)
        store(variance, u(block * LANES), divide(squares, size))


@part
def _total_moments(
    x: Numbers, start: int, count: int, used: Any, shift: Any
) -> tuple[float, float]:
    """`_moments`, all lanes together, in double precision after every few: as precise as torch."""
    first = second = 0.0
    for done in range(0, count, SHORT):
        found = _moments(x, start + done * LANES, min(SHORT, count - done), used, shift)
        first += total(found[0])
        second += total(found[1])
    return first, second


@part
def _mean_moments(x: Numbers, maps: Maps, blocks: int, shift: Any) -> Any:
    """Over all images: the means of x - shift and of its squares, the same in every lane."""
    plane, size = maps.height * maps.width, maps.images * maps.height * maps.width
    last = (blocks - 1) * plane
    full = _total_moments(x, 0, last, spread(f32(1)), shift)
    rest = _total_moments(x, last * LANES, plane, lanes_in_use(maps.images), shift)
    return spread(f32((full[0] + rest[0]) / size)), spread(f32((full[1] + rest[1]) / size))


@part
def measure(
    x: Numbers, maps: Maps, blocks: int, norm: int, mean: Numbers, variance: Numbers
) -> None:
    """Statistics of one node: a vector a block (IMAGE), or one for all (BATCH; NONE: 0 and 1)."""
    if norm == IMAGE:
        _measure_images(x, blocks, maps.height * maps.width, mean, variance)
        return
    centre, squares = spread(f32(0)), spread(f32(1))
    if norm == BATCH:
        centre = _mean_moments(x, maps, blocks, centre)[0]
        squares = _mean_moments(x, maps, blocks, centre)[1]
    store(mean, u(0), centre)
    store(variance, u(0), squares)
