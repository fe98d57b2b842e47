"""The human view of a ``micronet.score/1`` document: a pure function from document to tables.

Text and JSON come from the same document, so they cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from micronet.commands import numbers
from micronet.commands.render_claims import (
    claims_table,
    reference_table,
    second_opinion_table,
    waterfall_table,
)
from micronet.commands.render_layers import layers_table

if TYPE_CHECKING:
    from rich.console import RenderableType

Document = Mapping[str, Any]

UNTRAINED = "untrained: costs are exact, accuracy unknown"


def score_view(
    document: Document, *, top: int | None, width: int | None = None
) -> list[RenderableType]:
    """What ``micronet score`` shows: header, summary, claims, layers, notes.

    ``top`` is the number of layers shown one by one (None: all of them), the rest is one line.
    ``width`` is the terminal's; columns of the layer table that do not fit are left out.
    """
    parts: list[RenderableType] = [_header(document), _summary(document), ""]
    for name, table in (
        ("claims", claims_table),
        ("waterfall", waterfall_table),
        ("reference", reference_table),
        ("second_opinion", second_opinion_table),
    ):
        if document.get(name):
            parts += [table(document[name]), ""]
    parts += [layers_table(document, top=top, width=width), "", *_notes(document)]
    return parts


def _header(document: Document) -> RenderableType:
    target, rules = document["target"], document["rules"]
    title = Text.assemble((target["name"], "bold"), f"  {target['architecture']}, ")
    title.append(target["weights"], style="yellow" if target["weights"] == "untrained" else "green")
    track = "no track" if document["track"] is None else f"track {document['track']}"
    lines = [
        f"file sha256 {numbers.digest(target['sha256'])}",
        f"rules {rules['name']} (sha256 {numbers.digest(rules['sha256'])})",
        track,
    ]
    return Text("\n").join([title, Text(", ".join(lines), style="dim"), Text()])


def _summary(document: Document) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    _add_score(table, document)
    _add_storage(table, document)
    _add_operations(table, document)
    _add_edges(table, document)
    _add_quality(table, document)
    return table


def _add_score(table: Table, document: Document) -> None:
    score = document["score"]
    if score is None:
        lacks = "no track, so" if document["track"] is None else "this rule book has"
        table.add_row("score", "", numbers.UNKNOWN, f"{lacks} no baseline")
        return
    parts = f"= {numbers.score(score['storage'])} storage"
    parts += f" + {numbers.score(score['operations'])} operations"
    table.add_row("score", "", Text(numbers.score(score["total"]), style="bold cyan"), parts)
    if score.get("without_freebie", score["total"]) != score["total"]:
        full = numbers.score(score["without_freebie"])
        table.add_row("", "", full, "at 32 bits, without the 16-bit freebie")


def _add_storage(table: Table, document: Document) -> None:
    storage = document["storage"]
    largest_first = sorted(storage["by"].items(), key=lambda part: (-part[1], part[0]))
    for index, (part, bits) in enumerate(largest_first):
        table.add_row("" if index else "storage", part, numbers.count(bits), "bits")
    parameters = f"bits = {numbers.count(storage['parameters'])} parameters of 32 bits"
    table.add_row(
        "" if largest_first else "storage", "total", numbers.count(storage["bits"]), parameters
    )


def _add_operations(table: Table, document: Document) -> None:
    operations = document["operations"]
    for index, part in enumerate(("multiplications", "additions", "other")):
        table.add_row("" if index else "operations", part, numbers.count(operations[part]))
    weighted = f"as {document['rules']['name']} weighs them"
    table.add_row("", "total", numbers.count(operations["total"]), weighted)


def _add_edges(table: Table, document: Document) -> None:
    edges = document["edges"]
    for index, kind in enumerate(("stored", "active", "live")):
        share = "" if kind == "stored" else numbers.percent(edges[kind], edges["stored"])
        table.add_row("" if index else "edges", kind, numbers.count(edges[kind]), share)
    transient = document.get("transient")
    if transient:
        place = f"elements = {numbers.count(transient['bits'])} bits, at {transient['at']}"
        table.add_row("activations", "at once", numbers.count(transient["elements"]), place)


def _add_quality(table: Table, document: Document) -> None:
    quality = document.get("quality")
    if quality is None or (quality["value"] is None and quality["qualifies"] is None):
        return
    words = {True: "qualifies", False: "does not qualify", None: "not judged"}
    correct, of = quality["correct"], quality["of"]
    sample = "" if correct is None else f"{numbers.count(correct)} of {numbers.count(of)}, "
    comment = f"{sample}threshold {quality['threshold']}: {words[quality['qualifies']]}"
    style = {True: "green", False: "bold red", None: "yellow"}[quality["qualifies"]]
    verdict = Text(quality.get("verdict") or comment, style=style)
    value = numbers.UNKNOWN if quality["value"] is None else f"{quality['value']}"
    table.add_row("quality", quality["metric"], value, verdict)
    if quality["receipt"]:
        table.add_row("", "", "", f"{sample}measured: {quality['receipt']}")


def _notes(document: Document) -> list[RenderableType]:
    notes = [str(note) for note in document["notes"]]
    untrained = document["target"]["weights"] == "untrained"
    if untrained and UNTRAINED not in notes:
        notes.insert(0, UNTRAINED)
    return [Text(f"note: {note}", style="yellow" if note == UNTRAINED else "") for note in notes]
