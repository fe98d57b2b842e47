"""Stopped at any moment, the same call goes on and finds the same, bit for bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn

from micronet.errors import MicronetError
from micronet.evaluation.language.journal import FORMAT, Journal
from micronet.evaluation.language.losses import Totals
from micronet.evaluation.language.perplexity import evaluate_language
from tests.evaluation.language.models import Qrnn, Recurrent, Transformer, random_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[3]
CORPUS = random_text(300, 12)


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name == "lstm":
        return Recurrent(nn.LSTM, 12)
    return Qrnn(12) if name == "qrnn" else Transformer(12, 6)


Start = Callable[[], tuple[int, Callable[[], int]]]


class Stopped(BaseException):
    """The end of a run, from outside."""


def stopping_after(calls: int) -> Any:
    left = [calls]

    def progress(_done: int, _of: int, _perplexity: float) -> None:
        left[0] -= 1
        if not left[0]:
            raise Stopped

    return progress


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lstm", {"mode": "online"}),
        ("lstm", {"chunk": 8}),
        ("qrnn", {"chunk": 8}),
        ("transformer", {}),
        ("transformer", {"mode": "strided", "stride": 4}),
    ],
)
@pytest.mark.parametrize("every", [1, 7])
def test_a_run_that_is_stopped_again_and_again_finds_the_same(
    tmp_path: Path, name: str, options: dict[str, Any], every: int
) -> None:
    whole = evaluate_language(made(name), CORPUS, **options)
    journal, stops = tmp_path / "journal", 0
    while stops < 40:
        try:
            found = evaluate_language(
                made(name),
                CORPUS,
                journal=journal,
                save_seconds=0,
                progress=stopping_after(every),
                **options,
            )
        except Stopped:
            stops += 1
        else:
            break
    else:
        found = evaluate_language(made(name), CORPUS, journal=journal, **options)
    assert stops > 4
    assert found == whole


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    def nothing(*_: object) -> None:
        raise AssertionError

    journal = tmp_path / "journal"
    first = evaluate_language(made("lstm"), CORPUS, journal=journal)
    again = evaluate_language(made("lstm"), CORPUS, journal=journal, progress=nothing)
    assert again == first


def test_a_run_goes_on_from_what_was_saved_last(tmp_path: Path) -> None:
    """Saved after call 1 alone and stopped after call 5: calls 2 to 5 are made again."""
    told: list[int] = []
    journal = tmp_path / "journal"
    options: dict[str, Any] = {"chunk": 8, "journal": journal, "save_seconds": 1e9}
    with pytest.raises(Stopped):
        evaluate_language(made("lstm"), CORPUS, progress=stopping_after(5), **options)
    found = evaluate_language(
        made("lstm"), CORPUS, progress=lambda done, *_: told.append(done), **options
    )
    assert told[:2] == [16, 24]
    assert found == evaluate_language(made("lstm"), CORPUS, chunk=8)


FORKING = """
import os, sys, time, torch
from pathlib import Path
from micronet.evaluation.language.perplexity import evaluate_language
from tests.evaluation.language.test_resume import CORPUS, made

