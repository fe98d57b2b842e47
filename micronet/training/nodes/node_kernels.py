"""A node's function on the CPU, compiled: normalise, ReLU, 3×3; forward, and backward to everything.

Activations are node-major, eight images side by side (see ``layout``). The maps of eight images are
copied into a frame of zeros, normalised and through the ReLU; on it a 3×3 convolution is nine
shifted loads. Sums are taken over a block first, then over the blocks: as precise as it is simple.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import prange
from numba import uint64 as u

from micronet.training.nodes.jit import inlined, kernel, part
from micronet.training.nodes.statistics_kernels import (
    BATCH,
    IMAGE,
    lanes_in_use,
    measure,
)
from micronet.training.nodes.vectors import (
    LANES,
    add,
    add_product,
    divide,
    load,
    multiply,
    relu,
    root,
    spread,
    store,
    subtract,
    total,
    where_positive,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from micronet.training.nodes.layout import Maps

    Numbers = NDArray[np.float32]  # flat, but where a shape is named

f32 = np.float32


@inlined
def _affine(mean: Numbers, variance: Numbers, at: int, eps: f32, weight: f32, bias: f32) -> Any:
    """(centre, 1 / deviation, factor, shift): normalised · weight + bias is factor · x + shift."""
    centre = load(mean, u(at))
    scale = divide(spread(f32(1)), root(add(load(variance, u(at)), spread(eps))))
    factor = multiply(scale, spread(weight))
    return centre, scale, factor, subtract(spread(bias), multiply(centre, factor))


@part
def _fill(x: Numbers, start: int, maps: Maps, factor: Any, shift: Any, frame: Numbers) -> None:
    """relu(factor · x + shift) of a block of images, inside of the frame."""
    at = u(start)
    for row in range(maps.height):
        to = u(((row + 1) * (maps.width + 2) + 1) * LANES)
        for _ in range(maps.width):
            store(frame, to, relu(add_product(shift, factor, load(x, at))))
            at += u(LANES)
            to += u(LANES)


@inlined
def _spread_nine(taps: Numbers) -> Any:
    t = taps
    top = spread(t[0]), spread(t[1]), spread(t[2])
    middle = spread(t[3]), spread(t[4]), spread(t[5])
    return top, middle, (spread(t[6]), spread(t[7]), spread(t[8]))


@inlined
def _three(frame: Numbers, at: int, taps: Any) -> Any:
    left = multiply(taps[0], load(frame, at))
    middle = add_product(left, taps[1], load(frame, at + u(LANES)))
    return add_product(middle, taps[2], load(frame, at + u(2 * LANES)))


@inlined
def _nine(frame: Numbers, at: int, down: int, taps: Any) -> Any:
    """The 3×3 whose upper left corner is at ``at``; the next row is ``down`` further on."""
    top, middle = _three(frame, at, taps[0]), _three(frame, at + down, taps[1])
    return add(add(top, middle), _three(frame, at + down + down, taps[2]))


@inlined
def _corner(maps: Maps, row: int) -> int:
    """Where in a frame the 3×3 of the window's first place in ``row`` begins."""
    return u(((maps.top + row * maps.stride) * (maps.width + 2) + maps.left) * LANES)


@part
def _convolve(frame: Numbers, maps: Maps, taps: Numbers, z: Numbers, start: int) -> None:
    """The 3×3 of the frame at each place of the window."""
    nine, down, step = _spread_nine(taps), u((maps.width + 2) * LANES), u(maps.stride * LANES)
    at = u(start)
    for row in range(maps.tall):
        corner = _corner(maps, row)
        for _ in range(maps.broad):
            store(z, at, _nine(frame, corner, down, nine))
            at += u(LANES)
            corner += step


@part
def _forward_node(
    x: Numbers,
    maps: Maps,
    blocks: int,
    norm: int,
    eps: f32,
    parameters: tuple[f32, f32, Numbers],
    statistics: tuple[Numbers, Numbers],
    z: Numbers,
) -> None:
    weight, bias, taps = parameters
    mean, variance = statistics
    measure(x, maps, blocks, norm, mean, variance)
    frame = np.zeros((maps.height + 2) * (maps.width + 2) * LANES, f32)
    each = LANES if norm == IMAGE else 0
    plane, sent = maps.height * maps.width * LANES, maps.tall * maps.broad * LANES
    for block in range(blocks):
        _, _, factor, shift = _affine(mean, variance, block * each, eps, weight, bias)
        _fill(x, block * plane, maps, factor, shift, frame)
        _convolve(frame, maps, taps, z, block * sent)


