"""A node's function on the CPU, compiled: normalise, ReLU, 3×3; forward, and backward to everything.

Activations are node-major, eight images side by side (see ``layout``). The maps of eight images are
copied into a frame of zeros, normalised and through the ReLU; on it a 3×3 convolution is nine
shifted loads. Sums are taken over a block first, then over the blocks: as precise as it is simple.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit, prange
from numba import uint64 as u

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

NONE: Final = 0  # of a node's values: no norm
IMAGE: Final = 1  # statistics of each image
BATCH: Final = 2  # statistics of all images


@njit(error_model="numpy", forceinline=True)
def _lanes_in_use(images: int) -> Any:
    """1 for the images of the last block, 0 for those that are missing."""
    marks = np.zeros(LANES, f32)
    marks[: (images - 1) % LANES + 1] = 1
    return load(marks, u(0))


@njit(error_model="numpy")
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


@njit(error_model="numpy")
def _measure_images(x: Numbers, blocks: int, plane: int, mean: Numbers, variance: Numbers) -> None:
    """Mean and variance of each image's map, into lane and block of the image."""
    zero, one, size = spread(f32(0)), spread(f32(1)), spread(f32(plane))
    for block in range(blocks):
        start = block * plane * LANES
        centre = divide(_moments(x, start, plane, one, zero)[0], size)
        squares = _moments(x, start, plane, one, centre)[1]
        store(mean, u(block * LANES), centre)
        store(variance, u(block * LANES), divide(squares, size))


@njit(error_model="numpy")
def _mean_moments(x: Numbers, maps: Maps, blocks: int, shift: Any) -> Any:
    """Over all images: the means of x - shift and of its squares, the same in every lane."""
    plane, one = maps.height * maps.width, spread(f32(1))
    first = second = spread(f32(0))
    for block in range(blocks):
        used = one if block < blocks - 1 else _lanes_in_use(maps.images)
        part = _moments(x, block * plane * LANES, plane, used, shift)
        first, second = add(first, part[0]), add(second, part[1])
    size = f32(maps.images * plane)
    return spread(total(first) / size), spread(total(second) / size)


