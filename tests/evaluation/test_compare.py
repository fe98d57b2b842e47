"""Two networks image by image: every image is in one count, and what differs is said."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from micronet.errors import MicronetError
from micronet.evaluation.compare import compare
from micronet.evaluation.predictions_file import write_predictions
from micronet.evaluation.receipt_file import save
from tests.evaluation.samples import answered, content, dataset, document, prediction

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from micronet.evaluation.prediction import Prediction

# The best class of A and of B, all images of class 7, and the margins.
ANSWERS = [
    ((7, 90), (7, 10)),  # both right
    ((7, 20), (3, 30)),  # A alone
    ((7, 10), (1, 80)),  # A alone
    ((3, 50), (7, 40)),  # B alone
    ((3, 50), (3, 60)),  # the same mistake
    ((3, 5), (1, 4)),  # two mistakes
    (None, (7, 80)),  # B alone: A has no answer
    ((7, 0), (3, 1)),  # A alone
]


def answers(side: int) -> list[Prediction]:
    found = []
    for index, pair in enumerate(ANSWERS):
        answer = pair[side]
        if answer is None:
            silent = {"top": (), "margin_percent": None, "state": "nonfinite"}
            found.append(prediction(index, **silent))
        else:
            found.append(prediction(index, top=answer[:1], margin_percent=answer[1]))
    return found


def files(tmp_path: Path, a: Sequence[Prediction], b: Sequence[Prediction]) -> tuple[Path, Path]:
    paths = tmp_path / "a.csv", tmp_path / "b.csv"
    for path, made in zip(paths, (a, b), strict=True):
        write_predictions(path, made)
    return paths


@pytest.fixture
def compared(tmp_path: Path) -> dict[str, Any]:
    return compare(*files(tmp_path, answers(0), answers(1)))


def test_every_image_is_in_one_of_five_counts(compared: dict[str, Any]) -> None:
    assert compared["top1"] == {
        "both_right": 1,
        "only_a_right": 3,
        "only_b_right": 2,
        "both_wrong_same_answer": 1,
        "both_wrong_other_answer": 1,
    }
    assert sum(compared["top1"].values()) == compared["images"]["both"] == 8
    assert compared["correct"] == {"a": 4, "b": 3}


def test_mcnemars_test_is_of_the_images_that_one_gets_right(compared: dict[str, Any]) -> None:
    assert compared["mcnemar"] == {"only_a": 3, "only_b": 2, "p": 1.0}


def test_differences_are_listed_surest_first(compared: dict[str, Any]) -> None:
    """Larger margins: image2 80, image6 80, image3 50, image1 30, image5 5, image7 1."""
    rows = compared["differences"]
    order = ["image2", "image6", "image3", "image1", "image5", "image7"]
    assert [row["name"] for row in rows] == order
    assert rows[1] == {
        "name": "image6",
        "label": 7,
        "a": None,
        "b": 7,
        "a_margin_percent": None,
        "b_margin_percent": 80,
    }


def test_a_network_beside_itself_differs_nowhere(tmp_path: Path) -> None:
    found = compare(*files(tmp_path, answers(0), answers(0)))
    assert (found["differences"], found["mcnemar"]["p"]) == ([], 1.0)
    assert found["changed"] == {"total": 0, "first": []}


def test_images_are_matched_by_name_and_the_others_left_out(tmp_path: Path) -> None:
    a, b = answered(3, 5), [prediction(0, name="image4"), prediction(1, name="image9")]
    found = compare(*files(tmp_path, a, b))
    assert found["images"] == {"both": 1, "only_a": 4, "only_b": 1}
    assert found["top1"]["only_b_right"] == 1


def test_other_bytes_under_the_same_name_are_reported(tmp_path: Path) -> None:
    b = [prediction(0), prediction(1, content=content("edited")), prediction(2)]
    found = compare(*files(tmp_path, answered(3, 3), b))
    assert found["changed"] == {"total": 1, "first": ["image1"]}


def test_no_image_in_common_cannot_be_judged(tmp_path: Path) -> None:
    with pytest.raises(MicronetError, match="no image in common: 'image0' in A, 'y' in B"):
        compare(*files(tmp_path, answered(1, 2), [prediction(0, name="y")]))


def test_labels_that_differ_cannot_be_judged(tmp_path: Path) -> None:
    b = [prediction(0), prediction(1, label=3)]
    with pytest.raises(MicronetError) as raised:
        compare(*files(tmp_path, answered(1, 2), b))
    assert raised.value.message == (
        "The labels differ for 1 of 2 images: 'image1' has 7 in A, 3 in B."
    )


def test_receipts_and_files_of_predictions_can_be_mixed(tmp_path: Path) -> None:
    made = answered(2, 3)
    receipt = save(document(made), made, tmp_path)
    other = tmp_path / "other.csv"
    write_predictions(other, answered(3, 3))
    found = compare(receipt, other)
    assert found["a"]["name"] == "by_hand on val"
    assert found["b"]["name"] == "other.csv"
    assert (found["top1"]["only_a_right"], found["top1"]["only_b_right"]) == (0, 1)


def test_a_receipt_without_its_predictions_cannot_be_compared(tmp_path: Path) -> None:
    made = answered(2, 3)
    receipt = save(document(made, dataset=dataset(made)), made, tmp_path)
    (tmp_path / "reports/predictions/by_hand.val.csv").unlink()
    with pytest.raises(MicronetError, match=r"has by_hand\.val\.csv, which is not here"):
        compare(receipt, receipt)


def test_no_torch_is_needed(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from micronet.commands import compare\n"
        "import micronet.evaluation.lookup\n"
        "compare.run(*map(pathlib.Path, sys.argv[1:]), json=False)\n"
        "assert not {'torch', 'numpy', 'pandas'} & set(sys.modules)"
    )
    paths = files(tmp_path, answers(0), answers(1))
    subprocess.run([sys.executable, "-c", code, *map(str, paths)], check=True, capture_output=True)


def test_the_document_is_json(compared: dict[str, Any]) -> None:
    assert json.loads(json.dumps(compared, allow_nan=False)) == compared
