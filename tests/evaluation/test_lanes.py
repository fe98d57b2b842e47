"""Lanes do every chunk once, stop when they have to, and leave nothing behind."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING

import pytest
import torch

from micronet.evaluation.lanes import Chunk, Finished, run_lanes
from tests.evaluation.samples import prediction

if TYPE_CHECKING:
    from collections.abc import Iterator


def done(chunk: Chunk) -> Finished:
    return Finished(tuple(prediction(index) for index in chunk), 0.0, 0.0)


def chunks(count: int) -> Iterator[Chunk]:
    return iter([[2 * index, 2 * index + 1] for index in range(count)])


def running() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("lane-")]


@pytest.mark.parametrize("lanes", [1, 2, 7])
def test_every_chunk_is_done_once(lanes: int) -> None:
    found = [each.index for part in run_lanes(chunks(50), done, lanes) for each in part.predictions]
    assert sorted(found) == list(range(100))
    assert running() == []


def test_no_chunks_are_no_work() -> None:
    assert list(run_lanes(iter([]), done, 3)) == []


def test_two_lanes_work_at_the_same_time() -> None:
    """Each waits for the other; one alone would wait in vain."""
    meeting = threading.Barrier(2, timeout=20)

    def work(chunk: Chunk) -> Finished:
        meeting.wait()
        return done(chunk)

    assert len(list(run_lanes(chunks(4), work, 2))) == 4


@pytest.mark.parametrize("error", [ValueError("broken"), MemoryError(), SystemExit(3)])
def test_what_a_lane_raises_is_raised_after_the_others_have_finished(error: BaseException) -> None:
    started: list[int] = []
    kept: list[int] = []

    def work(chunk: Chunk) -> Finished:
        started.append(chunk[0])
        if chunk[0] == 6:
            raise error
        time.sleep(0.05)
        return done(chunk)

    def collect() -> None:
        endless = itertools.chain([[0], [6]], itertools.repeat([0], 500))
        for part in run_lanes(endless, work, 3):
            kept.extend(each.index for each in part.predictions)

    with pytest.raises(type(error)) as caught:
        collect()
    assert caught.value is error
    assert len(kept) == started.count(0)  # what was begun is not lost
    assert len(kept) < 20  # and nothing new was begun
    assert running() == []


def test_closing_stops_the_lanes() -> None:
    """Though there is no end of chunks."""
    found = run_lanes(itertools.repeat([1]), done, 2)
    assert next(found).predictions[0].index == 1
    assert len(running()) == 2
    found.close()  # type: ignore[attr-defined]
    assert running() == []


def test_an_error_where_results_are_read_stops_the_lanes() -> None:
    def read() -> None:
        for _ in run_lanes(itertools.repeat([1]), done, 2):
            raise KeyError("disk full")

    with pytest.raises(KeyError):
        read()
    assert running() == []


def test_an_error_where_chunks_are_dealt_is_raised() -> None:
    """Such as a lost connection to the process that deals them."""

    def deal() -> Iterator[Chunk]:
        yield [1]
        raise ConnectionError("gone")

    found = []
    with pytest.raises(ConnectionError):
        found += list(run_lanes(deal(), done, 2))
    assert running() == []


def test_chunks_are_dealt_to_one_lane_at_a_time() -> None:
    """A generator that two threads ask at once raises ValueError."""

    def deal() -> Iterator[Chunk]:
        for index in range(200):
            time.sleep(0.0001)
            yield [index]

    assert len(list(run_lanes(deal(), done, 8))) == 200


def test_torchs_threads_are_one_in_a_lane_and_come_back_afterwards() -> None:
    before = torch.get_num_threads()
    seen = []

    def work(chunk: Chunk) -> Finished:
        seen.append(torch.get_num_threads())
        return done(chunk)

    torch.set_num_threads(3)
    try:
        for _ in run_lanes(chunks(5), work, 2):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 3
        with pytest.raises(ZeroDivisionError):
            list(run_lanes(chunks(5), lambda _: done([1 // 0]), 2))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}
