"""Which dialect a printed number belongs to: the search, and how much it may believe itself."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from micronet.audit.evidence import Count, Deviation, Evidence
from micronet.audit.reconcile import (
    LIKELY_CHANCE,
    MOST_TRIED,
    Match,
    chance,
    far_fetched,
    of_base,
    plain_matches,
    plausible,
    ways,
    with_scores,
)
from micronet.audit.reconciled import reconcile
from micronet.scoring.printed import printed

if TYPE_CHECKING:
    from collections.abc import Sequence

TARGET = {
    "name": "net",
    "sha256": None,
    "state_sha256": None,
    "architecture": "net",
    "weights": "unknown",
    "sparse": False,
    "input": [1, 3, 8, 8],
    "card": None,
}


def count(dialect: str, quantity: str, number: int | Fraction) -> Count:
    return Count(dialect, quantity, Fraction(number))


def deviation(
    change: int, what: str = "x", id_: str = "additions", quantity: str = "macs"
) -> Deviation:
    return Deviation(id_, "macs", quantity, Fraction(change), what)


def evidence(counts: Sequence[Count], deviations: Sequence[Deviation] = ()) -> Evidence:
    return Evidence(TARGET, "imagenet", {}, tuple(counts), tuple(deviations), ())


def test_without_a_track_nothing_is_scored() -> None:
    both = [count("macs", "parameters", 5), count("macs", "operations", 7)]
    assert len(with_scores(evidence(both))) == 3
    assert with_scores(replace(evidence(both), track=None)) == tuple(both)


MACS = count("macs", "macs", 300_774_272)
THOP = count("thop", "macs", 327_486_720)
FVCORE = count("fvcore", "macs", 314_193_216)
PARAMETERS = count("macs", "parameters", 3_504_872)
POPULAR = (MACS, THOP, FVCORE, PARAMETERS, count("2 × macs", "operations", 601_548_544))


# --- dialects as they are -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "dialect", "fits"),
    [
        ("327.5M", "thop", "rounds to"),
        ("300M", "macs", "is truncated to"),
        ("301M", "macs", "rounds to"),
        ("0.314G", "fvcore", "rounds to"),
        ("3.5M", "macs", "rounds to"),
        ("601,548,544", "2 × macs", "is"),
    ],
)
def test_each_number_finds_its_dialect(stated: str, dialect: str, fits: str) -> None:
    [match] = reconcile(stated, printed(stated), evidence(POPULAR), None).matches
    assert (match.count.dialect, match.printed_by(printed(stated))) == (dialect, fits)


def test_the_quantity_narrows_the_search() -> None:
    both = evidence([count("macs", "parameters", 4_200_000), count("macs", "macs", 4_210_000)])
    found = reconcile("4.2M", printed("4.2M"), both, "parameters")
    assert [match.count.quantity for match in found.matches] == ["parameters"]


def test_the_papers_come_before_the_tools_and_hide_the_exotic() -> None:
    counts = [
        count("micronet2019", "operations", 4_092_000_000),
        count("thop", "macs", 4_093_000_000),
        count("macs", "macs", 4_089_184_256),
        count("micronet2019", "multiplications", 4_089_184_256),
    ]
    found = reconcile("4.09G", printed("4.09G"), evidence(counts), None)
    assert [match.count.dialect for match in found.matches] == ["macs", "thop"]


def test_how_far_fetched_a_number_is() -> None:
    assert [far_fetched(each) for each in POPULAR] == [0, 1, 1, 0, 0]
    assert far_fetched(count("micronet2019", "score", 1)) == 0
    assert far_fetched(count("micronet2019", "operations", 1)) == 2
    assert far_fetched(count("micronet2019", "additions", 1)) == 3


def test_two_digits_that_fit_the_challenge_prove_nothing() -> None:
    counts = [*POPULAR, count("micronet2019", "operations", 451_000_000)]
    vague, sharp = (plain_matches(printed(n), counts, None) for n in ("450M", "451,000,000"))
    assert vague == []
    assert plausible(printed("451,000,000"), sharp) == sharp
    [fits] = plain_matches(printed("0.45B"), counts, None)
    assert plausible(printed("0.45B"), [fits]) == []
    found = reconcile("0.45B", printed("0.45B"), evidence(counts), None)
    assert (found.found, found.matches, found.coincidences) == (False, (), (fits,))


# --- something added or left out ------------------------------------------------------------------


def test_what_was_left_out_is_found_to_the_last_unit() -> None:
    left_out = deviation(-33_408, "biases left out")
    found = reconcile("300,740,864", printed("300,740,864"), evidence(POPULAR, [left_out]), None)
    [match] = found.explanations
    assert (match.count, match.steps) == (MACS, (left_out,))
    assert match.number == 300_774_272 - 33_408
    assert found.found


def test_the_fewest_steps_win_and_among_them_the_exact_one() -> None:
    one, other, third = (deviation(n, id_=str(n)) for n in (1000, 2000, 3000))
    close = Deviation("close", "macs", "macs", Fraction(6001, 2), "rounds to it")
    stated = printed("300,777,272")  # 3,000 above: 1,000 + 2,000, or 3,000 alone
    [match] = ways(stated, [(MACS, (one, other, close, third))])
    assert match.steps == (third,)
    [match] = ways(stated, [(MACS, (one, other))])
    assert match.steps == (one, other)


def test_four_steps_are_never_tried() -> None:
    steps = [deviation(10**n, id_=str(n)) for n in range(4)]
    assert ways(printed("300,774,383"), [(MACS, steps)]) != []  # 111 more
    assert ways(printed("300,775,383"), [(MACS, steps)]) == []  # 1,111 more


def test_mistakes_of_one_kind_exclude_each_other() -> None:
    half, whole = deviation(-100), deviation(-200)
    assert ways(printed("300,773,972"), [(MACS, (half, whole))]) == []  # 300 fewer


def test_free_layers_of_several_kinds_go_together_but_never_undo_each_other() -> None:
    one, other, back = (deviation(n, id_="free-operations") for n in (-100, -200, 150))
    [match] = ways(printed("300,773,972"), [(MACS, (one, other, back))])
    assert match.steps == (one, other)
    assert ways(printed("300,774,322"), [(MACS, (one, back))]) == []  # 50 more


def test_a_score_is_explained_by_one_mistake_in_each_of_its_parts() -> None:
    counts = (
        count("micronet2019", "parameters", 1_743_908),
        count("micronet2019", "operations", 457_545_664),
    )
    mistakes = [
        Deviation("freebie", "micronet2019", "parameters", Fraction(-690_000), "values"),
        Deviation("freebie", "micronet2019", "operations", Fraction(-117_000_000), "products"),
    ]
    known = evidence(counts, mistakes)
    score = with_scores(known)[-1]
    storage, math = Fraction(1_743_908, 6_900_000), Fraction(457_545_664, 1_170_000_000)
    assert (score.quantity, score.number) == ("score", storage + math)
    assert sum(term.times * term.count for term in score.formula) == score.number
    stated = printed("0.443804")  # 0.1 + 0.1 less
    [match] = ways(stated, [(score, of_base(score, known, ()))])
    assert match.number == score.number - Fraction(1, 5)


def test_bits_are_explained_by_what_changes_parameters() -> None:
    known = evidence([], [deviation(-10, quantity="parameters")])
    [step] = of_base(count("macs", "bits", 3200), known, ())
    assert step.change == -320


def test_a_way_to_the_number_of_a_dialect_is_no_way_of_its_own() -> None:
    """0.45B may be the challenge's 451M; then 601,548,544 − 150,548,544 explains nothing more."""
    exotic = count("micronet2019", "operations", 451_000_000)
    step = Deviation("x", "2 × macs", "operations", Fraction(-150_548_544), "something")
    found = reconcile("0.45B", printed("0.45B"), evidence([*POPULAR, exotic], [step]), None)
    assert [match.count for match in found.coincidences] == [exotic]


