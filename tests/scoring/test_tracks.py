"""The tracks, their scores and thresholds, and the official leaderboard."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from micronet.checkpoints.card import cards
from micronet.errors import MicronetError
from micronet.scoring import leaderboard as leaderboards
from micronet.scoring import tracks as module
from micronet.scoring.baselines import baseline
from micronet.scoring.leaderboard import leaderboard
from micronet.scoring.tracks import UNTRACKED, track, track_or_none, tracks
from micronet.shelf import folder

if TYPE_CHECKING:
    from pathlib import Path

SHIPPED = (folder("scoring") / "tracks.toml").read_text(encoding="utf-8")
NAMES = ["imagenet", "cifar100", "wikitext103"]
BOARD = (folder("scoring") / "leaderboard.toml").read_text(encoding="utf-8")


def rewritten(tmp_path: Path, text: str, old: str, new: str) -> Path:
    """A data file with one passage changed, which must be there."""
    assert old in text
    path = tmp_path / "changed.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_the_challenge_has_three_tracks() -> None:
    assert [each.name for each in tracks()] == NAMES


def test_every_card_is_on_a_track_or_on_a_data_set_that_is_none() -> None:
    found = {card.track for card in cards()}
    assert found == {each.name for each in tracks()} | UNTRACKED == {"cifar10", *NAMES}


@pytest.mark.parametrize("name", [None, "cifar10"])
def test_there_may_be_no_track(name: str | None) -> None:
    assert track_or_none(name) is None


def test_a_track_is_found_or_the_word_is_wrong() -> None:
    assert track_or_none("imagenet") is track("imagenet")
    with pytest.raises(MicronetError, match="There is no track 'mnist'"):
        track_or_none("mnist")


@pytest.mark.parametrize("name", NAMES)
def test_a_network_of_the_baselines_size_scores_two(name: str) -> None:
    chosen = track(name)
    made = chosen.score(chosen.baseline_parameters, chosen.baseline_operations)
    assert [made.storage, made.operations, made.total] == [1, 1, 2]


def test_the_score_is_exact_and_accepts_fractions_of_a_parameter() -> None:
    storage, operations, total = track("imagenet").score(Fraction(1, 32), 585_000_000)
    assert storage == Fraction(1, 32 * 6_900_000)
    assert operations == Fraction(1, 2)
    assert total == storage + operations


@pytest.mark.parametrize(
    ("name", "correct", "of", "verdict"),
    [
        ("imagenet", 37_500, 50_000, True),
        ("imagenet", 37_499, 50_000, False),  # 74.998 %: no rounding
        ("imagenet", 999, 1_000, None),  # a subset proves nothing
        ("cifar100", 8_000, 10_000, True),
        ("cifar100", 7_999, 10_000, False),
        ("cifar100", 0, 0, None),
    ],
)
def test_a_threshold_is_decided_by_integers_on_the_whole_set(
    name: str, correct: int, of: int, *, verdict: bool | None
) -> None:
    assert track(name).qualifies(correct, of) is verdict


@pytest.mark.parametrize(
    ("value", "of", "verdict"),
    [
        (Fraction(35), 245_569, True),
        (35.000001, 245_569, False),
        (float("nan"), 245_569, False),
        (20.0, 1_000, None),
    ],
)
def test_perplexity_must_be_at_most_35_on_the_whole_set(
    value: Fraction | float, of: int, *, verdict: bool | None
) -> None:
    assert track("wikitext103").qualifies_at(value, of) is verdict


@pytest.mark.parametrize(
    ("correct", "of", "message"),
    [
        (11, 10, "11 correct answers of 10 cannot be"),
        (-1, 10, "-1 correct answers of 10 cannot be"),
        (37_500, 50_001, "has 50000 examples, found 50001"),
    ],
)
def test_impossible_results_are_refused(correct: int, of: int, message: str) -> None:
    with pytest.raises(MicronetError, match=message):
        track("imagenet").qualifies(correct, of)


def test_a_track_is_judged_by_its_own_kind_of_result() -> None:
    with pytest.raises(MicronetError, match="judged by perplexity, not by answers"):
        track("wikitext103").qualifies(1, 2)
    with pytest.raises(MicronetError, match="judged by its correct answers"):
        track("imagenet").qualifies_at(0.75, 50_000)


def test_the_normalisers_are_what_was_published_about_the_baseline_networks() -> None:
    for each in tracks():
        network = baseline(each.baseline_network)
        parameters, operations = network.figure("parameters"), network.figure("operations")
        assert parameters is not None
        assert operations is not None
        assert parameters.number == each.baseline_parameters
        assert operations.number == each.baseline_operations


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('metric = "top1"', 'metric = "top5"', "track.imagenet.metric should be one of top1"),
        ('"at least"', '"at most"', "track.imagenet.direction should be 'at least' for top1"),
        (
            "threshold_correct = 37_500\n",
            "threshold_correct = 37_499\n",
            "track.imagenet.threshold_correct is 37499, but threshold × examples is 37500",
        ),
        (
            "threshold_correct = 37_500\n",
            "",
            "track.imagenet.threshold_correct belongs to top1, and to top1 alone",
        ),
        ("examples =", "exemples =", "exemples is unknown (did you mean 'examples'?)"),
        ("parameters = 6_900_000", "parameters = 0", "a whole number of 1 or more, found 0"),
        ("224, 224]", "224, 'x']", "input_shape[3] should be a whole number of 1 or more"),
    ],
)
def test_a_broken_track_names_its_row_and_key(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(MicronetError) as caught:
        module.load(rewritten(tmp_path, SHIPPED, old, new))
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("name", "first", "last", "length"),
    [
        ("imagenet", ("RIAIR", "0.1295"), ("deep_learning_zs", "1.1957"), 20),
        ("cifar100", ("RIAIR", "0.0044"), ("Sloth", "0.7635"), 30),
        ("wikitext103", ("MIT-HAN-Lab", "0.0475"), ("JNLP", "0.8232"), 5),
    ],
)
def test_the_official_scores_are_exact_decimals(
    name: str, first: tuple[str, str], last: tuple[str, str], length: int
) -> None:
    ranking = leaderboard(name)
    assert (ranking[0].entry, ranking[0].score) == (first[0], Fraction(first[1]))
    assert (ranking[-1].entry, ranking[-1].score) == (last[0], Fraction(last[1]))
    assert len(ranking) == length


def test_two_ranked_entries_missed_their_threshold() -> None:
    missed = [row for each in tracks() for row in leaderboard(each.name) if not row.qualified]
    assert [(row.track, row.entry) for row in missed] == [
        ("imagenet", "DQStarter"),
        ("cifar100", "PunyNet"),
    ]


def test_an_unknown_track_has_no_leaderboard() -> None:
    with pytest.raises(MicronetError, match=r"no track 'cifar10' .did you mean 'cifar100'"):
        leaderboard("cifar10")


def test_a_ranking_out_of_order_is_refused(tmp_path: Path) -> None:
    path = rewritten(tmp_path, BOARD, "score = 0.1887", "score = 0.1287")
    with pytest.raises(MicronetError) as caught:
        leaderboards.load(path)
    assert "imagenet[1].score should be at least 0.1295, the score above" in caught.value.message
