"""``README.md``: both metrics, calculated step by step from the score, each with its clause."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from micronet.checkpoints.card import described
from micronet.packages.environment import install_command
from micronet.packages.inference import template
from micronet.packages.names import APPROACH, CODE, INFERENCE
from micronet.packages.texts import count, plain
from micronet.scoring.rulebook import rule_book
from micronet.scoring.tracks import track as track_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from micronet.packages.statement import Statement

_SUMS: Final = ("multiplications", "additions", "other", "total")
_STORAGE_CLAUSES: Final = ("storage", "edges")
_OPERATIONS_CLAUSES: Final = (
    *("dot_product_additions", "fold_batch_norm", "freebie_bits", "relu", "sigmoid", "swish"),
)


def write_up(
    statement: Statement,
    document: Mapping[str, Any],
    environment: Mapping[str, Any],
    names: Sequence[str],
) -> bytes:
    """The write-up of an entry whose package has the files ``names``."""
    track = track_named(statement.track)
    score, storage, operations = document["score"], document["storage"], document["operations"]
    clauses = rule_book(statement.rules).clauses
    foreign = statement.model is not None
    facts = {
        "title": statement.title,
        "name": statement.name,
        "track_title": track.title,
        "rules": statement.rules,
        "rules_sha256": document["rules"]["sha256"],
        "authors": ", ".join(statement.authors) or "not stated",
        "architecture": document["target"]["architecture"],
        "weights": _WEIGHTS[document["target"]["weights"]],
        "parameters": count(storage["parameters"]),
        "bits": count(storage["bits"]),
        "operations": count(operations["total"]),
        "multiplications": count(operations["multiplications"]),
        "additions": count(operations["additions"]),
        "other": count(operations["other"]),
        "score": f"{score['total']:.4f}",
        "storage_score": f"{score['storage']:.6f}",
        "operations_score": f"{score['operations']:.6f}",
        "baseline_parameters": count(track.baseline_parameters),
        "baseline_operations": count(track.baseline_operations),
        "track_clause": track.clause,
        "accuracy": document["quality"].get("verdict") or "not measured",
        "layer_count": str(len(document["layers"])),
        "install": install_command(environment),
        "licence": statement.licence,
        "verify_options": "--data DIR" + (f" --model {CODE}{statement.model}" if foreign else ""),
        "inference": _how_to_run(statement),
    }
    blocks = {
        "approach": f"In the authors' own words: [{APPROACH}]({APPROACH})."
        if APPROACH in names
        else "The authors gave no text on it.",
        "storage_clauses": _cited(clauses, _STORAGE_CLAUSES),
        "storage_rows": _storage_rows(storage),
        "operations_clauses": _cited(clauses, _OPERATIONS_CLAUSES),
        "operator_rows": _operator_rows(document["layers"]),
        "operations_sum": _sum(document, rule_book(statement.rules).freebie_bits),
        "without_freebie": _without_freebie(score),
        "accuracy_text": _accuracy(statement, document["quality"]),
        "code": _code(statement, names),
        "notes": _bullets(document["notes"]),
    }
    shown = {key: _cell(value) for key, value in facts.items()}
    return (
        template("write_up.template")
        .substitute(**shown, **blocks)
        .encode("utf-8", "backslashreplace")
    )


_WEIGHTS: Final = {
    "trained": "trained weights",
    "untrained": "untrained: its costs are exact, its accuracy is unknown",
    "unknown": "weights of which it is not said whether they are trained",
}


def _cell(text: str) -> str:
    """``text`` on one line, and in one cell of a table."""
    return plain(text).replace("|", "\\|")


def _cited(clauses: Mapping[str, str], wanted: Iterable[str]) -> str:
    """The clauses of the rule book on a subject, one a line."""
    return "\n".join(f"- {_cell(clauses[key])}" for key in wanted if key in clauses)


def _bullets(notes: Iterable[str]) -> str:
    return "\n".join(f"- {_cell(str(note))}" for note in notes) or "None."


def _storage_rows(storage: Mapping[str, Any]) -> str:
    parts = sorted(storage["by"].items(), key=lambda part: (-part[1], part[0]))
    return "\n".join(f"| {_cell(part)} | {count(bits)} |" for part, bits in parts)


def _operator_rows(layers: Iterable[Mapping[str, Any]]) -> str:
    sums: dict[str, dict[str, Any]] = defaultdict(lambda: dict.fromkeys(("layers", *_SUMS), 0))
    for layer in layers:
        found = sums[layer["operator"]]
        found["layers"] += 1
        for key in _SUMS:
            found[key] += layer[key]
    rows = sorted(sums.items(), key=lambda row: (-row[1]["total"], row[0]))
    return "\n".join(
        f"| {_cell(operator)} | {' | '.join(count(value) for value in found.values())} |"
        for operator, found in rows
    )


def _sum(document: Mapping[str, Any], freebie_bits: int) -> str:
    """How the total follows from the counts, where one width holds for the whole network."""
    made = document["operations"]
    times, plus, other = made["multiplications"], made["additions"], made["other"]
    share = Fraction(freebie_bits, 32) if document["freebie"] else Fraction(1)
    if times * share + plus + other != made["total"]:
        return "Each operation counts by the larger width of its inputs over 32, layer by layer.\n"
    price = f" × {freebie_bits}/32" if share != 1 else ""
    counts = f"{count(times)} multiplications{price} + {count(plus)} additions"
    return f"{counts} + {count(other)} others = **{count(made['total'])} operations**.\n"


def _without_freebie(score: Mapping[str, Any]) -> str:
    full = score.get("without_freebie", score["total"])
    return "" if full == score["total"] else f"; {full:.4f} without the 16-bit freebie"


def _accuracy(statement: Statement, quality: Mapping[str, Any]) -> str:
    if quality["receipt"] is None:
        return "No accuracy was measured: this package states costs alone."
    found = quality["value"]
    measured = f"{quality['metric']} {found}"
    if quality["correct"] is not None:
        measured += f": {count(quality['correct'])} of {count(quality['of'])}"
    lines = [f"Measured: {measured} (`{_cell(quality['receipt'])}`)."]
    if statement.preprocessing is not None:
        lines.append(f"Preprocessing: {_cell(described(statement.preprocessing))}.")
    lines.append(f"{_cell(quality['verdict'])}.")
    return "\n".join(lines)


def _how_to_run(statement: Statement) -> str:
    if statement.preprocessing is not None:
        return f"python {INFERENCE} IMAGE …"
    return f"micronet evaluate checkpoint.pt --track {statement.track} --data DIR"


def _code(statement: Statement, names: Sequence[str]) -> str:
    """What reproduces inference, said honestly: no exported program is in the package."""
    sources = ", ".join(
        f"`{name}`" for name in names if name.startswith(CODE) and name != INFERENCE
    )
    if statement.model is not None:
        return (
            f"The network is `{_cell(statement.model)}`; its sources are {sources}. "
            "They are run by nobody who verifies, unless they say so with `--model`."
        )
    built = (
        "The network is built by the version of micronet above, from the architecture and the "
        "configuration that `checkpoint.pt` names; no exported program is in the package."
    )
    return built + (f"\nFurther sources: {sources}." if sources else "")
