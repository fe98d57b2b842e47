"""fvcore's and thop's count beside ours, every difference by name.

Both count the dense network, so they are set beside our products of all stored edges. What a tool
counts on top, or leaves out, is in its rule book (``scoring/rules``), so that each difference has a
name and an exact amount; what is left after that is shown as "unexplained".
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from micronet.errors import MicronetError
from micronet.scoring.kinds import kind_of
from micronet.scoring.peers import Calls, Peer, ask_fvcore, ask_thop, twin_of, watch
from micronet.scoring.rulebook import RuleBook, rule_book
from micronet.scoring.work import Work, work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import nn

    from micronet.models import InputSpec
    from micronet.scoring.network import Network

_PEERS: dict[str, Callable[[nn.Module, InputSpec], Peer]] = {
    "fvcore": ask_fvcore,
    "thop": ask_thop,
}
_ELEMENTS = {
    "batch_norm": "BatchNorm elements",
    "layer_norm": "LayerNorm elements",
    "group_norm": "GroupNorm elements",
    "instance_norm": "InstanceNorm elements",
    "average_pool": "averages of pooling",
    "adaptive_average_pool": "averages of adaptive pooling",
    "softmax": "softmax elements",
    "activation": "PReLU elements",
    "upsample_nearest": "interpolated elements",
    "upsample_linear": "interpolated elements",
}
# Modules that thop prices by formulas that no rule book has: gates with their sums, transposed
# convolutions by output size.
_OWN_FORMULAS = (
    "RNN GRU LSTM RNNCell GRUCell LSTMCell ConvTranspose1d ConvTranspose2d ConvTranspose3d".split()
)


class _Part(NamedTuple):
    name: str
    each: int


def second_opinion(model: nn.Module, inputs: InputSpec, network: Network) -> list[dict[str, Any]]:
    """What fvcore and thop say, in this order: ``ours`` + all amounts = ``total``, exactly.

    Entries: ``tool``, ``version``, ``total``, ``ours`` (multiply-accumulates of all stored edges) and
    ``difference``, a list of ``name``, ``count``, ``each`` and ``amount`` = count × each. A tool that is
    missing or fails is an entry of ``tool`` and ``note`` alone. ``model`` itself is never touched.
    """
    bill = work(network, "stored", fold=False)
    found: list[dict[str, Any]] = []
    for tool, ask in _PEERS.items():
        try:
            calls = watch(twin_of(model), inputs)
            peer = ask(twin_of(model), inputs)  # a fresh twin: our hooks and theirs never meet
        except MicronetError as why:
            said = f"{why.message} {why.next_step or ''}".strip()
            found.append({"tool": tool, "note": f"no second opinion from {tool}: {said}"})
        else:
            found.append(_compared(peer, bill, calls, rule_book(tool)))
    return found


def _compared(peer: Peer, bill: Sequence[Work], calls: Calls, book: RuleBook) -> dict[str, Any]:
    parts: Counter[_Part] = Counter()
    for entry in bill:
        for part, count in _differences(entry, book):
            parts[part] += count
    constant = _on_constants(bill, calls)
    parts[_Part("products of layers whose input is constant", 1)] += constant
    if book.name == "fvcore":
        parts[_Part("einsum, read from a text of four digits", 1)] += calls.einsum_rounding
    for module_type, amount in _own_formulas(peer, bill).items():
        parts[_Part(f"{module_type} by {peer.tool}'s formula", 1)] += amount
    ours = sum(entry.products for entry in bill)
    rest = peer.total - ours - sum(part.each * count for part, count in parts.items())
    parts[_Part("unexplained", 1)] += rest
    listed = [
        {"name": part.name, "count": count, "each": part.each, "amount": part.each * count}
        for part, count in parts.items()
        if count and part.each
    ]
    return {
        "tool": peer.tool,
        "version": peer.version,
        "total": peer.total,
        "ours": ours,
        "difference": sorted(listed, key=lambda part: part["name"] == "unexplained"),
    }


def _differences(entry: Work, book: RuleBook) -> Iterator[tuple[_Part, int]]:
    """What the book's tool counts on top of this operation's products, or does not see of them."""
    op = entry.operation
    kind = kind_of(op)
    if kind is None or book.kinds is None:
        return
    if op.composite in book.invisible:
        yield _Part(f"products inside {op.composite} (not seen)", -1), entry.products
    elif op.name in book.unseen_operators:
        yield _Part(f"products of {op.name} (not seen)", -1), entry.products
    elif book.modules is not None and op.module_type not in book.modules:
        where = op.module_type or "no module"
        own = where in _OWN_FORMULAS
        how = "prices by a formula of its own" if own else "does not hook"
        yield _Part(f"products in {where}, which {book.name} {how}", -1), entry.products
    else:
        price = book.kinds[kind]
        name = _ELEMENTS.get(kind, kind)
        results = op.outputs[0].numel
        plain = kind.endswith("_norm") and op.args[1 if kind == "batch_norm" else 2] is None
        if plain:
            yield _Part(f"{name} without scale and shift", price.plain_result), results
        else:
            yield _Part(name, price.result), results
        yield _Part(f"inputs of {kind.replace('_', ' ')}", price.input), op.inputs[0].numel
        if price.row:
            rows = results // op.outputs[0].shape[int(op.args[1])]
            yield _Part(f"rows of {kind}", price.row), rows
        yield _Part(f"products of {kind}", price.product - 1), entry.products


def _on_constants(bill: Sequence[Work], calls: Calls) -> int:
    """Products of layers that ran on the twin and whose result is the same for every input.

    A deployed network holds such results; we count no operation for them, the tools do.
    """
    ours: dict[str, Counter[int]] = {}
    for entry in bill:
        if entry.products:
            ours.setdefault(entry.operation.module, Counter())[entry.products] += 1
    total = 0
    for module, theirs in calls.layers.items():
        known = ours.get(module, Counter())
        missing = theirs - known
        if known.total() + missing.total() == theirs.total():  # whole calls, not other amounts
            total += sum(products * count for products, count in missing.items())
    return total


def _own_formulas(peer: Peer, bill: Sequence[Work]) -> Counter[str]:
    """What thop says of modules that it has a formula for and we have no rule for."""
    types = {entry.operation.module: entry.operation.module_type for entry in bill}
    found: Counter[str] = Counter()
    for module, amount in peer.layers.items():
        if types.get(module) in _OWN_FORMULAS:
            found[types[module]] += amount
    return found
