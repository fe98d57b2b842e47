"""Packages made for the tests: a tiny one, one with an accuracy, and what a forger makes of them."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import torch

from micronet.checkpoints.build import seeded_model
from micronet.checkpoints.native import Checkpoint, write_native
from micronet.checkpoints.target import load_target
from micronet.packages import names
from micronet.packages.archive import read_archive
from micronet.packages.build import Order, build
from micronet.packages.canonical import zipped
from micronet.packages.manifest import checksums
from micronet.packages.texts import json_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from micronet.packages.compose import Members

LSTM = {"vocabulary": 5, "embedding": 2, "hidden": 3}


def tiny_checkpoint(path: Path, weights: str = "untrained") -> Path:
    """A language model of 76 values, in micronet's own format."""
    model = seeded_model("lstm_lm", LSTM, 1)
    write_native(path, Checkpoint("lstm_lm", LSTM, model.state_dict(), {"weights": weights}))
    return path


def tiny_package(folder: Path, **changes: Any) -> bytes:
    """The package of the tiny language model."""
    loaded = load_target(str(tiny_checkpoint(folder / "tiny.pt")))
    return build(Order(loaded, "wikitext103", "micronet2019", **changes)).content


def weights_of(model: torch.nn.Module, path: Path) -> Path:
    """The weights of ``model`` as people save them."""
    torch.save(model.state_dict(), path)
    return path


def members_of(package: bytes) -> Members:
    """The files of a package."""
    return dict(read_archive(memoryview(package)))


def forged(package: bytes, change: Callable[[Members], None], *, listed: bool = True) -> bytes:
    """``package`` after ``change``, with every digest, checksum and the zip made right again.

    Without ``listed`` the manifest keeps what it says of the files.
    """
    members = {name: bytes(content) for name, content in members_of(package).items()}
    changed: Members = dict(members)
    change(changed)
    if listed and names.MANIFEST in changed:
        manifest = json.loads(bytes(changed[names.MANIFEST]))
        for row in manifest["files"]:
            content = changed.get(row["path"], b"")
            row["bytes"], row["sha256"] = len(content), sha256(content).hexdigest()
        changed[names.MANIFEST] = json_bytes(manifest)
    if names.CHECKSUMS in changed:
        changed[names.CHECKSUMS] = checksums(changed)
    return zipped(changed)


def document(package: bytes, name: str) -> Any:
    """A JSON file of a package."""
    return json.loads(bytes(members_of(package)[name]))


def edited(name: str, edit: Callable[[Any], None]) -> Callable[[Members], None]:
    """A change that edits the JSON file ``name``."""

    def change(members: Members) -> None:
        found = json.loads(bytes(members[name]))
        edit(found)
        members[name] = json_bytes(found)

    return change
