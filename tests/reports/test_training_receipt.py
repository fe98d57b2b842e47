"""Training receipts are believed only if their epochs add up, and their form is a published schema."""

from __future__ import annotations

import json
from fractions import Fraction
from importlib import resources
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from micronet.errors import MicronetError
from micronet.reports.score_receipt import read_receipts
from micronet.reports.training_receipt import read_trainings
from micronet.training.run import train
from tests.reports.by_hand import HOSTILE, document, folder
from tests.reports.trained_by_hand import EDGES, keep, trained, untested, with_totals
from tests.training.small import images, order_of, trainer_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Change = Callable[[dict[str, Any]], object]

SCHEMA = json.loads(
    resources.files("micronet").joinpath("training/training.schema.json").read_text("utf-8")
)


def problems(made: dict[str, Any]) -> list[str]:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    return [error.json_path for error in validator.iter_errors(made)]


def refusal(root: Path) -> str:
    with pytest.raises(MicronetError) as caught:
        read_trainings(root)
    assert caught.value.exit_code == 2
    assert "micronet train CARD --data DIR --save" in (caught.value.next_step or "")
    return caught.value.message


def test_the_schema_is_a_schema_and_takes_what_is_sound() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert problems(trained()) == []
    assert problems(untested(trained())) == []


@pytest.mark.parametrize("method", ["dnw", "random-graph", "l1-anneal"])
def test_what_a_training_writes_is_believed(tmp_path: Path, method: str) -> None:
    photographs, out = images(tmp_path / "photographs"), tmp_path / "run"
    recipe = f'method = "{method}"'
    order = order_of(photographs, out, recipe)
    train(order, trainer_of(photographs, out, recipe), lambda _: None)
    made = json.loads(order.folder.receipt.read_text("utf-8"))
    assert problems(made) == []
    [receipt] = read_trainings(keep(tmp_path, made))
    assert receipt.accuracy == Fraction(100 * made["test_right"], 20)
    assert (receipt.card, receipt.seed, len(receipt.history)) == ("small", 1, 3)


def test_its_numbers_are_exact(tmp_path: Path) -> None:
    [receipt] = read_trainings(keep(tmp_path, trained((5, 6_667))))
    assert receipt.accuracy == Fraction(6_667, 100)


def test_without_test_images_there_is_no_accuracy(tmp_path: Path) -> None:
    [receipt] = read_trainings(keep(tmp_path, untested(trained())))
    assert receipt.accuracy is None


def test_without_receipts_there_are_none(tmp_path: Path) -> None:
    assert read_trainings(tmp_path) == ()


def _in_epoch(number: int, **values: object) -> Change:
    return lambda made: made["history"][number - 1].update(values)


def _in_last(**values: object) -> Change:
    """The last epoch, and the totals with it."""

    def change(made: dict[str, Any]) -> None:
        made["history"][-1].update(values)
        made.update(with_totals(made))

    return change


def _in_all(**values: object) -> Change:
    return lambda made: made.update(values)


