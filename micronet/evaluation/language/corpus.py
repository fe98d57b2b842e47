"""A test text as the outputs it should have had: one number a word, and one a line end.

No torch here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from micronet.errors import MicronetError
from micronet.evaluation.bounded import read_bounded
from micronet.evaluation.language.vocabulary import (
    END,
    TRAINING_NAMES,
    UNKNOWN,
    Order,
    Vocabulary,
    read_vocabulary,
)

if TYPE_CHECKING:
    from pathlib import Path

TEST_NAMES: Final = ("wiki.test.tokens", "test.txt", "wikitext103_test.txt")
LIST_NAMES: Final = ("vocab.txt",)
MAX_TEXT_BYTES: Final = 16 * 2**20  # the test set has 1,281,077
# WikiText-103 (arXiv 1609.07843): 241,211 words and 4,358 line ends, of 267,735 different tokens.
TEST_TOKENS: Final = 245_569
TEST_VOCABULARY: Final = 267_735
TEST_DIGEST: Final = "45367a12e786e0ce252c456b2d5b44409c6d110e8433f0816c42ec130102e8e1"


@dataclass(frozen=True)
class Corpus:
    """``ids[i]`` is the i-th token of the text; every line, also an empty one, ends in <eos>.

    ``digest`` is the sha256 of the tokens as they are written, each ended by a blank: two files that
    differ in white space alone have the same. ``unknown`` tokens are not in the vocabulary and were
    read as <unk>.
    """

    name: str
    ids: tuple[int, ...]
    words: int
    lines: int
    unknown: int
    digest: str
    vocabulary: Vocabulary

    @property
    def end(self) -> int:
        """The number of <eos>."""
        return self.vocabulary.index[END]

    @property
    def complete(self) -> bool:
        """Whether this is all of WikiText-103's test set, over the vocabulary of the track."""
        return (
            self.digest == TEST_DIGEST
            and len(self.vocabulary) == TEST_VOCABULARY
            and not self.unknown
        )

    @property
    def recognised(self) -> str:
        """What the text was found to be, in words."""
        if self.digest != TEST_DIGEST:
            return f"not the WikiText-103 test set ({len(self.ids):,} tokens)"
        if len(self.vocabulary) != TEST_VOCABULARY:
            sizes = f"{len(self.vocabulary):,} tokens instead of {TEST_VOCABULARY:,}"
            return f"WikiText-103 test set, complete, but over a vocabulary of {sizes}"
        if self.unknown:
            return f"WikiText-103 test set, but the vocabulary lacks {self.unknown:,} of its tokens"
        return "WikiText-103 test set, complete"


def open_corpus(
    path: Path, *, vocabulary: Path | None = None, order: Order = "appearance"
) -> Corpus:
    """The text in ``path``, or in the folder ``path`` (wiki.test.tokens), in a model's numbers.

    Without ``vocabulary``, vocab.txt beside the text is taken, or the training text there
    (wiki.train.tokens) in ``order``; see ``read_vocabulary``. Words are what is between white space.
    MicronetError for words that the vocabulary lacks unless it has <unk>.
    """
    text = _within(path, TEST_NAMES, "test text") if path.is_dir() else path
    if vocabulary is None:
        beside = path if path.is_dir() else path.parent
        vocabulary = _within(beside, LIST_NAMES + TRAINING_NAMES, "vocabulary")
    return read_corpus(text, read_vocabulary(vocabulary, order=order))


def _within(folder: Path, names: tuple[str, ...], what: str) -> Path:
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise MicronetError(
            f"{folder}: has no {what}, expected {' or '.join(names)}.",
            "Name it: --vocabulary FILE, one token a line." if what == "vocabulary" else None,
        )
    return found


def read_corpus(path: Path, vocabulary: Vocabulary) -> Corpus:
    """The text in ``path`` in the numbers of ``vocabulary``; MicronetError where it has none."""
    try:
        text = read_bounded(path, MAX_TEXT_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise MicronetError(f"{path}: is not UTF-8 text (byte {error.start}).") from error
    lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    if not text:
        raise MicronetError(f"{path}: is empty, expected a text.")
    index, digest, ids = vocabulary.index, hashlib.sha256(), list[int]()
    foreign: dict[str, int] = {}
    for line in lines:
        for word in (*line.split(), END):
            digest.update(f"{word} ".encode())
            if word in index:
                ids.append(index[word])
            else:
                foreign[word] = foreign.get(word, 0) + 1
                ids.append(index.get(UNKNOWN, -1))
    if foreign and UNKNOWN not in index:
        raise _lacking(path, foreign, vocabulary)
    unknown = sum(foreign.values())
    return Corpus(
        path.name,
        tuple(ids),
        len(ids) - len(lines),
        len(lines),
        unknown,
        digest.hexdigest(),
        vocabulary,
    )


def _lacking(path: Path, foreign: dict[str, int], vocabulary: Vocabulary) -> MicronetError:
    shown = ", ".join(repr(word[:40]) for word in list(foreign)[:3])
    more = f" and {len(foreign) - 3:,} more" if len(foreign) > 3 else ""
    return MicronetError(
        f"{path}: the vocabulary of {len(vocabulary):,} tokens lacks {shown}{more}.",
        f"Give the model's own vocabulary, or one with {UNKNOWN} to stand for them.",
    )
