"""Where the data lives: beside the code in a checkout, inside the package in a wheel."""

from __future__ import annotations

from pathlib import Path

from micronet.errors import MicronetError

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The data folder ``name`` ("scoring", "checkpoints"), wherever micronet is installed.

    Raises MicronetError if the installation does not carry it.
    """
    for candidate in (_PACKAGE / "_shelf" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise MicronetError(
        f"This installation of micronet lacks its data folder '{name}'.",
        "Install it again: pip install --force-reinstall micronet-wirings",
    )
