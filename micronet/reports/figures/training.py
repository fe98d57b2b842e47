"""From training runs to their curves: test accuracy, and how the wiring changed, by epoch."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from micronet.reports.figures.spec import Curve, Curves, Level, Panel, Spread
from micronet.reports.shown import number
from micronet.reports.training_receipt import accuracy_after
from micronet.reports.training_runs import mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from micronet.reports.training_runs import Experiment

    Epoch = Mapping[str, Any]

ACCURACY: Final = "training-accuracy-"
WIRING: Final = "training-wiring-"
_NOTHING: Final = Fraction(0)
_WHOLE: Final = Fraction(100)  # percent
_SHORT: Final = 8  # digits of a fingerprint


def training_figures(experiments: Sequence[Experiment]) -> Iterator[Curves]:
    """Two figures for each architecture and set of test images."""
    networks: dict[tuple[str, str], list[Experiment]] = {}
    for experiment in experiments:
        networks.setdefault(_network(experiment), []).append(experiment)
    several = Counter(architecture for architecture, _ in networks)
    for (architecture, test), group in networks.items():
        name = architecture if several[architecture] == 1 else f"{architecture}-{test[:_SHORT]}"
        names = _names(group)
        if test:
            yield _accuracy(name, architecture, group, names)
        yield _wiring(name, architecture, group, names)


def _network(experiment: Experiment) -> tuple[str, str]:
    facts = experiment.facts
    return facts["architecture"], facts["data"].get("test", "")


def _names(group: Sequence[Experiment]) -> list[str]:
    """The methods; where one is there twice also the epochs, or the card and the recipe."""
    found = [str(each.facts["method"]) for each in group]
    for further in ("epochs", "card", "recipe_digest"):
        counts = Counter(found)
        unit = " epochs" if further == "epochs" else ""
        found = [
            f"{name}, {each.facts[further]}{unit}" if counts[name] > 1 else name
            for name, each in zip(found, group, strict=True)
        ]
    return found


def _accuracy(
    name: str, architecture: str, group: Sequence[Experiment], names: Sequence[str]
) -> Curves:
    curves = _curves(group, names, accuracy_after)
    levels = tuple(_levels(group))
    values = [
        *(value for curve in curves for point in curve.points for value in (point.low, point.high)),
        *(level.value for level in levels),
    ]
    room = (max(values) - min(values)) / 12 or Fraction(1)
    ends = (f"{curve.name} {_range(curve)}" for curve in curves)
    published = "; ".join(level.names[0] for level in levels)
    panel = Panel(
        "Test accuracy, %",
        max(min(values) - room, _NOTHING),
        min(max(values) + room, _WHOLE),
        curves,
        levels,
    )
    return Curves(
        name=f"{ACCURACY}{name}",
        title=f"Test accuracy of {architecture} by epoch",
        description=f"Percent of the test images right after the last epoch: {'; '.join(ends)}."
        + (f" Dashed lines: {published}." if published else ""),
        epochs=max(each.facts["epochs"] for each in group),
        panels=(panel,),
    )


def _range(curve: Curve) -> str:
    last = curve.points[-1]
    epochs = "1 epoch" if last.epoch == 1 else f"{last.epoch} epochs"
    if curve.runs == 1:
        return f"{number(last.mean, 2)} after {epochs}"
    return (
        f"{number(last.mean, 2)} after {epochs}, the mean of {curve.runs} runs from"
        f" {number(last.low, 2)} to {number(last.high, 2)}"
    )


def _levels(group: Sequence[Experiment]) -> Iterator[Level]:
    """What was published for the methods, each figure once."""
    seen = set()
    for colour, experiment in enumerate(group, 1):
        theirs = experiment.published
        if theirs is not None and theirs.title not in seen:
            seen.add(theirs.title)
            method = experiment.facts["method"]
            short = f"{method}, published: {theirs.stated}"
            whole = f"{short} after {theirs.epochs} epochs"
            names = (whole, short, f"{method}: {theirs.stated}")
            yield Level(names, colour, theirs.number)


def _wiring(
    name: str, architecture: str, group: Sequence[Experiment], names: Sequence[str]
) -> Curves:
    entered = _curves(group, names, lambda epoch: _share(epoch["entered"], epoch["kept"]))
    alive = _curves(group, names, lambda epoch: _share(epoch["alive"], epoch["targets"]))
    most = max(point.high for curve in entered for point in curve.points)
    least = min(point.low for curve in alive for point in curve.points)
    first = min(least, _WHOLE - Fraction(1, 2))
    ends = "; ".join(
        f"{one.name} {number(one.points[-1].mean, 1)} % and {number(two.points[-1].mean, 1)} %"
        for one, two in zip(entered, alive, strict=True)
    )
    return Curves(
        name=f"{WIRING}{name}",
        title=f"Edges that entered, and nodes alive, of {architecture} by epoch",
        description="Above, the share of edges that were not there an epoch before; below, the"
        f" share of nodes that an edge reaches. In the last epoch: {ends}.",
        epochs=max(each.facts["epochs"] for each in group),
        panels=(
            Panel("Edges that entered, %", _NOTHING, max(most * 12 / 11, Fraction(1)), entered),
            Panel("Nodes alive, %", max(first - (_WHOLE - first) / 12, _NOTHING), _WHOLE, alive),
        ),
    )


def _share(part: int, whole: int) -> Fraction:
    """In percent; 0 of nothing."""
    return Fraction(100 * part, whole) if whole else _NOTHING


def _curves(
    group: Sequence[Experiment],
    names: Sequence[str],
    value: Callable[[Epoch], Fraction | None],
) -> tuple[Curve, ...]:
    return tuple(
        Curve(name, colour, len(each.runs), tuple(_points(each, value)))
        for colour, (name, each) in enumerate(zip(names, group, strict=True), 1)
    )


def _points(experiment: Experiment, value: Callable[[Epoch], Fraction | None]) -> Iterator[Spread]:
    """The runs of an experiment have equally many epochs: these belong to the recipe."""
    for epochs in zip(*(run.history for run in experiment.runs), strict=True):
        known = [found for found in map(value, epochs) if found is not None]
        centre = mean(known)
        if centre is not None:
            yield Spread(epochs[0]["epoch"], centre, min(known), max(known))
