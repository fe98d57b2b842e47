"""One row a layer with a weight: every figure that an entry's own table may state about it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

from micronet.audit.ledger import layer_name
from micronet.scoring.bits import FULL
from micronet.scoring.folding import weight_of
from micronet.scoring.rulebook import Edges, rule_book
from micronet.scoring.storage import same_roots
from micronet.scoring.tally import price, stored_bits, tally
from micronet.scoring.work import Work, work

if TYPE_CHECKING:
    from collections.abc import Mapping

    from micronet.scoring.network import Network
    from micronet.scoring.storage import Stored


_SUMS = ("macs_stored", "macs_active", "macs", "multiplications", "additions", "biases")


def layer_rows(network: Network) -> list[dict[str, Any]]:
    """The rows, in the order in which the layers run; all calls of a layer are one row."""
    book = rule_book("micronet2019")
    bill = tally(network, book)
    products = {edges: _products(network, edges) for edges in get_args(Edges)}
    tensors = {tensor.root: tensor for tensor in bill.tensors if tensor.root}
    for other, first in same_roots(network).items():
        if first in tensors:
            tensors[other] = tensors[first]
    found: dict[tuple[str, str, int], dict[str, Any]] = {}
    paid: set[int] = set()
    for entry in work(network, book.edges, fold=book.fold_batch_norm):
        op = entry.operation
        weight = weight_of(op)
        if weight is None or weight.root not in tensors:
            continue
        tensor = tensors[weight.root]
        cost = price(entry, book, book.freebie_bits if bill.freebie else FULL)
        figures = {
            "macs_stored": products["stored"][id(op)],
            "macs_active": products["active"][id(op)],
            "macs": products["live"][id(op)],
            "multiplications": cost.multiplications,
            "additions": cost.additions,
            "biases": entry.biases,
        }
        key = (op.module, op.name, tensor.root)
        if key in found:
            found[key] |= {name: found[key][name] + figures[name] for name in _SUMS}
            continue
        bits = stored_bits(tensor, book, freebie=bill.freebie)
        shared = {"bits": 0 if tensor.root in paid else bits, "shared": tensor.root in paid}
        shape = _shape(network, entry, tensor)
        found[key] = {**shape, **_tensor(tensor), **figures, **shared}
        paid.add(tensor.root)
    return list(found.values())


def _batch(network: Network) -> int:
    """Examples that the network was traced with: what a hook reads as dimension 0."""
    shape = network.trace.inputs[0].shape
    return shape[0] if shape else 1


def _products(network: Network, edges: Edges) -> Mapping[int, int]:
    book = replace(rule_book("macs"), edges=edges)
    return {id(e.operation): e.products for e in work(network, book.edges, fold=False)}


def _shape(network: Network, entry: Work, tensor: Stored) -> dict[str, Any]:
    op = entry.operation
    convolution = op.name == "convolution"
    return {
        "name": layer_name(network, op),
        "operator": op.name,
        "groups": int(op.args[8]) if convolution else 1,
        "weight_shape": list(tensor.shape),
        "batch": _batch(network),
    }


def _tensor(tensor: Stored) -> dict[str, Any]:
    return {
        "weight": tensor.name,
        "stored": tensor.stored,
        "active": tensor.active,
        "live": tensor.live,
        "weight_bits": tensor.width.bits,
        "weight_code": tensor.width.code,
        "weight_levels": tensor.width.levels,
        "mask_bits": tensor.mask.bits,
    }
