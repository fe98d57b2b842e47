"""The benchmarks run, and what they print adds up; how fast is for them to say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

COUNTING = Path(__file__).parents[1] / "benchmarks" / "counting.py"
EVALUATION = Path(__file__).parents[1] / "benchmarks" / "evaluation.py"


def test_counters_are_timed_side_by_side(tmp_path: Path) -> None:
    """Torch counts two for each multiply-add of conv 8·36·27 and linear 288·4; micronet counts one."""
    out = tmp_path / "rows.json"
    command = [sys.executable, str(COUNTING), "--models", "tiny", "--repeats", "1"]
    done = subprocess.run(
        [*command, "--tools", "micronet", "torch-cpu", "--json", str(out)],
        check=True,
        capture_output=True,
        text=True,
    )
    totals = {row["tool"]: row["total"] for row in json.loads(out.read_text())["rows"]}
    macs = 8 * 6 * 6 * 27 + 8 * 6 * 6 * 4
    assert totals == {"micronet": macs, "torch-cpu": 2 * macs}
    assert "| tiny | torch-cpu | 17,856 | exact; = --rules torch |" in done.stdout
    assert "## Machine" in done.stdout


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="processes are stopped by POSIX signals")
def test_micronet_answers_what_torchvisions_loop_answers(tmp_path: Path) -> None:
    """Six images of noise in two of ImageNet's classes, a seeded network, whole processes."""
    for place in range(6):
        folder = tmp_path / "val" / ("n01440764", "n01443537")[place % 2]
        folder.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(place).integers(0, 256, (240, 260, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{place}.png")
    out = tmp_path / "rows.json"
    command = [sys.executable, str(EVALUATION), "--data", str(tmp_path), "--json", str(out)]
    options = ["--models", "shufflenet_v2_x0_5", "--repeats", "1"]
    done = subprocess.run(
        [*command, *options, "--contestants", "loop", "micronet"],
        check=True,
        capture_output=True,
        text=True,
    )
    found = json.loads(out.read_text())
    assert found["differing"] == {"shufflenet_v2_x0_5": {"loop": [[], []], "timm": None}}
    assert [row["contestant"] for row in found["rows"]] == ["loop", "micronet"]
    assert "the same best class for 6 of 6 images, the same five for 6 of 6" in done.stdout
