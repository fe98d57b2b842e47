"""A recording of the same run has the same bytes, also of one that was stopped and resumed."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pytest
import torch

from micronet.errors import MicronetError
from micronet.training.recording import Recorder
from tests.training.recorded import SEED, STEPS_PER_EPOCH, Bench, gates_of

if TYPE_CHECKING:
    from pathlib import Path

EPOCHS = 6


def test_taking_a_snapshot_changes_nothing() -> None:
    gates, bare = gates_of("two"), gates_of("two")
    plain = Bench(bare)
    plain.recorder = None
    chance = torch.get_rng_state()
    Bench(gates).begin().epochs(1, EPOCHS)
    plain.begin().epochs(1, EPOCHS)

    assert torch.equal(torch.get_rng_state(), chance)
    for with_recorder, without in zip(gates, bare, strict=True):
        assert torch.equal(with_recorder.weight, without.weight)
        assert torch.equal(with_recorder.gate.kept, without.gate.kept)
        assert with_recorder.weight.grad is None


def test_the_same_run_gives_the_same_bytes_without_a_date() -> None:
    contents = []
    for _ in range(2):
        recorder = Bench(gates_of("two")).begin().epochs(1, EPOCHS).recorder
        assert recorder is not None
        contents.append(recorder.to_bytes())
        assert recorder.to_bytes() == contents[-1]

    assert contents[0] == contents[1]
    with zipfile.ZipFile(io.BytesIO(contents[0])) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.testzip() is None


@pytest.mark.parametrize("written", [1, 3, EPOCHS])
@pytest.mark.parametrize("step", [0, 3 * STEPS_PER_EPOCH - 1, 3 * STEPS_PER_EPOCH, 1000])
def test_a_resumed_run_gives_the_same_bytes(written: int, step: int, tmp_path: Path) -> None:
    """The file was written after epoch ``written``, the run goes on at ``step``."""
    whole = Bench(gates_of("two")).begin().epochs(1, EPOCHS)
    stopped = Bench(gates_of("two")).begin().epochs(1, written)
    path = tmp_path / "recording.npz"
    assert whole.recorder is not None
    assert stopped.recorder is not None
    stopped.recorder.write(path)
    noted = min(step // STEPS_PER_EPOCH, written)

    again = Bench(gates_of("two"))
    for number in range(1, noted + 1):
        again.move(number)
    again.recorder = Recorder.resumed(path, again.gates, "small", SEED, step)
    assert len(again.recorder) == 1 + noted
    again.epochs(noted + 1, EPOCHS)

    assert again.recorder.to_bytes() == whole.recorder.to_bytes()


@pytest.mark.parametrize(
    ("layout", "card", "seed"),
    [("two", "other", SEED), ("two", "small", 6), ("all", "small", SEED)],
)
def test_another_run_s_recording_is_not_gone_on_with(
    layout: str, card: str, seed: int, tmp_path: Path
) -> None:
    recorder = Bench(gates_of("two")).begin().recorder
    assert recorder is not None
    recorder.write(tmp_path / "recording.npz")

    with pytest.raises(
        MicronetError, match="records another run: found small, seed 5, 807 weights"
    ):
        Recorder.resumed(tmp_path / "recording.npz", gates_of(layout), card, seed, 0)


def test_a_missing_recording_is_not_begun_in_the_middle(tmp_path: Path) -> None:
    with pytest.raises(MicronetError, match=r"recording\.npz: is missing") as caught:
        Recorder.resumed(tmp_path / "recording.npz", gates_of("two"), "small", SEED, 7)
    assert caught.value.next_step == "Go on without --record, or begin anew with another --out."


def test_snapshots_are_taken_in_the_order_of_steps() -> None:
    bench = Bench(gates_of("two")).begin().epochs(1, 1)
    assert bench.recorder is not None

    with pytest.raises(ValueError, match="step 7 after that of 7"):
        bench.recorder.note(bench.gates, None, STEPS_PER_EPOCH)
