"""From a loaded target to a smaller file: plan, apply, prove, write; or write nothing.

Contract: the tally of the slimmed network is the live tally of the original, operator by operator
and bit by bit, under the challenge's rule book; outputs are unchanged as ``prove`` defines it.
All of this holds for the input shape it was done with: a tap of a kernel that only ever meets
zero padding is dead at that shape, and may not be at a larger one.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from micronet.checkpoints.atomic import sync_folder
from micronet.checkpoints.digest import lock_of, sha256_of
from micronet.checkpoints.formats import read_state_file
from micronet.checkpoints.native import Checkpoint, write_native
from micronet.checkpoints.slimmed import slim_of
from micronet.checkpoints.target import load_target
from micronet.errors import Finding, MicronetError
from micronet.slimming import prove
from micronet.slimming.apply import folded, without_edges
from micronet.slimming.bill import Bill, bill_of
from micronet.slimming.plan import make_plan
from micronet.slimming.verify import network_of, verified

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor, nn

    from micronet.checkpoints.target import LoadedTarget
    from micronet.scoring.network import Network
    from micronet.slimming.plan import Plan

_EXPORTED: Final = "torch.export"


@dataclass(frozen=True)
class Outcome:
    """What was done. ``absent``: stored tensors left out; ``absent_numbers``: their elements."""

    path: Path
    sha256: str
    size_bytes: int
    size_before_bytes: int | None
    plan: Plan
    before: Bill
    after: Bill
    proof: prove.Proof
    absent: tuple[str, ...]
    absent_numbers: int
    input_shape: tuple[int, ...]


def slim_target(
    loaded: LoadedTarget, out: Path, *, model: str | None = None, data: Path | None = None
) -> Outcome:
    """Slim ``loaded``, prove it, and write ``out`` in one step.

    ``model`` is the architecture the user gave (needed again to read the file back if it is their
    code); ``data`` a folder whose first images join the proof. Finding if the proof fails,
    MicronetError if there is nothing to slim or prove; in both cases nothing is written.
    """
    _check(loaded, out)
    images = _images(loaded, data)
    inputs = [*prove.random_inputs(loaded.model, loaded.inputs), *images]
    before = network_of(loaded.model, loaded.inputs)
    plan = verified(loaded.model, loaded.inputs, before, make_plan(loaded.model, before))
    folds_difference = _prove_plan(loaded.model, plan, inputs)
    slim = folded(without_edges(loaded.model, plan.dead), plan.folds)
    stored, absent = _split(slim, plan)
    checkpoint = _checkpoint(loaded, plan, stored, absent)
    with _draft_beside(out) as draft:
        write_native(draft, checkpoint)
        again = load_target(str(draft), model=model)
        again = replace(again, inputs=loaded.inputs)
        file_difference = _file_difference(loaded, slim, again, inputs)
        bills = _same_bills(loaded, before, again)
        size_before = None if loaded.path is None else loaded.path.stat().st_size
        _move(draft, out)
    sync_folder(out.parent)
    sha256, size, shape = sha256_of(out), out.stat().st_size, tuple(loaded.inputs.shape)
    proof = prove.Proof(prove.RANDOM_INPUTS, len(images), folds_difference, file_difference)
    state = slim.state_dict()
    numbers = sum(state[name].numel() for name in absent)
    return Outcome(out, sha256, size, size_before, plan, *bills, proof, absent, numbers, shape)


@contextmanager
def _draft_beside(out: Path) -> Iterator[Path]:
    """A path of the same name in a folder that is gone afterwards, on the disk of ``out``."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.")
    except OSError as error:
        raise MicronetError(f"{out}: cannot be written: {error.strerror}.") from error
    with folder as name:
        yield Path(name) / out.name


def _move(draft: Path, out: Path) -> None:
    try:
        draft.replace(out)
    except OSError as error:
        raise MicronetError(f"{out}: cannot be written: {error.strerror}.") from error