for line in sys.stdin:
    process = os.fork()
    if not process:
        try:
            result = evaluate_language(
                made("lstm"), CORPUS, chunk=4, journal=Path(sys.argv[1]), save_seconds=0,
                progress=lambda *_: time.sleep(0.005),
            )
            Path(sys.argv[2]).write_text(repr(result), encoding="utf-8")
        finally:
            os._exit(0)
    print(process, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the evaluation in a process of its own, and gives its id and a wait for its exit code."""
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", FORKING, str(tmp_path / "journal"), str(tmp_path / "result")]
    with subprocess.Popen(
        command, cwd=ROOT, env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as mother:
        assert mother.stdin is not None
        assert mother.stdout is not None
        asked, told = mother.stdin, mother.stdout

        def run() -> tuple[int, Callable[[], int]]:
            asked.write("go\n")
            asked.flush()
            return int(told.readline()), lambda: int(told.readline())

        yield run


def position(journal: Path) -> int:
    """Where the journal stands; the file is whole at any moment, or is not there yet."""
    if not journal.exists():
        return 0
    data = journal.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    tokens: int = json.loads(header["__metadata__"]["journal"])["totals"]["tokens"]
    return tokens


def test_a_process_that_is_killed_ten_times_leaves_the_same_result(
    tmp_path: Path, start: Start
) -> None:
    """75 calls of 4 tokens; SIGKILL whenever the journal has moved on by 24 tokens, and a bit later."""
    journal, result = tmp_path / "journal", tmp_path / "result"
    reached = [0]
    for kill in range(10):
        process, wait = start()
        deadline = time.monotonic() + 60
        while position(journal) < reached[-1] + 24 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(kill / 2000)
        os.kill(process, signal.SIGKILL)
        assert wait() == -signal.SIGKILL
        reached.append(position(journal))
    assert not result.exists()
    assert all(later - earlier >= 24 for earlier, later in pairwise(reached))
    _, wait = start()
    assert wait() == 0
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        undisturbed = evaluate_language(made("lstm"), CORPUS, chunk=4)
    finally:
        torch.set_num_threads(threads)
    assert result.read_text(encoding="utf-8") == repr(undisturbed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": made("qrnn")}, "model "),
        ({"corpus": random_text(300, 12, seed=1)}, "vocabulary "),
        ({"chunk": 16}, "protocol read 8 tokens a call"),
        ({"mode": "online", "chunk": None}, "protocol read 8 tokens a call"),
    ],
)
def test_a_journal_of_another_run_is_not_gone_on_with(
    tmp_path: Path, change: Mapping[str, Any], message: str
) -> None:
    journal = tmp_path / "journal"
    evaluate_language(made("lstm"), CORPUS, chunk=8, journal=journal)
    options = {"model": made("lstm"), "corpus": CORPUS, "chunk": 8, **change}
    if "corpus" in change:
        corpus = change["corpus"]
        other = type(corpus)(**{**vars(corpus), "digest": "other"})
        options["corpus"], message = other, "text 300 tokens, expected other"
    with pytest.raises(MicronetError) as caught:
        evaluate_language(options.pop("model"), options.pop("corpus"), journal=journal, **options)
    assert f"is of another evaluation: {message}" in caught.value.message
    assert caught.value.next_step == "Delete it to start from the beginning."


def saved(path: Path, content: object, tensors: Mapping[str, Tensor] | None = None) -> Path:
    from safetensors.torch import save_file

    written = content if isinstance(content, str) else json.dumps(content)
    save_file(dict(tensors or {}), path, {"format": FORMAT, "journal": written})
    return path


GOOD = {
    "tokens": 3,
    "nats": "7/2",
    "nonfinite": 0,
    "first_nonfinite": None,
    "compared": 1,
    "largest_difference": 0.5,
}


def content(state: object = None, **totals: object) -> dict[str, object]:
    form = {"value": None} if state is None else state
    return {"identity": {}, "totals": {**GOOD, **totals}, "state": form}


def test_a_journal_keeps_every_kind_of_state(tmp_path: Path) -> None:
    whole = torch.randn(4, 6)
    state = (
        [whole[:, 1:3], whole[:, 1:3], whole.T],
        {"count": torch.tensor(3), "half": whole.bfloat16(), "none": torch.zeros(0, 2)},
        (None, True, 7, 0.1, "x"),
    )
    journal = Journal(tmp_path / "journal", {"model": "m"})
    totals = Totals(3, Fraction(7, 2), 1, 2, 5, 1e-7)
    journal.save(totals, state)
    loaded = journal.load(torch.device("cpu"))
    assert loaded is not None
    assert loaded[0] == totals
    assert torch.utils._pytree.tree_structure(loaded[1]) == torch.utils._pytree.tree_structure(
        state
    )
    for found, expected in zip(
        torch.utils._pytree.tree_leaves(loaded[1]),
        torch.utils._pytree.tree_leaves(state),
        strict=True,
    ):
        same = torch.equal(found, expected) if isinstance(found, Tensor) else found == expected
        assert same


def test_a_journal_that_is_well_formed_is_read(tmp_path: Path) -> None:
    """The file that the damaged ones below differ from."""
    journal = Journal(saved(tmp_path / "journal", content()), {})
    assert journal.load(torch.device("cpu")) == (Totals(3, Fraction(7, 2), 0, None, 1, 0.5), None)


@pytest.mark.parametrize(
    "damaged",
    [
        "no JSON",
        "[]",
        "[" * 100_000,
        '{"identity": {}}',
        content(nats="1/0"),
        content(nats="-1"),
        content(nats="9" * 5000),
        content(nats=3),
        content(tokens=-1),
        content(tokens=2.0),
        content(tokens=True),
        content(extra=1),
        content(nonfinite=1),
        content(nonfinite=4, first_nonfinite=0),
        content(nonfinite=1, first_nonfinite=3),
        content(largest_difference=1),
        content(largest_difference=float("nan")),
        content(state={"tensor": "0"}),
        content(state={"call": "os.system"}),
        content(state={"value": [1]}),
        content(state={"float": "x"}),
        content(state=[]),
        content(state={"tuple": 1}),
    ],
    ids=range(23),
)
def test_a_damaged_journal_is_refused(tmp_path: Path, damaged: object) -> None:
    path = saved(tmp_path / "journal", damaged)
    with pytest.raises(MicronetError, match="is not the journal of an evaluation") as caught:
        Journal(path, {}).load(torch.device("cpu"))
    assert caught.value.next_step == "Delete it to start from the beginning."


@pytest.mark.parametrize("cut", [1, 9, 40, -1])
def test_a_file_that_is_no_journal_is_refused(tmp_path: Path, cut: int) -> None:
    path = saved(tmp_path / "journal", content(state={"tensor": "0"}), {"0": torch.ones(3)})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(MicronetError, match="is not the journal of an evaluation"):
        Journal(path, {}).load(torch.device("cpu"))


def test_a_journal_of_another_format_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "journal", content())
    path.write_bytes(path.read_bytes().replace(b"journal/1", b"journal/2"))
    with pytest.raises(MicronetError, match="its format is not micronet"):
        Journal(path, {}).load(torch.device("cpu"))


def test_a_journal_that_stands_where_no_call_begins_is_refused(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    evaluate_language(made("lstm"), CORPUS, chunk=8, journal=journal)
    data = journal.read_bytes()
    journal.write_bytes(data.replace(b'\\"tokens\\": 300', b'\\"tokens\\": 299'))
    with pytest.raises(MicronetError, match="stands at token 299, where no call begins"):
        evaluate_language(made("lstm"), CORPUS, chunk=8, journal=journal)
    journal.write_bytes(data.replace(b'\\"tokens\\": 300', b'\\"tokens\\": 304'))
    with pytest.raises(MicronetError, match="stands at token 304, where no call begins"):
        evaluate_language(made("lstm"), CORPUS, chunk=8, journal=journal)


class Odd(Recurrent):
    """Its state is an object of its own."""

    def forward(self, tokens: Tensor, state: object = None) -> tuple[Tensor, object]:
        found, hidden = super().forward(
            tokens, state["hidden"] if isinstance(state, dict) else None
        )
        return found, {"hidden": hidden, "set": frozenset()}


def test_a_state_that_cannot_be_saved_is_found_at_the_first_call(tmp_path: Path) -> None:
    assert evaluate_language(Odd(nn.LSTM, 12), CORPUS).tokens == 300
    calls: list[object] = []
    with pytest.raises(MicronetError, match="state holds a frozenset, which cannot be saved"):
        evaluate_language(
            Odd(nn.LSTM, 12),
            CORPUS,
            journal=tmp_path / "journal",
            progress=lambda *now: calls.append(now),
        )
    assert not calls


def test_a_state_takes_no_more_room_than_its_tensors(tmp_path: Path) -> None:
    """The last embedding of a QRNN is a view of a whole call's: 8 + 8 numbers are saved, of 4 bytes."""
    journal = tmp_path / "journal"
    evaluate_language(made("qrnn"), CORPUS, chunk=100, journal=journal)
    data = journal.read_bytes()
    assert len(data) - 8 - int.from_bytes(data[:8], "little") == (8 + 8) * 4
