"""Training runs in tables: exact statistics over seeds, and the published figure under its conditions."""

from __future__ import annotations

import csv
import io
import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from micronet.audit.shipped import shipped_claims
from micronet.checkpoints.card import card
from micronet.errors import MicronetError
from micronet.reports import delimited, latex, markdown
from micronet.reports import document as documents
from micronet.reports.material import gather
from micronet.reports.overview import overview
from micronet.reports.page.page import page
from micronet.reports.shown import root, shown
from micronet.reports.tables import tables
from micronet.reports.training_runs import mean, variance
from micronet.reports.training_table import COLUMNS, RUN_COLUMNS, runs_table, training_table
from micronet.training.network import trainable
from micronet.training.recipe import recipe_of
from tests.reports.by_hand import HOSTILE, document, folder
from tests.reports.trained_by_hand import COSINE, SHORT, keep, sha256, together, trained, untested

if TYPE_CHECKING:
    from pathlib import Path

    from micronet.reports.table import Cell, Column, Table

RANDOM = "tiny_static_random_short"
PAPERS: dict[str, Any] = {"schedule": "steps", "milestones": [80, 120]}  # of the tiny classifiers


def made(tmp_path: Path, *receipts: dict[str, Any]) -> Table:
    return training_table(together(tmp_path, *receipts))


def cells(table: Table, row: int = 0, columns: tuple[Column, ...] = COLUMNS) -> dict[str, Cell]:
    keys = (column.key for column in columns)
    return dict(zip(keys, table.rows[row].cells, strict=True))


def texts(table: Table, row: int = 0, columns: tuple[Column, ...] = COLUMNS) -> dict[str, str]:
    pairs = zip(columns, table.rows[row].cells, strict=True)
    return {column.key: shown(cell, column) for column, cell in pairs}


def test_one_seed_has_a_mean_and_no_deviation(tmp_path: Path) -> None:
    [cell] = [cells(made(tmp_path, trained((1, 7_000))))["top1_percent"]]
    assert (cell.value, cell.variance) == (Fraction(70), None)
    assert texts(made(tmp_path))["top1_percent"] == "70.00"


def test_two_seeds(tmp_path: Path) -> None:
    """70 and 71: the mean is 70.5, each is ½ away, and (¼ + ¼) / 1 = ½; √½ = 0.707…"""
    table = made(tmp_path, trained((1, 7_000), seed=2), trained((1, 7_100), seed=1))
    cell = cells(table)["top1_percent"]
    assert (cell.value, cell.variance) == (Fraction(141, 2), Fraction(1, 2))
    found = texts(table)
    assert found["top1_percent"] == "70.50 ± 0.71"
    assert (found["seeds"], found["best_seed"], found["top1_best_percent"]) == (
        "1, 2",
        "1",
        "71.00",
    )


def test_three_seeds(tmp_path: Path) -> None:
    """7001, 7004 and 7012 right of 10,000 are 21017 of 30,000: 21017/300 %.

    They are 14/3 and 5/3 below the mean of 7005⅔, and 19/3 above: (196 + 25 + 361) / 9 = 194/3,
    over n - 1 = 2 that is 97/3 images², and one image is 1/100 of a point: 97/30000 points².
    """
    right = {3: 7_001, 1: 7_004, 2: 7_012}
    table = made(tmp_path, *(trained((1, of), seed=seed) for seed, of in right.items()))
    cell = cells(table)["top1_percent"]
    assert (cell.value, cell.variance) == (Fraction(21_017, 300), Fraction(97, 30_000))
    assert texts(table)["top1_percent"] == "70.06 ± 0.06"  # 0.0568…
    assert texts(table)["best_seed"] == "2"


def test_of_equal_seeds_the_first_is_the_best(tmp_path: Path) -> None:
    table = made(tmp_path, *(trained(seed=seed) for seed in (4, 3, 5)))
    assert texts(table)["best_seed"] == "3"
    assert texts(table)["top1_percent"] == "70.00 ± 0.00"


def test_statistics_of_nothing_are_unknown() -> None:
    assert (mean([]), variance([]), variance([Fraction(1)])) == (None, None, None)


