"""The words a language model knows, in the order of its outputs. No torch here."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

from micronet.errors import MicronetError
from micronet.evaluation.bounded import read_bounded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

END: Final = "<eos>"
UNKNOWN: Final = "<unk>"
TRAINING_NAMES: Final = ("wiki.train.tokens", "train.txt")
MAX_LIST_BYTES: Final = 64 * 2**20
MAX_TRAINING_BYTES: Final = 2 * 2**30  # WikiText-103's has 0.54e9
MAX_LINE_CHARACTERS: Final = 2**24
MAX_TYPES: Final = 4_000_000  # WikiText-103 has 267,735

Order = Literal["appearance", "frequency"]


@dataclass(frozen=True)
class Vocabulary:
    """``tokens[i]`` is what output i stands for; ``order`` is "file", "appearance" or "frequency"."""

    tokens: tuple[str, ...]
    order: str

    @cached_property
    def index(self) -> dict[str, int]:
        """The output of each token."""
        return {token: index for index, token in enumerate(self.tokens)}

    @cached_property
    def digest(self) -> str:
        """Hexadecimal sha256 of the tokens in their order, each ended by a line feed."""
        return hashlib.sha256("".join(f"{token}\n" for token in self.tokens).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.tokens)


def read_vocabulary(path: Path, *, order: Order = "appearance") -> Vocabulary:
    """The vocabulary in ``path``: a list of one token a line, or the training text it comes from.

    A training text is recognised by its name (``wiki.train.tokens``, ``train.txt``) and gives every
    word in it and <eos>, in one of the two orders that are in use:

    "appearance": by first appearance, <eos> where the first line ends; what the word language model
    example of PyTorch and the LSTM and QRNN models that grew from it do, hence the default.
    "frequency": <eos>, then by falling frequency, equal ones by first appearance; Transformer-XL,
    and whatever has an adaptive softmax.

    In the wrong order a model does worse than a guess. MicronetError for a token given twice, a line
    of several words, and a list without <eos>.
    """
    if path.name in TRAINING_NAMES:
        return Vocabulary(_trained(path, order), order)
    return Vocabulary(_listed(path), "file")


def _listed(path: Path) -> tuple[str, ...]:
    try:
        text = read_bounded(path, MAX_LIST_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise MicronetError(f"{path}: is not UTF-8 text (byte {error.start}).") from error
    lines = [line.split() for line in text.removesuffix("\n").split("\n")]
    odd = next((at for at, words in enumerate(lines) if len(words) != 1), None)
    if odd is not None:
        found = " ".join(lines[odd])[:60]
        raise MicronetError(
            f"{path}: line {odd + 1} is {found!r}, expected one token a line, in the model's order.",
            f"A training text is read under the names {' and '.join(TRAINING_NAMES)}.",
        )
    tokens = tuple(words[0] for words in lines)
    if len(set(tokens)) != len(tokens):
        twice = Counter(tokens).most_common(1)[0][0]
        raise MicronetError(f"{path}: {twice[:60]!r} is there {tokens.count(twice)} times.")
    if END not in tokens:
        raise MicronetError(
            f"{path}: {len(tokens):,} tokens without {END}, which ends every line of the text.",
            f"Write {END} on the line of the output that stands for it.",
        )
    return tokens


def _trained(path: Path, order: Order) -> tuple[str, ...]:
    """Every word of a training text, and <eos>, in ``order``."""
    counts: Counter[str] = Counter()
    for line in _lines(path):
        counts.update(line.split())
        counts[END] += 1
        if len(counts) > MAX_TYPES:
            raise MicronetError(f"{path}: has more than {MAX_TYPES:,} different words.")
    if not counts:
        raise MicronetError(f"{path}: is empty, expected a training text.")
    if order == "appearance":
        return tuple(counts)
    del counts[END]
    return (END, *(word for word, _ in counts.most_common()))


def _lines(path: Path) -> Iterator[str]:
    try:
        if path.stat().st_size > MAX_TRAINING_BYTES:
            raise MicronetError(f"{path}: has more than {MAX_TRAINING_BYTES:,} bytes.")
        with path.open(encoding="utf-8") as file:
            while line := file.readline(MAX_LINE_CHARACTERS):
                if len(line) == MAX_LINE_CHARACTERS:
                    raise MicronetError(f"{path}: a line has {len(line):,} characters or more.")
                yield line
    except OSError as error:
        raise MicronetError(f"{path}: cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise MicronetError(f"{path}: is not UTF-8 text.") from error
