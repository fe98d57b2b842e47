"""The checkpoint of a package: a file in micronet's own format as it is, or any network as one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from micronet.checkpoints.formats import read_state_file
from micronet.checkpoints.native import Checkpoint, write_native
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from micronet.checkpoints.loaded import LoadedTarget


def write_checkpoint(path: Path, loaded: LoadedTarget, architecture: str) -> None:
    """Write ``loaded`` to ``path``, under the name ``architecture``.

    MicronetError if it has no weights, or comes from a torch.export archive.
    """
    check_packable(loaded)
    meta: dict[str, Any] = {}
    if loaded.path is not None:
        state = read_state_file(loaded.path)
        if state.format == "micronet" and state.meta["architecture"] == architecture:
            path.write_bytes(loaded.path.read_bytes())
            return
        meta = dict(state.meta) if state.format == "micronet" else {}
    earlier = meta.get("provenance")
    slim = earlier.get("slim") if isinstance(earlier, dict) else None
    provenance = {
        "weights": loaded.weights,
        "made_by": "micronet package",
        "source_sha256": loaded.sha256,
        **({} if slim is None else {"slim": slim}),
    }
    absent = set(slim["absent"]) if slim else set()
    tensors = {
        name: tensor for name, tensor in loaded.model.state_dict().items() if name not in absent
    }
    write_native(
        path,
        Checkpoint(
            architecture, loaded.config, tensors, provenance, meta.get("quantisation") or {}
        ),
    )


def check_packable(loaded: LoadedTarget) -> None:
    """MicronetError unless ``loaded`` has weights, and an architecture that can be built again."""
    if loaded.architecture == "torch.export":
        raise MicronetError(
            f"{loaded.name}: an exported program is executed to be read, which nobody who verifies "
            "does.",
            "Package its weights in their architecture: --model file.py:factory --weights FILE",
        )
    tensors = (*loaded.model.parameters(), *loaded.model.buffers())
    untouched = loaded.path is None and not is_foreign(loaded.architecture)
    if untouched or any(tensor.is_meta for tensor in tensors):
        from micronet.checkpoints.whereabouts import how_to_get

        next_step = "Name the weights: --weights FILE"
        raise MicronetError(
            f"{loaded.name}: there are no weights here, only the architecture.",
            next_step if loaded.card is None else how_to_get(loaded.card),
        )


def is_foreign(architecture: str) -> bool:
    """Whether the architecture is somebody's code ("file.py:factory"), not a registry's."""
    return ":" in architecture and not architecture.startswith("torchvision:")


def without_folder(spec: str) -> str:
    """``--model`` as it is the same on every machine: "/home/me/net.py:small" is "net.py:small"."""
    place, _, name = spec.rpartition(":")
    return f"{Path(place).name}:{name}" if place.endswith(".py") else spec
