"""Images go to node-major rows and come back as they were."""

from __future__ import annotations

import pytest
import torch

from micronet.training.nodes.layout import TILE, FromImages, Maps, ToImages, blocks, from_images

SHAPES = [(1, 3, 1, 1), (8, 2, 4, 4), (7, 3, 5, 2), (9, 1, 3, 7), (24, 2, 8, 8)]


@pytest.mark.parametrize("shape", SHAPES)
def test_there_and_back_changes_no_bit(shape: tuple[int, ...]) -> None:
    images = torch.randn(shape)
    maps = Maps.of(shape[0], *shape[2:])
    assert torch.equal(ToImages.apply(FromImages.apply(images), maps), images)


def test_eight_images_lie_side_by_side_and_missing_ones_are_zero() -> None:
    images = torch.arange(1.0, 19.0).view(9, 1, 1, 2)
    found = blocks(from_images(images), Maps.of(9, 1, 2))
    assert found[0, 0].tolist() == [[list(range(1, 17, 2)), list(range(2, 18, 2))]]
    assert found[0, 1].tolist() == [[[17, 0, 0, 0, 0, 0, 0, 0], [18, 0, 0, 0, 0, 0, 0, 0]]]


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_are_an_odd_number_of_tiles_apart_and_zero_where_nothing_counts(
    shape: tuple[int, ...],
) -> None:
    rows = from_images(torch.ones(shape))
    assert rows.shape[1] // TILE % 2 == 1
    assert rows.shape[1] % TILE == 0
    assert float(rows.sum()) == torch.ones(shape).sum()


def test_gradients_go_the_other_way() -> None:
    images, maps = torch.randn(5, 2, 3, 3, requires_grad=True), Maps.of(5, 3, 3)
    wanted = torch.randn(5, 2, 3, 3)
    (ToImages.apply(FromImages.apply(images), maps) * wanted).sum().backward()
    assert torch.equal(images.grad, wanted)  # type: ignore[arg-type]
