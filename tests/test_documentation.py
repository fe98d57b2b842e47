"""A README is a promise: its commands exist, its links lead somewhere, its numbers agree."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

import micronet
from micronet import cli

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def commands(program: str) -> list[list[str]]:
    """The command lines of README that start ``program``, as lists of words."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    return [line for line in words if line and line[0] == program]


def links(page: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"\]\(([^)#\s]+)", text)


def test_there_is_something_to_check() -> None:
    assert len(commands("micronet")) > 5
    assert len(commands("make")) > 1
    assert len([link for page in PAGES for link in links(page) if "://" not in link]) > 5


@pytest.mark.parametrize("command", commands("micronet"), ids=" ".join)
def test_every_command_of_the_readme_is_understood(command: list[str]) -> None:
    assert callable(cli.app(args=command[1:], prog_name="micronet", standalone_mode=False))


@pytest.mark.parametrize("command", commands("make"), ids=" ".join)
def test_every_make_target_of_the_readme_exists(command: list[str]) -> None:
    assert re.search(rf"^{command[1]}:", MAKEFILE, flags=re.MULTILINE)


@pytest.mark.parametrize("block", blocks("python"))
def test_the_python_of_the_readme_is_python(block: str) -> None:
    assert ast.parse(block).body


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_lead_somewhere(page: str) -> None:
    dead = [link for link in links(page) if "://" not in link and not (ROOT / link).exists()]
    assert dead == []


def test_the_readme_takes_two_minutes() -> None:
    lines = README.splitlines()
    assert len(lines) <= 150
    assert lines.index("make score") < 15


def test_the_place_of_the_real_output_is_marked() -> None:
    assert re.search(r"^<!-- output: make score -->\n(.*\n)*?<!-- end -->$", README, re.MULTILINE)


def test_the_citation_names_the_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {micronet.__version__}\n" in citation


@pytest.mark.parametrize(
    "name",
    ["torch", "typer", "rich", "setuptools", "fvcore", "safetensors", "jinja2", "matplotlib"],
)
def test_the_reason_for_a_dependency_is_given(name: str) -> None:
    assert name in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert re.search(rf"^\|[^|]*\b{name}\b[^|]*\|", contributing, flags=re.MULTILINE)
