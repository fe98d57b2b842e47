"""Numbers as people read them."""

from __future__ import annotations

import pytest

from micronet.commands import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1_170_000_000, "1,170,000,000"),
        (2_089_345.25, "2,089,345.25"),
        (16_767.0, "16,767"),
        (1 / 32, "0.031"),
        (None, "–"),
    ],
)
def test_count(value: float | None, text: str) -> None:
    assert numbers.count(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.84597, "0.8460"), (2, "2.0000"), (None, "–")])
def test_score(value: float | None, text: str) -> None:
    assert numbers.score(value) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (4_254_592, "4.3 MB"),
        (7 * 10**12, "7000.0 GB"),
    ],
)
def test_file_size(size: int, text: str) -> None:
    assert numbers.file_size(size) == text


def test_shape() -> None:
    assert numbers.shape((64, 3, 7, 7)) == "64×3×7×7"
    assert numbers.shape(None) == numbers.shape(()) == ""


def test_percent() -> None:
    assert numbers.percent(1, 8) == "12.5 %"
    assert numbers.percent(0, 0) == "–"


def test_digest() -> None:
    assert numbers.digest("0123456789abcdef") == "0123456789ab"
    assert numbers.digest(None) == "–"
