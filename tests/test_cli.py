"""The command line through a real process: texts, exit codes, and nothing on stdout but results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

import micronet
from micronet import cli

MICRONET = (sys.executable, "-m", "micronet")
ENVIRONMENT = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MICRONET, *arguments],
        check=False,
        capture_output=True,
        encoding="utf-8",
        env={**ENVIRONMENT, **environment},
    )


def run_with(verb_body: str) -> subprocess.CompletedProcess[str]:
    """`micronet list` in a process of its own whose ``list.run`` is ``verb_body``."""
    code = f"""
import sys
from micronet import cli
from micronet.commands import list as verb
from micronet.errors import Finding, MicronetError

def run(**options):
    {verb_body}

verb.run = run
sys.argv = ["micronet", "list"]
cli.entry()
"""
    return subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, encoding="utf-8"
    )


@dataclass(frozen=True)
class Mistake:
    arguments: tuple[str, ...]
    found: str
    next_step: str


MISTAKES = {
    "near miss of a verb": Mistake(
        ("scor", "x"), "No such command 'scor'. Did you mean 'score'?", "See: micronet --help"
    ),
    "no such verb": Mistake(("zzz",), "No such command 'zzz'", "See: micronet --help"),
    "near miss of an option": Mistake(
        ("score", "x", "--rule"), "No such option: --rule", "See: micronet score --help"
    ),
    "no argument": Mistake(("show",), "Missing argument 'card'.", "See: micronet show --help"),
    "too many arguments": Mistake(
        ("show", "a", "b"), "unexpected extra argument", "See: micronet show --help"
    ),
    "out of range": Mistake(
        ("score", "x", "--bits", "33"), "'--bits'", "See: micronet score --help"
    ),
    "not a number": Mistake(
        ("build", "x", "--seed", "one"), "'--seed'", "See: micronet build --help"
    ),
    "nothing to score": Mistake(
        ("score",), "Nothing to score: neither a target nor --model.", "See: micronet list"
    ),
    "not a shape": Mistake(
        ("score", "x", "--input", "1,3,x"), "--input is '1,3,x'", "--input 1,3,224,224"
    ),
    "an empty extent": Mistake(
        ("score", "x", "--input", "1,0"), "--input is '1,0'", "--input 1,3,224,224"
    ),
    "not a number of layers": Mistake(
        ("score", "x", "--layers", "few"), "--layers is 'few'", "--layers all"
    ),
    "no such device": Mistake(
        ("score", "dnw_x225", "--device", "abacus"), "No device 'abacus' here", "--device cpu"
    ),
    "no such card": Mistake(
        ("show", "dnw_x226"), "There is no card 'dnw_x226'.", "Did you mean dnw_x225"
    ),
    "no such card to build": Mistake(("build", "nothing"), "There is no card 'nothing'.", "list"),
    "nothing to fetch": Mistake(
        ("fetch", "mnv1_582M"), "were never released", "micronet build mnv1_582M"
    ),
    "no such card to fetch": Mistake(("fetch", "nothing"), "There is no card 'nothing'.", "list"),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_gets_two_lines_and_exit_code_2(mistake: Mistake) -> None:
    done = run(*mistake.arguments)
    first, second = done.stderr.splitlines()
    assert first.startswith("micronet: ")
    assert mistake.found in first
    assert mistake.next_step in second
    assert done.returncode == 2
    assert done.stdout == ""


def test_the_version() -> None:
    done = run("--version")
    assert (done.stdout, done.returncode) == (f"micronet {micronet.__version__}\n", 0)


def test_without_a_verb_there_is_help_and_nothing_judged() -> None:
    done = run()
    assert "Usage: micronet" in done.stdout
    assert done.returncode == 2


VERBS = (
    "list show fetch build score audit reconcile evaluate report package verify slim train".split()
)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    done = run(verb, "--help")
    assert f"Usage: micronet {verb}" in done.stdout
    assert (done.stderr, done.returncode) == ("", 0)


def test_help_lists_the_verbs_that_work_and_no_other() -> None:
    registered = [command.name for command in cli.app.registered_commands]
    assert registered == VERBS
    assert "explore" not in run("--help").stdout


def test_a_finding_exits_with_1() -> None:
    done = run_with("raise Finding('The claim fails.')")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "micronet: The claim fails.\n"


def test_what_could_not_be_judged_exits_with_2() -> None:
    done = run_with("raise MicronetError('Found a, expected b.', 'Try: c')")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "micronet: Found a, expected b.\nTry: c\n"


def test_ctrl_c_exits_with_130_and_one_line() -> None:
    done = run_with("raise KeyboardInterrupt")
    assert (done.returncode, done.stderr) == (130, "micronet: Interrupted.\n")


def test_a_bug_of_ours_shows_its_traceback_and_is_no_finding() -> None:
    done = run_with("raise RuntimeError('a bug')")
    assert done.returncode == 2
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("RuntimeError: a bug\n")


def test_a_closed_pipe_is_quiet() -> None:
    process = subprocess.Popen(
        [*MICRONET, "list", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process:
        complaint = process.stderr.read()
    assert (complaint, process.returncode) == (b"", 141)


def test_json_is_all_there_is_on_stdout() -> None:
    done = run("list", "--json")
    assert {"dnw_x225", "mnv1_582M"} <= {card["name"] for card in json.loads(done.stdout)}
    assert (done.stderr, done.returncode) == ("", 0)


def test_an_ascii_terminal_is_no_reason_to_stop() -> None:
    assert run("list", PYTHONIOENCODING="ascii").returncode == 0
    assert json.loads(run("list", "--json", PYTHONIOENCODING="ascii").stdout)