def _check(loaded: LoadedTarget, out: Path) -> None:
    if loaded.path is not None and out.exists() and out.samefile(loaded.path):
        raise MicronetError(
            f"{out}: is the input; slim does not overwrite it.", "Name another file: --out PATH"
        )
    if out.is_dir():
        raise MicronetError(f"{out}: is a folder, expected a file.", "Name a file: --out PATH")
    if lock_of(out).is_file():
        raise MicronetError(
            f"{out}: holds fetched weights, a slimmed network will not replace them.",
            "Name another file: --out PATH",
        )
    if loaded.architecture == _EXPORTED:
        raise MicronetError(
            f"{loaded.name}: is an exported program, which cannot be built anew with fewer weights.",
            "Slim the checkpoint it was exported from.",
        )
    if any(tensor.is_meta for tensor in loaded.model.parameters()):
        raise MicronetError(
            f"{loaded.name} has no weights here, so nothing of it is known to be dead.",
            "Give a checkpoint file.",
        )


def _images(loaded: LoadedTarget, data: Path | None) -> list[Tensor]:
    if data is None:
        return []
    from micronet.slimming.pictures import pictures

    return pictures(loaded, data)


def _prove_plan(model: nn.Module, plan: Plan, inputs: Sequence[Tensor]) -> float | None:
    """Both steps in float64: dead edges change nothing at all, exact folds next to nothing."""
    want = prove.outputs(model, inputs, torch.float64)
    bare = without_edges(model, plan.dead).double()
    prove.check_identical(want, prove.outputs(bare, inputs, torch.float64))
    if not plan.folds:
        return None
    have = prove.outputs(folded(bare, plan.folds), inputs, torch.float64)
    what = "Batch norms folded in float64"
    return prove.check_close(want, have, prove.FLOAT64_TOLERANCE, what)


def _file_difference(
    loaded: LoadedTarget, slim: nn.Module, again: LoadedTarget, inputs: Sequence[Tensor]
) -> float:
    """Of the file read back: the very tensors that were to be written, outputs close in float32."""
    state, found = slim.state_dict(), again.model.state_dict()
    for name, tensor in found.items():
        # What was left out because nothing reads it comes back as zeros.
        if bool(tensor.any()) and not torch.equal(state[name], tensor):
            raise Finding(f"{name} does not read back as it was written.", "Nothing was kept.")
    want = prove.outputs(loaded.model, inputs, torch.float32)
    have = prove.outputs(again.model, inputs, torch.float32)
    what = "The slimmed file read back in float32"
    return prove.check_close(want, have, prove.FLOAT32_TOLERANCE, what)


def _same_bills(loaded: LoadedTarget, before: Network, again: LoadedTarget) -> tuple[Bill, Bill]:
    """The bills of both; Finding if the slimmed network costs more anywhere."""
    was = bill_of(before, loaded.model)
    now = bill_of(network_of(again.model, again.inputs), again.model)
    dearer = now.dearer_than(was)
    if dearer:
        raise Finding(
            f"The slimmed network costs more than the original is scored for: {dearer[0]}"
            + (f" and {len(dearer) - 1} more." if len(dearer) > 1 else "."),
            "Nothing was written. Please report this network: its score is wrong.",
        )
    return was, now


def _split(slim: nn.Module, plan: Plan) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors to store, and the names of those that inference never reads or that are zero."""
    stored: dict[str, Tensor] = {}
    absent: list[str] = []
    for name, tensor in slim.state_dict().items():
        if name in plan.unread or not bool(tensor.any()):
            absent.append(name)
        else:
            stored[name] = tensor
    return stored, tuple(absent)


def _checkpoint(
    loaded: LoadedTarget, plan: Plan, stored: Mapping[str, Tensor], absent: Sequence[str]
) -> Checkpoint:
    earlier = _earlier(loaded)
    provenance = dict(earlier.get("provenance") or {})
    provenance |= {
        "weights": loaded.weights,
        "made_by": "micronet slim",
        "torch": str(torch.__version__),
        "slim": {
            "from": loaded.name,
            "from_sha256": loaded.sha256,
            "input": list(loaded.inputs.shape),
            "folded": {
                **slim_of(earlier, loaded.name).folded,
                **{fold.layer: fold.norm for fold in plan.folds},
            },
            "absent": list(absent),
        },
    }
    quantisation = earlier.get("quantisation") or {}
    return Checkpoint(loaded.architecture, loaded.config, stored, provenance, quantisation)


def _earlier(loaded: LoadedTarget) -> Mapping[str, Any]:
    """What the file that was loaded says beside its tensors, if it is a native one."""
    if loaded.path is None:
        return {}
    state = read_state_file(loaded.path)
    return state.meta if state.format == "micronet" else {}
