"""What is written to reports/: the same bytes anywhere, and noticed when it is not what it was."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from micronet.reports.outputs import stale, texts, write
from micronet.reports.tables import tables
from tests.reports.by_hand import audit, committed, document, folder, material

PROBE = """
import hashlib, sys
from pathlib import Path
from micronet.reports.material import gather
from micronet.reports.outputs import texts
from micronet.reports.tables import tables
from tests.reports.by_hand import audit
found = gather(Path(sys.argv[1]), audit())
for path, content in sorted(texts(found, tables(found)).items()):
    print(path, hashlib.sha256(content).hexdigest())
"""


def files(root: Path) -> dict[Path, bytes]:
    found = material(root, document(), committed("resnet50_dnw_10.micronet2019"), audit=audit())
    return texts(found, tables(found))


def test_every_table_comes_in_every_format(tmp_path: Path) -> None:
    names = {path.as_posix() for path in files(tmp_path)}
    assert {"README.md", "report.html", "tables/tables.tex"} <= names
    for name in ("submission-imagenet", "leaderboard-imagenet", "layers-by_hand", "audit"):
        assert {f"tables/{name}.{end}" for end in ("md", "tex", "csv", "json")} <= names


def test_the_readme_links_only_to_what_is_there(tmp_path: Path) -> None:
    found = files(tmp_path)
    readme = found[Path("README.md")].decode()
    links = {part.partition(")")[0] for part in readme.split("](")[1:]}
    assert links
    assert {Path(link) for link in links} <= set(found)


def test_no_file_names_this_machine_or_this_version(tmp_path: Path) -> None:
    import micronet

    for path, content in files(tmp_path).items():
        assert str(tmp_path).encode() not in content, path
        assert f"micronet {micronet.__version__}".encode() not in content, path
        assert content.endswith(b"\n"), path
        assert b"\r" not in content, path


@pytest.mark.parametrize(
    "surroundings",
    [
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "2", "TZ": "America/Lima", "LC_ALL": "C.UTF-8", "COLUMNS": "20"},
    ],
)
def test_the_bytes_do_not_depend_on_where_they_are_made(
    tmp_path: Path, surroundings: dict[str, str]
) -> None:
    here = files(tmp_path)
    folder(tmp_path / "other place", document(), committed("resnet50_dnw_10.micronet2019"))
    done = subprocess.run(
        [sys.executable, "-c", PROBE, tmp_path / "other place"],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | surroundings,
        cwd=Path(__file__).parents[2],
    )
    expected = [f"{path} {hashlib.sha256(here[path]).hexdigest()}" for path in sorted(here)]
    assert done.stdout.splitlines() == expected


def test_what_was_just_written_is_up_to_date(tmp_path: Path) -> None:
    found = files(tmp_path)
    write(tmp_path / "out", found)
    assert stale(tmp_path / "out", found) == []


def test_an_edited_a_missing_and_a_left_over_file_are_named(tmp_path: Path) -> None:
    found, out = files(tmp_path), tmp_path / "out"
    write(out, found)
    with (out / "README.md").open("a", encoding="utf-8") as file:
        file.write("edited\n")
    (out / "tables" / "audit.csv").unlink()
    (out / "tables" / "layers-gone.md").write_text("left", encoding="utf-8")
    assert stale(out, found) == [
        f"{out}/README.md: is not what the receipts give",
        f"{out}/tables/audit.csv: is missing",
        f"{out}/tables/layers-gone.md: no receipt gives it any more",
    ]


def test_writing_again_mends_all_that_and_leaves_the_rest_alone(tmp_path: Path) -> None:
    found, out = files(tmp_path), tmp_path / "out"
    write(out, found)
    (out / "report.html").write_text("edited", encoding="utf-8")
    (out / "tables" / "layers-gone.md").write_text("left", encoding="utf-8")
    (out / "tables" / "tables.pdf").write_text("compiled", encoding="utf-8")
    before = (out / "README.md").stat().st_mtime_ns
    write(out, found)
    assert stale(out, found) == []
    assert (out / "tables" / "tables.pdf").exists()
    assert (out / "README.md").stat().st_mtime_ns == before
