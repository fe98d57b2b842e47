"""The human view of a score: it shows the document's numbers, all of them, and they add up."""

from __future__ import annotations

import io
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from micronet.commands import console, render, render_layers
from micronet.commands.render import score_view

GOLDEN = Path(__file__).with_name("score_view.txt")
Document = dict[str, Any]


def rendered(document: Document, *, top: int | None = None, width: int | None = None) -> str:
    out = io.StringIO()
    console.write(score_view(document, top=top, width=width), console.screen(out, width))
    return out.getvalue() if width is None else re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())


def layer_rows(text: str) -> list[list[str]]:
    """The cells of the layer table's rows, from right to left."""
    lines = text[text.index("\nlayers") :].splitlines()
    rows = [line.split()[::-1] for line in lines if line.startswith(("features", "pool", "class"))]
    rows += [line.split()[::-1] for line in lines if line.startswith("total") or " more " in line]
    assert rows, "no layer was shown"
    return rows


def number(cell: str) -> int:
    return int(cell.replace(",", ""))


def test_the_view_is_the_golden_one(document: Document, tmp_path: Path) -> None:
    actual = tmp_path / "score_view.txt"
    actual.write_text(rendered(document), encoding="utf-8")
    assert actual.read_text("utf-8") == GOLDEN.read_text("utf-8"), f"if right: cp {actual} {GOLDEN}"


@pytest.mark.parametrize("top", [0, 1, 2, 3, 4, None])
@pytest.mark.parametrize(
    ("cell", "title"),
    [(0, "storage bits"), (1, "other"), (2, "additions"), (3, "multiplications")],
)
def test_layers_add_up_to_the_total(
    document: Document, top: int | None, cell: int, title: str
) -> None:
    *layers, total = layer_rows(rendered(document, top=top))
    if top is not None and top < len(document["layers"]):
        assert len(layers) == top + 1
    assert sum(number(row[cell]) for row in layers) == number(total[cell]), title


def test_the_totals_are_the_document_s(document: Document) -> None:
    document["operations"]["additions"] += 1
    total = layer_rows(rendered(document))[-1]
    assert number(total[2]) == document["operations"]["additions"]


def test_parts_of_the_storage_add_up(document: Document) -> None:
    assert sum(document["storage"]["by"].values()) == document["storage"]["bits"] == 536_544
    text = rendered(document)
    for bits in ("519,680", "864", "16,000", "536,544"):
        assert f" {bits}  bits" in text


def test_the_costliest_layers_come_first_and_the_rest_is_one_line(document: Document) -> None:
    shown, rest = render_layers.costliest(document["layers"], 2)
    assert [row["name"] for row in shown] == ["features.0", "features.1"]
    assert [row["name"] for row in rest] == ["2 more"]


def test_untrained_is_always_said(document: Document) -> None:
    assert f"note: {render.UNTRAINED}" in rendered(document)
    document["notes"] = [render.UNTRAINED]
    assert rendered(document).count(render.UNTRAINED) == 1
    document["notes"], document["target"]["weights"] = [], "trained"
    assert render.UNTRAINED not in rendered(document)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_a_narrow_terminal_loses_columns_never_digits(document: Document, width: int) -> None:
    text = rendered(document, width=width)
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= width
    assert "6,021,120" in text
    assert number(layer_rows(text)[-1][0]) == 536_544


@pytest.mark.parametrize("width", [50, 80])
def test_a_long_name_is_folded_never_a_number(document: Document, width: int) -> None:
    document["layers"][0] = {**document["layers"][0], "name": "features.block" * 3}
    text = rendered(document, width=width)
    for number_of_the_layer in ("6,021,120", "5,619,712", "8,544"):
        assert number_of_the_layer in text


def test_a_pipe_is_wide_enough_for_long_names(document: Document) -> None:
    document["layers"][0] = {**document["layers"][0], "name": "features." * 12 + "conv"}
    lines = rendered(document).splitlines()
    [line] = [line for line in lines if line.startswith("features.feat")]
    assert "…" in line
    assert line.rstrip().endswith("8,544")


def test_colours_on_a_terminal_only(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b" not in rendered(document)
    out = io.StringIO()
    console.write(score_view(document, top=None, width=120), console.screen(out, 120))
    assert "\x1b" in out.getvalue()


def test_a_rule_book_without_baseline_has_no_score(document: Document) -> None:
    document["score"] = None
    assert "this rule book has no baseline" in rendered(document)


@pytest.mark.parametrize("key", ["claims", "reference", "second_opinion", "transient", "quality"])
def test_optional_parts_may_be_missing(document: Document, key: str) -> None:
    del document[key]
    assert "features.0" in rendered(document)


def test_a_measured_quality_is_shown_with_its_threshold(document: Document) -> None:
    document["quality"].update(correct=37_614, of=50_000, value=75.228, qualifies=True)
    assert "37,614 of 50,000, threshold 75: qualifies" in rendered(document)


def test_markup_in_names_is_text(document: Document) -> None:
    document["target"]["name"] = document["layers"][0]["name"] = "[red]x[/red]"
    assert rendered(document).count("[red]x[/red]") == 2


def test_the_document_of_these_tests_is_one_that_the_schema_takes(document: Document) -> None:
    schema = resources.files("micronet").joinpath("scoring/score.schema.json").read_text("utf-8")
    jsonschema.Draft202012Validator(json.loads(schema)).validate(document)
