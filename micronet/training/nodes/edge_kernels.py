"""Products with sparse edge matrices on the CPU, compiled.

Edges are compressed by rows: row r has the entries ``starts[r]`` to ``starts[r + 1]`` of ``columns``
and ``values``. Activations are node-major (see ``layout``). The positions are gone through tile by
tile: the sources' numbers of a tile are laid end to end, where they fit the first cache, and a sum
stays in registers until it is complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import prange
from numba import uint64 as u

from micronet.training.nodes.jit import inlined, kernel, part
from micronet.training.nodes.layout import TILE
from micronet.training.nodes.vectors import (
    LANES,
    add,
    add_product,
    load,
    spread,
    store,
    total,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float32]
    Indices = NDArray[np.uint32]

f32 = np.float32
CHUNKS: Final = 16  # parts of the positions that are summed on their own, whatever the threads
AT_ONCE: Final = 4  # tiles that are packed at a time: whole lines of memory, in the second cache


@inlined
def _four(numbers: Numbers, at: int) -> Any:
    return (
        load(numbers, at),
        load(numbers, at + u(LANES)),
        load(numbers, at + u(2 * LANES)),
        load(numbers, at + u(3 * LANES)),
    )


@inlined
def _put_four(numbers: Numbers, at: int, four: Any) -> None:
    store(numbers, at, four[0])
    store(numbers, at + u(LANES), four[1])
    store(numbers, at + u(2 * LANES), four[2])
    store(numbers, at + u(3 * LANES), four[3])


@part
def _pack(z: Numbers, first: int, tiles: int, packed: Numbers) -> None:
    """Lay so many tiles of ``z`` end to end: [tiles, rows, TILE]."""
    rows = z.shape[0]
    for row in range(rows):
        for tile in range(tiles):
            from_, to = u((first + tile) * TILE), u((tile * rows + row) * TILE)
            _put_four(packed, to, _four(z[row], from_))


@inlined
def _sum(
    starts: Indices,
    columns: Indices,
    values: Numbers,
    row: int,
    before: int,
    packed: Numbers,
    four: Any,
) -> Any:
    """``four`` vectors plus what the sources send to one row."""
    a, b, c, d = four
    for edge in range(starts[row], starts[row + 1]):
        weight, at = spread(values[edge]), u(columns[edge] - before) * u(TILE)
        a = add_product(a, weight, load(packed, at))
        b = add_product(b, weight, load(packed, at + u(LANES)))
        c = add_product(c, weight, load(packed, at + u(2 * LANES)))
        d = add_product(d, weight, load(packed, at + u(3 * LANES)))
    return a, b, c, d


@kernel
def send(
    starts: Indices,
    columns: Indices,
    values: Numbers,
    z: Numbers,
    before: int,
    tiles: int,
    more: bool,
    out: Numbers,
) -> None:
    """``out`` [targets, …] = edges · ``z`` [sources, …], for so many tiles; ``more``: add it.

    ``z`` leaves out ``before`` columns, that no edge here begins at.
    """
    sources, targets = z.shape[0], starts.shape[0] - 1
    size, before = sources * TILE, np.uint32(before)
    for group in prange(-(-tiles // AT_ONCE)):
        first = group * AT_ONCE
        count = min(AT_ONCE, tiles - first)
        packed = np.empty(AT_ONCE * size, f32)
        _pack(z, first, count, packed)
        zero = spread(f32(0))
        for tile in range(count):
            at = u((first + tile) * TILE)
            here = packed[tile * size : (tile + 1) * size]
            for row in range(targets):
                so_far = _four(out[row], at) if more else (zero, zero, zero, zero)
                sums = _sum(starts, columns, values, row, before, here, so_far)
                _put_four(out[row], at, sums)


@inlined
def _product(g: Numbers, first: int, packed: Numbers, at: int, step: int, tiles: int) -> Any:
    """Lane by lane, the products of a target and a source over so many tiles."""
    a = b = c = d = spread(f32(0))
    for _ in range(tiles):
        of_g, of_z = _four(g, first), _four(packed, at)
        a, b = add_product(a, of_g[0], of_z[0]), add_product(b, of_g[1], of_z[1])
        c, d = add_product(c, of_g[2], of_z[2]), add_product(d, of_g[3], of_z[3])
        first += u(TILE)
        at += step
    return add(add(a, b), add(c, d))


@part
def _add_gradients(
    starts: Indices, columns: Indices, g: Numbers, z: Numbers, first: int, tiles: int, sums: Numbers
) -> None:
    """Add g of the target · z of the source over some tiles, for each edge."""
    packed = np.empty(AT_ONCE * z.shape[0] * TILE, f32)
    _pack(z, first, tiles, packed)
    step = u(z.shape[0] * TILE)
    for row in range(starts.shape[0] - 1):
        for edge in range(starts[row], starts[row + 1]):
            at = u(columns[edge]) * u(TILE)
            product = _product(g[row], u(first * TILE), packed, at, step, tiles)
            sums[edge - starts[0]] += total(product)


@kernel
def edge_gradients(
    starts: Indices, columns: Indices, g: Numbers, z: Numbers, tiles: int, sums: Numbers
) -> None:
    """``sums`` [CHUNKS, edges] += ⟨g of the target, z of the source⟩, each over its positions."""
    share = -(-tiles // CHUNKS)
    for chunk in prange(CHUNKS):
        last = min((chunk + 1) * share, tiles)
        for first in range(chunk * share, last, AT_ONCE):
            count = min(AT_ONCE, last - first)
            _add_gradients(starts, columns, g, z, first, count, sums[chunk])
