"""The checks of a package that need no data: each gives the row of its name."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import micronet
from micronet.errors import MicronetError
from micronet.packages import names
from micronet.packages.accuracy import predictions_name
from micronet.packages.compare import first_differences
from micronet.packages.compose import receipt_name
from micronet.packages.manifest import checksums, listed
from micronet.packages.report import (
    FAIL,
    PASS,
    SKIPPED,
    UNJUDGED,
    Check,
    certified,
    why_unqualified,
)
from micronet.packages.texts import plain
from micronet.scoring.rulebook import rule_book
from micronet.scoring.tracks import track

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from micronet.packages.opened import Opened


def verdict_on(check: str, problems: Iterable[str], fine: str) -> Check:
    """A row that fails for the first few ``problems``, and passes without one."""
    found = [problem for problem in problems if problem]
    if not found:
        return Check(check, PASS, fine)
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return Check(check, FAIL, "; ".join(found[:3]) + more)


def files(package: Opened) -> Check:
    """Every file is listed with its size and digest, in the manifest and in SHA256SUMS."""
    rows = {each["path"]: each for each in package.manifest["files"]}
    absent = sorted(listed(package.manifest) - set(package.members))
    found = [f"{names.shown(name)} is listed and not there" for name in absent]
    for name, content in package.members.items():
        if name in {names.MANIFEST, names.CHECKSUMS}:
            continue
        row = rows.get(name)
        if row is None:
            found.append(f"{name} is there and not listed")
        elif (row["bytes"], row["sha256"]) != (len(content), hashlib.sha256(content).hexdigest()):
            found.append(f"{name} is not the file that the manifest describes")
    found += _loose(package)
    if package.members[names.CHECKSUMS] != checksums(package.members):
        found.append(f"{names.CHECKSUMS} is not that of these files")
    return verdict_on("files", found, f"{len(package.members)} files, {names.CHECKSUMS} agrees")


def _loose(package: Opened) -> list[str]:
    """Files of an evaluation that are neither the one receipt nor its predictions."""
    receipt = receipt_name(package.members)
    said = None if receipt is None else predictions_name(package.members[receipt])
    kept = {receipt, f"{names.EVALUATION}{said}"}
    found = (name for name in package.members if name.startswith(names.EVALUATION))
    return [f"{name} belongs to no receipt" for name in found if name not in kept]


def rules(package: Opened) -> Check:
    """Counted by a reading of the challenge's rules that is shipped here, for one example."""
    statement, stated = package.statement, package.manifest["rules"]
    try:
        book, judged = rule_book(statement.rules), track(statement.track)
    except MicronetError as error:
        return Check("rules", UNJUDGED, f"{error.message.rstrip('.')} here")
    found = []
    if not scores(statement.rules):
        found.append(f"the rule book {book.name} is no reading of the challenge's rules")
    if stated["sha256"] != book.sha256:
        found.append(
            f"another edition of {book.name}: {stated['sha256'][:12]}, here {book.sha256[:12]}"
        )
    if statement.input[:1] != (1,) or len(statement.input) != len(judged.input_shape):
        found.append(f"the input is {list(statement.input)}, expected one of the track's form")
    return verdict_on("rules", found, f"{book.name} (sha256 {book.sha256[:12]}), {judged.name}")


def scores(rules_name: str) -> bool:
    """Whether a submission may be counted by this rule book: it gives the challenge's score."""
    book = rule_book(rules_name)
    return book.storage == "challenge" and book.counter == "trace"


def score(package: Opened, stated: object, document: Mapping[str, Any], *, sound: bool) -> Check:
    """The stated ``micronet.score/1`` document against the recounted one.

    Another version may word its notes otherwise; without a ``sound`` receipt there is no quality.
    """
    left_out = {*(["notes"] if _other_version(package) else []), *([] if sound else ["quality"])}
    difference = first_differences(_without(stated, left_out), _without(document, left_out))
    found = f"{names.SCORE}: {difference}" if difference else ""
    fine = (
        f"{document['storage']['bits']:,} bits, {document['operations']['total']:,} operations, "
        f"score {document['score']['total']:.4f}"
    )
    return verdict_on("score", [found], fine)


