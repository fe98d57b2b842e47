"""What the network said about one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

OK: Final = "ok"
TIED: Final = "tied"  # two classes share the best output exactly; the lower class index counts
NONFINITE: Final = "nonfinite"  # an output is NaN or infinite; counts as wrong
UNREADABLE: Final = "unreadable"  # no image could be made of the bytes; counts as wrong
STATES: Final = (OK, TIED, NONFINITE, UNREADABLE)


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer to example ``index`` of a data set.

    ``top`` holds the five best classes (fewer if there are fewer), best first, equal outputs in
    the order of their class index; empty where there is no answer. ``margin_percent`` is the
    softmax probability of the first less that of the second, in whole percent; None without answer.
    ``content`` is the sha256 of the image's bytes, by which duplicates are found.
    ``problem`` says why an image is unreadable, else "".
    """

    index: int
    name: str
    label: int
    top: tuple[int, ...]
    margin_percent: int | None
    state: str
    content: str
    problem: str = ""

    @property
    def correct(self) -> bool:
        """Whether the best class is the label (top-1)."""
        return self.top[:1] == (self.label,)

    @property
    def correct5(self) -> bool:
        """Whether the label is among the five best (top-5)."""
        return self.label in self.top
