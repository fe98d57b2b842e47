"""How long a whole `micronet score` takes, beside the least that anything with torch can take.

    python benchmarks/process.py [--repeats 5]

A is `micronet score --model torchvision:resnet50`; B imports torch and torchvision, builds the same
network and runs one forward pass. They alternate, A B A B …, so that a busy machine hits both.
"""
# ruff: noqa: INP001, T201, E402, S603  # a script: it prints, starts our own commands, finds its neighbours

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from benchmarks import machine

_FORWARD = """
import torch, torchvision
torch.set_num_threads(1)
model = torchvision.models.resnet50().eval()
with torch.no_grad():
    model(torch.ones(1, 3, 224, 224))
"""
_SCORE = ["score", "--model", "torchvision:resnet50", "--threads", "1", "--json"]
COMMANDS = {
    "micronet score --model torchvision:resnet50": [sys.executable, "-m", "micronet", *_SCORE],
    "import torch, torchvision; build; one forward pass": [sys.executable, "-c", _FORWARD],
    "import torch, torchvision": [sys.executable, "-c", "import torch, torchvision"],
    "micronet --help": [sys.executable, "-m", "micronet", "--help"],
}


def seconds(command: list[str]) -> float:
    """Wall time of one process."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - start


def main() -> None:
    """One round that is not measured, then ``--repeats`` rounds; medians and the median of ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    rounds = [[seconds(command) for command in COMMANDS.values()] for _ in range(repeats + 1)][1:]
    print("| process | seconds |\n|---|--:|")
    for name, column in zip(COMMANDS, zip(*rounds, strict=True), strict=True):
        print(f"| {name} | {median(column):.3f} |")
    ratio = median(row[0] / row[1] for row in rounds)
    print(f"\nscore / (imports + build + forward pass), median of {repeats} ratios: {ratio:.2f}")
    print(f"\n{machine.describe()}")


if __name__ == "__main__":
    main()
