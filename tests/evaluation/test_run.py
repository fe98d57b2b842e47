"""Every image is answered once, in order, whatever happened before and however the work is cut."""

from __future__ import annotations

import shutil
import warnings
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn
from torchvision import datasets, transforms

from micronet.checkpoints.card import Preprocessing
from micronet.errors import MicronetError
from micronet.evaluation.data.open import open_dataset
from micronet.evaluation.journal import Journal
from micronet.evaluation.prediction import NONFINITE, OK, TIED, UNREADABLE
from micronet.evaluation.run import evaluate
from micronet.evaluation.team import Alone
from micronet.evaluation.worker import Plan
from tests.evaluation import nets
from tests.evaluation.pictures import class_folders, encoded, picture

if TYPE_CHECKING:
    from pathlib import Path

    from micronet.evaluation.prediction import Prediction
    from micronet.evaluation.progress import Progress

LOOK = Preprocessing((32, 32), None, "bilinear", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
AS_IT_IS = replace(LOOK, resize=None, interpolation="none")
IMAGES = 90


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folders(tmp_path_factory.mktemp("data") / "val", IMAGES)


def plan(data: Path, *, look: Preprocessing = LOOK, batch_size: int = 16, lanes: int = 1) -> Plan:
    return Plan(open_dataset(data), look, batch_size=batch_size, lanes=lanes)


def run(net: nn.Module, plan: Plan, folder: Path) -> tuple[Prediction, ...]:
    """The predictions; the journal stays in ``folder``."""
    journal = Journal(folder)
    try:
        return evaluate(net, plan, journal, Alone())
    finally:
        journal.close()


def test_it_is_what_torchvisions_loop_finds(data: Path, tmp_path: Path) -> None:
    """Image by image, with the network as it is and batches of one."""
    steps = [transforms.Resize((32, 32)), transforms.ToTensor()]
    steps += [transforms.Normalize(LOOK.mean, LOOK.std)]
    folder = datasets.ImageFolder(str(data), transforms.Compose(steps))
    net = nets.small()
    with torch.inference_mode():
        expected = [
            (label, *net(image[None])[0].sort(descending=True)[1][:5].tolist())
            for image, label in folder
        ]
    found = run(nets.small(), plan(data), tmp_path / "j")
    assert [(each.label, *each.top) for each in found] == expected
    assert [f"{data}/{each.name}" for each in found] == [path for path, _ in folder.samples]
    assert {each.state for each in found} == {OK}


def test_batches_and_lanes_change_nothing(data: Path, tmp_path: Path) -> None:
    found = {
        run(nets.small(), plan(data, batch_size=size, lanes=lanes), tmp_path / f"{size}-{lanes}")
        for size, lanes in [(1, 1), (7, 1), (64, 1), (1000, 1), (1, 2), (7, 3), (64, 2)]
    }
    assert len(found) == 1


def test_a_network_that_looks_around_gets_each_image_alone(data: Path, tmp_path: Path) -> None:
    one, seven = (
        run(nets.looks_around(), plan(data, batch_size=size), tmp_path / str(size))
        for size in (1, 7)
    )
    assert one == seven


def test_images_of_different_sizes_share_a_chunk(data: Path, tmp_path: Path) -> None:
    """35 sizes without a resize: a batch has one of them, the order stays."""
    together = run(nets.small(), plan(data, look=AS_IT_IS, batch_size=64), tmp_path / "64")
    assert together == run(nets.small(), plan(data, look=AS_IT_IS, batch_size=1), tmp_path / "1")
    assert [each.index for each in together] == list(range(IMAGES))


def test_what_the_journal_holds_is_not_done_again(data: Path, tmp_path: Path) -> None:
    first = run(nets.small(), plan(data), tmp_path / "j")
    (path,) = (tmp_path / "j").glob("*.journal")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:40]))
    read: Counter[int] = Counter()
    asked = plan(data)

    def counted(index: int) -> object:
        read[index] += 1
        return dataset.read(index)

    dataset = asked.dataset
    again = run(
        nets.small(),
        replace(asked, dataset=replace(dataset, read=counted)),  # type: ignore[arg-type]
        tmp_path / "j",
    )
    assert again == first
    assert read == Counter([0, *range(40, IMAGES)])  # 0 to try the network on
    read.clear()
    whole = replace(asked, dataset=replace(dataset, read=counted))  # type: ignore[arg-type]
    assert run(nets.small(), whole, tmp_path / "j") == first
    assert read == Counter()


def test_a_journal_of_other_images_is_not_believed(data: Path, tmp_path: Path) -> None:
    """Other names, labels and numbers, in lines that are whole."""
    expected = run(nets.small(), plan(data), tmp_path / "clean")
    journal = Journal(tmp_path / "j")
    wrong = {"top": (9, 8, 7, 6, 5), "state": OK}
    journal.append(
        [
            replace(expected[3], name="9/0003.png", **wrong),  # type: ignore[arg-type]
            replace(expected[4], label=5, **wrong),  # type: ignore[arg-type]
            replace(expected[5], index=6, **wrong),  # type: ignore[arg-type]
            replace(expected[6], index=IMAGES),
            replace(expected[7], index=-1),
        ]
    )
    journal.close()
    assert run(nets.small(), plan(data), tmp_path / "j") == expected


