"""How long counters take to count one network that is already built, side by side.

    python benchmarks/counting.py
    python benchmarks/counting.py --models resnet50 swin_t --tools micronet fvcore --repeats 9

Every tool runs in a process of its own, one thread, and sees the same models in the same order.
Processor time is measured, so that whatever else the machine does weighs little.
"""
# ruff: noqa: INP001, T201, S603  # a script: it prints, starts our own commands, finds its neighbours

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from math import exp, log
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks import machine, zoo

TOOLS = "micronet fvcore thop ultralytics-thop torch-cpu torch-meta forward".split()
PER_MULTIPLY_ADD = {"torch-cpu": 2, "torch-meta": 2}
RULES = {"fvcore": "fvcore", "thop": "thop", "torch-cpu": "torch"}
MEBIBYTE = 1 << 20
Row = Mapping[str, Any]
Found = Mapping[tuple[str, str], Row]
"""Rows by (tool, model)."""


def run(tool: str, models: Sequence[str], repeats: int) -> list[Row]:
    """Measure one tool; an empty list, and a word on stderr, if it cannot run here."""
    with tempfile.TemporaryDirectory() as folder:
        extra: list[str] = []
        if (
            tool == "ultralytics-thop"
        ):  # it calls itself `thop` too, so it lives in a folder of its own
            if not _install("ultralytics-thop", folder):
                print(f"{tool}: could not be installed, left out", file=sys.stderr)
                return []
            extra = ["--first", folder]
        worker = [sys.executable, str(Path(__file__).with_name("tools.py")), tool, *extra]
        command = [*worker, "--repeats", str(repeats), "--models", *models]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        print(f"{tool} …", file=sys.stderr, flush=True)
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if done.returncode:
        print(f"{tool}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def _install(package: str, folder: str) -> bool:
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        folder,
        package,
    ]
    return subprocess.run(pip, check=False, capture_output=True).returncode == 0


def seconds(row: Row | None) -> float | None:
    """What peers do: the count alone."""
    return None if row is None else float(row["seconds"]["count"])


def verdict(tool: str, row: Row, ours: Row | None) -> str:
    """Its total against the multiply-accumulates, and against our rule book for its dialect."""
    if ours is None or tool == "forward":
        return ""
    if tool != "micronet" and tool in RULES and row["total"] == ours["dialects"][RULES[tool]]:
        dialect = f"; = --rules {RULES[tool]}"
    else:
        dialect = ""
    macs = ours["total"] * PER_MULTIPLY_ADD.get(tool, 1)
    if row["total"] == macs:
        return "exact" + dialect
    return f"{100 * (row['total'] / macs - 1):+.2f} %" + dialect


def times(found: Found, tools: Sequence[str], models: Sequence[str]) -> list[str]:
    """Seconds a model and tool, sums, and the ratio of each tool to micronet."""
    lines = ["| model | " + " | ".join(tools) + " |", "|---|" + "--:|" * len(tools)]
    for model in models:
        cells = [seconds(found.get((tool, model))) for tool in tools]
        lines.append(
            f"| {model} | " + " | ".join("–" if s is None else f"{s:.3f}" for s in cells) + " |"
        )
    sums, ratios = [], []
    for tool in tools:
        pairs = [
            (seconds(found.get((tool, m))), seconds(found.get(("micronet", m)))) for m in models
        ]
        both = [(theirs, ours) for theirs, ours in pairs if theirs and ours]
        complete = len(both) == len(models)
        sums.append(f"{sum(theirs for theirs, _ in both):.3f}" if complete else "–")
        mean = exp(sum(log(a / b) for a, b in both) / len(both)) if both else 0.0
        ratios.append(f"{mean:.2f} ×" if both else "–")
    lines.append("| **sum** | " + " | ".join(sums) + " |")
    return [*lines, "| **geometric mean, micronet = 1** | " + " | ".join(ratios) + " |"]


def memory(found: Found, tools: Sequence[str], models: Sequence[str]) -> list[str]:
    """Most resident memory above that of the built model, in MiB; the first count of each model."""
    lines = ["| model | " + " | ".join(tools) + " |", "|---|" + "--:|" * len(tools)]
    for model in models:
        rows = [found.get((tool, model)) for tool in tools]
        cells = ["–" if row is None else f"{row['extra_bytes'] / MEBIBYTE:.1f}" for row in rows]
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    return lines


def totals(found: Found, tools: Sequence[str], models: Sequence[str]) -> list[str]:
    """What each tool reports, and whether that is what ran."""
    lines = ["| model | tool | reported | against the multiply-accumulates |", "|---|---|--:|---|"]
    for model in models:
        for tool in tools:
            row = found.get((tool, model))
            if row is not None and tool != "forward":
                word = verdict(tool, row, found.get(("micronet", model)))
                lines.append(f"| {model} | {tool} | {row['total']:,} | {word} |")
    return lines


def phases(found: Found, models: Sequence[str]) -> list[str]:
    """Seconds; liveness + bits in forward passes; extra memory of everything together."""
    lines = [
        "| model | first count | count | liveness | bits | bill | passes | MiB |",
        "|---|" + "--:|" * 7,
    ]
    for model in models:
        row, forward = found.get(("micronet", model)), seconds(found.get(("forward", model)))
        if row is None:
            continue
        part = row["seconds"]
        passes = f"{(part['liveness'] + part['bits']) / forward:.1f}" if forward else "–"
        cells = [row["first_seconds"], *(part[p] for p in ("count", "liveness", "bits", "bill"))]
        shown = " | ".join(f"{cell:.3f}" for cell in cells)
        whole = row["extra_bytes_all_phases"] / MEBIBYTE
        lines.append(f"| {model} | {shown} | {passes} | {whole:.1f} |")
    return lines


def main() -> None:
    """Run every tool, print the tables, write the raw rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=list(zoo.MODELS), metavar="NAME")
    parser.add_argument("--tools", nargs="+", default=TOOLS, choices=TOOLS, metavar="TOOL")
    parser.add_argument("--repeats", type=int, default=5, help="counts after the first (median)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write every row here")
    options = parser.parse_args()
    rows = [row for tool in options.tools for row in run(tool, options.models, options.repeats)]
    found = {(row["tool"], row["model"]): row for row in rows}
    here = options.tools, options.models
    sections = {
        "Processor seconds to count a built network": times(found, *here),
        "Extra memory of a first count, MiB": memory(found, *here),
        "What micronet adds, processor seconds": phases(found, options.models),
        "Totals": totals(found, *here),
    }
    for title, lines in sections.items():
        print(f"\n## {title}\n\n" + "\n".join(lines))
    print(f"\n## Machine\n\n{machine.describe()}")
    if options.json:
        document = {"machine": machine.describe().splitlines(), "rows": rows}
        options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
