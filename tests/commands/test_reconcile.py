"""`micronet reconcile`: one published number, and the dialect that it belongs to, for people and programs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import jsonschema
import pytest

from micronet.audit.sound import schema_of
from micronet.commands import reconcile
from micronet.errors import MicronetError

V2 = "torchvision:mobilenet_v2"
INCEPTION = "torchvision:inception_v3"


def run(
    capsys: pytest.CaptureFixture[str], number: str, model: str = V2, **more: Any
) -> tuple[int, list[str]]:
    code = reconcile.run(reconcile.Request(number, model=model, **more))
    out, err = capsys.readouterr()
    assert err == ""
    return code, out.splitlines()


def document(capsys: pytest.CaptureFixture[str], number: str, **more: Any) -> dict[str, Any]:
    _, lines = run(capsys, number, json=True, **more)
    found: dict[str, Any] = json.loads("\n".join(lines))
    return found


def test_the_first_line_says_it_all(capsys: pytest.CaptureFixture[str]) -> None:
    """327.5M: 300,774,272 + 4 · 6,678,112 = 327,486,720."""
    assert run(capsys, "327.5M") == (
        0,
        [
            "thop's dialect: 300,774,272 multiply-accumulates + 4 × 6,678,112 BatchNorm elements",
            "300,774,272   multiply-accumulates",
            " 26,712,448   4 × 6,678,112 BatchNorm elements",
            "───────────",
            "327,486,720   rounds to 327.5M",
        ],
    )


@pytest.mark.parametrize(
    ("number", "first"),
    [
        ("300M", "the papers' dialect: 300,774,272 multiply-accumulates"),
        ("0.601G", "the papers' dialect, doubled: 2 × 300,774,272 multiply-accumulates"),
        (
            "314M",
            (
                "fvcore's dialect: 300,774,272 multiply-accumulates + 2 × 6,678,112 BatchNorm elements"
                " + 62,720 elements into global pools"
            ),
        ),
        (
            "3,504,872",
            (
                "the papers' dialect: 3,469,760 weights + 1,000 biases"
                " + 34,112 scales and shifts of norms"
            ),
        ),
        (
            "55,805,056",
            (
                "the MicroNet Challenge's dialect: 55,516,160 bits of weights + 16,000 bits of biases"
                " + 272,896 bits of norms"
            ),
        ),
        (
            "0.6438",
            (
                "the MicroNet Challenge's dialect: 1,743,908 parameters of 32 bits ÷ 6,900,000"
                " + 457,545,664 operations ÷ 1,170,000,000"
            ),
        ),
        (
            "1.0251",
            (
                "the MicroNet Challenge's dialect, at 32 bits: 3,487,816 parameters of 32 bits"
                " ÷ 6,900,000 + 607,933,440 operations ÷ 1,170,000,000"
            ),
        ),
        ("300,775,552", "the MicroNet Challenge's dialect: 300,775,552 multiplications"),
    ],
)
def test_every_quantity_is_said_in_words(
    capsys: pytest.CaptureFixture[str], number: str, first: str
) -> None:
    code, lines = run(capsys, number)
    assert (code, lines[0]) == (0, first)


@pytest.mark.parametrize("number", ["327.5M", "3,504,872", "55,805,056", "457M", "0.6438"])
def test_the_rows_add_up(capsys: pytest.CaptureFixture[str], number: str) -> None:
    _, lines = run(capsys, number)
    rule = next(at for at, line in enumerate(lines) if line.startswith("─"))
    *parts, total = [
        int(re.sub(r"[,.]", "", line.split()[0])) for line in (*lines[1:rule], lines[rule + 1])
    ]
    assert len(parts) >= 2
    assert sum(parts) == total


def test_dialects_that_print_alike_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "4.1G", "torchvision:resnet50")[1] == [
        "the papers' dialect: 4,089,184,256 multiply-accumulates",
        "4,089,184,256 rounds to 4.1G",
        (
            "also thop's dialect: 4,089,184,256 multiply-accumulates + 4 × 11,113,984 BatchNorm"
            " elements + 2,048 elements out of global pools + 100,352 elements into global pools"
            " = 4,133,742,592, which rounds to 4.1G"
        ),
        (
            "also fvcore's dialect: 4,089,184,256 multiply-accumulates + 2 × 11,113,984 BatchNorm"
            " elements + 100,352 elements into global pools = 4,111,512,576, which rounds to 4.1G"
        ),
    ]
    assert run(capsys, "601,548,544")[1][-1] == "torch counts the same"


def test_what_was_added_is_a_sum(capsys: pytest.CaptureFixture[str]) -> None:
    """torchvision's own number of Inception v3's parameters has the head that only training uses."""
    code, lines = run(capsys, "27,161,264", INCEPTION)
    assert (code, lines[:6]) == (
        0,
        [
            "No dialect as it is counts 27,161,264 for torchvision:inception_v3.",
            "With parameters of modules that never run, parameters by the papers' dialect it is:",
            "23,834,568   parameters by the papers' dialect",
            " 3,326,696   parameters of modules that never run",
            "──────────",
            "27,161,264   is 27,161,264",
        ],
    )


def test_two_digits_may_be_an_accident(capsys: pytest.CaptureFixture[str]) -> None:
    """MobileNetV2's paper says 3.4M: 3,504,872 without 34,112 of norms is 3,470,760, cut off 3.4M."""
    code, lines = run(capsys, "3.4M")
    assert (code, lines[0]) == (1, "No dialect counts 3.4M for torchvision:mobilenet_v2.")
    assert re.fullmatch(
        r"Perhaps by accident \(\d+ such were to be expected\): with scales and shifts of norms left"
        r" out, parameters by the papers' dialect 3,470,760 is truncated to 3\.4M",
        lines[1],
    )
    assert sum(line.startswith("Perhaps") for line in lines) <= 4