def with_broken(data: Path, root: Path) -> Path:
    shutil.copytree(data, root)
    (root / "0" / "0000.png").write_bytes(b"")
    (root / "4" / "0044.png").write_bytes(b"<html>")
    (root / "4" / "0054.png").unlink()
    (root / "4" / "0054.png").symlink_to("nowhere")
    (root / "9" / "0089.png").write_bytes((root / "9" / "0089.png").read_bytes()[:900])
    return root


def test_unreadable_images_are_listed_and_wrong(data: Path, tmp_path: Path) -> None:
    root = with_broken(data, tmp_path / "val")
    found = run(nets.small(), plan(root), tmp_path / "j")
    unreadable = {each.name: each.problem for each in found if each.state == UNREADABLE}
    assert unreadable == {
        "0/0000.png": "no image of a known format",
        "4/0044.png": "no image of a known format",
        "4/0054.png": "No such file or directory",
        "9/0089.png": unreadable["9/0089.png"],
    }
    assert unreadable["9/0089.png"].startswith("image file is truncated")
    assert not any(each.correct or each.correct5 for each in found if each.name in unreadable)
    whole = run(nets.small(), plan(data), tmp_path / "whole")
    assert [each for each in found if each.state == OK] == [
        each for each in whole if each.name not in unreadable
    ]
    assert (tmp_path / "val").name not in "".join(unreadable.values())  # no path is in a receipt


def test_strict_names_the_image_and_what_is_done_is_kept(data: Path, tmp_path: Path) -> None:
    root = with_broken(data, tmp_path / "val")
    asked = plan(root, batch_size=5)
    (root / "0" / "0000.png").write_bytes(encoded(picture(0), "PNG"))
    with pytest.raises(MicronetError) as caught:
        run(nets.small(), replace(asked, strict=True), tmp_path / "j")
    assert caught.value.message == (
        "4/0044.png: cannot be read as an image: no image of a known format."
    )
    journal = Journal(tmp_path / "j")
    journal.close()
    assert len(journal.found) == 40  # 36 of the classes 0 to 3 and then chunks of 5


def test_strict_looks_at_unreadable_images_again(data: Path, tmp_path: Path) -> None:
    root = with_broken(data, tmp_path / "val")
    found = run(nets.small(), plan(root), tmp_path / "j")
    assert [each.state for each in found].count(UNREADABLE) == 4
    with pytest.raises(MicronetError, match=r"0/0000\.png: cannot be read"):
        run(nets.small(), replace(plan(root), strict=True), tmp_path / "j")


def test_a_folder_without_one_whole_image_is_refused(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "val", 3, classes=1)
    for path in root.rglob("*.png"):
        path.write_bytes(b"broken")
    with pytest.raises(MicronetError, match="no image can be read: no image of a known format"):
        run(nets.small(), plan(root), tmp_path / "j")


def test_a_network_that_raises_on_some_image_is_said(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "val", 30)
    (root / "5" / "black.png").write_bytes(encoded(picture(1).point(lambda _: 0), "PNG"))
    with pytest.raises(MicronetError) as caught:
        run(nets.refusing(), plan(root), tmp_path / "j")
    assert "cannot compute an input of" in caught.value.message
    assert caught.value.message.endswith("ArithmeticError: too dark to see")


def test_a_size_that_the_network_does_not_take_is_said(tmp_path: Path) -> None:
    """The first image fits, and a later one does not."""
    root = class_folders(tmp_path / "val", 30)
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))
    with pytest.raises(MicronetError, match=r"cannot compute an input of \[\d, 3, 3\d, 3\d\]"):
        run(net, plan(root, look=AS_IT_IS), tmp_path / "j")


def test_ties_and_outputs_that_are_no_numbers_are_told(data: Path, tmp_path: Path) -> None:
    tied = run(nets.tied(), plan(data), tmp_path / "tied")
    assert {(each.state, each.top, each.margin_percent) for each in tied} == {
        (TIED, (0, 1, 2, 3, 4), 0)
    }
    nothing = run(nets.not_a_number(), plan(data), tmp_path / "nan")
    assert {(each.state, each.top, each.margin_percent) for each in nothing} == {
        (NONFINITE, (), None)
    }


def test_equal_files_have_equal_contents(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "val", 10)
    shutil.copy(root / "3" / "0003.png", root / "7" / "copy.png")
    found = {each.name: each.content for each in run(nets.small(), plan(root), tmp_path / "j")}
    assert Counter(found.values()).most_common(1) == [(found["7/copy.png"], 2)]


def test_progress_counts_each_image_once(data: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    journal = Journal(tmp_path / "j")
    found = evaluate(nets.small(), plan(data, batch_size=7, lanes=2), journal, Alone(), seen.append)
    journal.close()
    assert (seen[0].done, seen[0].known, seen[0].total) == (0, 0, IMAGES)
    assert [each.done for each in seen] == sorted(each.done for each in seen)
    assert (seen[-1].done, seen[-1].known) == (IMAGES, IMAGES)
    assert seen[-1].right == sum(each.correct for each in found)
    assert seen[-1].decode_seconds > 0 < seen[-1].compute_seconds


def test_torchs_threads_and_the_filters_of_warnings_come_back(data: Path, tmp_path: Path) -> None:
    before = (torch.get_num_threads(), list(warnings.filters))
    run(nets.small(), plan(data, lanes=2), tmp_path / "j")
    assert (torch.get_num_threads(), list(warnings.filters)) == before
