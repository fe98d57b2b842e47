"""Which evaluation this is: what a journal must agree on before it is gone on from."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import PIL
import torch
import torchvision

import micronet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from micronet.evaluation.worker import Plan

_LIBRARIES: Final = ("builtins.", "torch.", "torchvision.", "micronet.")
_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")  # of a function that a network's text shows


def evaluation_id(target: Mapping[str, Any], model: nn.Module, plan: Plan) -> str:
    """A sha256 over everything that an answer may depend on: weights, code, images, arithmetic.

    ``target`` is `state_digest.target_facts`. Batch size and number of processes are not in it.
    """
    facts = {
        "target": dict(target),
        "code": _code_sha256(model),
        "structure": hashlib.sha256(_ADDRESS.sub("", repr(model)).encode()).hexdigest(),
        "data": plan.dataset.fingerprint,
        "look": asdict(plan.look),
        "decoder": plan.decoder,
        "arithmetic": arithmetic_facts(plan),
        "versions": [each.__version__ for each in (micronet, torch, torchvision, PIL)],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def arithmetic_facts(plan: Plan) -> dict[str, Any]:
    """How the answers are computed, as a receipt says it."""
    arithmetic = plan.arithmetic
    dtype = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}[arithmetic.dtype]
    return {"dtype": dtype, "device": arithmetic.device.type, "compiled": arithmetic.compiled}


def _code_sha256(model: nn.Module) -> str:
    """Of the source files that somebody's own modules, and what they inherit, come from."""
    kinds = {kind for module in model.modules() for kind in type(module).__mro__}
    files = {
        Path(each.__code__.co_filename)
        for kind in kinds
        if not f"{kind.__module__}.".startswith(_LIBRARIES)
        for each in vars(kind).values()
        if inspect.isfunction(each)
    }
    sources = sorted(hashlib.sha256(_source(path)).digest() for path in files)
    return hashlib.sha256(b"".join(sources)).hexdigest()


def _source(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # made without a file: its names are in the structure
        return b""