@njit(error_model="numpy")
def _measure(
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


@njit(error_model="numpy", forceinline=True)
def _affine(mean: Numbers, variance: Numbers, at: int, eps: f32, weight: f32, bias: f32) -> Any:
    """(centre, 1 / deviation, factor, shift): normalised · weight + bias is factor · x + shift."""
    centre = load(mean, u(at))
    scale = divide(spread(f32(1)), root(add(load(variance, u(at)), spread(eps))))
    factor = multiply(scale, spread(weight))
    return centre, scale, factor, subtract(spread(bias), multiply(centre, factor))


@njit(error_model="numpy")
def _fill(x: Numbers, start: int, maps: Maps, factor: Any, shift: Any, frame: Numbers) -> None:
    """relu(factor · x + shift) of a block of images, inside of the frame."""
    at = u(start)
    for row in range(maps.height):
        to = u(((row + 1) * (maps.width + 2) + 1) * LANES)
        for _ in range(maps.width):
            store(frame, to, relu(add_product(shift, factor, load(x, at))))
            at += u(LANES)
            to += u(LANES)


@njit(error_model="numpy", forceinline=True)
def _spread_nine(taps: Numbers) -> Any:
    t = taps
    top = spread(t[0]), spread(t[1]), spread(t[2])
    middle = spread(t[3]), spread(t[4]), spread(t[5])
    return top, middle, (spread(t[6]), spread(t[7]), spread(t[8]))


@njit(error_model="numpy", forceinline=True)
def _three(frame: Numbers, at: int, taps: Any) -> Any:
    left = multiply(taps[0], load(frame, at))
    middle = add_product(left, taps[1], load(frame, at + u(LANES)))
    return add_product(middle, taps[2], load(frame, at + u(2 * LANES)))


@njit(error_model="numpy", forceinline=True)
def _nine(frame: Numbers, at: int, down: int, taps: Any) -> Any:
    """The 3×3 whose upper left corner is at ``at``; the next row is ``down`` further on."""
    top, middle = _three(frame, at, taps[0]), _three(frame, at + down, taps[1])
    return add(add(top, middle), _three(frame, at + down + down, taps[2]))


@njit(error_model="numpy", forceinline=True)
def _corner(maps: Maps, row: int) -> int:
    """Where in a frame the 3×3 of the window's first place in ``row`` begins."""
    return u(((maps.top + row * maps.stride) * (maps.width + 2) + maps.left) * LANES)


@njit(error_model="numpy")
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


@njit(cache=True, parallel=True, error_model="numpy")
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
    each = LANES if norm == IMAGE else 0
    plane, sent = maps.height * maps.width * LANES, maps.tall * maps.broad * LANES
    for node in prange(x.shape[0]):
        _measure(x[node], maps, blocks, norm, mean[node], variance[node])
        frame = np.zeros((maps.height + 2) * (maps.width + 2) * LANES, f32)
        for block in range(blocks):
            _, _, factor, shift = _affine(
                mean[node], variance[node], block * each, eps, weight[node], bias[node]
            )
            _fill(x[node], block * plane, maps, factor, shift, frame)
            _convolve(frame, maps, taps[node], z[node], block * sent)


@njit(error_model="numpy")
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


@njit(error_model="numpy", forceinline=True)
def _add_three(totals: Any, g: Any, frame: Numbers, at: int) -> Any:
    left = add_product(totals[0], g, load(frame, at))
    middle = add_product(totals[1], g, load(frame, at + u(LANES)))
    return left, middle, add_product(totals[2], g, load(frame, at + u(2 * LANES)))


@njit(error_model="numpy")
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
    for part in (*top, *middle, *bottom):
        store(totals, place, add(load(totals, place), part))
        place += u(LANES)


@njit(error_model="numpy")
def _through(
    upstream: Numbers,
    frame: Numbers,
    maps: Maps,
    taps: Numbers,
    x: Numbers,
    start: int,
    centre: Any,
    dx: Numbers,
) -> Any:
    """Back through 3×3 and ReLU into ``dx``; its sums, and those of its products with x - centre."""
    nine, down = _spread_nine(taps[::-1]), u((maps.width + 2) * LANES)
    plain = product = spread(f32(0))
    at = u(start)
    for row in range(maps.height):
        corner = u(row) * down
        for _ in range(maps.width):
            alive = load(frame, corner + down + u(LANES))
            value = where_positive(alive, _nine(upstream, corner, down, nine))
            plain = add(plain, value)
            product = add_product(product, value, subtract(load(x, at), centre))
            store(dx, at, value)
            at += u(LANES)
            corner += u(LANES)
    return plain, product


@njit(error_model="numpy")
def _through_norm(
    x: Numbers, start: int, count: int, factor: Any, slope: Any, constant: Any, dx: Numbers
) -> None:
    """``dx`` of ``count`` vectors, back through the norm: factor · dx - slope · x - constant."""
    at = u(start)
    for _ in range(count):
        left = subtract(multiply(factor, load(dx, at)), constant)
        store(dx, at, subtract(left, multiply(slope, load(x, at))))
        at += u(LANES)


@njit(error_model="numpy")
def _drop_missing(dx: Numbers, maps: Maps, start: int) -> None:
    """Zeros for the images that the last block, from ``start`` on, does not have."""
    used, at = _lanes_in_use(maps.images), u(start)
    for _ in range(maps.height * maps.width):
        store(dx, at, multiply(used, load(dx, at)))
        at += u(LANES)


@njit(error_model="numpy", forceinline=True)
def _of_norm(plain: Any, product: Any, centre: Any, scale: Any, factor: Any, size: f32) -> Any:
    """Slope and constant of `_through_norm`.

    dx = factor · (du - mean of du - normalised x · mean of (du · normalised x)).
    """
    share = divide(factor, spread(size))
    slope = multiply(multiply(scale, scale), multiply(share, product))
    return slope, subtract(multiply(share, plain), multiply(slope, centre))


@njit(cache=True, parallel=True, error_model="numpy")
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
    each = LANES if norm == IMAGE else 0
    pixels = maps.height * maps.width
    plane, sent = pixels * LANES, maps.tall * maps.broad * LANES
    room = (maps.height + 2) * (maps.width + 2) * LANES
    for node in prange(x.shape[0]):
        frame, upstream, of_taps = (
            np.zeros(room, f32),
            np.zeros(room, f32),
            np.zeros(9 * LANES, f32),
        )
        plain = product = spread(f32(0))
        for block in range(blocks):
            centre, scale, factor, shift = _affine(
                mean[node], variance[node], block * each, eps, weight[node], bias[node]
            )
            _fill(x[node], block * plane, maps, factor, shift, frame)
            _spread_out(dz[node], block * sent, maps, upstream)
            _correlate(dz[node], block * sent, maps, frame, of_taps)
            part, with_x = _through(
                upstream, frame, maps, taps[node], x[node], block * plane, centre, dx[node]
            )
            plain, product = add(plain, part), add_product(product, with_x, scale)
            if norm == IMAGE:
                slope, constant = _of_norm(part, with_x, centre, scale, factor, f32(pixels))
                _through_norm(x[node], block * plane, pixels, factor, slope, constant, dx[node])
        dweight[node], dbias[node] = total(product), total(plain)
        for tap in range(9):
            dtaps[node, tap] = total(load(of_taps, u(tap * LANES)))
        if norm == BATCH:
            centre, scale, factor, shift = _affine(
                mean[node], variance[node], 0, eps, weight[node], bias[node]
            )
            slope, constant = _of_norm(
                spread(dbias[node]),
                divide(spread(dweight[node]), scale),
                centre,
                scale,
                factor,
                f32(maps.images * pixels),
            )
            _through_norm(x[node], 0, blocks * pixels, factor, slope, constant, dx[node])
            _drop_missing(dx[node], maps, (blocks - 1) * plane)
