"""`--help`, `list` and `import micronet` stay quick: torch is imported when it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "pandas", "numpy", "fvcore", "thop")
PROBE = f"import sys; found = sorted(set({HEAVY}) & set(sys.modules)); sys.exit(' '.join(found))"


def heavy_imports(code: str) -> str:
    """The heavy packages that a new interpreter has imported after ``code``."""
    command = [sys.executable, "-c", f"{code}\n{PROBE}"]
    return subprocess.run(command, check=False, capture_output=True, text=True).stderr.strip()


@pytest.mark.parametrize(
    "code",
    [
        "import micronet; assert micronet.__version__",
        "import micronet.__main__",
        "import micronet.errors, micronet.shelf",
        "import micronet.checkpoints.card; micronet.checkpoints.card.cards()",
        "from micronet.cli import main; assert main(['--help']) == 0",
        "from micronet.cli import main; assert main(['score', '--help']) == 0",
        "from micronet.cli import main; assert main(['--version']) == 0",
        "from micronet.cli import main; assert main(['list', '--json']) == 0",
        "from micronet.cli import main; assert main(['show', 'dnw_x225']) == 0",
        "from micronet.cli import main; assert main(['audit', 'resnet50_dnw_10', '--json']) == 1",
        "from micronet.cli import main; assert main(['report', '--show', 'submission']) == 0",
    ],
)
def test_nothing_heavy_is_imported(code: str) -> None:
    assert heavy_imports(code) == ""


@pytest.mark.parametrize("package", ["torch", "numpy"])
def test_the_probe_notices(package: str) -> None:
    assert package in heavy_imports(f"import {package}").split()


def test_the_probe_notices_a_failure() -> None:
    assert "AssertionError" in heavy_imports("assert False")


def test_score_is_there_when_asked_for() -> None:
    code = "import micronet; assert callable(micronet.score)"
    assert "torch" in heavy_imports(code).split()
