"""A table as LaTeX, with booktabs and longtable, and the document that holds them all."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from micronet.reports.shown import shown, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from micronet.reports.table import Cell, Column, Row, Table

_SPECIAL: Final = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_\allowbreak{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "`": r"\textasciigrave{}",
    "'": r"'{}",
    "-": r"-{}",
    "/": r"/\allowbreak{}",
    "×": r"$\times$",
    "÷": r"$\div$",
    "−": r"$-$",
    "±": r"$\pm$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "–": "--",
    "—": "---",
    "…": r"\dots{}",
    "²": r"$^2$",
    "→": r"$\rightarrow$",
    "’": "'",
    "‘": "`",
    "“": "``",
    "”": "''",
    "·": r"$\cdot$",
}
_WIDE: Final = 8  # columns; more are set smaller
_PAGE: Final = 40  # lines
_AROUND: Final = 8  # lines for a title, a head and the space around them
_PREAMBLE: Final = r"""% Written by `micronet report`; not to be edited.
\documentclass[a4paper,landscape,10pt]{article}
\usepackage[utf8]{inputenc}
\usepackage[margin=10mm]{geometry}
\usepackage{array}
\usepackage{booktabs}
\usepackage{longtable}
\usepackage{ragged2e}
\setlength{\parindent}{0pt}
\setlength{\emergencystretch}{3em}
\setlength{\LTleft}{0pt}
\setlength{\LTright}{\fill}
\pagestyle{empty}
\begin{document}
"""


def latex(table: Table) -> str:
    r"""The table, to be read by \input; needs booktabs, longtable and array."""
    return "\n".join(
        [
            "% Written by `micronet report`; not to be edited.",
            rf"{{\{_size(table)}\setlength{{\tabcolsep}}{{2.6pt}}",
            rf"\begin{{longtable}}{{@{{}}{_columns(table)}@{{}}}}",
            rf"\multicolumn{{{len(table.columns)}}}{{@{{}}l@{{}}}}{{%",
            rf"\normalsize\textbf{{{escaped(table.title)}}}}}\\[4pt]",
            r"\toprule",
            *_head(table),
            r"\midrule",
            r"\endhead",
            *_body(table),
            r"\bottomrule",
            r"\end{longtable}",
            *_notes(table),
            "}",
            "",
        ]
    )


def whole_document(tables: Sequence[Table]) -> str:
    """A document that reads all ``tables`` from the files beside it, a new page where one would not fit."""
    parts, used = [], 0
    for table in tables:
        lines = len(table.rows) + len(table.notes) + _AROUND
        fits = used + lines <= _PAGE
        used = used + lines if fits else lines
        before = r"\bigskip" if fits else r"\clearpage"
        parts.append(f"{before}\n\\input{{{table.name}.tex}}\n")
    return f"{_PREAMBLE}{''.join(parts)}\\end{{document}}\n"


def escaped(text: str) -> str:
    """``text`` as nothing but text; what pdflatex has no letter for is named by its code point."""
    return "".join(_letter(character) for character in visible(text))


def _letter(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character.isascii() or _has_accent_only(character):
        return character
    return f"[U+{ord(character):04X}]"


def _has_accent_only(character: str) -> bool:
    """Whether every TeX font has it: a letter of Western Europe, or one with its accent."""
    accented = unicodedata.decomposition(character) != ""
    return 0xC0 <= ord(character) <= 0xFF and (accented or character in "ßÆæØø")


def _size(table: Table) -> str:
    return "scriptsize" if len(table.columns) > _WIDE else "footnotesize"


def _columns(table: Table) -> str:
    """Numbers to the right; prose, and the names in a wide table, in columns that wrap."""
    prose = sum(column.prose for column in table.columns)
    left = max(0.25, 0.9 - 0.075 * (len(table.columns) - prose))  # of the line, for prose
    share = left / max(prose, 2)
    wide = len(table.columns) > _WIDE and not prose
    kinds = []
    for place, column in enumerate(table.columns):
        if column.prose:
            kinds.append(rf">{{\RaggedRight}}p{{{share:.2f}\linewidth}}")
        elif wide and place == 0:
            kinds.append(r">{\RaggedRight}p{0.13\linewidth}")
        else:
            kinds.append("l" if column.text else "r")
    return "".join(kinds)


def _head(table: Table) -> Iterable[str]:
    groups = _groups(table.columns)
    if any(name for name, *_ in groups):
        cells = (
            rf"\multicolumn{{{last - first + 1}}}{{c}}{{{escaped(name)}}}" if name else ""
            for name, first, last in groups
        )
        yield " & ".join(cells) + r" \\"
        rules = (rf"\cmidrule(lr){{{f + 1}-{last + 1}}}" for name, f, last in groups if name)
        yield "".join(rules)
    yield " & ".join(_heading(column) for column in table.columns) + r" \\"


def _groups(columns: Sequence[Column]) -> list[tuple[str, int, int]]:
    """Runs of columns of one group, each with its first and last place; a column without is alone."""
    found: list[tuple[str, int, int]] = []
    for place, column in enumerate(columns):
        if found and column.group and found[-1][0] == column.group:
            found[-1] = (column.group, found[-1][1], place)
        else:
            found.append((column.group, place, place))
    return found


def _heading(column: Column) -> str:
    title = f"{column.title} ({column.unit})" if column.unit else column.title
    return escaped(title)


def _body(table: Table) -> Iterable[str]:
    for row in table.rows:
        yield from _row(table, row, bold=row.ours)
    if table.total:
        yield r"\midrule"
        yield from _row(table, table.total, bold=True)


def _row(table: Table, row: Row, *, bold: bool) -> Iterable[str]:
    pairs = zip(row.cells, table.columns, strict=True)
    yield " & ".join(_cell(cell, column, bold=bold) for cell, column in pairs) + r" \\"
    if any(cell.detail for cell in row.cells):
        yield r"\addlinespace[2pt]"


def _cell(cell: Cell, column: Column, *, bold: bool) -> str:
    """The number with its marks and, small under it, its dialect."""
    text = escaped(shown(cell, column))
    text = rf"\textbf{{{text}}}" if bold and column.text and text else text
    marks = ",".join(map(str, cell.marks))
    text += rf"\textsuperscript{{{marks}}}" if marks else ""
    if not cell.detail:
        return text
    small = rf"{{\tiny {escaped(cell.detail)}}}"
    return rf"\begin{{tabular}}[t]{{@{{}}r@{{}}}}{text}\\[-2pt]{small}\end{{tabular}}"


def _notes(table: Table) -> Iterable[str]:
    for note in table.notes:
        mark = rf"\textsuperscript{{{note.mark}}} " if note.mark else ""
        source = rf" Source: {escaped(note.source)}." if note.source else ""
        yield rf"{{\scriptsize\RaggedRight {mark}{escaped(note.text)}{source}\par}}"
