"""Curves of training runs: what they show follows from the receipts, and nothing covers a name."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from fractions import Fraction
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

import pytest

from micronet.reports.figures.canvas import text_width
from micronet.reports.figures.curves import whole_epochs
from micronet.reports.figures.draw import NARROW, WIDE, draw
from micronet.reports.figures.files import files
from micronet.reports.figures.place import apart, on_lines
from micronet.reports.figures.spec import Curves, Spread, digest
from micronet.reports.figures.training import training_figures
from tests.reports.by_hand import HOSTILE
from tests.reports.trained_by_hand import NODES, sha256, together, trained, untested

if TYPE_CHECKING:
    from pathlib import Path

RANDOM = "tiny_static_random_short"
PNG = b"\x89PNG"


def made(root: Path, *receipts: dict[str, Any], **named: dict[str, Any]) -> tuple[Curves, ...]:
    return tuple(training_figures(together(root, *receipts, **named)))


def two_methods() -> tuple[dict[str, Any], ...]:
    return (
        trained((4_000, 7_000)),
        trained((4_200, 7_100), seed=2),
        trained((3_000, 6_000), card=RANDOM, method="random-graph"),
    )


def test_the_curve_is_the_mean_and_the_band_goes_from_the_least_to_the_most(tmp_path: Path) -> None:
    accuracy, _ = made(tmp_path, *two_methods())
    [panel] = accuracy.panels
    assert [(curve.name, curve.runs) for curve in panel.curves] == [("dnw", 2), ("random-graph", 1)]
    assert panel.curves[0].points == (
        Spread(1, Fraction(41), Fraction(40), Fraction(42)),
        Spread(2, Fraction(141, 2), Fraction(70), Fraction(71)),
    )


def test_the_published_figure_is_a_line_of_its_methods_colour(tmp_path: Path) -> None:
    accuracy, _ = made(tmp_path, *two_methods())
    [panel] = accuracy.panels
    assert [(level.names[0], level.value, level.colour) for level in panel.levels] == [
        ("dnw, published: 80.9±0.6 after 160 epochs", Fraction(809, 10), 1),
        ("random-graph, published: 76.1±0.5 after 160 epochs", Fraction(761, 10), 2),
    ]
    assert panel.low < 30
    assert Fraction(809, 10) < panel.high <= 100


def test_two_recipes_of_a_method_share_its_line(tmp_path: Path) -> None:
    accuracy, _ = made(tmp_path, trained(), trained((1, 2, 7_200)))
    [panel] = accuracy.panels
    assert [curve.name for curve in panel.curves] == ["dnw, 3 epochs", "dnw, 2 epochs"]
    assert len(panel.levels) == 1
    assert accuracy.epochs == 3


def test_the_wiring_is_shown_in_shares(tmp_path: Path) -> None:
    _, wiring = made(tmp_path, *two_methods())
    entered, alive = wiring.panels
    assert {point.mean for curve in entered.curves for point in curve.points} == {Fraction(25)}
    share = [Fraction(100 * (NODES - number), NODES) for number in (1, 2)]
    assert [point.mean for point in alive.curves[0].points] == share
    assert alive.low < share[1] < alive.high == 100
    assert (entered.low, entered.high) == (Fraction(0), Fraction(300, 11))


def test_it_is_said_in_words(tmp_path: Path) -> None:
    accuracy, wiring = made(tmp_path, *two_methods())
    assert accuracy.description == (
        "Percent of the test images right after the last epoch: dnw 70.50 after 2 epochs, the mean"
        " of 2 runs from 70.00 to 71.00; random-graph 60.00 after 2 epochs. Dashed lines: dnw,"
        " published: 80.9±0.6 after 160 epochs; random-graph, published: 76.1±0.5 after 160 epochs."
    )
    assert wiring.description.endswith(
        "In the last epoch: dnw 25.0 % and 99.7 %; random-graph 25.0 % and 99.7 %."
    )


def test_without_test_images_only_the_wiring_is_drawn(tmp_path: Path) -> None:
    assert [each.name for each in made(tmp_path, untested(trained()))] == [
        "training-wiring-tiny_static"
    ]
    assert made(tmp_path / "nothing") == ()


def test_other_test_images_are_another_figure(tmp_path: Path) -> None:
    other = trained(seed=2)
    other["data"]["test"] = sha256("other")
    names = [each.name for each in made(tmp_path, trained(), other)]
    ends = [sha256(test)[:8] for test in ("test", "other")]
    assert set(names) == {
        f"training-{kind}-tiny_static-{end}" for kind in ("accuracy", "wiring") for end in ends
    }
    assert len(set(names)) == len(names) == 4


def every_figure(root: Path) -> tuple[Curves, ...]:
    """With two methods; with one epoch of one run; with many methods that end alike."""
    many = {
        f"m{n}": trained((1_000, 7_000 + n), card=f"card-{n}", method=f"method-number-{n}")
        for n in range(12)
    }
    return (
        *made(root / "two", *two_methods()),
        *made(root / "one", trained((10_000,))),
        *made(root / "many", **many, dnw=trained((4_000,) * 9), odd=trained(seed=3, card=HOSTILE)),
        *made(root / "still", without_any_edge()),
    )


def without_any_edge() -> dict[str, Any]:
    run = trained((0, 0), card="mine")
    for epoch in run["history"]:
        epoch |= {"kept": 0, "entered": 0, "left": 0, "alive": 0, "targets": 0, "right": 0}
    return run | {"edges": 0, "train_right": 0}


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_names_cover_no_other_and_stay_within(tmp_path: Path, width: float) -> None:
    for figure in every_figure(tmp_path):
        drawing = ET.fromstring(draw(figure, width))  # noqa: S314  # our own drawing
        assert drawing[0].text == figure.title
        assert drawing[1].text == figure.description
        boxes = []
        for text in drawing.iter("text"):
            if not (text.get("class") or "").startswith("l "):
                continue
            wide, x, y = text_width(text.text or "", 12), *(float(text.get(k, "")) for k in "xy")
            left = x - wide if text.get("text-anchor") == "end" else x
            assert left >= 0, text.text
            assert left + wide <= width, text.text
            boxes.append((left, left + wide, y))
        for (a, b, y), (c, d, z) in combinations(boxes, 2):
            assert min(b, d) <= max(a, c) or abs(y - z) > 10


def test_every_line_stays_in_the_drawing(tmp_path: Path) -> None:
    for figure in every_figure(tmp_path):
        drawing = ET.fromstring(draw(figure, WIDE))  # noqa: S314  # our own drawing
        high = float(drawing.get("height", ""))
        for tag in ("polyline", "polygon"):
            for line in drawing.iter(tag):
                points = [tuple(map(float, p.split(","))) for p in line.get("points", "").split()]
                assert all(0 <= x <= WIDE and 0 <= y <= high for x, y in points)
        assert "<script" not in draw(figure, WIDE)


def test_a_band_is_drawn_of_several_runs_only(tmp_path: Path) -> None:
    accuracy, _ = made(tmp_path, *two_methods())
    drawing = ET.fromstring(draw(accuracy, WIDE))  # noqa: S314  # our own drawing
    assert [area.get("class") for area in drawing.iter("polygon")] == ["band s1"]
    lines = [line.get("class") for line in drawing.iter("polyline")]
    assert lines == ["curve s1", "curve s2"]
    levels = [line.get("class") for line in drawing.iter("line")]
    assert [kind for kind in levels if kind and kind.startswith("level")] == [
        "level s1",
        "level s2",
    ]


def test_the_files_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    chosen = made(tmp_path, *two_methods())
    first = files(chosen)
    assert first == files(chosen)
    assert {path.name for path in first if path.suffix == ".png"} == {
        "training-accuracy-tiny_static.png",
        "training-wiring-tiny_static.png",
    }
    assert all(content.startswith(PNG) for path, content in first.items() if path.suffix == ".png")


def test_every_figure_can_be_drawn_as_a_file(tmp_path: Path) -> None:
    chosen = [
        replace(figure, name=f"{place}")
        for place, figure in enumerate(every_figure(tmp_path))
        if figure.name.startswith("training-accuracy")
    ]
    assert len(files(chosen)) == len(chosen) * 3 + 1 == 13


def test_one_more_image_right_is_another_figure(tmp_path: Path) -> None:
    before = made(tmp_path, trained())
    after = made(tmp_path / "after", trained((4_001, 7_000)))
    changed = [digest(one) != digest(two) for one, two in zip(before, after, strict=True)]
    assert changed == [True, False]


@pytest.mark.parametrize(
    ("epochs", "expected"), [(1, [0, 1]), (3, [0, 1, 2, 3]), (20, [0, 5, 10, 15, 20])]
)
def test_an_axis_marks_whole_epochs(epochs: int, expected: list[int]) -> None:
    assert list(whole_epochs(epochs, 5)) == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([], []),
        ([50], [50]),
        ([10, 50], [10, 50]),
        ([50, 50], [45, 55]),  # both give way alike
        ([52, 48], [55, 45]),  # in their order
        ([0, 0, 100], [0, 10, 100]),  # within the ends
        ([100, 100], [90, 100]),
    ],
)
def test_names_give_way_as_little_as_they_can(wanted: list[float], expected: list[float]) -> None:
    assert apart(wanted, 10, 0, 100) == expected


def test_names_without_room_stand_closer() -> None:
    places = apart([50.0] * 21, 10, 0, 100)
    assert [b - a for a, b in pairwise(places)] == [5] * 20
    assert (places[0], places[-1]) == (0, 100)


def test_names_that_would_leave_their_lines_are_listed_elsewhere() -> None:
    assert on_lines([50, 57], 10, 0, 100) == [48.5, 58.5]
    assert on_lines([50, 51, 52], 10, 0, 100) is None


def test_the_edges_that_entered_are_of_those_that_are_kept(tmp_path: Path) -> None:
    """All of 16,000 in the first epoch; 32,000 of 48,000 in the second one."""
    run = trained()
    run["history"][0] |= {"kept": 16_000, "entered": 16_000, "left": 16_000}
    run["history"][1] |= {"kept": 48_000, "entered": 32_000, "left": 0}
    _, wiring = made(tmp_path, run | {"edges": 48_000})
    found = [point.mean for point in wiring.panels[0].curves[0].points]
    assert found == [Fraction(100), Fraction(200, 3)]
