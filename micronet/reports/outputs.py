"""The files of ``reports/``: what they must hold, which of them do not, and writing them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from micronet.checkpoints.atomic import write_bytes
from micronet.errors import MicronetError
from micronet.evaluation.bounded import read_bounded
from micronet.reports import delimited, document, latex, markdown
from micronet.reports.overview import overview
from micronet.reports.page.page import page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from micronet.reports.material import Material
    from micronet.reports.table import Table

TABLES: Final = Path("tables")
ALL_TABLES: Final = "tables.tex"
WRITERS: Final = {
    "md": markdown.markdown,
    "tex": latex.latex,
    "csv": delimited.comma_separated,
    "json": document.json_text,
}


def texts(material: Material, tables: Sequence[Table]) -> dict[Path, bytes]:
    """Every text of the report by its path below ``reports/``; the same material, the same bytes."""
    found = {
        Path("README.md"): overview(material, tables),
        Path("report.html"): page(material, tables),
        TABLES / ALL_TABLES: latex.whole_document(tables),
    }
    for table in tables:
        for ending, write in WRITERS.items():
            found[TABLES / f"{table.name}.{ending}"] = write(table)
    return {path: text.encode() for path, text in found.items()}


def write(folder: Path, files: Mapping[Path, bytes]) -> None:
    """Write the files that are not there yet as they must be; remove those that nothing makes now."""
    for path, content in files.items():
        if _differs(folder / path, content):
            write_bytes(folder / path, content)
    for path in _superfluous(folder, files):
        path.unlink()


def stale(folder: Path, files: Mapping[Path, bytes]) -> list[str]:
    """What is wrong with the files in ``folder``, a line each; empty if nothing is."""
    found = []
    for path, content in sorted(files.items()):
        if not (folder / path).exists():
            found.append(f"{folder / path}: is missing")
        elif _differs(folder / path, content):
            found.append(f"{folder / path}: is not what the receipts give")
    left = (f"{path}: no receipt gives it any more" for path in _superfluous(folder, files))
    return [*found, *left]


def _differs(path: Path, content: bytes) -> bool:
    try:
        return read_bounded(path, len(content)) != content
    except MicronetError:  # missing, longer, no file: it is not the one
        return True


def _superfluous(folder: Path, files: Mapping[Path, bytes]) -> Iterator[Path]:
    """What lies beside the tables and figures of ``files``, ends as they do, and is none of them."""
    for parent in sorted({path.parent for path in files if path.parent.name}):
        endings = {path.suffix for path in files if path.parent == parent}
        for path in sorted((folder / parent).glob("*")):
            if path.suffix in endings and parent / path.name not in files:
                yield path