@pytest.mark.parametrize(
    ("value", "places", "expected"),
    [
        (Fraction(2), 15, Fraction(1_414_213_562_373_095, 10**15)),
        (Fraction(1, 4), 0, Fraction(0)),  # ½, half to even
        (Fraction(9, 4), 0, Fraction(2)),  # 1½
        (Fraction(226, 100), 0, Fraction(2)),  # 1.503…
        (Fraction(0), 2, Fraction(0)),
        (Fraction(10**40), 0, Fraction(10**20)),
    ],
)
def test_a_root_is_rounded_once(value: Fraction, places: int, expected: Fraction) -> None:
    assert root(value, places) == expected


def test_without_test_images_there_is_nothing_to_compare(tmp_path: Path) -> None:
    found = texts(made(tmp_path, untested(trained())))
    assert [found[key] for key in ("top1_percent", "top1_best_percent", "best_seed")] == ["–"] * 3
    assert [found[key] for key in ("top1_published_percent", "difference_points")] == ["–"] * 2


def test_a_short_run_is_not_mistaken_for_the_papers(tmp_path: Path) -> None:
    """70 % here, 80.9 % there: 10.9 points below, after 2 epochs instead of 160."""
    table = made(tmp_path, trained())
    found, exact = texts(table), cells(table)
    assert (found["top1_published_percent"], found["epochs_published"]) == ("80.9±0.6", "160")
    assert exact["difference_points"].value == Fraction(-109, 10)
    assert (found["difference_points"], found["difference_after"]) == (
        "−10.90",
        "2 epochs instead of 160",
    )
    assert exact["difference_points"].tone == exact["difference_after"].tone == "doubt"
    noted = {note.mark: note for note in table.notes}
    [mark] = exact["difference_after"].marks
    assert noted[mark].text == f"Not as they trained it: schedule “{COSINE}” instead of “steps”."
    [mark] = exact["top1_published_percent"].marks
    assert noted[mark].text == "Published: Tiny classifier, static, DNW."
    assert noted[mark].source.startswith("github.com/allenai/dnw, README.md")


def test_the_papers_own_recipe_is_compared_without_doubt(tmp_path: Path) -> None:
    run = trained((4_000,) * 159 + (8_100,), card="tiny_static_dnw", **PAPERS)
    table = made(tmp_path, run)
    found, exact = texts(table), cells(table)
    assert (found["difference_points"], found["difference_after"]) == (
        "+0.10",
        "160 epochs, as theirs",
    )
    assert exact["difference_points"].tone == ""
    assert exact["difference_after"].marks == ()


def test_as_many_epochs_of_another_recipe_are_in_doubt_too(tmp_path: Path) -> None:
    run = trained((4_000,) * 160, momentum=0.8, **PAPERS)
    run["recipe"]["nesterov"] = True
    table = made(tmp_path, run)
    exact = cells(table)
    assert exact["difference_points"].tone == "doubt"
    noted = {note.mark: note.text for note in table.notes}
    [mark] = exact["difference_after"].marks
    assert noted[mark] == (
        "Not as they trained it: momentum 0.8 instead of 0.9; nesterov on instead of off."
    )


def fewer_images(run: dict[str, Any]) -> dict[str, Any]:
    for epoch in run["history"]:
        epoch |= {"images": 49_664, "step": epoch["epoch"] * 97}
    run["data"] |= {"train_images": 49_664, "train": sha256("fewer")}
    return run | {"train_images": 49_664, "steps": 97 * run["epochs"]}


def test_fewer_images_are_another_experiment_and_are_named(tmp_path: Path) -> None:
    table = made(tmp_path, trained(), fewer_images(trained((1, 6_000), seed=2)))
    assert [texts(table, row)["images"] for row in (0, 1)] == ["50,000", "49,664"]
    assert any("49,664 images instead of 50,000" in note.text for note in table.notes)


def mobile(method: str, name: str, **recipe: Any) -> dict[str, Any]:
    """A run of MobileNetV1 ×0.225, short."""
    run = trained(card=f"mobilenetv1_cifar10_{name}", method=method, batch_size=512, **recipe)
    for epoch in run["history"]:
        epoch["kept"] = 158_944
    return run | {"architecture": "mobilenetv1_dnw", "edges": 158_944}


