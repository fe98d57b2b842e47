"""One table in every format: the same cells, and foreign text that stays text."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import string
import subprocess
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from micronet.commands.console import write
from micronet.commands.render_table import table_view
from micronet.reports import latex
from micronet.reports.delimited import comma_separated, harmless
from micronet.reports.document import json_text
from micronet.reports.markdown import escaped, markdown
from micronet.reports.page.page import some_tables
from micronet.reports.table import Cell, Column, Note, Row, Table
from micronet.reports.tables import tables
from tests.reports.by_hand import HOSTILE, audit, document, material
from tests.reports.trained_by_hand import keep, trained

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = (
    Column("name", "Name", text=True),
    Column("parameters", "published", "32 bits", "Parameters"),
    Column("score", "Score", decimals=4, gives_way=1),
)
TABLE = Table(
    "small",
    "A small table",
    COLUMNS,
    (
        Row((Cell("conv1"), Cell(4_200_000, "4.2M", "macs", (1,)), Cell(Fraction(1, 3)))),
        Row((Cell("fc"), Cell(Fraction(5, 2)), Cell())),
    ),
    Row((Cell("total"), Cell(Fraction(8_400_005, 2)), Cell(Fraction(1, 3)))),
    (Note("A reason.", "A paper", 1), Note("About all.")),
)


def terminal(table: Table, width: int | None = None) -> str:
    file = io.StringIO()
    write(table_view(table, width=width), Console(file=file, width=width or 200))
    return file.getvalue()


def test_markdown() -> None:
    assert markdown(TABLE) == (
        "## A small table\n\n"
        "| Name | Parameters, published (32 bits) | Score |\n"
        "| --- | ---: | ---: |\n"
        "| conv1 | 4.2M<sup>1</sup><br><sub>macs</sub> | 0.3333 |\n"
        "| fc | 2.5 | – |\n"
        "| **total** | 4,200,002.5 | 0.3333 |\n\n"
        "- <sup>1</sup> A reason. Source: A paper\n"
        "- About all.\n"
    )


def test_csv_has_plain_numbers_and_words_for_marks() -> None:
    assert comma_separated(TABLE) == (
        "name,parameters,parameters_counted_as,score,notes\n"
        "conv1,4200000,macs,0.333333333333333,A reason.\n"
        "fc,2.5,,,\n"
        "total,4200002.5,,0.333333333333333,\n"
    )


def test_json_is_exact() -> None:
    found = json.loads(json_text(TABLE))
    assert found["schema"] == "micronet.table/1"
    first, second = found["rows"]
    assert first["score"] == {"value": 1 / 3, "exact": "1/3"}
    assert first["parameters"] == {
        "value": 4_200_000,
        "stated": "4.2M",
        "counted_as": "macs",
        "notes": [1],
    }
    assert second["parameters"] == {"value": 2.5}
    assert second["score"] == {"value": None}
    assert found["total"]["parameters"]["value"] == 4_200_002.5


def test_the_terminal_shows_the_dialect_under_the_number() -> None:
    lines = [line.rstrip() for line in terminal(TABLE).splitlines()]
    assert lines[4] == "conv1            4.2M [1]   0.3333"
    assert lines[5] == "                     macs"
    assert "[1] A reason. A paper" in lines


def test_a_narrow_terminal_loses_columns_and_says_so() -> None:
    text = terminal(TABLE, width=30)
    assert "0.3333" in terminal(TABLE, width=60)
    assert "0.3333" not in text
    assert "1 columns did not fit" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a|b", r"a\|b"),
        ("<b>", r"\<b\>"),
        ("[x](y)", r"\[x\](y)"),
        ("*_a_*", r"\*\_a\_\*"),
        ("conv_1", "conv_1"),
        ("1. x", r"1\. x"),
        ("- x", r"\- x"),
        ("0.8460", "0.8460"),
        ("a\n\n# b", r"a\\x0a\\x0a\# b"),
    ],
)
def test_markdown_keeps_text_text(text: str, expected: str) -> None:
    assert escaped(text) == expected


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\n=1", " =1"])
def test_no_text_is_a_formula(text: str) -> None:
    assert harmless(text).startswith("'")


def test_a_difference_below_zero_is_a_number_in_csv() -> None:
    table = Table("d", "D", COLUMNS[1:2], (Row((Cell(-3),)),))
    assert comma_separated(table).splitlines()[1] == "-3"


def hostile(root: Path) -> tuple[Table, ...]:
    made = document(HOSTILE)
    made["layers"][0]["name"] = HOSTILE
    keep(root, odd=trained(card=HOSTILE, schedule=HOSTILE))
    return tables(material(root, audit=audit(HOSTILE), odd=made))


def test_a_hostile_name_keeps_every_markdown_row_whole(tmp_path: Path) -> None:
    for table in hostile(tmp_path):
        rows = [line for line in markdown(table).splitlines() if line.startswith("|")]
        cells = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
        assert cells == {len(table.columns) + 1}
        assert "<script" not in markdown(table).replace(r"\<", "")


def test_a_hostile_name_keeps_every_csv_row_whole(tmp_path: Path) -> None:
    for table in hostile(tmp_path):
        rows = list(csv.reader(io.StringIO(comma_separated(table))))
        assert {len(row) for row in rows} == {len(rows[0])}
        assert not any("\x1b" in field or "\u202e" in field for row in rows for field in row)


def test_a_hostile_name_is_no_markup_in_html_and_no_escape_on_a_terminal(tmp_path: Path) -> None:
    found = hostile(tmp_path)
    page = some_tables(found)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert not any(character in page for character in "\x1b\u202e")
    assert not any("\x1b" in terminal(table) for table in found)


def test_a_hostile_name_survives_json(tmp_path: Path) -> None:
    [layers] = [table for table in hostile(tmp_path) if table.name.startswith("layers-")]
    assert json.loads(json_text(layers))["rows"][0]["layer"]["value"] == HOSTILE


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex here")
def test_latex_compiles_whatever_the_names_are(tmp_path: Path) -> None:
    every = Row((Cell(string.printable + "éßø×−…" + HOSTILE), Cell(1, "±1"), Cell(2)))
    odd = Table("odd", HOSTILE, COLUMNS, (every,), notes=(Note(HOSTILE, HOSTILE, 1),))
    found = (TABLE, odd, *hostile(tmp_path))
    for table in found:
        (tmp_path / f"{table.name}.tex").write_text(latex.latex(table), encoding="utf-8")
    whole = tmp_path / "tables.tex"
    whole.write_text(latex.whole_document(found), encoding="utf-8")
    command = [
        "pdflatex",
        "-interaction=nonstopmode",
        "-halt-on-error",
        "-no-shell-escape",
        whole.name,
    ]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "tables.pdf").read_bytes().startswith(b"%PDF")


def test_latex_executes_nothing_from_a_name() -> None:
    assert latex.escaped(r"\input{/etc/passwd}") == (
        r"\textbackslash{}input\{/\allowbreak{}etc/\allowbreak{}passwd\}"
    )
