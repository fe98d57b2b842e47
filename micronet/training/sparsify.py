"""Any network made sparse by one line, trained by its own loop, and made plain again.

    gates = micronet.sparsify(model, density=0.1, keep_dense=["conv1"])
    …                                         # the loop that was there before
    torch.save(micronet.harden(model).state_dict(), "sparse.pt")

Weights are parametrised (`torch.nn.utils.parametrize`): ``conv1.weight`` is computed from the
parameter ``conv1.parametrizations.weight.original``, which is the very Parameter that was there,
so optimisers that hold it stay valid.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, TypeVar, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrize import remove_parametrizations

from micronet.errors import MicronetError
from micronet.models.edges import Edges
from micronet.training.budgets import Budgets, Size, erk_budgets, layer_budgets, total_budget
from micronet.training.gates import Gated, Gates, Group, gated, gated_weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Network = TypeVar("Network", bound=nn.Module)

_LAYERS: Final = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
    nn.Linear,
)
_OF_ATTENTION: Final = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")


def sparsify(
    model: nn.Module,
    density: float = 0.1,
    *,
    keep_dense: Iterable[str] = (),
    budgets: Budgets = "layer",
    legal: Mapping[str, Tensor] | None = None,
) -> Gates:
    """Let ``model`` use only its largest weights from now on, chosen anew as they move (DNW).

    Every convolution and linear layer gets a gate, and the projections of every
    `nn.MultiheadAttention`. Norms, biases, embeddings, recurrent layers and parameters of other
    modules stay dense, and so does what ``keep_dense`` names: modules with all that is in them
    ("layer1"), weights ("conv1.weight"), or patterns ("*.downsample.*", where * also spans dots).

    Exactly ⌈density · entries⌉ are kept: of each layer ("layer"), or of all together, shared out
    by Erdős-Rényi-kernel densities ("erk") or left to competition ("global").
    ``legal`` has a boolean mask for weights, by name, of which only some entries may ever be kept;
    only those compete, and only those are counted. Weights that modules share count once.

    Raises MicronetError, and leaves the network as it was, for what cannot be done.
    """
    _check(model, density, budgets)
    slots = _without(
        _slots(model), model, (keep_dense,) if isinstance(keep_dense, str) else keep_dense
    )
    if not slots:
        raise MicronetError(
            f"{type(model).__name__} has no weight to make sparse.",
            "Convolutions, linear layers and attention can be, unless keep_dense names them.",
        )
    _refuse_shared(slots, model)
    masks = _masks(slots, legal or {})
    gates = Gates(_groups(_put_gates(slots, masks), density, budgets))
    gates.follow_largest()
    gates.choose_largest()
    return gates


def harden(model: Network) -> Network:
    """Make the choice of all gates permanent: plain weights with zeros, and no gate is left.

    The Parameters stay the same; what was not kept is lost. Returns ``model``.
    """
    found = list(gated_weights(model))
    if not found:
        raise MicronetError(
            f"{type(model).__name__} has no gates.", "micronet.sparsify(model) puts them on."
        )
    with torch.no_grad():
        used = [each.used.detach().clone() for each in found]
        for each, value in zip(found, used, strict=True):
            remove_parametrizations(each.owner, each.tensor, leave_parametrized=False)
            getattr(each.owner, each.tensor).copy_(value)
    return model


@dataclass(frozen=True)
class _Slot:
    """Where a weight is: ``module`` "layer1.0.conv1", ``tensor`` "weight"."""

    module: str
    owner: nn.Module
    tensor: str

    @property
    def name(self) -> str:
        return f"{self.module}.{self.tensor}".lstrip(".")

    @property
    def weight(self) -> nn.Parameter:
        found: nn.Parameter = getattr(self.owner, self.tensor)
        return found

    @property
    def names(self) -> Iterator[str]:
        """All that keep_dense may call it: the weight, its module, and every module around it."""
        name = self.name
        while name:
            yield name
            name = name.rpartition(".")[0]


def _check(model: nn.Module, density: float, budgets: str) -> None:
    if isinstance(density, bool) or not 0 < density <= 1:
        raise MicronetError(
            f"Cannot keep a share {density} of the edges.", "A density is over 0 and at most 1."
        )
    if budgets not in get_args(Budgets):
        raise MicronetError(
            f"There are no budgets {budgets!r}.", f"Use one of {', '.join(get_args(Budgets))}."
        )
    if next(gated_weights(model), None) is not None:
        raise MicronetError(
            f"{type(model).__name__} has gates already.",
            "Take them off by micronet.harden(model), or sparsify a fresh network.",
        )


def _slots(model: nn.Module) -> list[_Slot]:
    """The weights that may get a gate."""
    found = []
    for name, module in model.named_modules():
        if isinstance(module, _LAYERS):
            found.append(_Slot(name, module, "weight"))
        elif isinstance(module, nn.MultiheadAttention):
            tensors = [each for each in _OF_ATTENTION if getattr(module, each) is not None]
            found += [_Slot(name, module, each) for each in tensors]
    return found


def _without(slots: list[_Slot], model: nn.Module, keep_dense: Iterable[str]) -> list[_Slot]:
    """The slots that no name or pattern of ``keep_dense`` fits; each has to fit something."""
    known = {name for name, _ in model.named_modules()} | {slot.name for slot in slots}
    for word in keep_dense:
        if not any(fnmatchcase(name, word) for name in known):
            raise _unknown(f"keep_dense: nothing in the network is called {word!r}.", word, known)
        slots = [s for s in slots if not any(fnmatchcase(name, word) for name in s.names)]
    return slots


def _masks(slots: Sequence[_Slot], legal: Mapping[str, Tensor]) -> dict[str, Tensor | None]:
    """Which entries of each weight may be kept, as told or as a wiring knows; None for all."""
    known = {slot.name: slot for slot in slots}
    for name, mask in legal.items():
        if name not in known:
            raise _unknown(f"legal: no weight that gets a gate is called {name!r}.", name, known)
        shape = known[name].weight.shape
        if mask.dtype != torch.bool or mask.shape != shape:
            raise MicronetError(
                f"legal: found {mask.dtype} {list(mask.shape)} for {name}.",
                f"Give torch.bool {list(shape)}.",
            )
    wirings = {slot.name: slot.owner.legal for slot in slots if isinstance(slot.owner, Edges)}
    return {name: legal.get(name, wirings.get(name)) for name in known}


def _unknown(message: str, word: str, known: Iterable[str]) -> MicronetError:
    near = get_close_matches(word, sorted(known), n=1)
    hint = f"Did you mean {near[0]!r}?" if near else "model.named_modules() has the names."
    return MicronetError(message, hint)


def _refuse_shared(slots: Sequence[_Slot], model: nn.Module) -> None:
    """MicronetError where a weight cannot get a gate, or is also used where none will be."""
    gating = {(id(slot.owner), slot.tensor) for slot in slots}
    weights = {id(_ready(slot)): slot for slot in slots}
    for name, module in model.named_modules():
        for tensor, parameter in module._parameters.items():
            slot = weights.get(id(parameter))
            if slot is not None and (id(module), tensor) not in gating:
                raise MicronetError(
                    f"{slot.name} is also {f'{name}.{tensor}'.lstrip('.')}, which stays dense.",
                    f"Add {slot.module!r} to keep_dense.",
                )


def _ready(slot: _Slot) -> nn.Parameter:
    """The slot's Parameter; MicronetError if it is none, or has no values that can be ranked."""
    parameter = slot.owner._parameters.get(slot.tensor)
    if parameter is None or parametrize.is_parametrized(slot.owner, slot.tensor):
        found, step = "is computed from other tensors", "Undo that (pruning, weight norm) first"
    elif isinstance(parameter, nn.parameter.UninitializedParameter):
        found, step = "has no shape yet", "Run a batch through the network first"
    elif parameter.is_meta:
        found, step = "is on the meta device and has no values", "Load weights first"
    elif bool(parameter.isnan().any()):
        found, step = "has NaN values, which cannot be ranked", "Load other weights"
    else:
        return parameter
    raise MicronetError(f"{slot.name} {found}.", f"{step}, or add {slot.module!r} to keep_dense.")


def _put_gates(slots: Sequence[_Slot], masks: Mapping[str, Tensor | None]) -> list[Gated]:
    """One gate a weight; modules that share a weight share its gate."""
    members: dict[int, Gated] = {}
    for slot in slots:
        weight = slot.weight
        if (first := members.get(id(weight))) is None:
            mask = masks[slot.name]
            legal = None if mask is None else mask.view_as(weight).to(weight.device)
            members[id(weight)] = gated(slot.owner, slot.tensor, slot.name, legal)
        else:
            parametrize.register_parametrization(slot.owner, slot.tensor, first.gate, unsafe=True)
    return list(members.values())


def _groups(members: Sequence[Gated], density: float, budgets: Budgets) -> list[Group]:
    sizes = [Size(tuple(member.weight.shape), member.legal_entries) for member in members]
    if budgets == "global":
        return [Group(tuple(members), total_budget(sizes, density))]
    if budgets == "layer":
        counts = layer_budgets(sizes, density)
    else:
        counts = erk_budgets(sizes, total_budget(sizes, density))
    return [Group((member,), count) for member, count in zip(members, counts, strict=True)]
