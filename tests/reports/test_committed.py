"""The tables in reports/ are those that the receipts beside them give today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_reports_are_up_to_date() -> None:
    """If this fails: make reports, look at what changed, and commit it."""
    done = subprocess.run(
        [sys.executable, "-m", "micronet", "report", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
