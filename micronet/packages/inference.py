"""``code/inference.py``: the few lines that answer an image with the packaged network."""

from __future__ import annotations

from importlib import resources
from string import Template
from typing import TYPE_CHECKING

import micronet

if TYPE_CHECKING:
    from micronet.packages.statement import Statement


def template(name: str) -> Template:
    """The template ``name`` of this package."""
    return Template(resources.files("micronet.packages").joinpath(name).read_text("utf-8"))


def inference_script(statement: Statement) -> bytes | None:
    """The script for a network of images; None for one that takes something else.

    What is put into it are literals of Python's own making, never text as it came.
    """
    look = statement.preprocessing
    if look is None:
        return None
    foreign = statement.model is not None
    text = template("inference.template").substitute(
        micronet=micronet.__version__,
        origin=" from the sources beside this file"
        if foreign
        else ": its architecture is part of it",
        model=ascii(statement.model),
        resize=ascii(look.resize),
        crop=ascii(look.crop),
        interpolation=ascii(look.interpolation),
        mean=ascii(look.mean),
        std=ascii(look.std),
        antialias=ascii(look.antialias),
    )
    return text.encode("utf-8")
