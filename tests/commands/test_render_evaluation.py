"""What `micronet evaluate` shows: integers first, nothing rounded up, nothing acted on."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from micronet.commands import compare, console
from micronet.commands.render_compare import comparison_view
from micronet.commands.render_evaluation import evaluation_view, plain, share
from micronet.errors import MicronetError
from micronet.evaluation.compare import Side, comparison
from micronet.evaluation.predictions_file import write_predictions
from tests.evaluation.samples import answered, content, document, prediction

HERE = Path(__file__).parent
Document = dict[str, Any]
VERSIONS = {
    "micronet": "0.1.0", "python": "3.11.0", "torch": "2.9.0", "torchvision": None,
    "pillow": "12.0.0",
}  # fmt: skip


def rendered(parts: Any, width: int | None = None) -> str:
    out = io.StringIO()
    console.write(parts, console.screen(out, width))
    return re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())


def subset() -> Document:
    """917 of 1,000, three images to look at, ReaL labels for half of them."""
    made = list(answered(917, 1000))
    silent: Document = {"top": (), "margin_percent": None, "label": 7}
    made[997] = prediction(997, **silent, state="unreadable", problem="truncated", content="")
    made[998] = prediction(998, **silent, state="nonfinite", content=content(1))
    made[999] = prediction(999, top=(3, 7), margin_percent=0, state="tied")
    real = [(7,) if index % 2 else () for index in range(1000)]
    found = document(made, real=real, notes=["the decoder is the reference"])
    return {**found, "environment": VERSIONS}


def language() -> Document:
    found = {**subset(), "track": "wikitext103", "preprocessing": None, "flags": None}
    found |= {"top5": None, "real": None, "predictions": None}
    found["data"] = {**found["data"], "images": None, "kind": "text", "protocol": "online"}
    found["quality"] = {
        **found["quality"], "metric": "perplexity", "correct": None, "of": 245_569,
        "value": 34.98765, "qualifies": True, "interval": None,
        "verdict": "qualifies: 34.98765, threshold 35",
    }  # fmt: skip
    return found


def sides() -> Document:
    a = list(answered(880, 1000))
    b = list(answered(850, 990))
    b[3] = prediction(3, content=content("edited"))
    b[0] = prediction(0, top=(3,), margin_percent=99)
    b[980] = prediction(980, top=(), margin_percent=None, state="nonfinite")
    return comparison(Side("one", Path("a.csv"), "0" * 64, a), Side("two", Path("b"), "1" * 64, b))


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("evaluation_view.txt", evaluation_view(subset())),
        ("perplexity_view.txt", evaluation_view(language())),
        ("comparison_view.txt", list(comparison_view(sides(), top=4))),
    ],
    ids=["images", "language", "comparison"],
)
def test_the_view_is_the_golden_one(tmp_path: Path, name: str, parts: Any) -> None:
    actual, golden = tmp_path / name, HERE / name
    actual.write_text(rendered(parts), encoding="utf-8")
    assert actual.read_text("utf-8") == golden.read_text("utf-8"), f"if right: cp {actual} {golden}"


SHARES = {
    (917, 1000): "91.7 %",
    (37_499, 50_000): "74.998 %",
    (37_500, 50_000): "75.0 %",
    (7_999, 10_000): "79.99 %",
    (1, 3): "33.333 %",
    (2, 3): "66.666 %",
    (749_999_999, 1_000_000_000): "74.999 %",
    (0, 7): "0.0 %",
    (7, 7): "100.0 %",
    (0, 0): "–",
}


@pytest.mark.parametrize(("counts", "shown"), SHARES.items())
def test_a_share_is_never_rounded_up_to_a_threshold(counts: tuple[int, int], shown: str) -> None:
    assert share(*counts) == shown


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_narrow_terminal_shows_every_digit(width: int) -> None:
    text = rendered(evaluation_view(subset()), width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "917 of 1,000" in text
    assert "= 91.7 %" in text
    assert "…" not in text


def test_a_name_cannot_act_on_the_terminal() -> None:
    assert plain("a\x1b[2J\r\n\udcff[red]é图") == r"a\x1b[2J\r\n\udcff[red]é图"
    found = subset()
    hostile = "\x1b]0;x\x07\x9b[red]"
    found["target"] = {**found["target"], "name": hostile, "architecture": hostile}
    found["data"] = {**found["data"], "name": hostile, "recognised": hostile}
    found["flags"]["unreadable"]["first"] = [{"name": hostile, "problem": hostile}]
    found["notes"] = [hostile]
    text = rendered(evaluation_view(found))
    assert not any(sign in text for sign in "\x1b\x07\x9b")
    assert text.count("[red]") == 7


def test_a_verdict_is_shown_whatever_it_is() -> None:
    for verdict in ("qualifies: 3 of 4, threshold 3", "does not qualify: 2 of 4, threshold 3"):
        found = subset()
        found["quality"] = {**found["quality"], "verdict": verdict, "interval": None}
        text = rendered(evaluation_view(found))
        assert f"\n{verdict}\n" in text
        assert "interval" not in text


def test_nothing_to_look_at_is_said_too() -> None:
    text = rendered(evaluation_view(document(answered(2, 3))))
    assert "no image unreadable, not finite, tied or there twice" in text


def test_other_bytes_are_said_loudly() -> None:
    text = rendered(comparison_view(sides()))
    assert "THE IMAGES ARE NOT THE SAME: 1 of 990 have other bytes, image3 first" in text


def test_the_counts_of_a_comparison_add_up() -> None:
    lines = rendered(comparison_view(sides())).splitlines()
    rows = [
        [int(cell.replace(",", "")) for cell in line.split()[-3:]]
        for line in lines
        if re.match(r"(A right|A wrong|total) ", line)
    ]
    one, two, total = rows
    assert [x + y for x, y in zip(one, two, strict=True)] == total
    assert all(row[0] + row[1] == row[2] for row in rows)


@pytest.mark.parametrize("json_wanted", [True, False])
def test_the_command_compares_two_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], json_wanted: bool
) -> None:
    paths = tmp_path / "a.csv", tmp_path / "b.csv"
    for path, correct in zip(paths, (2, 3), strict=True):
        write_predictions(path, answered(correct, 4))
    assert compare.run(*paths, json=json_wanted) == 0
    out, err = capsys.readouterr()
    assert err == ""
    if json_wanted:
        assert json.loads(out)["mcnemar"] == {"only_a": 0, "only_b": 1, "p": 1.0}
    else:
        assert "McNemar's exact test, 0 against 1: p = 1.0000" in out


def test_the_command_cannot_judge_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MicronetError, match="cannot be read: No such file") as raised:
        compare.run(tmp_path / "a.csv", tmp_path / "b.json", json=True)
    assert raised.value.exit_code == 2
