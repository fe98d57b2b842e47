"""Edges between two snapshots: places as gaps, and changes that lead to where they were made for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micronet.training.recording_edges import MOST_ENTRIES, Kept, places_of, planes


@settings(max_examples=100, deadline=None)
@given(st.sets(st.integers(0, MOST_ENTRIES - 1), max_size=40))
def test_gaps_are_places_again(places: set[int]) -> None:
    given_places = np.array(sorted(places), np.int64)

    assert places_of(planes(given_places), MOST_ENTRIES).tolist() == given_places.tolist()


@pytest.mark.parametrize(
    ("places", "rows"),
    [
        ([], [[]]),
        ([0, 1, 2], [[0, 0, 0]]),
        ([255], [[255]]),
        ([256], [[0], [1]]),
        ([3, 5, 65541 + 6], [[3, 1, 5], [0, 0, 0], [0, 0, 1]]),
    ],
)
def test_gaps_take_no_more_bytes_than_the_widest_needs(
    places: list[int], rows: list[list[int]]
) -> None:
    assert planes(np.array(places, np.int64)).tolist() == rows


edges = st.dictionaries(st.integers(0, 60), st.integers(-127, 127))


@settings(max_examples=100, deadline=None)
@given(edges, edges)
def test_a_change_leads_to_where_it_was_made_for(
    before: dict[int, int], after: dict[int, int]
) -> None:
    first, second = (
        Kept(
            np.array(sorted(each), np.int64),
            np.array([each[place] for place in sorted(each)], np.int8).view(np.uint8),
        )
        for each in (before, after)
    )
    reached = first.after(first.change_to(second))

    assert reached.places.tolist() == second.places.tolist()
    assert reached.codes.tolist() == second.codes.tolist()
