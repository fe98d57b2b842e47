"""A recording knows every edge of every snapshot, exactly, in few bytes that are always the same."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn

from micronet.errors import MicronetError
from micronet.training.gates import Gates, Group, gated
from micronet.training.network import trainable
from micronet.training.recording import Recorder
from micronet.training.recording_file import Recording, read_recording
from tests.training.recorded import SEED, Bench, gates_of

if TYPE_CHECKING:
    from pathlib import Path

LAYOUTS = pytest.mark.parametrize("layout", ["each", "two", "all"])
EPOCHS = 6


def read(recorder: Recorder | None, folder: Path) -> Recording:
    assert recorder is not None
    recorder.write(folder / "recording.npz")
    return read_recording(folder / "recording.npz")


@LAYOUTS
def test_the_edges_of_every_snapshot_are_those_that_were_kept(layout: str, tmp_path: Path) -> None:
    bench = Bench(gates_of(layout)).begin().epochs(1, EPOCHS)
    recording = read(bench.recorder, tmp_path)

    assert len(recording) == 1 + EPOCHS
    for number, then in enumerate(bench.aside):
        for weight, kept in enumerate(then.kept):
            found = recording.edges(number, weight).indices
            assert found.tolist() == kept.flatten().nonzero().flatten().tolist()
    swapped = [then.epoch.wires.entered for then in bench.aside if then.epoch]
    assert min(swapped) > 0


@LAYOUTS
def test_values_are_known_to_within_a_254th_of_the_largest(layout: str, tmp_path: Path) -> None:
    bench = Bench(gates_of(layout)).begin().epochs(1, EPOCHS)
    recording = read(bench.recorder, tmp_path)

    for number, then in enumerate(bench.aside):
        for weight, used in enumerate(then.used):
            indices, values = recording.edges(number, weight)
            exact = used.flatten()[torch.from_numpy(indices)].double().numpy()
            largest = Fraction(recording.columns["largest"][number, weight].item())
            assert largest == Fraction(np.abs(exact).max().item())
            assert Fraction(np.abs(values).max().item()) == largest
            codes = np.rint(exact / float(largest) * 127)
            assert values.dtype == np.float32
            assert values.tolist() == (codes * float(largest) / 127).astype(np.float32).tolist()
            for code, value in zip(codes.tolist(), exact.tolist(), strict=True):
                assert abs(Fraction(code) * largest / 127 - Fraction(value)) <= largest / 254


def test_values_are_those_that_the_network_uses(tmp_path: Path) -> None:
    layer = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, -2.0], [0.5, 1.0]]))
    member = gated(layer, "weight", "weight")
    gates = Gates([Group((member,), 2)])
    gates.choose_largest()
    member.gate.shrink, member.gate.gain = 1.0, 2.0
    recorder = Recorder(gates, "small", SEED)
    recorder.note(gates, None, 0)

    indices, values = read(recorder, tmp_path).edges(0, 0)
    assert indices.tolist() == [0, 1]
    assert values[0] == 4.0  # 2 · (3 - 1)
    assert values[1] == np.float32(-64 * 4.0 / 127)  # 2 · (-2 + 1) is code -63.5, to even


def test_half_precision_and_layouts_in_memory_make_no_difference(tmp_path: Path) -> None:
    layer = nn.Conv2d(3, 4, 3, bias=False).bfloat16().to(memory_format=torch.channels_last)
    member = gated(layer, "weight", "weight")
    gates = Gates([Group((member,), 30)])
    gates.choose_largest()
    recorder = Recorder(gates, "small", SEED)
    recorder.note(gates, None, 0)

    indices, values = read(recorder, tmp_path).edges(0, 0)
    used = member.used.detach().reshape(-1)
    assert indices.tolist() == used.nonzero().flatten().tolist()
    assert np.sign(values).tolist() == used[torch.from_numpy(indices)].sign().tolist()
    assert np.abs(values).max() == float(used.abs().max())


def test_figures_are_those_of_the_epochs(tmp_path: Path) -> None:
    bench = Bench(gates_of("two")).begin().epochs(1, 3)
    columns = read(bench.recorder, tmp_path).columns

    assert math.isnan(columns["loss"][0])
    assert columns["loss"][1:].tolist() == [2.5, 1.25, 2.5 / 3]
    assert columns["thresholds"].tolist() == [list(then.wires.thresholds) for then in bench.aside]
    assert {name: column.tolist() for name, column in columns.items() if column.dtype == "<i8"} == {
        "step": [0, 7, 14, 21],
        "epoch": [0, 1, 2, 3],
        "train_right": [-1, 10, 20, 30],
        "train_images": [-1, 1000, 1000, 1000],
        "test_right": [-1, -1, 2, -1],
        "test_images": [-1, -1, 100, -1],
        "alive": [then.wires.alive for then in bench.aside],
        "nodes": [4 + 28 + 9] * 4,
    }


def test_the_header_says_of_which_run_and_weights(tmp_path: Path) -> None:
    header = read(Bench(gates_of("two")).begin().recorder, tmp_path).header

    assert (header.card, header.seed) == ("small", SEED)
    assert [(each.name, each.shape, each.group) for each in header.weights] == [
        ("first.weight", (4, 3, 3, 3), 0),
        ("second.weight", (30, 20), 1),
        ("third.weight", (9, 11), 1),
    ]


def test_the_history_is_every_snapshot_in_turn(tmp_path: Path) -> None:
    bench = Bench(gates_of("two")).begin().epochs(1, EPOCHS)
    recording = read(bench.recorder, tmp_path)

    told = [[[part.tolist() for part in edges] for edges in each] for each in recording.history()]
    assert told == [
        [[part.tolist() for part in recording.edges(number, weight)] for weight in range(3)]
        for number in range(1 + EPOCHS)
    ]
    assert recording.edges(-1, -1).indices.tolist() == told[-1][-1][0]


def test_there_is_no_snapshot_or_weight_beyond_the_last(tmp_path: Path) -> None:
    recording = read(Bench(gates_of("two")).begin().recorder, tmp_path)

    for snapshot, weight in ((1, 0), (0, 3), (-2, 0)):
        with pytest.raises(IndexError):
            recording.edges(snapshot, weight)


def test_a_recording_without_snapshots_can_be_read(tmp_path: Path) -> None:
    assert len(read(Bench(gates_of("two")).recorder, tmp_path)) == 0


def test_weights_that_keep_nothing_or_only_zeros_are_recorded(tmp_path: Path) -> None:
    gates = gates_of("each")
    first, second, _ = gates
    recorder = Recorder(gates, "small", SEED)
    first.gate.kept.fill_(False)  # noqa: FBT003
    with torch.no_grad():
        second.weight.zero_()
    recorder.note(gates, None, 0)

    recording = read(recorder, tmp_path)
    assert recording.edges(0, 0).indices.tolist() == []
    assert (
        recording.edges(0, 1).indices.tolist()
        == second.gate.kept.flatten().nonzero().flatten().tolist()
    )
    assert not recording.edges(0, 1).values.any()
    assert recording.columns["largest"][0, :2].tolist() == [0.0, 0.0]


def test_edges_that_are_held_have_no_threshold(tmp_path: Path) -> None:
    gates = gates_of("two")
    gates.choose_largest()
    recorder = Recorder(gates, "small", SEED)
    recorder.note(gates, None, 0)

    assert np.isnan(read(recorder, tmp_path).columns["thresholds"]).tolist() == [[True, True]]


def test_whoever_knows_numpy_and_the_schema_can_read_it(tmp_path: Path) -> None:
    """The file by its description alone: plain loops, nothing of ours."""
    bench = Bench(gates_of("two")).begin().epochs(1, EPOCHS)
    read(bench.recorder, tmp_path)
    with np.load(tmp_path / "recording.npz", allow_pickle=False) as file:
        members = {name: file[name] for name in file.files}

    header = json.loads(members["header"].tobytes())
    assert header["schema"] == "micronet.recording/1"
    owners = [
        (weight, index)
        for weight, each in enumerate(header["weights"])
        for index in range(math.prod(each["shape"]))
    ]
    codes: dict[int, int] = {}
    for number, then in enumerate(bench.aside):
        chunk = {
            kind: members[f"{kind}/{number:05d}"] for kind in ("entered", "left", "codes", "moves")
        }
        before = sorted(codes)
        for gone in numbers(chunk["left"]):
            del codes[before[gone]]
        for place, move in zip(sorted(codes), chunk["moves"].tolist(), strict=True):
            codes[place] = (codes[place] + move) % 256
        codes |= dict(zip(numbers(chunk["entered"]), chunk["codes"].tolist(), strict=True))
        kept = {(w, int(i)) for w, mask in enumerate(then.kept) for i in mask.flatten().nonzero()}
        assert {owners[place] for place in codes} == kept
        for place, code in codes.items():
            weight, index = owners[place]
            largest = float(members["largest"][number, weight])
            value = float(then.used[weight].flatten()[index])
            assert (code + 128) % 256 - 128 == round(value / largest * 127)


def numbers(rows: Any) -> list[int]:
    gaps = [
        sum(int(row[i]) << 8 * byte for byte, row in enumerate(rows)) for i in range(rows.shape[1])
    ]
    return [sum(gaps[: i + 1]) + i for i in range(len(gaps))]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_no_numbers_are_told(value: float) -> None:
    gates = gates_of("two")
    recorder = Recorder(gates, "small", SEED)
    gates.choose_largest()
    member = list(gates)[1]
    with torch.no_grad():
        member.weight[member.gate.kept] = value

    with pytest.raises(MicronetError, match=r"second\.weight: not every weight is a finite number"):
        recorder.note(gates, None, 0)


def test_a_network_that_could_not_be_read_again_is_not_recorded() -> None:
    with torch.device("meta"):
        layer = nn.Linear(2**13, 2**13 + 1, bias=False)
    gates = Gates([Group((gated(layer, "weight", "weight"),), 10)])

    with pytest.raises(
        MicronetError, match="huge has 67,117,056 weights to record, at most 67,108,864"
    ):
        Recorder(gates, "huge", SEED)


def test_a_recording_is_read_without_torch() -> None:
    code = "import micronet.training.recording_file, sys; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_all_epochs_of_a_tiny_network_take_less_than_three_megabytes(tmp_path: Path) -> None:
    """160 epochs of the paper's recipe. As many edges are swapped as in a real run: 7,000 of the
    32,000 in the sixth epoch, and less from each lowering of the learning rate on."""
    gates = trainable("tiny_static", {}, SEED)[1]
    gates.follow_largest()
    (member,) = gates
    recorder = Recorder(gates, "tiny_static_dnw", SEED)
    recorder.note(gates, None, 0)
    generator = torch.Generator().manual_seed(SEED)
    noise = torch.randn(2 * member.weight.numel(), generator=generator)
    for number in range(1, 161):
        rate = 0.1 if number < 80 else 0.01 if number < 120 else 0.001
        start = int(torch.randint(member.weight.numel(), (1,), generator=generator))
        with torch.no_grad():
            moves = noise[start : start + member.weight.numel()].view(member.weight.shape)
            member.weight.add_(moves, alpha=0.05 * rate).mul_(0.99)
        recorder.note(gates, None, 98 * number)

    content = recorder.to_bytes()
    (tmp_path / "recording.npz").write_bytes(content)
    *_, last = read_recording(tmp_path / "recording.npz").history()
    assert last[0].indices.tolist() == member.gate.kept.flatten().nonzero().flatten().tolist()
    assert len(content) < 3_000_000