def test_else_the_nearest_and_what_they_lack(capsys: pytest.CaptureFixture[str]) -> None:
    """312,000,000 − 300,774,272 = 11,225,728; 314,193,216 − 312,000,000 = 2,193,216."""
    code, lines = run(capsys, "312M")
    assert code == 1
    table = [re.split(r"\s{2,}", line) for line in lines[2:]]
    assert table[0] == ["dialect", "quantity", "counts", "for 312M"]
    assert table[2] == ["fvcore", "macs", "314,193,216", "leave out 2,193,216 (0.70%)"]
    assert table[3] == ["the papers", "macs", "300,774,272", "add 11,225,728 (3.73%)"]


@pytest.mark.parametrize("number", ["327.5M", "312M", "3.4M", "0.6438", "5/32", "9" * 30, "9.9T"])
def test_the_document_keeps_to_its_schema(capsys: pytest.CaptureFixture[str], number: str) -> None:
    schema = schema_of("reconcile")
    jsonschema.Draft202012Validator.check_schema(schema)
    found = document(capsys, number)
    jsonschema.Draft202012Validator(schema).validate(found)
    assert found["stated"] == number
    assert found["found"] is bool(found["matches"] or found["explanations"])
    for row in (*found["matches"], *found["explanations"], *found["coincidences"]):
        assert row["gives"] == pytest.approx(row["number"] + sum(s["change"] for s in row["steps"]))


def test_the_document_of_an_explanation(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "27,161,264", model=INCEPTION)
    [row] = found["explanations"]
    assert (row["dialect"], row["number"], row["gives"], row["fits"]) == (
        "macs",
        23_834_568,
        27_161_264,
        "is",
    )
    assert row["steps"] == [{"name": "parameters of modules that never run", "change": 3_326_696}]
    assert row["expected_by_chance"] < 0.001


def test_the_quantity_narrows_the_search(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "3.4M", quantity="parameters")
    rows = (*found["coincidences"], *found["nearest"])
    assert {row["quantity"] for row in rows} == {"parameters"}


@pytest.mark.parametrize("number", ["0", "0.00", "1e9", "-5", "5/0", "", "x", "9" * 31, "NaN", "٣"])
def test_what_is_no_number_is_refused(number: str) -> None:
    with pytest.raises(MicronetError) as raised:
        reconcile.run(reconcile.Request(number, model=V2))
    assert raised.value.exit_code == 2
    assert str(raised.value).count("\n") <= 1


def test_a_number_of_nothing_is_refused() -> None:
    with pytest.raises(MicronetError, match="no network to count"):
        reconcile.run(reconcile.Request("300M"))


def test_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = run(capsys, "327.5M")
    command = [sys.executable, "-m", "micronet", "reconcile", "327.5M", "--model", V2]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (code, lines, "")
    wrong = subprocess.run([*command[:4], "1e9", *command[5:]], capture_output=True, check=False)
    assert (wrong.returncode, wrong.stdout) == (2, b"")
    assert len(wrong.stderr.splitlines()) <= 2