PUBLISHED: dict[str, tuple[dict[str, Any], str, str]] = {
    "tiny random": (trained(card=RANDOM, method="random-graph"), "76.1±0.5", "160"),
    "tiny dnw": (trained(card="tiny_static_dnw"), "80.9±0.6", "160"),
    "dnw": (mobile("dnw", "dnw_short"), "89.7±.2", "160"),
    "random graph": (mobile("random-graph", "random"), "87.2±.1", "160"),
    "no update": (mobile("no-update", "no_update"), "86.7±.5", "160"),
    "L1": (mobile("l1-anneal", "l1_anneal"), "84.3±.6", "160"),
    "targeted dropout": (mobile("targeted-dropout", "targeted_dropout"), "89.2±.4", "160"),
    "lottery": (
        mobile("lottery-ticket", "lottery_ticket", cycle_rates=[0.1, 0.1]),
        "87.9±.3",
        "320",
    ),
    "fine-tune .1": (mobile("fine-tune", "fine_tune", cycle_rates=[0.1, 0.1]), "89.4±.2", "320"),
    "fine-tune .01": (mobile("fine-tune", "fine_tune", cycle_rates=[0.1, 0.01]), "89.7±.1", "320"),
    "fine-tune .001": (
        mobile("fine-tune", "fine_tune", cycle_rates=[0.1, 0.001]),
        "88.7±.2",
        "320",
    ),
}


@pytest.mark.parametrize("case", PUBLISHED)
def test_each_method_is_held_against_its_own_figure(tmp_path: Path, case: str) -> None:
    run, stated, epochs = PUBLISHED[case]
    found = texts(made(tmp_path, run))
    assert (found["top1_published_percent"], found["epochs_published"]) == (stated, epochs)


def of_fewer_edges() -> dict[str, Any]:
    run = trained()
    for epoch in run["history"]:
        epoch["kept"] = 16_000
    return run | {"edges": 16_000}


def of_a_part_of_the_test() -> dict[str, Any]:
    run = trained((500, 700))
    for epoch in run["history"]:
        epoch["test_images"] = 1_000
    run["data"]["test_images"] = 1_000
    return run | {"test_images": 1_000}


UNPUBLISHED: dict[str, dict[str, Any]] = {
    "a method that they did not try": mobile("rigl", "rigl"),
    "other knobs": mobile("targeted-dropout", "targeted_dropout", knobs={"rho": 0.5}),
    "another share of the edges among the layers": trained(budgets="erk"),
    "another rate in the second cycle": mobile("fine-tune", "fine_tune", cycle_rates=[0.1, 0.5]),
    "a card of the user's own": trained(card="mine"),
    "another card's network": trained(card="mobilenetv1_cifar10_dnw"),
    "fewer edges": of_fewer_edges(),
    "a part of the test images": of_a_part_of_the_test(),
    "the same network on ImageNet": mobile("dnw", "dnw") | {"card": "dnw_x225"},
}


@pytest.mark.parametrize("case", UNPUBLISHED)
def test_what_is_not_theirs_is_held_against_nothing(tmp_path: Path, case: str) -> None:
    table = made(tmp_path, UNPUBLISHED[case])
    found = texts(table)
    keys = ("top1_published_percent", "epochs_published", "difference_points", "difference_after")
    assert [found[key] for key in keys] == ["–", "–", "–", ""]
    assert not any("difference" in note.text for note in table.notes)


def test_every_shipped_training_is_of_a_network_that_has_so_many_edges() -> None:
    found = [(e, e.training) for file in shipped_claims() for e in file.entries if e.training]
    assert len(found) == 15
    for entry, training in found:
        theirs = card(training.card)
        changes = {"cycle_rates": training.cycle_rates} if training.cycle_rates else {}
        assert recipe_of(theirs, changes).epochs in (160, 320), entry.name
        assert [claim.unit for claim in entry.claims if claim.quantity == "top1"] == ["percent"]
        if theirs.architecture == "tiny_continuous":  # it takes torchdiffeq
            assert training.edges == theirs.config["edges"]
            continue
        _, gates = trainable(theirs.architecture, theirs.config, 0)
        assert sum(group.budget for group in gates.groups) == training.edges, entry.name


def test_rows_stand_by_architecture_and_the_best_first(tmp_path: Path) -> None:
    table = made(
        tmp_path,
        trained((1, 7_000)),
        trained((1, 7_500), card=RANDOM, method="random-graph"),
        untested(trained((1, 9_000), card="mine")),
        mobile("dnw", "dnw"),
    )
    assert [(row.cells[0].value, row.cells[2].value) for row in table.rows] == [
        ("dnw", "mobilenetv1_cifar10_dnw"),
        ("random-graph", RANDOM),
        ("dnw", SHORT),
        ("dnw", "mine"),
    ]


