"""Figures: what they show follows from the tables, and their drawing is always the same."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING

import pytest

from micronet.reports.figures.draw import NARROW, WIDE, draw
from micronet.reports.figures.files import INDEX, files, index, stale
from micronet.reports.figures.make import figures, front, scatters
from micronet.reports.figures.place import Box, Wanted, placed
from micronet.reports.figures.spec import (
    Bars,
    Figure,
    Point,
    Profile,
    Scatter,
    Waterfall,
    digest,
)
from micronet.reports.figures.ticks import ticks
from micronet.reports.tables import tables
from micronet.scoring.tracks import track
from tests.reports.by_hand import (
    HOSTILE,
    audit,
    committed,
    document,
    material,
    measured,
    operations,
    score,
)

if TYPE_CHECKING:
    from pathlib import Path


def drawn(root: Path) -> tuple[Figure, ...]:
    made = committed("resnet50_dnw_10.micronet2019")
    found = material(root, made, document(), audit=audit())
    return figures(found, tables(found))


def point(x: int, y: int, *, comparable: bool = True) -> Point:
    return Point(
        f"{x},{y}", Fraction(x), Fraction(y), ours=False, measured=False, comparable=comparable
    )


def test_the_front_are_the_points_that_no_other_beats() -> None:
    points = front([point(1, 1), point(2, 3), point(3, 2), point(4, 4), point(4, 3)])
    assert [each.name for each in points if each.on_front] == ["1,1", "2,3", "4,4"]


def test_two_equal_points_are_both_on_the_front() -> None:
    assert all(each.on_front for each in front([point(1, 1), point(1, 1)]))


def test_a_cost_in_another_dialect_beats_nobody() -> None:
    points = front([point(1, 9, comparable=False), point(2, 3)])
    assert [each.on_front for each in points] == [False, True]


def test_only_a_whole_data_set_counts_as_measured(tmp_path: Path) -> None:
    whole = measured(document("whole"), 37_500, 50_000, qualifies=True)
    found, _ = scatters(material(tmp_path, whole, document("never")), track("imagenet"))
    ours = [(each.name, each.y, each.measured) for each in found.points if each.ours]
    assert ours == [("whole", Fraction(75), True)]  # nobody published or measured the other
    assert all(not each.measured for each in found.points if not each.ours)


def test_the_bars_of_the_stages_add_up_to_the_score(tmp_path: Path) -> None:
    [bars] = [f for f in drawn(tmp_path) if isinstance(f, Bars) and f.name == "stages-by_hand"]
    assert bars.total == score(1000)
    assert bars.bars[0].parts[1] == Fraction(operations(1000) - 110, 1_170_000_000)


def test_the_profile_shows_weights_only(tmp_path: Path) -> None:
    [profile] = [f for f in drawn(tmp_path) if isinstance(f, Profile) and "by_hand" in f.name]
    found = [(each.name, each.stored, each.active, each.live) for each in profile.layers]
    assert found == [("stem.conv", 216, 120, 100), ("classifier", 80, 80, 80)]


def test_the_waterfall_ends_at_the_recount(tmp_path: Path) -> None:
    falls = [each for each in drawn(tmp_path) if isinstance(each, Waterfall)]
    assert [each.name for each in falls] == ["waterfall-resnet50_dnw_10", "waterfall-somebody"]
    assert falls[1].recount == Fraction(5, 8)  # 0.5 claimed, 0.125 for the bitmask
    parts = committed("resnet50_dnw_10.micronet2019")["score"]
    assert float(falls[0].recount) == parts["total"]
    assert all(each.steps[-1].after == each.recount for each in falls)


@pytest.mark.parametrize(
    ("low", "high", "about", "expected"),
    [(0, 10, 5, [0, 2, 4, 6, 8, 10]), (71, 76, 8, [71, 72, 73, 74, 75, 76]), (3, 3, 4, [3])],
)
def test_ticks_are_round_and_within(low: int, high: int, about: int, expected: list[int]) -> None:
    assert list(ticks(Fraction(low), Fraction(high), about)) == expected


def test_labels_cover_neither_each_other_nor_a_dot() -> None:
    spots = [(100, 100), (110, 102), (120, 98), (105, 110), (300, 20), (395, 150)]
    wanted = [Wanted(f"network {n}", x, y, 12) for n, (x, y) in enumerate(spots)]
    within = Box(0, 0, 400, 200)
    labels = placed(wanted, within, [])
    for one, other in combinations(labels, 2):
        assert one.box.overlap(other.box) == 0
    dots = [Box(x - 4, y - 4, x + 4, y + 4) for x, y in spots]
    assert all(label.box.overlap(dot) == 0 for label in labels for dot in dots)
    assert all(label.box.outside(within) == 0 for label in labels)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_each_drawing_has_a_title_a_description_and_nothing_outside(
    tmp_path: Path, width: float
) -> None:
    for figure in drawn(tmp_path):
        root = ET.fromstring(draw(figure, width))  # noqa: S314  # our own drawing
        title, about = root[0], root[1]
        assert (title.tag, title.text) == ("title", figure.title)
        assert (about.tag, about.text) == ("desc", figure.description)
        assert root.get("aria-labelledby") == f"{title.get('id')} {about.get('id')}"
        for box in root.iter("rect"):
            assert float(box.get("x", "")) >= 0
            assert float(box.get("x", "")) + float(box.get("width", "")) <= width
        assert not [element for element in root.iter() if "style" in element.attrib]


def test_a_hostile_name_is_text_in_a_drawing(tmp_path: Path) -> None:
    made = document(HOSTILE)
    made["layers"][0]["name"] = HOSTILE
    found = material(tmp_path, odd=made)
    for figure in figures(found, tables(found)):
        source = draw(figure, WIDE)
        assert "<script" not in source
        assert "\x1b" not in source


def test_networks_without_any_difference_can_be_drawn(tmp_path: Path) -> None:
    same = measured(document("a", 1), 37_500, 50_000, qualifies=True)
    [first, _] = scatters(material(tmp_path, same), track("imagenet"))
    alone = replace(first, points=tuple(each for each in first.points if each.ours))
    assert "circle" in draw(alone, WIDE)


def test_the_files_are_the_same_bytes_each_time_and_say_nothing_of_the_machine(
    tmp_path: Path,
) -> None:
    chosen = [f for f in drawn(tmp_path) if isinstance(f, Scatter | Waterfall)][1:3]
    first, second = files(chosen), files(chosen)
    assert first == second
    assert {path.suffix for path in first} == {".svg", ".png", ".pdf", ".json"}
    for path, content in first.items():
        assert b"atplotlib v" not in content, path
        assert b"CreationDate" not in content, path
        assert b"<dc:date>" not in content, path


def test_a_figure_is_stale_when_its_data_changed_or_a_file_is_gone(tmp_path: Path) -> None:
    found = drawn(tmp_path)
    assert stale(tmp_path, found) == []  # none were drawn
    (tmp_path / "figures").mkdir()
    for figure in found:
        for ending in ("svg", "png", "pdf"):
            (tmp_path / "figures" / f"{figure.name}.{ending}").touch()
    (tmp_path / INDEX).write_bytes(index(found))
    assert stale(tmp_path, found) == []
    (tmp_path / "figures" / f"{found[0].name}.pdf").unlink()
    changed = (replace(found[1], title="another"), found[0], *found[2:])
    assert stale(tmp_path, changed) == [
        f"{tmp_path}/figures/{found[1].name}: drawn from other data than the receipts give",
        f"{tmp_path}/figures/{found[0].name}.pdf: is missing",
    ]


def test_a_damaged_index_is_stale(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / INDEX).write_text("[]", encoding="utf-8")
    assert "no index of figures" in stale(tmp_path, drawn(tmp_path))[0]


def test_the_digest_tells_figures_apart(tmp_path: Path) -> None:
    found = drawn(tmp_path)
    assert len({digest(figure) for figure in found}) == len(found)
    assert json.loads(index(found)) == {figure.name: digest(figure) for figure in found}