CONTRADICTIONS: dict[str, tuple[Change, str]] = {
    "an epoch too many": (_in_all(epochs=3), "3 epochs, but a history of 2"),
    "no epoch": (_in_all(history=[]), "2 epochs, but a history of 0"),
    "another total": (_in_all(test_right=7_001), "test_right is 7001, but 7000 in the last epoch"),
    "other edges": (_in_all(edges=31_999), "edges is 31999, but 32000 in the last epoch"),
    "other steps": (_in_all(steps=195), "steps is 195, but 196 in the last epoch"),
    "more right than images": (
        _in_last(right=50_001),
        "epoch 2: right is 50001, of 50000",
    ),
    "more right than tested": (
        _in_last(test_right=10_001),
        "epoch 2: test_right is 10001, of 10000",
    ),
    "more right on the way": (_in_epoch(1, test_right=10_001), "epoch 1: test_right is 10001"),
    "an epoch left out": (_in_epoch(1, epoch=2), "epoch 1: epoch is 2, expected 1"),
    "a step left out": (_in_epoch(1, step=97), "epoch 1: step is 97, expected 98"),
    "an image left out": (_in_epoch(1, images=49_999), "images is 49999, expected 50000"),
    "another test": (_in_epoch(1, test_images=1), "test_images is 1, expected 10000"),
    "a test that nobody counted": (
        _in_epoch(1, test_right=None),
        "epoch 1: test_right and test_images are known together or not at all",
    ),
    "edges from nowhere": (
        _in_epoch(2, left=7_999),
        f"epoch 2: {EDGES} edges + 8000 entered - 7999 left are not {EDGES}",
    ),
    "more new edges than edges": (
        _in_epoch(1, entered=32_001),
        "epoch 1: entered is 32001, of 32000",
    ),
    "more nodes alive than there are": (_in_epoch(1, alive=769), "alive is 769, of 768"),
    "another method": (_in_all(method="set"), "method is set, but dnw in the recipe"),
    "a longer recipe": (
        lambda made: made["recipe"].update(epochs=160),
        "epochs is 2, but 160 in the recipe",
    ),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_a_changed_number_is_noticed(tmp_path: Path, case: str) -> None:
    change, words = CONTRADICTIONS[case]
    made = trained()
    change(made)
    message = refusal(keep(tmp_path, odd=made))
    assert message.startswith(f"{tmp_path}/reports/receipts/odd.training.json: is no receipt of a")
    assert words in message


FORMS: dict[str, tuple[Change, str]] = {
    "another edition": (_in_all(schema="micronet.training/2"), "schema is 'micronet.training/2'"),
    "a number as text": (_in_all(edges="32000"), "edges is '32000', expected integer"),
    "half an image": (_in_epoch(1, test_right=0.5), "history[0].test_right is 0.5"),
    "less than none": (_in_epoch(2, left=-1), "history[1].left is -1, expected from 0"),
    "a threshold below none": (_in_epoch(1, thresholds=[-1]), "history[0].thresholds[0] is -1"),
    "a loss beyond all": (_in_epoch(1, loss=1e30), "history[0].loss is 1e+30"),
    "a number beyond all": (_in_all(seed=10**4000), "seed is 1000"),
    "a short digest": (_in_all(recipe_digest="abc"), "recipe_digest is 'abc', expected ^[0-9a-f]"),
    "a path for an architecture": (_in_all(architecture="../x"), "architecture is '../x'"),
    "markup for a method": (_in_all(method=HOSTILE), "method is '<script>"),
    "truth for a count": (_in_all(epochs=True), "epochs is True"),
    "an object for a card": (_in_all(card={}), "card is an object of 0"),
    "a history that is none": (_in_all(history={}), "history is an object of 0"),
}


@pytest.mark.parametrize("case", FORMS)
def test_what_has_another_form_is_refused_here_and_by_the_schema(tmp_path: Path, case: str) -> None:
    change, words = FORMS[case]
    made = trained()
    change(made)
    assert problems(made) != []
    message = refusal(keep(tmp_path, odd=made))
    assert words in message
    assert len(message) < 1_000
    assert message.isprintable()


@pytest.mark.parametrize("key", sorted(trained()))
def test_no_part_may_be_missing(tmp_path: Path, key: str) -> None:
    made = {name: part for name, part in trained().items() if name != key}
    assert problems(made) == ["$"]
    assert f"{key} is missing" in refusal(keep(tmp_path, odd=made))


@pytest.mark.parametrize("text", ["", "{", "[]", "NaN", '{"a": 1, "a": 2}', "[" * 100_000])
def test_what_is_no_receipt_is_named(tmp_path: Path, text: str) -> None:
    path = keep(tmp_path) / "reports" / "receipts" / "odd.training.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MicronetError, match=r"odd\.training\.json: is no"):
        read_trainings(tmp_path)


def test_a_receipt_of_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    with (keep(tmp_path) / "reports/receipts/odd.training.json").open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(MicronetError, match="more than 16,777,216 bytes"):
        read_trainings(tmp_path)


def test_it_is_taken_for_no_score(tmp_path: Path) -> None:
    keep(folder(tmp_path, document()), trained())
    (tmp_path / "reports/receipts/odd.training.json").write_text("{", encoding="utf-8")
    assert [each.name for each in read_receipts(tmp_path)] == ["by_hand"]
