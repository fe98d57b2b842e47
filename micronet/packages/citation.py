"""``CITATION.cff`` and ``LICENSE`` of an entry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from micronet.packages.statement import UNKNOWN_LICENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from micronet.packages.statement import Statement


_UTF8: Final = "utf-8"
_BROKEN: Final = "backslashreplace"  # half of a surrogate pair, which JSON can spell


def citation(statement: Statement) -> bytes:
    """How to cite the entry, in the Citation File Format 1.2.0, with the paper as its reference."""
    return "".join(f"{line}\n" for line in _lines(statement)).encode(_UTF8, _BROKEN)


def _lines(statement: Statement) -> Iterator[str]:
    """YAML; texts are in JSON's quotes, which are YAML's too."""
    yield "cff-version: 1.2.0"
    yield 'message: "If you use this entry, please cite it."'
    yield "type: software"
    yield f"title: {_quoted(f'{statement.name}: {statement.title}')}"
    yield "authors:"
    for author in statement.authors or ("unknown",):
        yield f"  - name: {_quoted(author)}"
    paper = statement.paper
    if paper is not None:
        yield "references:"
        yield "  - type: article"
        yield f"    title: {_quoted(paper.title)}"
        yield f"    year: {paper.year}"
        yield f"    url: {_quoted(paper.url)}"
        yield "    authors:"
        for author in paper.authors.split(", "):
            yield f"      - name: {_quoted(author)}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def licence(statement: Statement) -> bytes:
    """The statement of the licence, for an entry that brings no text of its own."""
    if statement.licence == UNKNOWN_LICENCE:
        return (
            b"Licence: unknown.\n\nWhoever packed this entry stated no licence. "
            b"Ask its authors before you use it.\n"
        )
    who = ", ".join(statement.authors) or "the authors of the entry"
    text = (
        f"SPDX-License-Identifier: {statement.licence}\n\n"
        f"{who} put this entry, {statement.name}, under the licence {statement.licence}, "
        f"whose text is at https://spdx.org/licenses/{statement.licence}.html\n"
        "code/inference.py is written by micronet: Apache-2.0.\n"
    )
    return text.encode(_UTF8, _BROKEN)
