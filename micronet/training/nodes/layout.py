"""Node-major activations: a matrix with a row for each node and a column for each position.

Eight images lie side by side: positions run block after block of eight images, within a block as
the pixels of a map do, and of each pixel there are eight, one an image. So whatever the size of a
map, its 3×3 convolution is arithmetic on eight lanes without borders. A last block that is not
full has zeros for the images that are missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch

from micronet.training.nodes.vectors import LANES

if TYPE_CHECKING:
    from torch import Tensor

TILE: Final = 32  # columns that a product with edges takes at a time


class Maps(NamedTuple):
    """``images`` maps a node; the 3×3 convolution is computed in a window of ``tall`` × ``broad``.

    The window begins at (``top``, ``left``) and its places are ``stride`` apart. A named tuple,
    because compiled kernels take these and no dataclass.
    """

    images: int
    height: int
    width: int
    stride: int
    top: int
    left: int
    tall: int
    broad: int

    @staticmethod
    def of(images: int, height: int, width: int, stride: int = 1) -> Maps:
        """Maps of which the whole convolution is wanted."""
        tall, broad = ((side - 1) // stride + 1 for side in (height, width))
        return Maps(images, height, width, stride, 0, 0, tall, broad)

    def window(self, top: int, left: int, tall: int, broad: int) -> Maps:
        """The same maps; of the convolution, the places from (top, left) on."""
        return self._replace(top=top, left=left, tall=tall, broad=broad)

    @property
    def blocks(self) -> int:
        """Groups of eight images; the last one may have less."""
        return -(-self.images // LANES)

    @property
    def positions(self) -> int:
        """Columns that count in a matrix of these maps."""
        return self.blocks * self.height * self.width * LANES

    @property
    def sent(self) -> Maps:
        """The maps that the convolution makes of these."""
        return Maps.of(self.images, self.tall, self.broad)


def matrix(nodes: int, maps: Maps) -> Tensor:
    """A float32 matrix [nodes, pitch] for ``maps``: uninitialised, zero behind the positions.

    The pitch is an odd number of tiles. An even one could be a power of two, and the same columns
    of all rows would share a few lines of the cache.
    """
    tiles = -(-maps.positions // TILE)
    made = torch.empty(nodes, (tiles | 1) * TILE)
    made[:, maps.positions :] = 0
    return made


def blocks(rows: Tensor, maps: Maps) -> Tensor:
    """A view [nodes, blocks, height, width, 8] of node-major ``rows``."""
    shape = (len(rows), maps.blocks, maps.height, maps.width, LANES)
    return rows[:, : maps.positions].view(shape)


def from_images(images: Tensor) -> Tensor:
    """[images, nodes, height, width] as node-major rows."""
    count, nodes, height, width = images.shape
    maps = Maps.of(count, height, width)
    made = matrix(nodes, maps)
    target = blocks(made, maps)
    full = count // LANES
    grouped = images[: full * LANES].unflatten(0, (full, LANES))
    target[:, :full].copy_(grouped.permute(2, 0, 3, 4, 1))
    if rest := count % LANES:
        target[:, full, ..., :rest].copy_(images[full * LANES :].permute(1, 2, 3, 0))
        target[:, full, ..., rest:] = 0
    return made


def to_images(rows: Tensor, maps: Maps) -> Tensor:
    """The inverse of `from_images`: [images, nodes, height, width]."""
    moved = blocks(rows, maps).permute(1, 4, 0, 2, 3)
    return moved.reshape(maps.blocks * LANES, *moved.shape[2:])[: maps.images]


class FromImages(torch.autograd.Function):
    """`from_images`, differentiable."""

    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        """[images, nodes, height, width] → node-major."""
        ctx.maps = Maps.of(images.shape[0], *images.shape[2:])
        return from_images(images)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        """Node-major → [images, nodes, height, width]."""
        return to_images(upstream, ctx.maps)


class ToImages(torch.autograd.Function):
    """`to_images`, differentiable."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, maps: Maps) -> Tensor:  # noqa: ARG004
        """Node-major → [images, nodes, height, width]."""
        return to_images(rows, maps)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:  # noqa: ARG004
        """[images, nodes, height, width] → node-major."""
        return from_images(upstream), None


def array(tensor: Tensor) -> Any:
    """The numpy array on the same memory, for a compiled kernel."""
    return tensor.detach().numpy()
