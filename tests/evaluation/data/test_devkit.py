"""The devkit's ground truth: IDs whose order another file must tell, and never a guess."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from micronet.errors import MicronetError
from micronet.evaluation.data.classes import wnid_labels
from micronet.evaluation.data.open import open_dataset

if TYPE_CHECKING:
    from tests.evaluation.data.conftest import Plant

ROOT = Path(__file__).resolve().parents[3]
FIRST = ["n02119789", "n02100735"]  # kit fox, English setter: labels 278 and 212
# Not the devkit's order behind its first two, which is nowhere here; an order that is not sorted.
ORDER = [*FIRST, *(wnid for wnid in reversed(list(wnid_labels())) if wnid not in FIRST)]


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """Image 1 is of ID 2, image 2 of ID 1, image 3 of ID 1,000."""
    path = tmp_path / "devkit" / "ILSVRC2012_validation_ground_truth.txt"
    path.parent.mkdir()
    path.write_text("2\n1\n1000\n", encoding="ascii")
    return path


@pytest.fixture
def images(plant: Plant) -> Path:
    """Images 1 to 3 of the validation set."""
    return plant({f"ILSVRC2012_val_{number:08d}.JPEG": b"" for number in (1, 2, 3)})


def labels(images: Path, truth: Path) -> list[int]:
    return [example.label for example in open_dataset(images, labels=truth).examples]


TEXTS = {
    "map_clsloc.txt": [f"{wnid} {number} name" for number, wnid in enumerate(ORDER, 1)],
    "synsets.txt": ORDER,
}
SHAPES = {
    **TEXTS,
    "map_clsloc.txt ": [f"{number} {wnid}" for number, wnid in enumerate(ORDER, 1)],
    "map_clsloc.txt  ": list(reversed(TEXTS["map_clsloc.txt"])),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_text_beside_it_tells_the_order(images: Path, truth: Path, name: str) -> None:
    """ID 2 is the English setter (212), 1 the kit fox (278), 1,000 the first of all: tench (0)."""
    truth.with_name(name.strip()).write_text("\n".join(SHAPES[name]), encoding="ascii")
    assert labels(images, truth) == [212, 278, 0]


def test_without_one_the_error_says_what_to_give(images: Path, truth: Path) -> None:
    with pytest.raises(MicronetError) as caught:
        open_dataset(images, labels=truth)
    assert str(caught.value) == (
        f"{truth}: holds ILSVRC2012 IDs, whose order only the devkit's meta.mat tells.\n"
        "Put meta.mat (needs scipy) beside it, or map_clsloc.txt with lines 'n02119789 1'."
    )


@pytest.mark.parametrize("numbered", [True, False])
def test_the_sorted_order_is_refused(images: Path, truth: Path, *, numbered: bool) -> None:
    """Caffe's synsets.txt: 1,000 WordNet IDs all right, but not in the devkit's order."""
    lines = [f"{wnid} {n}" if numbered else wnid for n, wnid in enumerate(wnid_labels(), 1)]
    place = truth.with_name("synsets.txt")
    place.write_text("\n".join(lines), encoding="ascii")
    with pytest.raises(MicronetError) as caught:
        open_dataset(images, labels=truth)
    assert str(caught.value) == (
        f"{place}: is in another order than the ILSVRC2012 IDs: 1 is n01440764,"
        " expected n02119789 (kit fox).\n"
        "Caffe's synsets.txt is sorted and does not tell these IDs; the devkit's meta.mat does."
    )


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ORDER[:-1],
        [*ORDER[:-1], ORDER[0]],
        [*ORDER[:-1], "n00000000"],
        [*ORDER, "n00000000"],
        [f"{wnid} {number}" for number, wnid in enumerate(ORDER)],
        [f"{wnid} 1" for wnid in ORDER],
    ],
    ids=["empty", "one short", "one twice", "unknown", "one more", "from 0", "all first"],
)
def test_a_list_of_something_else_is_refused(images: Path, truth: Path, lines: list[str]) -> None:
    truth.with_name("map_clsloc.txt").write_text("\n".join(lines), encoding="ascii")
    with pytest.raises(MicronetError, match="is not a list of the 1,000 ILSVRC2012 IDs"):
        open_dataset(images, labels=truth)


@pytest.mark.parametrize("line", ["0", "1001", "999999"])
def test_an_id_beyond_1000_is_an_error(images: Path, truth: Path, line: str) -> None:
    truth.with_name("map_clsloc.txt").write_text("\n".join(ORDER), encoding="ascii")
    truth.write_text(f"1\n{line}\n", encoding="ascii")
    with pytest.raises(MicronetError) as caught:
        open_dataset(images, labels=truth)
    expected = f"{truth}: line 2: expected an ILSVRC2012 ID, 1 to 1,000: '{line}'."
    assert caught.value.message == expected


def test_more_lines_than_images_are_an_error(images: Path, truth: Path) -> None:
    truth.with_name("map_clsloc.txt").write_text("\n".join(ORDER), encoding="ascii")
    truth.write_text("1\n2\n3\n4\n", encoding="ascii")
    with pytest.raises(MicronetError, match=r"1 listed image not there: ILSVRC2012_val_00000004\."):
        open_dataset(images, labels=truth)


def write_meta(place: Path) -> None:
    """The devkit's structure: leaves 1 to 1,000 in any order, and inner synsets behind them."""
    numpy, io = pytest.importorskip("numpy"), pytest.importorskip("scipy.io")
    fields = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("num_children", "O")]
    leaves: list[Any] = [(n, wnid, "a name", 0) for n, wnid in enumerate(ORDER, 1)]
    inner: list[Any] = [(1001, "n00001740", "entity", 3)]
    rows = numpy.array([*inner, *reversed(leaves)], dtype=fields)
    io.savemat(place, {"synsets": rows.reshape(-1, 1)}, do_compression=True)


def test_meta_mat_is_read_with_scipy(images: Path, truth: Path) -> None:
    write_meta(truth.with_name("meta.mat"))
    assert labels(images, truth) == [212, 278, 0]


def test_a_broken_meta_mat_is_an_error(images: Path, truth: Path) -> None:
    pytest.importorskip("scipy")
    place = truth.with_name("meta.mat")
    place.write_bytes(b"MATLAB 5.0 MAT-file" + bytes(range(256)))
    with pytest.raises(MicronetError) as caught:
        open_dataset(images, labels=truth)
    assert str(caught.value) == (
        f"{place}: scipy finds no synsets of ILSVRC2012 in it.\n"
        "Give the devkit's own file, or map_clsloc.txt with lines 'n02119789 1'."
    )


def test_without_scipy_meta_mat_is_refused_with_a_way_out(images: Path, truth: Path) -> None:
    """An interpreter without site packages has no scipy, and needs nothing else for all this."""
    truth.with_name("meta.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    code = (
        "import sys; from pathlib import Path\n"
        "from micronet.errors import MicronetError\n"
        "from micronet.evaluation.data.open import open_dataset\n"
        "try: open_dataset(Path(sys.argv[1]), labels=Path(sys.argv[2]))\n"
        "except MicronetError as error: print(error)"
    )
    command = [sys.executable, "-S", "-c", code, str(images), str(truth)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == (
        f"{truth.with_name('meta.mat')}: is a MATLAB file, and scipy, which reads it,"
        " is not installed.\n"
        "pip install scipy, or put map_clsloc.txt with lines 'n02119789 1' beside it.\n"
    )
