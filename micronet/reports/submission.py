"""The submission table: what was scored here beside the published networks, in its dialects.

Every number says by which convention it was counted; a published one that no recount gives is
marked, and a note has the reason.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from micronet.errors import MicronetError
from micronet.reports.score_receipt import BOOK
from micronet.reports.table import UNKNOWN, Cell, Column, Note, Notes, Row, Table
from micronet.scoring.baselines import FAILS
from micronet.scoring.printed import printed
from micronet.scoring.rulebook import rule_books

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from micronet.checkpoints.card import Claim
    from micronet.reports.counted import Counts
    from micronet.reports.material import Material, Network, Yardstick
    from micronet.reports.table import Tone
    from micronet.scoring.baselines import Figure
    from micronet.scoring.tracks import Track

PAPERS: Final = "macs"
RELEASE: Final = "dnw-release"
TWICE: Final = "2 × macs"
PUBLISHED: Final = "as published"
NOT_REPRODUCED: Final = "not reproduced"
_SURE: Final[Mapping[bool | None, Tone]] = {True: "good", False: "bad", None: "doubt"}
_COUNTED: Final = "counted as "  # how a score document's claim names its dialect

COLUMNS: Final = (
    Column("network", "Network", text=True),
    Column("score_total", "total", "", "Score", decimals=4),
    Column("score_storage", "storage", "", "Score", decimals=4, gives_way=3),
    Column("score_operations", "operations", "", "Score", decimals=4, gives_way=3),
    Column("score_published", "published", "", "Score", decimals=4, gives_way=4),
    Column("top1_published_percent", "published", "%", "Top-1", gives_way=2),
    Column("top1_measured_percent", "measured", "%", "Top-1", decimals=2, gives_way=1),
    Column("parameters_published", "published", "", "Parameters", gives_way=6),
    Column("parameters_recounted", "recounted", "", "Parameters", gives_way=5),
    Column("parameters_stored", "stored", "32 bits", "Parameters", gives_way=1),
    Column("macs_published", "published", "", "Multiply-accumulates", gives_way=6),
    Column("macs_recounted", "recounted", "", "Multiply-accumulates", gives_way=5),
    Column("operations_published", "published", "", "Operations", gives_way=7),
    Column("operations_recounted", "recounted", "", "Operations", gives_way=1),
)


def submission_table(material: Material, track: Track) -> Table:
    """The networks scored on ``track``, best first, then the baselines in their file's order."""
    notes = Notes()
    rows = [_ours(each, notes) for each in material.networks if each.track.name == track.name]
    rows += [_theirs(each, notes) for each in material.yardsticks if each.track.name == track.name]
    return Table(
        name=f"submission-{track.name}",
        title=f"Submission, {track.title}",
        columns=COLUMNS,
        rows=tuple(rows),
        notes=notes.all(_general(rows, track)),
    )


def _ours(network: Network, notes: Notes) -> Row:
    claims = network.card.claims if network.card else ()
    judged = {
        (claim["quantity"], claim["claimed"]): claim
        for claim in network.receipt.document.get("claims", ())
    }

    def published(quantity: str) -> Cell:
        return _claimed([claim for claim in claims if claim.quantity == quantity], judged, notes)

    parts = network.receipt.score(network.track)
    return Row(
        (
            Cell(network.name, marks=_remarks(network, notes)),
            *(Cell(part, detail=BOOK) for part in (parts.total, parts.storage, parts.operations)),
            published("score"),
            published("top1"),
            measured(network.quality, notes),
            published("parameters"),
            _counted(network.counts, "parameters"),
            Cell(network.receipt.parameters, detail=BOOK),
            published("macs"),
            _counted(network.counts, "macs"),
            published("operations"),
            Cell(network.receipt.operations, detail=BOOK),
        ),
        ours=True,
    )


def _remarks(network: Network, notes: Notes) -> tuple[int, ...]:
    found = []
    if network.untrained:
        found.append(notes.mark("Untrained: the costs are exact, the accuracy is unknown."))
    if network.earlier_rules:
        found.append(
            notes.mark(f"Scored by another edition of the rule book {BOOK} than the one shipped.")
        )
    return tuple(found)


