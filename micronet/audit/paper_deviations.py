"""What papers leave out or put in: norms, biases, running statistics, zeros, single layers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from torch import nn

from micronet.audit.counts import PAPERS, TWICE
from micronet.audit.evidence import Deviation
from micronet.audit.ledger import Ledger, layer_name
from micronet.audit.seen_by_hooks import unseen
from micronet.scoring.api import idle_parameters
from micronet.scoring.folding import weight_of
from micronet.scoring.rulebook import rule_book
from micronet.scoring.tally import tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from micronet.scoring.ir import Operation
    from micronet.scoring.network import Network
    from micronet.scoring.rulebook import Edges
    from micronet.scoring.work import Work


def paper_deviations(
    network: Network,
    modules: Mapping[str, nn.Module],
    learned: Sequence[tuple[str, int]],
    idle: Mapping[str, int],
) -> Iterator[Deviation]:
    """``modules`` of the network by name; ``learned`` numbers and ``idle`` ones as the counts take them."""
    book = rule_book(PAPERS)
    ledger = Ledger(PAPERS, network, book, tally(network, book))
    yield from _parameters(ledger, modules, {name for name, _ in learned})
    yield _change("unused-modules", "parameters", sum(idle.values()), _IDLE, idle)
    for each in _macs(ledger, modules, idle):
        yield each
        yield replace(each, dialect=TWICE, quantity="operations", change=2 * each.change)


_IDLE = "parameters of modules that never run"


def idle_modules(model: nn.Module, network: Network) -> dict[str, int]:
    """Parameters that forward never uses, by the module that owns them."""
    found: dict[str, int] = {}
    for name, elements in idle_parameters(model, network).items():
        owner = name.rpartition(".")[0] or name
        found[owner] = found.get(owner, 0) + elements
    return found


def _change(
    id_: str, quantity: str, by: int | Fraction, what: str, layers: Iterable[str] = ()
) -> Deviation:
    return Deviation(id_, PAPERS, quantity, Fraction(by), what, tuple(dict.fromkeys(layers)))


def _parameters(
    ledger: Ledger, modules: Mapping[str, nn.Module], learned: set[str]
) -> Iterator[Deviation]:
    tensors = [t for t in ledger.bill.tensors if t.sources & learned]
    norms = [tensor for tensor in tensors if tensor.role == "normalisation"]
    running = [t for t in norms if getattr(modules.get(t.name), "running_var", None) is not None]
    biases = [tensor for tensor in tensors if tensor.role == "bias"]
    for same, sign, what in (
        (norms, -1, "scales and shifts of norms left out"),
        (running, 1, "running statistics counted too"),  # two a channel, as scale and shift
        (biases, -1, "biases left out"),
    ):
        count = sum(tensor.live for tensor in same)
        yield _change("folded-norms", "parameters", sign * count, what, ledger.names(same))
    weights = [tensor for tensor in tensors if tensor.edges]
    dying = [tensor for tensor in weights if tensor.active > tensor.live]
    dead = sum(tensor.active - tensor.live for tensor in dying)
    yield _change("dead-edges", "parameters", dead, "dead edges", ledger.names(dying))
    dense = [tensor for tensor in weights if tensor.stored > tensor.live]
    zeros = sum(tensor.stored - tensor.live for tensor in dense)
    yield _change("dead-edges", "parameters", zeros, "zeros stored as values", ledger.names(dense))
    for what, members in _parts(ledger).items():
        roots = {w.root for e in members if (w := weight_of(e.operation)) is not None}
        count = sum(tensor.live for tensor in ledger.bill.tensors if tensor.root in roots)
        yield _change(
            "claim-dialect",
            "parameters",
            -count,
            f"weights of {what} left out",
            _names(ledger.network, members),
        )


def _macs(
    ledger: Ledger, modules: Mapping[str, nn.Module], idle: Mapping[str, int]
) -> Iterator[Deviation]:
    network, total = ledger.network, ledger.bill.cost.total
    weights = [tensor for tensor in ledger.bill.tensors if tensor.edges]
    dying = ledger.names(tensor for tensor in weights if tensor.active > tensor.live)
    dense = ledger.names(tensor for tensor in weights if tensor.stored > tensor.live)
    cases: tuple[tuple[Edges, str, list[str]], ...] = (
        ("active", "multiply-accumulates of dead edges", dying),
        ("stored", "multiply-accumulates of zero weights", dense),
    )
    for edges, what, names in cases:
        paid = tally(network, replace(ledger.book, edges=edges)).cost.total
        yield _change("dead-edges", "macs", paid - total, what, names)
    hidden = [e for e in ledger.entries if e.products and unseen(e.operation, modules)]
    what = "convolutions and products without a module left out"
    names = [layer_name(network, entry.operation) for entry in hidden]
    yield _change("functional-calls", "macs", -sum(e.products for e in hidden), what, names)
    heads = {
        name: module.in_features * module.out_features
        for name in idle
        if isinstance(module := modules.get(name), nn.Linear)
    }
    what = "multiply-accumulates of linear layers that never run"
    yield _change("unused-modules", "macs", sum(heads.values()), what, heads)
    for group, members in _parts(ledger).items():
        count = sum(entry.products for entry in members)
        what = f"multiply-accumulates of {group} left out"
        yield _change("claim-dialect", "macs", -count, what, _names(ledger.network, members))


def _names(network: Network, members: Iterable[Work]) -> list[str]:
    return [layer_name(network, entry.operation) for entry in members]


def _parts(ledger: Ledger) -> dict[str, list[Work]]:
    """Groups of layers that people forget."""
    linear = [entry for entry in ledger.entries if entry.products]
    groups: dict[str, list[Work]] = {}
    for entry in linear:
        for group in _groups(entry.operation, first=entry is linear[0], last=entry is linear[-1]):
            groups.setdefault(group, []).append(entry)
    return groups


def _groups(op: Operation, *, first: bool, last: bool) -> Iterator[str]:
    if first:
        yield "the first layer"
    if last:
        yield "the last layer"
    if op.name == "convolution":
        groups = int(op.args[8])
        if groups > 1:
            yield "grouped and depthwise convolutions"
        elif op.inputs[1].numel == op.inputs[1].shape[0] * op.inputs[1].shape[1]:
            yield "1×1 convolutions"
    elif weight_of(op) is None:
        yield "products of two activations"
