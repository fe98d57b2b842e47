"""What was found about the contestants of `evaluation.py`, as tables."""
# ruff: noqa: INP001  # scripts, never imported by the package

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks import machine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.turns import Pace

DECODING = ("decode-lanes", "decode-processes")
FORWARD = ("forward-threads", "forward-lanes", "forward-processes")
CONTESTANTS = {
    "loop": "a  torchvision's loop, DataLoader of 2 workers",
    "timm": "b  timm's validate, loader of 2 workers",
    "micronet": "m  micronet evaluate",
    "decode-lanes": "D  decode, resize, crop, normalise: a thread a core",
    "decode-processes": "D  the same: a process a core",
    "forward-threads": "M  network alone: torch's own threads",
    "forward-lanes": "M  the same: a thread a core",
    "forward-processes": "M  the same: a process a core",
}
SHOWN_NAMES = 20


@dataclass(frozen=True)
class Rates:
    """Images a second of one round, and what is possible at most: 1/(1/D + 1/M)."""

    paces: Mapping[str, Pace]

    def of(self, *names: str) -> float | None:
        """The best of ``names``; None where none of them took part."""
        found = [self.paces[name].images_per_second for name in names if name in self.paces]
        return max(found, default=None)

    def to_loop(self, name: str) -> float | None:
        """How often ``name`` is as fast as torchvision's loop."""
        return ratio(self.of(name), self.of("loop"))

    def processor_ms(self, *names: str) -> float | None:
        """The least processor time an image that ``names`` took, if the system told."""
        found = [self.paces[name].processor_ms for name in names if name in self.paces]
        return min(found, default=None) or None

    def ceiling(self) -> float | None:
        """Decoding and computing share the cores, so their times add up."""
        decoding, forward = self.of(*DECODING), self.of(*FORWARD)
        return 1 / (1 / decoding + 1 / forward) if decoding and forward else None

    def against(self, other: str) -> float | None:
        """How often micronet is as fast as ``other``."""
        return ratio(self.of("micronet"), self.of(other))

    def share(self) -> float | None:
        """Micronet's share of the ceiling."""
        return ratio(self.of("micronet"), self.ceiling())

    def processor_share(self) -> float | None:
        """Processor time of decoding and computing alone, as a share of micronet's."""
        decoding, forward = self.processor_ms(*DECODING), self.processor_ms(*FORWARD)
        both = decoding + forward if decoding and forward else None
        return ratio(both, self.processor_ms("micronet"))


@dataclass(frozen=True)
class Contest:
    """What was found about one network: rates by round, and what was answered in the last one."""

    weights: str
    rounds: Sequence[Rates]
    answers: Mapping[str, Mapping[str, Any]]  # by contestant: "top" by image, "alone"
    tuned: Mapping[str, Any]

    def middle(self, value: Callable[..., float | None], *names: str) -> float | None:
        """The median over the rounds, of those that have it."""
        known = [found for each in self.rounds if (found := value(each, *names)) is not None]
        return median(known) if known else None

    def differing(self, other: str) -> tuple[list[str], list[str]] | None:
        """The images for which micronet has another best class than ``other``, and other five."""
        if not {"micronet", other} <= self.answers.keys():
            return None
        ours, theirs = self.answers["micronet"]["top"], self.answers[other]["top"]
        if ours.keys() != theirs.keys():
            raise SystemExit(f"micronet and {other} did not see the same images")
        best = [name for name in sorted(ours) if ours[name][0] != theirs[name][0]]
        return best, [name for name in sorted(ours) if ours[name] != theirs[name]]


def shown(value: float | None, form: str) -> str:
    """A number or a dash."""
    return "–" if value is None else format(value, form)


def ratio(above: float | None, below: float | None) -> float | None:
    """``above / below`` where both are known."""
    return above / below if above and below else None


def table(found: Contest, roles: Sequence[str]) -> list[str]:
    """A row a contestant: medians over the rounds."""
    lines = ["| | images/s | × a | processor ms an image |", "|---|--:|--:|--:|"]
    for role in roles:
        rate = found.middle(Rates.of, role)
        spent = found.middle(Rates.processor_ms, role)
        cells = shown(rate, ",.1f"), shown(found.middle(Rates.to_loop, role), ".2f")
        lines.append(f"| {CONTESTANTS[role]} | {' | '.join(cells)} | {shown(spent, '.2f')} |")
    ceiling = shown(found.middle(Rates.ceiling), ",.1f")
    return [*lines, f"| shared ceiling 1/(1/D + 1/M) | {ceiling} | | |"]


def remarks(found: Contest) -> list[str]:
    """Whether the answers are the same, and how the network alone was quickest."""
    lines = []
    for letter, role in (("a", "loop"), ("b", "timm")):
        if (names := found.differing(role)) is None:
            continue
        images = len(found.answers[role]["top"])
        best, five = (f"{images - len(each):,} of {images:,}" for each in names)
        line = f"- m and {letter}: the same best class for {best} images, the same five for {five}"
        lines.append(line + named("best class", names[0]) + named("five", names[1]))
    if "micronet" in found.answers:
        ours = found.answers["micronet"]
        classes = len({top[0] for top in ours["top"].values()})
        alone = f"{ours['alone']:,} images, too near a tie, were computed alone"
        lines.append(f"- m: {classes:,} classes predicted; {alone}")
    for way, (layout, batch) in found.tuned.items():
        lines.append(f"- M was quickest with {way}: {layout}, batches of {batch}")
    return lines


def named(what: str, names: Sequence[str]) -> str:
    """The images that differ in ``what``, as far as one wants to read."""
    more = " …" if len(names) > SHOWN_NAMES else ""
    return f"; other {what}: {', '.join(names[:SHOWN_NAMES])}{more}" if names else ""


def summary(contests: Mapping[str, Contest]) -> list[str]:
    """A row a network: the ratios that matter, medians of the rounds."""
    lines = [
        "| network | m / ceiling | the same in processor time | m / a | m / b |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, found in contests.items():
        ratios = (
            found.middle(Rates.share),
            found.middle(Rates.processor_share),
            found.middle(Rates.against, "loop"),
            found.middle(Rates.against, "timm"),
        )
        lines.append(f"| {name} | " + " | ".join(shown(each, ".2f") for each in ratios) + " |")
    return lines


def document(contests: Mapping[str, Contest]) -> dict[str, Any]:
    """Every number, for a machine."""
    rows = [
        {"model": name, "round": turn, "contestant": role, **asdict(pace)}
        for name, found in contests.items()
        for turn, each in enumerate(found.rounds)
        for role, pace in each.paces.items()
    ]
    differing = {
        name: {role: found.differing(role) for role in ("loop", "timm")}
        for name, found in contests.items()
    }
    return {
        "machine": machine.describe(cores()).splitlines(),
        "rows": rows,
        "differing": differing,
    }


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