@kernel
def forward(
    x: Numbers,
    maps: Maps,
    blocks: int,
    norm: int,
    eps: f32,
    parameters: tuple[Numbers, Numbers, Numbers],
    statistics: tuple[Numbers, Numbers],
    z: Numbers,
) -> None:
    """``z`` [nodes, …] = 3×3 of relu(normalised ``x`` · weight + bias), padded by one.

    ``parameters`` are weight and bias [nodes], taps [nodes, 9]. ``statistics``, mean and variance
    [nodes, 8 · blocks] (IMAGE) or [nodes, 8], are written.
    """
    weight, bias, taps = parameters
    mean, variance = statistics
    for node in prange(x.shape[0]):
        of_node = weight[node], bias[node], taps[node]
        measured = mean[node], variance[node]
        _forward_node(x[node], maps, blocks, norm, eps, of_node, measured, z[node])


@part
def _spread_out(dz: Numbers, start: int, maps: Maps, frame: Numbers) -> None:
    """``dz`` of a block of images in a frame, where the window's places are in the maps."""
    at = u(start)
    inside = u((maps.width + 3) * LANES)
    for row in range(maps.tall):
        to = _corner(maps, row) + inside
        for _ in range(maps.broad):
            store(frame, to, load(dz, at))
            at += u(LANES)
            to += u(maps.stride * LANES)


@inlined
def _add_three(totals: Any, g: Any, frame: Numbers, at: int) -> Any:
    left = add_product(totals[0], g, load(frame, at))
    middle = add_product(totals[1], g, load(frame, at + u(LANES)))
    return left, middle, add_product(totals[2], g, load(frame, at + u(2 * LANES)))


@part
def _correlate(dz: Numbers, start: int, maps: Maps, frame: Numbers, totals: Numbers) -> None:
    """Add the gradient of the nine taps, lane by lane: ``dz`` against the shifted ``frame``."""
    zero = spread(f32(0))
    top = middle = bottom = (zero, zero, zero)
    down, step = u((maps.width + 2) * LANES), u(maps.stride * LANES)
    at = u(start)
    for row in range(maps.tall):
        corner = _corner(maps, row)
        for _ in range(maps.broad):
            g = load(dz, at)
            top = _add_three(top, g, frame, corner)
            middle = _add_three(middle, g, frame, corner + down)
            bottom = _add_three(bottom, g, frame, corner + down + down)
            at += u(LANES)
            corner += step
    place = u(0)
    for found in (*top, *middle, *bottom):
        store(totals, place, add(load(totals, place), found))
        place += u(LANES)


@part
def _through(
    frames: tuple[Numbers, Numbers],
    maps: Maps,
    taps: Numbers,
    x: Numbers,
    start: int,
    centre: Any,
    dx: Numbers,
) -> Any:
    """Back through 3×3 and ReLU into ``dx``; its sums, and those of its products with x - centre.

    ``frames`` hold what entered the 3×3, and the gradient of what left it.
    """
    entered, upstream = frames
    nine, down = _spread_nine(taps[::-1]), u((maps.width + 2) * LANES)
    plain = product = spread(f32(0))
    at = u(start)
    for row in range(maps.height):
        corner = u(row) * down
        for _ in range(maps.width):
            alive = load(entered, corner + down + u(LANES))
            value = where_positive(alive, _nine(upstream, corner, down, nine))
            plain = add(plain, value)
            product = add_product(product, value, subtract(load(x, at), centre))
            store(dx, at, value)
            at += u(LANES)
            corner += u(LANES)
    return plain, product