def test_a_way_that_is_another_dialect_is_no_mistake() -> None:
    counts = [count("micronet2019", "parameters", 1000), count("other", "parameters", 987_654)]
    step = Deviation("claim-dialect", "micronet2019", "parameters", Fraction(986_654), "all")
    found = reconcile("987,654", printed("987,654"), evidence(counts, [step]), None)
    assert [match.count.dialect for match in found.matches] == ["other"]
    assert found.explanations == ()


# --- accidents ------------------------------------------------------------------------------------


def test_the_chance_of_an_accident_is_the_share_of_the_line_that_prints_so() -> None:
    """3.4M is printed for 3.35M to 3.5M: 0.15 of the 5.1M from its half to its double."""
    tried = [Fraction(n * 10**6) for n in (1, 2, 3, 4, 8)]
    assert chance(tried, printed("3.4M")) == 3 * Fraction(15, 510)


def test_numbers_that_mean_nothing_are_explained_as_rarely_as_the_estimate_says() -> None:
    """200 random numbers of four digits, 12 random mistakes: accidents happen, and are seen through."""
    dice = random.Random(0)  # noqa: S311  # a fixed sequence
    accidents, believed = 0, 0
    for _ in range(200):
        steps = [deviation(dice.randrange(-60_000_000, 60_000_000), id_=str(n)) for n in range(12)]
        found = ways(printed(f"{dice.randrange(2400, 3600) / 10}M"), [(MACS, steps)])
        accidents += bool(found)
        believed += any(match.chance < LIKELY_CHANCE for match in found)
    assert accidents > 25
    assert believed <= 200 * LIKELY_CHANCE


