"""Rule books are data: a new edition is one file, and whatever is wrong in one is named."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from micronet.errors import MicronetError
from micronet.scoring.rulebook import ACTS, KINDS, KindPrice, Price, load, rule_book, rule_books
from micronet.shelf import folder

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (folder("scoring") / "rules" / "micronet2019.toml").read_text(encoding="utf-8")
MACS = (folder("scoring") / "rules" / "macs.toml").read_text(encoding="utf-8")


def write(path: Path, name: str, text: str) -> Path:
    file = path / f"{name}.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_shipped_books() -> None:
    assert sorted(rule_books()) == [
        "dnw-release",
        "fvcore",
        "macs",
        "micronet2019",
        "micronet2019-counter",
        "thop",
        "torch",
    ]


@pytest.mark.parametrize("name", sorted(rule_books()))
def test_every_shipped_book_is_called_as_its_file_prices_everything_and_cites(name: str) -> None:
    book = rule_book(name)
    assert book.name == name
    assert book.source
    assert book.clauses
    assert set(book.acts or {}) == (set(ACTS) if book.acts is not None else set())
    assert set(book.kinds or {}) == (set(KINDS) if book.kinds is not None else set())


def test_the_pages_prices() -> None:
    book = rule_book("micronet2019")
    assert book.acts == {
        "add": Price(additions=1),
        "multiply": Price(multiplications=1),
        "compare": Price(other=1),
        "bitwise": Price(other=1),
        "transcendental": Price(other=1),
        "relu": Price(other=1),
        "sigmoid": Price(other=1),
        "swish": Price(multiplications=1, other=1),
        "permute": Price(multiplications=1, bits=1),
    }


def test_the_counters_prices_differ_where_its_script_does() -> None:
    page, counter = rule_book("micronet2019"), rule_book("micronet2019-counter")
    assert {act for act in ACTS if (page.acts or {})[act] != (counter.acts or {})[act]} == {
        "relu",
        "sigmoid",
        "swish",
    }
    assert (counter.acts or {})["sigmoid"] == Price(multiplications=2, additions=1)
    assert (counter.acts or {})["swish"] == Price(multiplications=3, additions=1)
    assert (counter.freebie_bits, counter.edges) == (page.freebie_bits, page.edges)


# --- editions -------------------------------------------------------------------------------------


EDITION = """
name = "micronet2020"
based_on = "micronet2019"
title = "An edition that prices a ReLU twice and gives nothing for free"
source = "a test"
freebie_bits = 0
[clauses]
relu = "a clause of its own"
[acts]
relu = { other = 2 }
"""


def test_a_new_edition_is_one_file_with_the_differences(tmp_path: Path) -> None:
    base = load(write(tmp_path, "micronet2019", PAGE))
    edition = load(write(tmp_path, "micronet2020", EDITION))
    assert edition.acts == {**(base.acts or {}), "relu": Price(other=2)}
    assert edition.freebie_bits == 0
    assert edition.clauses == {**base.clauses, "relu": "a clause of its own"}
    assert (edition.unit, edition.storage, edition.edges) == (base.unit, base.storage, base.edges)


def test_editions_build_on_editions(tmp_path: Path) -> None:
    write(tmp_path, "micronet2019", PAGE)
    write(tmp_path, "micronet2020", EDITION)
    third = (
        '\nname = "third"\nbased_on = "micronet2020"\ntitle = "t"\nsource = "s"\nedges = "active"\n'
    )
    book = load(write(tmp_path, "third", third))
    assert (book.acts or {})["relu"] == Price(other=2)
    assert (book.edges, book.freebie_bits, book.fold_batch_norm) == ("active", 0, True)


def test_the_hash_of_an_edition_covers_the_books_below_it(tmp_path: Path) -> None:
    file = write(tmp_path, "micronet2020", EDITION)
    base = write(tmp_path, "micronet2019", PAGE)
    before = load(file).sha256
    assert (
        before == sha256(file.read_bytes() + sha256(PAGE.encode()).hexdigest().encode()).hexdigest()
    )
    base.write_text(PAGE + "\n# another remark\n", encoding="utf-8")
    assert load(file).sha256 != before


def test_a_kind_may_be_priced_anew(tmp_path: Path) -> None:
    write(tmp_path, "macs", MACS)
    text = (
        'name = "b"\nbased_on = "macs"\ntitle = "t"\nsource = "s"\n'
        "[kinds]\nsoftmax = { result = 3, row = -1 }\n"
    )
    book = load(write(tmp_path, "b", text))
    assert (book.kinds or {})["softmax"] == KindPrice(result=3, row=-1)
    assert (book.kinds or {})["convolution"] == KindPrice(product=1)


# --- what is refused ------------------------------------------------------------------------------


def broken(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('edges = "live"', 'edges = "alive"', "edges"),
        ('unit = "operations"', 'unit = "flop"', "unit"),
        ('storage = "challenge"', 'storage = "all"', "storage"),
        ('dot_product_additions = "one less"', 'dot_product_additions = "n - 1"', "dot_product_additions"),
        ("bias_additions = 1", "bias_additions = -1", "bias_additions"),
        ("bias_additions = 1", "bias_additions = 1.5", "bias_additions"),
        ("freebie_bits = 16", 'freebie_bits = "16"', "freebie_bits"),
        ("fold_batch_norm = true", "fold_batch_norm = 1", "fold_batch_norm"),
        ('name = "micronet2019"', 'name = "micronet"', "name"),
        ("relu = { other = 1 } ", "reul = { other = 1 } ", "relu"),
        ("relu = { other = 1 } ", "reul = { other = 1 } ", "reul"),
        ("sigmoid = { other = 1 }", "sigmoid = { others = 1 }", "others"),
        ("sigmoid = { other = 1 }", "sigmoid = { other = -1 }", "other"),
        ("bitmask = true", "bitmask = true\nbonus = 3", "bonus"),
        ("[clauses]", "[kinds]\nconvolution = {product = 1}\n[clauses]", "acts"),
        ('source = "https://micronet-challenge.github.io/scoring_and_submission"', "", "source"),
    ],
)  # fmt: skip
def test_an_offending_key_is_named_with_its_file(
    tmp_path: Path, old: str, new: str, key: str
) -> None:
    file = write(tmp_path, "micronet2019", broken(PAGE, old, new))
    with pytest.raises(MicronetError) as error:
        load(file)
    assert str(file) in error.value.message
    assert key in error.value.message.replace(str(file), "")


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    text = broken(broken(PAGE, "bitmask = true", ""), 'edges = "live"', 'edges = "alive"')
    text = broken(text, "swish = {", "swosh = {")
    with pytest.raises(MicronetError) as error:
        load(write(tmp_path, "micronet2019", text))
    for key in ("bitmask", "edges", "swish", "swosh"):
        assert key in error.value.message


def test_an_act_without_a_price_is_an_error_and_not_free(tmp_path: Path) -> None:
    text = broken(PAGE, "transcendental = { other = 1 }", "#")
    with pytest.raises(MicronetError, match=r"transcendental.*no price.*empty table"):
        load(write(tmp_path, "micronet2019", text))


def test_a_kind_neither_priced_nor_free_is_an_error(tmp_path: Path) -> None:
    text = broken(MACS, '"max_pool", ', "")
    with pytest.raises(MicronetError, match=r"max_pool.*no price and is not listed under free"):
        load(write(tmp_path, "macs", text))


def test_free_names_kinds_that_exist(tmp_path: Path) -> None:
    text = broken(MACS, '"max_pool", ', '"max_pool", "dropout", ')
    with pytest.raises(MicronetError, match="'dropout', which is no kind of layer"):
        load(write(tmp_path, "macs", text))


@pytest.mark.parametrize("base", ["missing", "edition", "../micronet2019", "/etc/passwd", ""])
def test_a_base_must_lie_beside_the_edition(tmp_path: Path, base: str) -> None:
    text = f'name = "edition"\nbased_on = "{base}"\ntitle = "t"\nsource = "s"\n'
    (tmp_path / "rules").mkdir()
    write(tmp_path, "micronet2019", PAGE)
    with pytest.raises(MicronetError, match="based_on"):
        load(write(tmp_path / "rules", "edition", text))


def test_two_books_cannot_rest_on_each_other(tmp_path: Path) -> None:
    for name, base in (("a", "b"), ("b", "a")):
        write(tmp_path, name, f'name = "{name}"\nbased_on = "{base}"\ntitle = "t"\nsource = "s"\n')
    with pytest.raises(MicronetError, match="based_on"):
        load(tmp_path / "a.toml")


def test_an_unknown_book_suggests_a_near_miss() -> None:
    with pytest.raises(MicronetError) as error:
        rule_book("micronet2018")
    assert "micronet2018" in str(error.value)
    assert "micronet2019" in str(error.value)