@part
def _through_norm(
    x: Numbers, start: int, count: int, sums: Any, affine: Any, size: f32, dx: Numbers
) -> None:
    """``dx`` of ``count`` vectors, back through the norm of ``size`` numbers.

    dx = factor · (du - mean of du - normalised x · mean of (du · normalised x)), where du is
    what ``dx`` holds, and ``sums`` are those of du and of du · (x - centre).
    """
    centre, scale, factor, _ = affine
    share = divide(factor, spread(size))
    slope = multiply(multiply(scale, scale), multiply(share, sums[1]))
    constant = subtract(multiply(share, sums[0]), multiply(slope, centre))
    at = u(start)
    for _ in range(count):
        left = subtract(multiply(factor, load(dx, at)), constant)
        store(dx, at, subtract(left, multiply(slope, load(x, at))))
        at += u(LANES)


@part
def _drop_missing(dx: Numbers, maps: Maps, start: int) -> None:
    """Zeros for the images that the last block, from ``start`` on, does not have."""
    used, at = lanes_in_use(maps.images), u(start)
    for _ in range(maps.height * maps.width):
        store(dx, at, multiply(used, load(dx, at)))
        at += u(LANES)


@part
def _backward_blocks(
    dz: Numbers,
    x: Numbers,
    maps: Maps,
    blocks: int,
    norm: int,
    eps: f32,
    parameters: tuple[f32, f32, Numbers],
    statistics: tuple[Numbers, Numbers],
    dx: Numbers,
    of_taps: Numbers,
) -> Any:
    """One node, block after block: ``dx`` but for a norm of the batch, and ``of_taps`` [9 · 8].

    Returns, lane by lane, the sums of du and of du · normalised x; du is dx before the norm.
    """
    weight, bias, taps = parameters
    room, pixels = (maps.height + 2) * (maps.width + 2) * LANES, maps.height * maps.width
    frame, upstream = np.zeros(room, f32), np.zeros(room, f32)
    each, sent = LANES if norm == IMAGE else 0, maps.tall * maps.broad * LANES
    plain = product = spread(f32(0))
    for block in range(blocks):
        at = block * pixels * LANES
        affine = _affine(statistics[0], statistics[1], block * each, eps, weight, bias)
        _fill(x, at, maps, affine[2], affine[3], frame)
        _spread_out(dz, block * sent, maps, upstream)
        _correlate(dz, block * sent, maps, frame, of_taps)
        sums = _through((frame, upstream), maps, taps, x, at, affine[0], dx)
        plain, product = add(plain, sums[0]), add_product(product, sums[1], affine[1])
        if norm == IMAGE:
            _through_norm(x, at, pixels, sums, affine, f32(pixels), dx)
    return plain, product


@part
def _backward_batch_norm(
    x: Numbers, maps: Maps, blocks: int, affine: Any, dweight: f32, dbias: f32, dx: Numbers
) -> None:
    """What `_backward_blocks` leaves to do in ``dx`` of one node where all images share a norm."""
    pixels = maps.height * maps.width
    sums = spread(dbias), divide(spread(dweight), affine[1])
    _through_norm(x, 0, blocks * pixels, sums, affine, f32(maps.images * pixels), dx)
    _drop_missing(dx, maps, (blocks - 1) * pixels * LANES)


@kernel
def backward(
    dz: Numbers,
    x: Numbers,
    maps: Maps,
    blocks: int,
    norm: int,
    eps: f32,
    parameters: tuple[Numbers, Numbers, Numbers],
    statistics: tuple[Numbers, Numbers],
    dx: Numbers,
    gradients: tuple[Numbers, Numbers, Numbers],
) -> None:
    """Gradients of `forward` with respect to ``x`` and the parameters, from that of ``z``."""
    weight, bias, taps = parameters
    mean, variance = statistics
    dweight, dbias, dtaps = gradients
    for node in prange(x.shape[0]):
        of_node = weight[node], bias[node], taps[node]
        measured, of_taps = (mean[node], variance[node]), np.zeros(9 * LANES, f32)
        plain, product = _backward_blocks(
            dz[node], x[node], maps, blocks, norm, eps, of_node, measured, dx[node], of_taps
        )
        dweight[node], dbias[node] = total(product), total(plain)
        for tap in range(9):
            dtaps[node, tap] = total(load(of_taps, u(tap * LANES)))
        if norm == BATCH:
            affine = _affine(measured[0], measured[1], 0, eps, weight[node], bias[node])
            _backward_batch_norm(
                x[node], maps, blocks, affine, dweight[node], dbias[node], dx[node]
            )
