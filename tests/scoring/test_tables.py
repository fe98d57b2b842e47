"""The strict TOML reader: exact values, and every problem of a file named at once."""

from __future__ import annotations

import doctest
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from micronet.errors import MicronetError
from micronet.scoring import printed, rules_arithmetic, tables
from micronet.scoring.tables import Table, pick, read

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


def table(tmp_path: Path, text: str) -> Table:
    path = tmp_path / "book.toml"
    path.write_text(text, encoding="utf-8")
    return read(path)


def complaint(tmp_path: Path, text: str, ask: Callable[[Table], object]) -> str:
    """What ``done()`` says after ``ask``, without the file's name."""
    asked = table(tmp_path, text)
    ask(asked)
    with pytest.raises(MicronetError) as caught:
        asked.done()
    file, _, problems = caught.value.message.partition(": ")
    assert Path(file).name == "book.toml"
    return problems


@pytest.mark.parametrize(
    ("written", "exact"),
    [
        ("3", Fraction(3)),
        ("0.1", Fraction(1, 10)),  # the binary float 0.1 is not 1/10
        ('"0.1"', Fraction(1, 10)),
        ('"3/32"', Fraction(3, 32)),
        ("-0.50", Fraction(-1, 2)),
    ],
)
def test_a_fraction_is_exactly_what_is_written(
    tmp_path: Path, written: str, exact: Fraction
) -> None:
    asked = table(tmp_path, f"price = {written}")
    assert asked.fraction("price") == exact
    asked.done()


@pytest.mark.parametrize(
    ("text", "ask", "message"),
    [
        ("", lambda t: t.text("title"), "title is missing"),
        ("title = ' '", lambda t: t.text("title"), "title should be a text that is not blank"),
        ("bits = true", lambda t: t.integer("bits"), "bits should be a whole number, found true"),
        ("bits = 1.5", lambda t: t.integer("bits"), "bits should be a whole number, found 1.5"),
        ("bits = -1", lambda t: t.count("bits"), "bits should be a whole number of 0 or more"),
        ("bits = 0", lambda t: t.positive("bits"), "bits should be a whole number of 1 or more"),
        ("bits = 'x'", lambda t: t.positive("bits"), "bits should be a whole number of 1 or more"),
        ("price = 'a+b'", lambda t: t.fraction("price"), "price should be a number such as 3"),
        ("price = 1e9", lambda t: t.fraction("price"), "price should be a number such as 3"),
        ("price = nan", lambda t: t.fraction("price"), "price should be a number such as 3"),
        ("price = '1/0'", lambda t: t.fraction("price"), "price should be a number such as 3"),
        ("price = true", lambda t: t.fraction("price"), "price should be a number such as 3"),
        ("free = 1", lambda t: t.boolean("free"), "free should be true or false, found 1"),
        (
            "adds = 'one les'",
            lambda t: t.word("adds", ("one less", "equal")),
            "adds should be one of one less, equal (did you mean 'one less'?), found 'one les'",
        ),
        ("prices = 1", lambda t: t.table("prices"), "prices should be a table, found 1"),
        ("shape = 1", lambda t: t.sequence("shape", Table.count), "shape should be an array"),
        ("rows = [1]", lambda t: t.tables("rows"), "rows[0] should be a table, found 1"),
        (
            "[prices]\nrelu = 'x'",
            lambda t: t.mapping("prices", of=Table.fraction),
            "prices.relu should be a number such as 3",
        ),
        ("titel = 'a'", lambda t: t.has("title"), "titel is unknown (did you mean 'title'?)"),
        ("zzz = 1", lambda t: t.has("title"), "zzz is unknown"),
    ],
)
def test_each_kind_of_problem_names_the_key_and_what_was_found(
    tmp_path: Path, text: str, ask: Callable[[Table], object], message: str
) -> None:
    assert complaint(tmp_path, text, ask).startswith(message)


def test_all_problems_of_a_file_are_named_at_once_and_on_one_line(tmp_path: Path) -> None:
    text = "bits = 'x'\nextra = 1\n[[row]]\nnam = 'a'\n[[row]]\nname = 2"

    def ask(root: Table) -> None:
        root.integer("bits")
        root.text("title")
        for row in root.tables("row"):
            row.text("name")

    assert complaint(tmp_path, text, ask) == (
        "bits should be a whole number, found 'x'; title is missing; extra is unknown; "
        "row[0].name is missing; row[0].nam is unknown (did you mean 'name'?); "
        "row[1].name should be a text that is not blank, found 2"
    )


def test_a_missing_table_is_one_problem_and_not_one_for_each_of_its_keys(tmp_path: Path) -> None:
    said = complaint(tmp_path, "", lambda root: root.table("recount").integer("macs"))
    assert said == "recount is missing"


def test_defaults_stand_in_for_what_is_left_out(tmp_path: Path) -> None:
    asked = table(tmp_path, "")
    assert asked.text("why", default="") == ""
    assert asked.integer("bits", default=0) == 0
    assert asked.fraction("price", default=Fraction(1, 2)) == Fraction(1, 2)
    assert asked.boolean("free", default=False) is False
    assert asked.word("adds", ("equal",), default="equal") == "equal"
    asked.done()


def test_sequences_and_mappings_keep_the_order_of_the_file(tmp_path: Path) -> None:
    asked = table(tmp_path, "shape = [3, 1, 2]\n[price]\nz = 1\na = 0.5")
    assert asked.sequence("shape", of=Table.integer) == (3, 1, 2)
    prices = asked.mapping("price", of=Table.fraction)
    assert list(prices.items()) == [("z", Fraction(1)), ("a", Fraction(1, 2))]
    asked.done()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = ", "is not TOML (Invalid value"),
        (b"\xff", "is not TOML ("),
        (b"a = " + b"9" * 5000, "is not TOML ("),
        (b"a = " + b"[" * 5000, "is not TOML ("),
        (None, "there is no such file."),
    ],
    ids=["syntax", "not UTF-8", "endless number", "endless nesting", "no file"],
)
def test_an_unreadable_file_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "book.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MicronetError) as caught:
        read(path)
    assert caught.value.message.startswith(f"{path}: {message}")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(MicronetError, match="cannot be read"):
        read(tmp_path)


def test_picking_an_unknown_name_suggests_a_near_miss_and_lists_the_rest() -> None:
    with pytest.raises(MicronetError) as caught:
        pick("track", "imagenett", {"imagenet": 1, "cifar100": 2})
    assert caught.value.message == "There is no track 'imagenett' (did you mean 'imagenet'?)."
    assert caught.value.next_step == "Choose one of: imagenet, cifar100"


@pytest.mark.parametrize("module", [tables, printed, rules_arithmetic])
def test_the_examples_in_the_docstrings_run(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