def _theirs(yardstick: Yardstick, notes: Notes) -> Row:
    baseline, counts, track = yardstick.baseline, yardstick.counts, yardstick.track
    recount, macs = baseline.recount, Fraction(baseline.recount.macs)

    def published(quantity: str) -> Cell:
        return _figure(baseline.figure(quantity), notes)

    stored = counts.get((BOOK, "parameters"))
    operations = counts.get((BOOK, "operations"))
    scored = stored is not None and operations is not None
    parts = track.score(stored or recount.parameters, operations or 2 * macs)
    dialect = BOOK if scored else TWICE
    return Row(
        (
            Cell(baseline.title),
            *(
                Cell(part, detail=dialect)
                for part in (parts.total, parts.storage, parts.operations)
            ),
            _published_score(yardstick),
            published("top1"),
            UNKNOWN,
            published("parameters"),
            Cell(recount.parameters, detail=PAPERS),
            UNKNOWN if stored is None else Cell(stored, detail=BOOK),
            published("macs"),
            Cell(recount.macs, detail=PAPERS),
            published("operations"),
            Cell(operations if scored else 2 * macs, detail=dialect),
        )
    )


def _counted(counts: Counts, quantity: str) -> Cell:
    """The recount by the papers' convention, else by that of DNW's released code."""
    for dialect in (PAPERS, RELEASE):
        if (dialect, quantity) in counts:
            return Cell(counts[dialect, quantity], detail=dialect)
    return UNKNOWN


def _figure(figure: Figure | None, notes: Notes) -> Cell:
    if figure is None:
        return UNKNOWN
    if figure.reproduces is None:
        return Cell(figure.number, figure.stated)
    if figure.reproduces == FAILS:
        where = f"{figure.source.table}; {figure.source.reference}"
        text = f"{figure.stated} {figure.unit} are not reproduced: {_sentence(figure.why)}"
        return Cell(figure.number, figure.stated, NOT_REPRODUCED, (notes.mark(text, where),), "bad")
    marks = (notes.mark(f"{figure.stated}: {_sentence(figure.why)}"),) if figure.why else ()
    dialect = TWICE if figure.quantity == "operations" else PAPERS
    return Cell(figure.number, figure.stated, dialect, marks)


def _published_score(yardstick: Yardstick) -> Cell:
    """The score that the published figures make, two operations a multiply-accumulate."""
    parameters, operations, macs = (
        yardstick.baseline.figure(quantity) for quantity in ("parameters", "operations", "macs")
    )
    if parameters is None or (operations is None and macs is None):
        return UNKNOWN
    counted = operations.number if operations else 2 * macs.number if macs else Fraction(0)
    return Cell(yardstick.track.score(parameters.number, counted).total, detail=PUBLISHED)


def _claimed(
    claims: list[Claim], judged: Mapping[tuple[str, Any], Mapping[str, Any]], notes: Notes
) -> Cell:
    """The card's first claim of a quantity; what else was published is a note."""
    if not claims:
        return UNKNOWN
    claim, *others = claims
    marks = tuple(
        notes.mark(f"Also published: {each.stated} {each.unit}.", each.where) for each in others
    )
    try:
        number = printed(claim.stated).number
    except MicronetError:
        number = Fraction(str(claim.value))
    verdict = judged.get((claim.quantity, claim.stated))
    if verdict is None:
        return Cell(number, claim.stated, marks=marks)
    why = verdict["explanation"] or ""
    if verdict["verdict"] in ("holds", "holds in another dialect"):
        return Cell(number, claim.stated, why.removeprefix(_COUNTED), marks)
    text = f"{claim.stated} {claim.unit}, {verdict['verdict']}: {_sentence(why)}"
    marks = (notes.mark(text, claim.where), *marks)
    tone: Tone = "bad" if verdict["verdict"] == "fails" else "doubt"
    detail = NOT_REPRODUCED if tone == "bad" else "not judged"
    return Cell(number, claim.stated, detail, marks, tone)


def measured(quality: Mapping[str, Any], notes: Notes) -> Cell:
    """The accuracy of an evaluation receipt, in percent, of so many images."""
    correct, of = quality["correct"], quality["of"]
    if quality["metric"] != "top1" or correct is None or not of:
        return UNKNOWN
    detail = f"{correct:,} of {of:,}"
    marks = []
    if quality.get("verdict"):
        said = _sentence(quality["verdict"])
        marks.append(notes.mark(said[0].upper() + said[1:], quality["receipt"] or ""))
    return Cell(Fraction(100 * correct, of), "", detail, tuple(marks), _SURE[quality["qualifies"]])


def _general(rows: Iterable[Row], track: Track) -> Iterable[Note]:
    """What is true of the whole table: how a score is made, and the dialects that occur."""
    yield Note(
        f"Score = parameters / {track.baseline_parameters:,} + operations"
        f" / {track.baseline_operations:,}; lower is better.",
        track.source,
    )
    used = {cell.detail for row in rows for cell in row.cells}
    for name, book in rule_books().items():
        if name in used:
            yield Note(f"{name}: {book.title}.", book.source)
    if TWICE in used:
        yield Note(f"{TWICE}: dense, 32 bits, two operations a multiply-accumulate.")


def _sentence(text: str) -> str:
    return f"{text.removesuffix('.')}."
