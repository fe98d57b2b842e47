"""A ``micronet.audit/1`` document as a page of Markdown with GitHub's tables.

The same document gives the same bytes, and nothing in it is taken for markup.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from micronet.commands import audit_words
from micronet.commands.audit_words import MARKS
from micronet.commands.render_evaluation import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from micronet.commands.audit_words import Document

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MARKUP: Final = re.compile(r"[\\`*_{}\[\]<>()#!|~$&]|^[-+=]|(?<=^[0-9])[.)](?= |$)")
_CLAIM: Final = ("entry", "quantity", "stated", "found", "dialect", "verdict", "because", "source")
_RIGHT: Final = ("stated", "found", "parameters", "operations", "score")


def markdown(document: Document) -> str:
    """The page: the totals, and for each file its claims, findings, waterfalls and notes."""
    return "\n".join(_page(document)) + "\n"


def _page(document: Document) -> Iterator[str]:
    yield "# Audit"
    yield ""
    yield f"{audit_words.totals(document)}; {audit_words.findings_in_all(document)}."
    for name, entries in audit_words.files(document).items():
        yield ""
        yield f"## {_escaped(name)}"
        yield ""
        yield from _table(_CLAIM, (_claim(e, claim) for e in entries for claim in e["claims"]))
        for entry in entries:
            yield from _beyond_claims(entry)
        yield from _notes(entries)


def _claim(entry: Document, claim: Document) -> Sequence[str]:
    verdict = claim["verdict"]
    because = _escaped(claim["explanation"])
    steps = (
        f"{audit_words.change(step['change'])} {_escaped(step['name'])}" for step in claim["steps"]
    )
    return (
        _code(entry["name"]),
        claim["quantity"],
        _escaped(claim["stated"]),
        audit_words.found(claim),
        _escaped(claim["dialect"] or ""),
        f"{MARKS[verdict]} {verdict}",
        "<br>".join((because, *steps) if because else steps),
        _escaped(claim["where"]),
    )


def _beyond_claims(entry: Document) -> Iterator[str]:
    """The findings and the waterfall of an entry; nothing where it has none."""
    findings = audit_words.findings(entry)
    if not (findings or entry["waterfall"]):
        return
    yield ""
    yield f"### {_code(entry['name'])}"
    yield ""
    yield f"{_escaped(entry['title'])}, by {_escaped(entry['by'])}."
    if findings:
        yield ""
        yield from _table(
            ("check", "finding", "because", "layers", "remedy"), map(_finding, findings)
        )
    if entry["waterfall"]:
        yield ""
        yield from _waterfall(entry["waterfall"])


def _notes(entries: Sequence[Document]) -> Iterator[str]:
    notes = tuple(audit_words.notes(entries))
    if notes:
        yield ""
        yield "Notes"
        yield ""
        yield from (f"- {_escaped(f'{whose}: {note}')}" for whose, note in notes)


def _finding(check: Document) -> Sequence[str]:
    layers = audit_words.layers(check)
    cells = (check["title"], check["because"], layers, check["remedy"] or "")
    return (_code(check["id"]), *map(_escaped, cells))


def _waterfall(steps: list[Document]) -> Iterator[str]:
    heads = (audit_words.WATERFALL, "parameters", "operations", "score")
    rows = [audit_words.step_cells(step) for step in steps]
    last = [f"**{cell}**" for cell in audit_words.sum_cells(steps)]
    yield from _table(heads, [*([_escaped(name), *counts] for name, *counts in rows), last])


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row(heads)
    yield _row(["--:" if head in _RIGHT else "---" for head in heads])
    yield from map(_row, rows)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _code(name: str) -> str:
    return f"`{name}`" if _NAME.fullmatch(name) else _escaped(name)


def _escaped(text: str) -> str:
    """``text`` as it is, on one line, whatever it holds."""
    return _MARKUP.sub(r"\\\g<0>", plain(" ".join(text.split())))