def manifest(package: Opened, again: Mapping[str, Any]) -> Check:
    """What the manifest states against the one made again; its list of files was checked before."""
    other = {"made_by", "components", "files"} if _other_version(package) else set()
    stated, found = (_without(each, other) for each in (package.manifest, again))
    for each in (stated, found):
        if "files" in each:
            each["files"] = [_without(row, {"bytes", "sha256"}) for row in each["files"]]
    difference = first_differences(stated, found)
    return verdict_on(
        "manifest",
        [f"{names.MANIFEST}: {difference}" if difference else ""],
        "metrics, quality, rules, network and components follow from the files",
    )


def layers(package: Opened, again: Mapping[str, bytes | memoryview]) -> Check:
    """The table of layers, row by row."""
    stated, found = bytes(package.members[names.LAYERS]), bytes(again[names.LAYERS])
    difference = first_line(stated, found)
    problem = f"{names.LAYERS}: {difference}" if difference else ""
    rows = found.count(b"\n") - 2
    return verdict_on("layers", [problem], f"{rows} rows, which add up to the totals")


def documents(package: Opened, again: Mapping[str, bytes | memoryview]) -> Check:
    """All further files that follow from the others, byte for byte."""
    if _other_version(package):
        made = package.manifest["made_by"]["version"]
        because = f"written by micronet {made}, this is {micronet.__version__}"
        return Check("documents", SKIPPED, because)
    judged = {names.SCORE, names.LAYERS, names.MANIFEST, names.CHECKSUMS}
    both = sorted({*package.members, *again} - judged)
    found = []
    for name in both:
        if name not in again:
            found.append(f"{name} belongs to no part of the package")
        elif name not in package.members:
            found.append(f"{name} is missing")
        elif package.members[name] != again[name]:
            difference = first_line(bytes(package.members[name]), bytes(again[name]))
            found.append(f"{name}: {difference}")
    for name in (names.SCORE, names.MANIFEST):  # their content has rows of its own
        stated, made = bytes(package.members[name]), bytes(again[name])
        if stated != made and _same_json(stated, made):
            found.append(f"{name} is not written as this tool writes it")
    return verdict_on("documents", found, "as they follow from checkpoint, receipt and statement")


def _same_json(stated: bytes, made: bytes) -> bool:
    try:
        return bool(json.loads(stated) == json.loads(made))
    except (ValueError, RecursionError):
        return False


def first_line(stated: bytes, found: bytes) -> str:
    """The first line in which two texts differ, or ""."""
    if stated == found:
        return ""
    ours = found.decode("utf-8", "replace").split("\n")
    theirs = stated.decode("utf-8", "replace").split("\n")
    for number, (one, other) in enumerate(zip(theirs, ours, strict=False), start=1):
        if one != other:
            return f"line {number} is '{plain(one)[:80]}', expected '{plain(other)[:80]}'"
    if len(theirs) != len(ours):
        return f"has {len(theirs):,} lines, expected {len(ours):,}"
    return "differs in bytes that are no text"


def freebie(stated: object, document: Mapping[str, Any]) -> Check:
    """Counting at 16 bits is for entries that quantise nothing; the layers that do are named."""
    claimed = isinstance(stated, dict) and stated.get("freebie") is True
    narrow = [
        f"{layer['name']} is stored in {layer['weight_bits']} bits"
        for layer in document["layers"]
        if layer["weight_bits"] is not None and layer["weight_bits"] < 16
    ]
    if claimed and not document["freebie"]:
        reasons = narrow or ["the tensors are quantised"]
        return verdict_on("freebie", [f"taken, but {reason}" for reason in reasons], "")
    if document["freebie"]:
        return Check("freebie", PASS, "taken, and nothing is quantised")
    return Check("freebie", PASS, f"not taken: {(narrow or ['the rules have none'])[0]}")


def quality(document: Mapping[str, Any]) -> Check:
    """The track's threshold, on all of its test set; not meeting it is no contradiction."""
    found = document["quality"]
    if certified(found):
        return Check("quality", PASS, found["verdict"])
    return Check("quality", SKIPPED, why_unqualified(found))


def _without(document: Any, keys: set[str]) -> Any:
    """``document`` without its ``keys``; whatever is no object as it is."""
    if not isinstance(document, dict):
        return document
    return {key: value for key, value in document.items() if key not in keys}


def _other_version(package: Opened) -> bool:
    version: str = package.manifest["made_by"]["version"]
    return version != micronet.__version__
