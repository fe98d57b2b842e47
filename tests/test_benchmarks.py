"""The benchmarks run, and what they print adds up; how fast is for them to say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

COUNTING = Path(__file__).parents[1] / "benchmarks" / "counting.py"


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
