"""Training runs as tables: a recipe a row beside what its authors published, and a run a row."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from micronet.reports.table import UNKNOWN, Cell, Column, Note, Notes, Row, Table
from micronet.reports.training_runs import mean, variance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from micronet.reports.table import Tone
    from micronet.reports.training_published import Published
    from micronet.reports.training_receipt import TrainingReceipt
    from micronet.reports.training_runs import Experiment

TRAINING: Final = "training"
RUNS: Final = "runs"
_DIGITS: Final = 12  # of a sha256, for people

COLUMNS: Final = (
    Column("method", "Method", text=True),
    Column("architecture", "Architecture", text=True, gives_way=2),
    Column("card", "Card", text=True, gives_way=5),
    Column("edges", "Edges", gives_way=3),
    Column("epochs", "Epochs"),
    Column("seeds", "Seeds", text=True, gives_way=1),
    Column("images", "Learned from", "images", gives_way=4),
    Column("top1_percent", "mean ± deviation", "%", "Test accuracy", decimals=2),
    Column("top1_best_percent", "best", "%", "Test accuracy", decimals=2, gives_way=2),
    Column("best_seed", "best seed", group="Test accuracy", text=True, gives_way=3),
    Column("top1_published_percent", "accuracy", "%", "Published"),
    Column("epochs_published", "epochs", group="Published"),
    Column("difference_points", "points", "", "Difference", decimals=2, signed=True, gives_way=1),
    Column("difference_after", "after", group="Difference", text=True, gives_way=1),
    Column("recipe", "Recipe", text=True, gives_way=6),
)
RUN_COLUMNS: Final = (
    Column("card", "Card", text=True),
    Column("recipe", "Recipe", text=True, gives_way=3),
    Column("seed", "Seed", text=True),
    Column("epochs", "Epochs", gives_way=2),
    Column("test_right", "right", group="Test images"),
    Column("test_images", "of", group="Test images"),
    Column("last_loss", "Last loss", decimals=4, gives_way=1),
    Column("wiring_sha256", "Wiring, sha256", text=True, gives_way=1),
)


def training_table(experiments: Sequence[Experiment]) -> Table:
    """The experiments in their order."""
    notes = Notes()
    rows = tuple(_experiment(each, notes) for each in experiments)
    return Table(TRAINING, "Training", COLUMNS, rows, notes=notes.all(_general(experiments)))


def _experiment(experiment: Experiment, notes: Notes) -> Row:
    facts, accuracies, best = experiment.facts, experiment.accuracies, experiment.best
    accuracy = mean(accuracies)
    return Row(
        (
            *(Cell(facts[key]) for key in ("method", "architecture", "card", "edges", "epochs")),
            Cell(", ".join(map(str, experiment.seeds))),
            Cell(facts["train_images"]),
            Cell(accuracy, variance=variance(accuracies)),
            UNKNOWN if best is None else Cell(best.accuracy),
            UNKNOWN if best is None else Cell(str(best.seed)),
            *_published(experiment.published, accuracy, facts["epochs"], notes),
            Cell(facts["recipe_digest"]),
        )
    )


def _published(
    theirs: Published | None, accuracy: Fraction | None, epochs: int, notes: Notes
) -> Iterator[Cell]:
    """The published accuracy and its epochs, and how far ours is above it, after how many."""
    if theirs is None:
        yield from (UNKNOWN, UNKNOWN, UNKNOWN, Cell(""))
        return
    source = notes.mark(f"Published: {theirs.title}.", theirs.where)
    yield Cell(theirs.number, theirs.stated, marks=(source,))
    yield Cell(theirs.epochs)
    if accuracy is None:
        yield from (UNKNOWN, Cell(""))
        return
    same = epochs == theirs.epochs and not theirs.otherwise
    tone: Tone = "" if same else "doubt"
    yield Cell(accuracy - theirs.number, tone=tone)
    yield Cell(after(epochs, theirs), marks=_otherwise(theirs, notes), tone=tone)


def after(epochs: int, theirs: Published) -> str:
    """Under which condition a difference stands: "20 epochs instead of 160"."""
    if epochs == theirs.epochs:
        return f"{epochs} epochs, as theirs"
    return f"{epochs} {'epoch' if epochs == 1 else 'epochs'} instead of {theirs.epochs}"


def _otherwise(theirs: Published, notes: Notes) -> tuple[int, ...]:
    if not theirs.otherwise:
        return ()
    return (notes.mark(f"Not as they trained it: {theirs.otherwise}."),)


def _general(experiments: Sequence[Experiment]) -> Iterator[Note]:
    """What is true of the whole table."""
    yield Note(
        "Test accuracy: after the last epoch, whichever epoch was the best; no image of the test"
        " was learned from."
    )
    if any(len(each.runs) > 1 for each in experiments):
        yield Note(
            "±: the sample standard deviation over the seeds, in points. The best seed is the best"
            " on the same test images, so its accuracy flatters."
        )
    if any(each.published for each in experiments):
        yield Note(
            "A difference is our mean minus the published one. Where the epochs or the recipe are"
            " not theirs, it says nothing about whether their number holds."
        )


def runs_table(experiments: Sequence[Experiment]) -> Table:
    """Every run, in the order of the experiments."""
    rows = tuple(_run(run) for experiment in experiments for run in experiment.runs)
    return Table(RUNS, "Training runs", RUN_COLUMNS, rows)


def _run(run: TrainingReceipt) -> Row:
    document, digest = run.document, run.document["wiring"]["sha256"]
    return Row(
        (
            Cell(document["card"]),
            Cell(document["recipe_digest"]),
            Cell(str(document["seed"])),
            Cell(document["epochs"]),
            *(Cell(document[key]) for key in ("test_right", "test_images")),
            Cell(Fraction(run.history[-1]["loss"])),
            Cell(digest, stated=digest[:_DIGITS]),
        )
    )
