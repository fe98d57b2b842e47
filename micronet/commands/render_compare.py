"""The human view of a ``micronet.comparison/1`` document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from micronet.commands import numbers
from micronet.commands.console import plain_table
from micronet.commands.render_evaluation import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType
    from rich.table import Table

Document = Mapping[str, Any]

_SHOWN: Final = 20
_LEAST_P: Final = 0.0001


def comparison_view(document: Document, *, top: int = _SHOWN) -> Iterator[RenderableType]:
    """Who is compared, who is right where, McNemar's test, and the ``top`` surest differences."""
    for side in ("a", "b"):
        name, file = plain(document[side]["name"]), plain(document[side]["file"])
        place = "" if file == name else f"  {file}"
        yield Text.assemble((f"{side.upper()}  {name}", "bold"), (place, "dim"))
    yield Text(_images(document["images"]))
    changed, both = document["changed"]["total"], document["images"]["both"]
    if changed:
        first = plain(document["changed"]["first"][0])
        what = f"{numbers.count(changed)} of {numbers.count(both)} have other bytes, {first} first"
        yield Text(f"THE IMAGES ARE NOT THE SAME: {what}", style="bold red")
    yield ""
    yield _square(document)
    yield ""
    yield Text(_mistakes(document["top1"]))
    yield Text(_test(document["mcnemar"]))
    if document["differences"]:
        yield ""
        yield _differences(document, top)
        left = len(document["differences"]) - top
        if left > 0:
            yield Text(f"and {numbers.count(left)} more: --json lists all", style="dim")


def _images(images: Document) -> str:
    alone = [
        f"{numbers.count(images[key])} only in {side}, left out"
        for key, side in (("only_a", "A"), ("only_b", "B"))
        if images[key]
    ]
    return "; ".join([f"{numbers.count(images['both'])} images in both", *alone])


def _square(document: Document) -> Table:
    """The four counts that McNemar's test is about, with their sums."""
    top1, both, right = document["top1"], document["images"]["both"], document["correct"]
    wrong = top1["both_wrong_same_answer"] + top1["both_wrong_other_answer"]
    table = plain_table("top-1")
    table.add_column("", no_wrap=True)
    for title in ("B right", "B wrong", "total"):
        table.add_column(title, justify="right", no_wrap=True)
    for title, row in (
        ("A right", (top1["both_right"], top1["only_a_right"], right["a"])),
        ("A wrong", (top1["only_b_right"], wrong, both - right["a"])),
        ("total", (right["b"], both - right["b"], both)),
    ):
        table.add_row(title, *map(numbers.count, row), style="bold" if title == "total" else "")
    return table


def _mistakes(top1: Document) -> str:
    same, other = top1["both_wrong_same_answer"], top1["both_wrong_other_answer"]
    return f"both wrong: {numbers.count(same)} with the same answer, {numbers.count(other)} with others"


def _test(mcnemar: Document) -> str:
    p = mcnemar["p"]
    shown = f"< {_LEAST_P}" if p < _LEAST_P else f"= {p:.4f}"
    one, two = (numbers.count(mcnemar[key]) for key in ("only_a", "only_b"))
    return f"McNemar's exact test, {one} against {two}: p {shown}"


def _differences(document: Document, top: int) -> Table:
    table = plain_table("answers that differ, surest first")
    table.add_column("image", overflow="fold")
    for title in ("label", "A", "margin", "B", "margin"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in document["differences"][:top]:
        cells = [
            cell
            for side in ("a", "b")
            for cell in (_answer(row, side), _percent(row[f"{side}_margin_percent"]))
        ]
        table.add_row(plain(row["name"]), str(row["label"]), *cells)
    return table


def _answer(row: Document, side: str) -> Text:
    if row[side] is None:
        return Text(numbers.UNKNOWN)
    return Text(str(row[side]), style="green" if row[side] == row["label"] else "")


def _percent(margin_percent: int | None) -> str:
    return numbers.UNKNOWN if margin_percent is None else f"{margin_percent} %"
