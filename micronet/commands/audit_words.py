"""What the views of a ``micronet.audit/1`` document share: marks, numbers, sums in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from micronet.commands import numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Document = Mapping[str, Any]

MARKS: Final[Mapping[str, str]] = {
    "holds": "✓",
    "holds in another dialect": "≈",
    "fails": "✗",
    "unjudged": "–",
}
WATERFALL: Final = "from the claimed score to the recount"
_DECIMALS: Final = 6  # a score is stated to four, at most six
_LAYERS_SHOWN: Final = 4


def files(document: Document) -> dict[str, list[Document]]:
    """The entries of each claims file, both in the document's order."""
    found: dict[str, list[Document]] = {}
    for entry in document["entries"]:
        found.setdefault(entry["file"], []).append(entry)
    return found


def findings(entry: Document) -> list[Document]:
    """The checks of ``entry`` that failed."""
    return [check for check in entry["checks"] if check["outcome"] == "fail"]


def found(claim: Document) -> str:
    """What was found instead of, or as, the stated number; a dash where nothing was."""
    return numbers.count(claim["found"], decimals=_DECIMALS)


def change(value: float) -> str:
    """A difference with its sign: "+796,672", "-1,000.5"."""
    sign = "-" if value < 0 else "+"
    return f"{sign}{numbers.count(abs(value), decimals=_DECIMALS)}"


def layers(check: Document) -> str:
    """The layers that a check names, the first of them one by one."""
    names = check["layers"]
    more = len(names) - _LAYERS_SHOWN
    if more <= 1:
        return ", ".join(names)
    return f"{', '.join(names[:_LAYERS_SHOWN])} and {numbers.count(more)} more"


def unjudged(entries: Iterable[Document]) -> Iterator[tuple[str, str]]:
    """Why claims could not be judged, each reason once, and whose it is: a claim's, or how many."""
    pairs = (
        (f"{entry['name']} {claim['quantity']}", claim["explanation"])
        for entry in entries
        for claim in entry["claims"]
        if claim["verdict"] == "unjudged"
    )
    return _together(pairs, "claims")


def notes(entries: Iterable[Document]) -> Iterator[tuple[str, str]]:
    """What else is to know, each note once, and whose it is: an entry's, or how many."""
    pairs = ((entry["name"], note) for entry in entries for note in entry["notes"])
    return _together(pairs, "entries")


def _together(pairs: Iterable[tuple[str, str]], things: str) -> Iterator[tuple[str, str]]:
    owners: dict[str, list[str]] = {}
    for owner, text in pairs:
        owners.setdefault(text, []).append(owner)
    for text, names in owners.items():
        yield names[0] if len(names) == 1 else f"{numbers.count(len(names))} {things}", text


def counted(count: int, one: str, more: str) -> str:
    """A number of things: "1 claim", "58 claims"."""
    return f"{numbers.count(count)} {one if count == 1 else more}"


def totals(document: Document) -> str:
    """All claims in one line: how many of them hold, fail, or cannot be judged."""
    sums = document["totals"]
    verdicts = (
        counted(sums["holds"], "holds", "hold"),
        counted(
            sums["holds in another dialect"], "holds in another dialect", "hold in another dialect"
        ),
        counted(sums["fails"], "fails", "fail"),
        counted(sums["unjudged"], "cannot be judged", "cannot be judged"),
    )
    return f"{counted(sums['claims'], 'claim', 'claims')}: {', '.join(verdicts)}"


def findings_in_all(document: Document) -> str:
    """All findings in one line: "5 findings in 2 entries"."""
    count = document["totals"]["findings"]
    places = sum(bool(findings(entry)) for entry in document["entries"])
    where = f" in {counted(places, 'entry', 'entries')}" if places else ""
    return f"{counted(count, 'finding', 'findings')}{where}"


def step_cells(step: Document) -> tuple[str, str, str, str]:
    """A row of a waterfall: name, parameters, operations, score with its sign."""
    counts = _counts(step["parameters"], step["operations"])
    return (step["name"], *counts, f"{step['score']:+.{_DECIMALS}f}")


def sum_cells(steps: list[Document]) -> tuple[str, str, str, str]:
    """The last row of a waterfall: the recount, which the others add up to."""
    parameters, operations, score = (
        sum(step[key] for step in steps) for key in ("parameters", "operations", "score")
    )
    return ("recount", *_counts(parameters, operations), f"{score:.{_DECIMALS}f}")


def _counts(parameters: float, operations: float) -> tuple[str, str]:
    return numbers.count(parameters, decimals=1), numbers.count(operations, decimals=1)
