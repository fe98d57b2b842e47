"""Texts and vocabularies as people have them, and the real test set by its content."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from micronet.errors import MicronetError
from micronet.evaluation.language import corpus as module
from micronet.evaluation.language import vocabulary as lists
from micronet.evaluation.language.corpus import Corpus, open_corpus, read_corpus
from micronet.evaluation.language.vocabulary import Vocabulary, read_vocabulary

TRAINING = " \n = Cats = \n \n cats eat fish . \n fish eat <unk> . \n"


def written(path: Path, content: str) -> Path:
    path.write_bytes(content.encode())
    return path


def test_every_line_ends_in_eos_and_an_empty_line_is_that_alone(tmp_path: Path) -> None:
    vocabulary = Vocabulary(("<eos>", "a", "b"), "file")
    found = read_corpus(written(tmp_path / "text", " \n a b \n\nb"), vocabulary)
    assert found.ids == (0, 1, 2, 0, 0, 2, 0)
    assert (found.words, found.lines, found.unknown, found.end) == (3, 4, 0, 0)


@pytest.mark.parametrize(
    "content", ["a  b\n\nb\n", "\ta b \r\n\r\nb\r\n", "a b\n \nb", "a b\r\rb\r"]
)
def test_white_space_alone_makes_no_other_text(tmp_path: Path, content: str) -> None:
    vocabulary = Vocabulary(("<eos>", "a", "b"), "file")
    plain = read_corpus(written(tmp_path / "plain", "a b\n\nb\n"), vocabulary)
    found = read_corpus(written(tmp_path / "found", content), vocabulary)
    assert (found.ids, found.digest) == (plain.ids, plain.digest)


@pytest.mark.parametrize("content", ["a b\nb\n", "a b b\n\n", "a b\n\nb\n\n", "ab\n\nb\n"])
def test_other_words_or_lines_make_another_text(tmp_path: Path, content: str) -> None:
    vocabulary = Vocabulary(("<eos>", "a", "b", "ab"), "file")
    plain = read_corpus(written(tmp_path / "plain", "a b\n\nb\n"), vocabulary)
    assert read_corpus(written(tmp_path / "found", content), vocabulary).digest != plain.digest


def test_a_list_gives_the_order_of_its_lines(tmp_path: Path) -> None:
    found = read_vocabulary(written(tmp_path / "vocab.txt", "b\r\n<eos>\r\na\r\n"))
    assert (found.tokens, found.order) == (("b", "<eos>", "a"), "file")
    assert found.index == {"b": 0, "<eos>": 1, "a": 2}
    other = read_vocabulary(written(tmp_path / "other.txt", "a\n<eos>\nb"))
    assert other.digest != found.digest


def test_a_training_text_gives_words_by_first_appearance(tmp_path: Path) -> None:
    """The first line is empty, so that its end comes first."""
    found = read_vocabulary(written(tmp_path / "wiki.train.tokens", TRAINING))
    expected = ("<eos>", "=", "Cats", "cats", "eat", "fish", ".", "<unk>")
    assert (found.tokens, found.order) == (expected, "appearance")


def test_a_training_text_gives_words_by_falling_frequency(tmp_path: Path) -> None:
    """=, eat, fish and . are there twice, in that order of appearance; <eos> stands before all."""
    path = written(tmp_path / "train.txt", TRAINING)
    found = read_vocabulary(path, order="frequency")
    expected = ("<eos>", "=", "eat", "fish", ".", "Cats", "cats", "<unk>")
    assert (found.tokens, found.order) == (expected, "frequency")


def test_in_a_text_without_an_empty_first_line_eos_comes_where_it_ends(tmp_path: Path) -> None:
    path = written(tmp_path / "train.txt", "a b\nc\n")
    assert read_vocabulary(path).tokens == ("a", "b", "<eos>", "c")


def test_a_folder_is_searched_for_text_and_vocabulary(tmp_path: Path) -> None:
    written(tmp_path / "wiki.test.tokens", "fish eat cats\n")
    written(tmp_path / "wiki.train.tokens", TRAINING)
    by_training = open_corpus(tmp_path, order="frequency")
    assert by_training.ids == (3, 2, 6, 0)
    written(tmp_path / "vocab.txt", "cats\neat\nfish\n<eos>\n")
    by_list = open_corpus(tmp_path, order="frequency")
    assert (by_list.ids, by_list.vocabulary.order) == ((2, 1, 0, 3), "file")
    assert open_corpus(tmp_path / "wiki.test.tokens").ids == by_list.ids


def test_words_without_an_output_are_named_and_three_are_enough(tmp_path: Path) -> None:
    path = written(tmp_path / "text", "a x y x z u\n")
    with pytest.raises(MicronetError) as caught:
        read_corpus(path, Vocabulary(("<eos>", "a"), "file"))
    assert caught.value.message == (
        f"{path}: the vocabulary of 2 tokens lacks 'x', 'y', 'z' and 1 more."
    )


def test_words_are_shown_without_the_power_to_write_to_a_terminal(tmp_path: Path) -> None:
    path = written(tmp_path / "text", "a \x1b[31mred ’\n")
    with pytest.raises(MicronetError, match=r"lacks '\\x1b\[31mred', '’'\."):
        read_corpus(path, Vocabulary(("<eos>", "a"), "file"))


def test_unk_stands_for_them_and_they_are_counted(tmp_path: Path) -> None:
    """Two of them; a <unk> that is written in the text is a word like any other."""
    path = written(tmp_path / "text", "a x <unk> y\n")
    found = read_corpus(path, Vocabulary(("<eos>", "a", "<unk>"), "file"))
    assert (found.ids, found.unknown) == ((1, 2, 2, 2, 0), 2)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vocab.txt", b"<eos>\na 12\n", "line 2 is 'a 12', expected one token a line"),
        ("vocab.txt", b"<eos>\n\na\n", "line 2 is '', expected one token a line"),
        ("vocab.txt", b"", "line 1 is '', expected one token a line"),
        ("vocab.txt", b"a\n<eos>\nb\na\n", "'a' is there 2 times"),
        ("vocab.txt", b"a\nb\n", "2 tokens without <eos>"),
        ("vocab.txt", b"a\n\xff\n<eos>\n", "is not UTF-8 text (byte 2)"),
        ("train.txt", b"a \xff\n", "is not UTF-8 text"),
        ("train.txt", b"", "is empty, expected a training text"),
    ],
)
def test_what_is_no_vocabulary_is_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MicronetError) as caught:
        read_vocabulary(path)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "is empty, expected a text"), (b"a \xe9\n", "(byte 2)")]
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "text"
    path.write_bytes(content)
    with pytest.raises(MicronetError) as caught:
        read_corpus(path, Vocabulary(("<eos>", "a"), "file"))
    assert message in caught.value.message


def test_a_folder_without_what_is_needed_says_what_that_is(tmp_path: Path) -> None:
    with pytest.raises(MicronetError, match=r"has no test text, expected wiki\.test\.tokens or"):
        open_corpus(tmp_path)
    written(tmp_path / "wiki.test.tokens", "a\n")
    with pytest.raises(MicronetError, match=r"has no vocabulary, expected vocab\.txt or wiki\."):
        open_corpus(tmp_path)
    with pytest.raises(MicronetError, match="cannot be read"):
        open_corpus(tmp_path / "missing", vocabulary=tmp_path / "wiki.train.tokens")


def test_sizes_are_bounded_before_memory_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "wiki.train.tokens", "a b c d\n" * 4)
    monkeypatch.setattr(lists, "MAX_TYPES", 4)
    with pytest.raises(MicronetError, match="more than 4 different words"):
        read_vocabulary(path)
    monkeypatch.setattr(lists, "MAX_LINE_CHARACTERS", 8)
    with pytest.raises(MicronetError, match="a line has 8 characters or more"):
        read_vocabulary(path)
    monkeypatch.setattr(lists, "MAX_TRAINING_BYTES", 31)
    with pytest.raises(MicronetError, match="more than 31 bytes"):
        read_vocabulary(path)
    monkeypatch.setattr(module, "MAX_TEXT_BYTES", 31)
    with pytest.raises(MicronetError, match="more than 31 bytes"):
        read_corpus(path, Vocabulary(("<eos>",), "file"))


@pytest.fixture(scope="module")
def real() -> Path:
    folder = os.environ.get("MICRONET_TEST_DATA")
    path = Path(folder or ".") / "wikitext103_test.txt"
    if folder is None or not path.is_file():
        pytest.skip("MICRONET_TEST_DATA is not set, or has no wikitext103_test.txt")
    return path


def full_vocabulary(path: Path, size: int = 267_735) -> Vocabulary:
    """As many tokens as the track's vocabulary has, all of the test set's among them."""
    seen = Counter(path.read_text(encoding="utf-8").split())
    fillers = (f"filler{i}" for i in range(size - 1 - len(seen)))
    return Vocabulary(("<eos>", *seen, *fillers), "file")


def test_the_real_test_set_has_245569_tokens_and_is_recognised(real: Path) -> None:
    """241,211 words + 4,358 line ends."""
    found = read_corpus(real, full_vocabulary(real))
    assert (found.words, found.lines) == (241_211, 4_358)
    assert len(found.ids) == 241_211 + 4_358 == module.TEST_TOKENS == 245_569
    assert len(found.vocabulary) == module.TEST_VOCABULARY == 267_735
    assert found.complete
    assert found.recognised == "WikiText-103 test set, complete"


def test_white_space_does_not_hide_the_real_test_set(real: Path, tmp_path: Path) -> None:
    lines = real.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    bare = written(tmp_path / "bare", "".join("\t".join(line.split()) + "\r\n" for line in lines))
    assert read_corpus(bare, full_vocabulary(real)).complete


def test_a_part_another_vocabulary_and_unknown_words_are_not_complete(
    real: Path, tmp_path: Path
) -> None:
    whole = full_vocabulary(real)
    content = real.read_text(encoding="utf-8")
    part = read_corpus(written(tmp_path / "part", content.removesuffix(" \n")), whole)
    assert said(part) == "not the WikiText-103 test set (245,568 tokens)"
    small = read_corpus(real, full_vocabulary(real, 200_000))
    assert said(small).endswith("over a vocabulary of 200,000 tokens instead of 267,735")
    tokens = tuple("other" if word == "Boulter" else word for word in whole.tokens)
    lacking = read_corpus(real, Vocabulary(tokens, "file"))
    assert said(lacking).endswith(f"lacks {content.split().count('Boulter')} of its tokens")


def said(corpus: Corpus) -> str:
    assert not corpus.complete
    return corpus.recognised