def test_a_crowd_around_the_base_makes_accidents_likelier() -> None:
    """100 small steps, 1 % apart from what rounding hides: 4 digits fit one of them by accident."""
    small = [deviation(1000 * n, id_=str(n)) for n in range(1, 101)]
    [match] = ways(printed("300.80M"), [(MACS, small)])
    assert match.chance > Fraction(1, 5)
    alone = deviation(25_000, id_="alone")
    [match] = ways(printed("300,799,272"), [(MACS, [alone])])
    assert match.chance < Fraction(1, 1000)


def test_what_was_tried_for_one_dialect_counts_for_all() -> None:
    step = deviation(26_000_000, id_="a")
    others = [deviation(n * 10**6, id_=str(n)) for n in range(1, 60)]
    [alone] = ways(printed("326.77M"), [(MACS, [step])])
    found = ways(printed("326.77M"), [(MACS, [step]), (FVCORE, others)])
    [same] = [match for match in found if match.steps == (step,)]
    assert same.chance > alone.chance


def test_a_search_ends_where_it_can_only_find_accidents() -> None:
    """41 steps of 0.24M to 0.4M above 3.5M: two of them reach 4.0M, but so would any two."""
    many = [deviation(n * 4000, id_=str(n)) for n in range(60, 101)]
    one_step = [PARAMETERS.number + step.change for step in many]
    assert chance(one_step, printed("4.0M")) >= 1
    assert ways(printed("4.0M"), [(PARAMETERS, many)]) == []
    assert len(ways(printed("4.0M"), [(PARAMETERS, many[:9])])) == 1


def test_a_search_is_bounded_however_many_ways_there_are() -> None:
    """Of 300 deviations no three are combined: 300 · 299 / 2 = 44,850 pairs are too many already."""
    many = [deviation(2**n, id_=str(n)) for n in range(300)]
    assert MOST_TRIED < 300 * 299 // 2
    assert ways(printed("300,774,275"), [(MACS, many)]) == []  # 1 + 2 more
    assert len(ways(printed("300,774,275"), [(MACS, many[:100])])) == 1


def test_each_oddity_needs_ten_times_the_evidence() -> None:
    """The same digits convince of one mistake in the papers' way, and not of one in the challenge's."""
    step = Deviation("additions", "macs", "operations", Fraction(41_500_000), "left out")
    papers = count("2 × macs", "operations", 400_000_000)
    challenge = count("micronet2019", "operations", 400_000_000)
    for base, convinced in ((papers, True), (challenge, False)):
        own = Deviation(step.id, base.dialect, step.quantity, step.change, step.what)
        found = reconcile("441.5M", printed("441.5M"), evidence([base], [own]), None)
        assert found.found is convinced
        assert [m.steps for m in (*found.explanations, *found.coincidences)] == [(own,)]


# --- nothing --------------------------------------------------------------------------------------


def test_the_nearest_are_of_the_same_size() -> None:
    found = reconcile("312M", printed("312M"), evidence(POPULAR), None)
    assert not found.found
    near = [each.dialect for each in found.nearest]
    assert near == ["fvcore", "macs", "thop", "2 × macs"]


def test_far_from_everything_the_two_nearest_are_named() -> None:
    found = reconcile("10K", printed("10K"), evidence(POPULAR), None)
    assert [each.number for each in found.nearest] == [3_504_872, 300_774_272]


def test_evidence_of_nothing_has_no_nearest() -> None:
    found = reconcile("10K", printed("10K"), evidence([count("macs", "macs", 0)]), None)
    assert (found.found, found.nearest) == (False, ())


def test_a_match_adds_up() -> None:
    step = deviation(-10)
    assert Match(MACS, (step,)).number == MACS.number - 10
