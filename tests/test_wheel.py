"""The wheel, not the checkout: its exact files, and that it runs from a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import micronet
from micronet.checkpoints.card import cards
from micronet.checkpoints.digest import sha256_of
from tests.checkpoints import trained

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("pyproject.toml", "README.md", "LICENSE", ".gitignore", "micronet", "scoring")
SHIPPED = f"checkpoints/{trained.NAME}.pt"
PLANTED = (
    "checkpoints/built.pt",
    "checkpoints/README.md",
    "checkpoints/notes.txt",
    "scoring/notes.txt",
    "micronet/__pycache__/cli.cpython-311.pyc",
    "reports/receipts/x.json",
    "tests/test_x.py",
)


def quietly(*command: str | Path, cwd: Path | None = None) -> str:
    """What ``command`` writes to stdout; its stderr is in the message if it fails."""
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8", cwd=cwd)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of this tree in which files lie that do not belong into a wheel.

    And one trained wiring more than this tree has, shipped as CONTRIBUTING says.
    """
    tree = tmp_path_factory.mktemp("tree")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name)
        else:
            shutil.copy(ROOT / name, tree / name)
    for planted in PLANTED:
        (tree / planted).parent.mkdir(parents=True, exist_ok=True)
        (tree / planted).write_text("planted", encoding="utf-8")
    for file in ("*.toml", *(f"{name}.pt" for name in trained_cards())):
        for found in (ROOT / "checkpoints").glob(file):
            shutil.copy(found, tree / "checkpoints")
    own = trained.stand_in(tree / SHIPPED)
    own.with_suffix(".toml").write_text(trained.card_text(sha256_of(own)), encoding="utf-8")
    with (tree / ".gitignore").open("a", encoding="utf-8") as rules:
        rules.write(f"!/{SHIPPED}\n")
    build = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tree / "dist")
    quietly(*build, tree)
    [built] = (tree / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of a new environment that holds the wheel, and sees our dependencies by a .pth."""
    home = tmp_path_factory.mktemp("environment")
    quietly(sys.executable, "-m", "venv", "--without-pip", home)
    python = home / "bin" / "python"
    install = ("install", "--quiet", "--no-deps", "--no-index", wheel)
    quietly(sys.executable, "-m", "pip", "--python", python, *install)
    purelib = quietly(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    dependencies = Path(purelib.strip()) / "dependencies.pth"
    dependencies.write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return home / "bin"


def trained_cards() -> list[str]:
    return [card.name for card in cards() if card.weights == "trained"]


def expected_files() -> set[str]:
    """The rules: all Python and its typing mark, schemas, the data as shelf, the metadata."""
    package = {
        path.relative_to(ROOT).as_posix()
        for pattern in ("*.py", "py.typed", "*.schema.json", "*.template", "page/*.*")
        for path in (ROOT / "micronet").rglob(pattern)
    }
    shelf = {
        f"micronet/_shelf/{path.relative_to(ROOT).as_posix()}"
        for pattern in ("scoring/**/*.toml", "scoring/classes/*.txt", "checkpoints/*.toml")
        for path in ROOT.glob(pattern)
    }
    weights = {f"micronet/_shelf/checkpoints/{name}.pt" for name in trained_cards()}
    own = {f"micronet/_shelf/checkpoints/{trained.NAME}.{kind}" for kind in ("toml", "pt")}
    info = f"micronet_wirings-{micronet.__version__}.dist-info"
    metadata = ("METADATA", "WHEEL", "entry_points.txt", "RECORD", "licenses/LICENSE")
    return package | shelf | weights | own | {f"{info}/{name}" for name in metadata}


def test_the_wheel_holds_exactly_what_the_rules_say(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        found = set(archive.namelist())
    expected = expected_files()
    assert {"micronet/scoring/score.schema.json", "micronet/py.typed"} <= expected
    assert "micronet/_shelf/checkpoints/mnv1_582M.toml" in expected
    assert found == expected


def test_it_runs_from_the_root_folder(environment: Path) -> None:
    version = quietly(environment / "micronet", "--version", cwd=Path("/"))
    assert version == f"micronet {micronet.__version__}\n"
    place = quietly(
        environment / "python", "-c", "import micronet; print(micronet.__file__)", cwd=Path("/")
    )
    assert Path(place).is_relative_to(environment.parent)


def test_its_shelf_has_every_card(environment: Path) -> None:
    listed = json.loads(quietly(environment / "micronet", "list", "--json", cwd=Path("/")))
    names = {path.stem for path in (ROOT / "checkpoints").glob("*.toml")}
    assert {card["name"] for card in listed} == {*names, trained.NAME}
    assert len(names) > 5


def test_trained_weights_come_with_it(environment: Path) -> None:
    listed = json.loads(quietly(environment / "micronet", "list", "--json", cwd=Path("/")))
    here = {card["name"]: card["here"] for card in listed if card["weights"] == "trained"}
    assert here == dict.fromkeys([*trained_cards(), trained.NAME], "shipped")
    words = (environment / "micronet", "score", trained.NAME, "--json")
    scored = json.loads(quietly(*words, cwd=Path("/")))
    assert scored["target"]["weights"] == "trained"
    assert scored["operations"]["multiplications"] > 0


def test_the_probe_would_notice_the_checkout(environment: Path) -> None:
    """Without the wheel the new environment has no micronet: the .pth leads to no checkout."""
    code = f"import sys; sys.path.remove({_purelib(environment)!r}); import micronet"
    done = subprocess.run(
        [environment / "python", "-c", code],
        check=False,
        capture_output=True,
        encoding="utf-8",
        cwd="/",
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )
    assert "ModuleNotFoundError" in done.stderr


def _purelib(environment: Path) -> str:
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return quietly(environment / "python", "-c", code).strip()