def test_another_recipe_is_another_row(tmp_path: Path) -> None:
    table = made(tmp_path, trained(), trained((1, 2, 7_200), seed=2))
    assert [texts(table, row)["epochs"] for row in (0, 1)] == ["3", "2"]
    assert len({texts(table, row)["recipe"] for row in (0, 1)}) == 2


def test_a_seed_counts_once(tmp_path: Path) -> None:
    with pytest.raises(MicronetError, match="with seed 1 is in a") as caught:
        together(tmp_path, a=trained(), b=trained((1, 7_001)))
    assert "b.training.json: the run of" in caught.value.message


def test_two_recipes_of_one_digest_are_not_averaged(tmp_path: Path) -> None:
    other = trained(seed=2)
    other["recipe"]["momentum"] = 0.8
    with pytest.raises(MicronetError, match="has another recipe than a"):
        together(tmp_path, a=trained(), b=other)
    other["recipe"] |= {"momentum": 0.9, "source": "other words", "seed": 7}
    assert len(together(tmp_path, a=trained(), b=other)) == 1


def test_every_run_has_a_row_of_its_own(tmp_path: Path) -> None:
    table = runs_table(together(tmp_path, trained(seed=2), trained((1, 7_001))))
    assert [texts(table, row, RUN_COLUMNS)["seed"] for row in (0, 1)] == ["1", "2"]
    found = texts(table, 0, RUN_COLUMNS)
    assert (found["test_right"], found["test_images"], found["last_loss"]) == (
        *("7,001", "10,000"),
        "1.0000",
    )
    digest = cells(table, 0, RUN_COLUMNS)["wiring_sha256"]
    assert digest.value == sha256([SHORT, 1])
    assert digest.stated == sha256([SHORT, 1])[:12]


def test_every_format_has_mean_and_deviation(tmp_path: Path) -> None:
    table = made(tmp_path, trained(seed=2), trained((1, 7_100)))
    assert "| 70.50 ± 0.71 |" in markdown.markdown(table)
    assert r"70.50 $\pm$ 0.71" in latex.latex(table)
    [row] = csv.DictReader(io.StringIO(delimited.comma_separated(table)))
    assert (row["top1_percent"], row["top1_percent_deviation"]) == ("70.5", "0.707106781186548")
    [found] = json.loads(documents.json_text(table))["rows"]
    assert found["top1_percent"] == {
        "value": 70.5,
        "deviation": 0.707106781186548,
        "variance": "1/2",
    }


def test_a_run_alone_leaves_no_trace_of_a_deviation(tmp_path: Path) -> None:
    table = made(tmp_path, trained())
    assert "deviation" not in delimited.comma_separated(table)
    assert not any("±" in note.text for note in table.notes)


def test_without_receipts_there_is_no_empty_table(tmp_path: Path) -> None:
    found = gather(folder(tmp_path, document()))
    names = [table.name for table in tables(found)]
    assert not {"training", "runs"} & set(names)
    assert "Trained" not in overview(found, tables(found))
    assert "training" not in page(found, tables(found)).partition("<body>")[2].lower()


def test_the_report_has_a_part_on_training(tmp_path: Path) -> None:
    found = gather(keep(folder(tmp_path, document()), trained()))
    made = tables(found)
    assert [table.name for table in made][2:4] == ["training", "runs"]
    readme = overview(found, made)
    assert f"Trained: {SHORT}." in readme
    assert "## Training\n" in readme
    assert "(tables/runs.csv)" in readme
    text = page(found, made)
    assert '<a href="#training">Training</a>' in text
    assert text.count('<section class="table" id="training">') == 1
    assert text.count('<section class="table" id="runs">') == 1


def test_a_hostile_name_stays_text(tmp_path: Path) -> None:
    run = trained(card=HOSTILE)
    run["wiring"]["file"] = HOSTILE
    found = gather(keep(tmp_path, odd=run))
    text = page(found, tables(found))
    assert text.count("<script>") == 1
    assert "alert(1)" in text
    [row] = csv.reader(io.StringIO(delimited.comma_separated(tables(found)[1]).split("\n")[1]))
    assert "\x1b" not in row[0]
