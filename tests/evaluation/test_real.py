"""ReaL labels: read from both forms, matched by name, counted exactly."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from micronet.errors import MicronetError
from micronet.evaluation import real
from micronet.evaluation.real import real_labels, score
from tests.evaluation.samples import prediction

NAMES = ["n01/a.JPEG", "b.JPEG"]
FIRST, LAST = "ILSVRC2012_val_00000001.JPEG", "ILSVRC2012_val_00050000.JPEG"

REAL_OF_TIMM = "_info/imagenet_real_labels.json"


def written(tmp_path: Path, value: object) -> Path:
    path = tmp_path / "real.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def test_labels_by_name_are_found_with_and_without_folders(tmp_path: Path) -> None:
    path = written(tmp_path, {"a.JPEG": [3, 1, 3], "b.JPEG": [], "n01/c.JPEG": [5], "c.JPEG": [6]})
    found = real_labels(path, [*NAMES, "n01/c.JPEG"], classes=10)
    assert found == ((1, 3), (), (5,))


def test_labels_by_number_belong_to_imagenets_images(tmp_path: Path) -> None:
    path = written(tmp_path, [[number % 1000] for number in range(50_000)])
    names = [f"n01/{FIRST}", LAST, "ILSVRC2012_val_00000002_n01440764.JPEG"]
    assert real_labels(path, names, classes=1000) == ((0,), (999,), (1,))


def test_an_answer_is_right_if_it_is_among_the_labels_and_none_is_left_out() -> None:
    predictions = [prediction(i) for i in range(4)]  # all answered with 7
    labels = [(7,), (3, 7), (3,), ()]
    assert score(predictions, labels) == (2, 3)


def test_no_answer_is_wrong() -> None:
    silent = prediction(top=(), margin_percent=None, state="nonfinite")
    assert score([silent], [(7,)]) == (0, 1)


WRONG: dict[str, tuple[Any, str]] = {
    "a short list": ([[1]], "a list of 1, expected the 50,000"),
    "a number": (3, "a int, expected a list or names"),
    "an image missing": ({"a.JPEG": [1]}, "no ReaL labels for 1 of 2 images, 'b.JPEG' the first"),
    "a class too high": ({"a.JPEG": [10], "b.JPEG": []}, "classes from 0 to 9"),
    "a negative class": ({"a.JPEG": [-1], "b.JPEG": []}, "classes from 0 to 9"),
    "a truth value": ({"a.JPEG": [True], "b.JPEG": []}, "classes from 0 to 9"),
    "a text": ({"a.JPEG": "12", "b.JPEG": []}, "the labels of 'n01/a.JPEG' are 12"),
    "half a class": ({"a.JPEG": [0.5], "b.JPEG": []}, "classes from 0 to 9"),
    "too many": ({"a.JPEG": [1] * 1001, "b.JPEG": []}, "classes from 0 to 9"),
    "NaN": ('{"a.JPEG": [NaN]}', "is not JSON (NaN is no finite number)"),
    "infinity": ('{"a.JPEG": [1e999]}', "1e999 is no finite number"),
    "a name twice": ('{"a.JPEG": [1], "a.JPEG": [2]}', "the key 'a.JPEG' is there twice"),
    "brackets without end": ("[" * 100_000, "is not JSON"),
    "half a file": ('{"a.JPEG": [1', "is not JSON"),
    "endless digits": ("[" + "1" * 5000 + "]", "is not JSON"),
}


@pytest.mark.parametrize(("value", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_are_no_real_labels_is_refused(tmp_path: Path, value: Any, message: str) -> None:
    path = written(tmp_path, value)
    with pytest.raises(MicronetError) as raised:
        real_labels(path, NAMES, classes=10)
    assert message in raised.value.message
    assert len(raised.value.message) < 300


def test_a_file_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(real, "MAX_FILE_BYTES", 10)
    with pytest.raises(MicronetError, match="more than 10 bytes"):
        real_labels(written(tmp_path, {"a": [1], "b": [2]}), ["a"], classes=10)


def test_the_published_labels_are_read(tmp_path: Path) -> None:
    """Of 50,000 images 46,837 have ReaL labels (Beyer et al. 2020)."""
    package = find_spec("timm")
    if package is None or package.origin is None:
        pytest.skip("timm, which carries the published labels, is not installed")
    text = Path(package.origin).with_name("data").joinpath(REAL_OF_TIMM).read_text("utf-8")
    path = written(tmp_path, text)
    names = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, 50_001)]
    found = real_labels(path, names, classes=1000)
    assert sum(bool(labels) for labels in found) == 46_837
    assert list(found[0]) == sorted(json.loads(text)[0])
