"""The same inputs are the same bytes, wherever and however they are packed."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from micronet import cli
from micronet.packages.archive import read_archive
from tests.evaluation import nets
from tests.packages.made import weights_of

ROOT = Path(__file__).resolve().parents[2]
WORDS = (
    *("--model", "my_net.py:hundred", "--weights", "w.pth", "--track", "cifar100"),
    *("--input", "1,3,32,32", "--author", "Ädä", "--licence", "MIT", "--approach", "why.md"),
)


def clone(folder: Path) -> Path:
    """What a clone holds that packing needs, and the inputs of a submission, touched just now."""
    ignore = shutil.ignore_patterns("__pycache__", "*.pt")
    for name in ("micronet", "scoring", "checkpoints"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    shutil.copy(nets.__file__, folder / "my_net.py")
    (folder / "why.md").write_text("Because.\n", encoding="utf-8")
    return folder


def packed(folder: Path, umask: int, **environment: str) -> tuple[Path, str]:
    """The package that a process makes in the clone, and where its micronet is."""
    code = "import micronet, sys; from micronet.cli import main; print(micronet.__file__); sys.exit(main())"
    out = folder / "entry.zip"
    done = subprocess.run(
        [sys.executable, "-c", code, "package", *WORDS, "-o", out],
        cwd=folder,
        umask=umask,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return out, done.stdout.splitlines()[0]


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two clones in folders of different names and depth, with the same weights."""
    first = clone(tmp_path_factory.mktemp("one"))
    second = clone(tmp_path_factory.mktemp("two") / "a deeper" / "place ä")
    weights_of(nets.hundred(), first / "w.pth")
    shutil.copy(first / "w.pth", second / "w.pth")
    return first, second


def test_two_clones_make_the_same_bytes(twins: tuple[Path, Path]) -> None:
    first, second = twins
    one, here = packed(
        *(first, 0o077),
        LC_ALL="C.UTF-8",
        TZ="Pacific/Kiritimati",
        PYTHONHASHSEED="0",
        OMP_NUM_THREADS="1",
        HOME=str(first),
        USER="ada",
        SOURCE_DATE_EPOCH="1",
    )
    other, there = packed(
        *(second, 0o000),
        LC_ALL="C",
        LANG="de_DE",
        TZ="America/St_Johns",
        PYTHONHASHSEED="4711",
        OMP_NUM_THREADS="2",
        HOME="/nonexistent",
        USER="grace",
        PYTHONUTF8="1",
    )
    assert Path(here).is_relative_to(first)
    assert Path(there).is_relative_to(second)
    assert one.read_bytes() == other.read_bytes()
    members = read_archive(memoryview(one.read_bytes()))
    assert "Ädä".encode() in bytes(members["README.md"])
    for path in (one, other):
        assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_another_weight_makes_other_bytes(
    twins: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison above would notice."""
    monkeypatch.chdir(twins[0])
    assert cli.main(["package", *WORDS, "-o", "same.zip"]) == 0
    state = torch.load("w.pth", weights_only=True)
    state["head.bias"][0] += 1
    torch.save(state, "w.pth")
    assert cli.main(["package", *WORDS, "-o", "other.zip"]) == 0
    same, other = (Path(name).read_bytes() for name in ("same.zip", "other.zip"))
    assert (len(same), same == other) == (len(other), False)
