"""The human view of a ``micronet.verify/1`` document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from micronet.commands import console, numbers
from micronet.packages.report import REFUSED, UNQUALIFIED, VERIFIED
from micronet.packages.texts import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import RenderableType

STYLES: Final = {"pass": "green", "fail": "bold red", "unjudged": "bold red", "skipped": "yellow"}
_VERDICTS: Final = {VERIFIED: "bold green", UNQUALIFIED: "yellow", REFUSED: "bold red"}


def verify_view(document: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Each package with its rows and its verdict, then what is to be said of all."""
    for package in document["packages"]:
        yield from _package(package)
        yield ""
    for each in document["entries"]:
        if each["outcome"] == "fail":
            what = f"{each['packages']} entries on track {each['track']}, "
            yield Text(f"refused because {what}a team may have {each['most']}", "bold red")
    if len(document["packages"]) > 1:
        counts = ", ".join(
            f"{numbers.count(document['totals'][word])} {word}"
            for word in (VERIFIED, UNQUALIFIED, REFUSED)
        )
        yield f"{numbers.count(document['totals']['packages'])} packages: {counts}"


def _package(package: Mapping[str, Any]) -> Iterator[RenderableType]:
    title = Text(plain(package["file"]), "bold")
    if package["name"] is not None:
        title.append(f"  {package['name']}, {package['track']}, {package['rules']}", "")
    yield title
    yield Text(f"sha256 {package['sha256'] or numbers.UNKNOWN}", "dim")
    table = console.plain_table("")
    table.show_header, table.box = False, None
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in package["checks"]:
        outcome = Text(check["outcome"], STYLES[check["outcome"]])
        table.add_row(outcome, check["id"], Text(plain(check["because"])))
    yield table
    yield Text(plain(package["verdict"]), _VERDICTS[package["outcome"]])
