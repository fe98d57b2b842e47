"""The rules' worked examples, and the pure arithmetic that must reproduce them."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from micronet.errors import MicronetError
from micronet.scoring import vectors as module
from micronet.scoring.rules_arithmetic import bitmask_bits, operation_weight, parameter_weight
from micronet.scoring.tracks import track
from micronet.scoring.vectors import WorkedExample, worked_examples
from micronet.shelf import folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHIPPED = (folder("scoring") / "worked_examples.toml").read_text(encoding="utf-8")


def score(inputs: dict[str, object]) -> Fraction:
    return track(inputs.pop("track")).score(**inputs).total  # type: ignore[arg-type]


def weigh_operation(inputs: dict[str, object]) -> Fraction:
    return operation_weight(inputs["input_bits"])  # type: ignore[arg-type]


ARITHMETIC: dict[str, Callable[[dict[str, object]], Fraction | int]] = {
    "score": score,
    "bitmask bits": lambda inputs: bitmask_bits(**inputs),  # type: ignore[arg-type]
    "parameter weight": lambda inputs: parameter_weight(**inputs),  # type: ignore[arg-type]
    "operation weight": weigh_operation,
}


@pytest.mark.parametrize("example", worked_examples(), ids=lambda example: example.title)
def test_our_arithmetic_gives_what_the_rules_say(example: WorkedExample) -> None:
    assert example.agrees(ARITHMETIC[example.kind](dict(example.inputs)))


def test_the_page_has_five_worked_examples() -> None:
    assert [(example.kind, example.expected) for example in worked_examples()] == [
        ("score", Fraction("0.862")),
        ("bitmask bits", 4096),
        ("parameter weight", Fraction(1, 4)),
        ("operation weight", Fraction(5, 32)),
        ("operation weight", 1),
    ]


def test_the_printed_score_is_a_rounding_of_the_exact_one() -> None:
    total = track("imagenet").score(3_000_000, 500_000_000).total
    assert total == Fraction(30, 69) + Fraction(50, 117)  # 0.86213…
    assert round(total, 3) == Fraction("0.862")


def test_an_example_without_decimals_is_exact() -> None:
    example = worked_examples()[1]
    assert example.agrees(4096)
    assert not example.agrees(Fraction(8193, 2))


@pytest.mark.parametrize(
    ("shape", "block", "bits"),
    [
        ((512, 128), (1, 1), 512 * 128),
        ((64, 32, 3, 3), (1, 1), 64 * 32 * 3 * 3),  # the full shape, whatever is zero
        ((64, 32, 3, 3), (4, 4), 16 * 8 * 3 * 3),
        ((10,), (1, 1), 10),
        ((10,), (4,), 3),  # 4 + 4 + 2
        ((5, 5), (4, 4), 2 * 2),
        ((), (1, 1), 1),
        ((0, 5), (1, 1), 0),
    ],
)
def test_a_bitmask_has_one_bit_a_block_of_the_full_shape(
    shape: tuple[int, ...], block: tuple[int, ...], bits: int
) -> None:
    assert bitmask_bits(shape, block) == bits


@pytest.mark.parametrize(("shape", "block"), [((4, 4), (0, 1)), ((-1, 4), (1, 1)), ((8,), (2, 2))])
def test_impossible_blocks_are_refused(shape: tuple[int, ...], block: tuple[int, ...]) -> None:
    with pytest.raises(MicronetError):
        bitmask_bits(shape, block)


@pytest.mark.parametrize(("bits", "weight"), [((16, 16), Fraction(1, 2)), ((1,), Fraction(1, 32))])
def test_an_operation_weighs_as_its_widest_input(bits: tuple[int, ...], weight: Fraction) -> None:
    assert operation_weight(bits) == weight


@pytest.mark.parametrize("bits", [(), (0, 8)])
def test_an_operation_without_bits_is_refused(bits: tuple[int, ...]) -> None:
    with pytest.raises(MicronetError):
        operation_weight(bits)


def test_a_parameter_may_have_a_fraction_of_a_bit_but_not_less_than_none() -> None:
    assert parameter_weight(Fraction(5, 2)) == Fraction(5, 64)
    with pytest.raises(MicronetError):
        parameter_weight(-1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "score"', 'kind = "scores"', "example[0].kind should be one of score"),
        ('expected = "0.862"', 'expected = ".862"', "example[0].expected cannot be read"),
        ("block = [4, 4]", "blocks = [4, 4]", "example[1].inputs.block is missing"),
        ("bits = 8 }", "bits = 'x' }", "example[2].inputs.bits should be a whole number"),
        ('clause = "Ranking', 'claus = "Ranking', "example[0].clause is missing"),
    ],
)
def test_a_broken_example_names_its_row_and_key(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in SHIPPED
    path = tmp_path / "changed.toml"
    path.write_text(SHIPPED.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(MicronetError) as caught:
        module.load(path)
    assert message in caught.value.message


@pytest.mark.parametrize(("extra", "imported"), [("", False), ("import torch; ", True)])
def test_loading_the_rules_data_does_not_import_torch(extra: str, *, imported: bool) -> None:
    """The second case proves that the probe sees torch when it is there."""
    code = (
        f"{extra}import sys; from micronet.scoring import baselines, leaderboard, tracks, vectors; "
        "tracks.tracks(); baselines.baselines(); vectors.worked_examples(); "
        "leaderboard.leaderboard('imagenet'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == imported
