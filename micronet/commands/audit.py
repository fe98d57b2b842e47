"""``micronet audit``: gather the evidence that is missing, judge, show; exit 1 on a finding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micronet.commands import console
from micronet.commands.audit_evidence import Request, evidence_of
from micronet.errors import MicronetError

__all__ = ["Request", "run"]

if TYPE_CHECKING:
    from micronet.audit.entry import ClaimsFile


def run(request: Request) -> int:
    """Audit the claims and show the document; 1 if a claim or a check fails."""
    from micronet.audit.audit import audit_document
    from micronet.audit.receipts import quality

    root = Path.cwd()
    files = _files(request)
    known = evidence_of(request, files, root)
    document = audit_document(
        files,
        lambda entry: known[id(entry)],
        lambda entry, evidence: quality(entry, evidence, root),
    )
    _show(request, document)
    totals = document["totals"]
    if totals["claims"] == totals["unjudged"] and not totals["findings"]:
        raise MicronetError("Nothing could be judged.", _why_nothing(document))
    return 1 if totals["fails"] or totals["findings"] else 0


def _why_nothing(document: dict[str, Any]) -> str:
    first = document["entries"][0]
    return f"{first['name']}: {first['claims'][0]['explanation']}."


def _show(request: Request, document: dict[str, Any]) -> None:
    if request.json or request.format == "json":
        console.write_json(document)
    elif request.format == "markdown":
        from micronet.commands.audit_markdown import markdown

        console.write_text(markdown(document))
    else:
        from micronet.commands.render_audit import audit_view

        console.write(audit_view(document, console.terminal_columns()))


def _files(request: Request) -> tuple[ClaimsFile, ...]:
    """The claims that are meant: a file's, a card's, or all that are shipped."""
    from micronet.audit.claims_file import load
    from micronet.audit.shipped import shipped_claims

    named = request.claims
    if named is not None and (Path(named).suffix == ".toml" or Path(named).is_file()):
        files: tuple[ClaimsFile, ...] = (load(Path(named)),)
        wanted = request.entry
    else:
        files = shipped_claims()
        wanted = request.entry or named
    if wanted is not None:
        files = tuple(_only(file, wanted) for file in files)
        files = tuple(file for file in files if file.entries)
    if not files:
        raise MicronetError(
            f"Nothing to audit: no claims about {wanted}.",
            "Name a claims file (TOML), or a card: micronet list",
        )
    entries = [entry for file in files for entry in file.entries]
    if request.names_a_target and len(entries) > 1:
        names = ", ".join(entry.name for entry in entries[:4])
        raise MicronetError(
            f"A target is named, and {len(entries)} entries make claims ({names} …).",
            "Choose one: --entry NAME",
        )
    return files


def _only(file: ClaimsFile, name: str) -> ClaimsFile:
    return replace(file, entries=tuple(each for each in file.entries if each.name == name))
