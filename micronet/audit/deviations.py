"""The known ways to count wrongly, and what each would change in this network's numbers.

Each stands in a list of mistakes that entries to the MicroNet Challenge 2019 made; what it changes
is computed, so that a difference between a claim and the recount can be explained to the last unit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from micronet.audit.ledger import ledgers
from micronet.audit.operation_deviations import operation_deviations
from micronet.audit.paper_deviations import idle_modules, paper_deviations
from micronet.audit.storage_deviations import storage_deviations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import nn

    from micronet.audit.evidence import Deviation
    from micronet.scoring.network import Network


def deviations(
    network: Network, model: nn.Module, learned: Sequence[tuple[str, int]]
) -> Iterator[Deviation]:
    """Every deviation that would change one of the network's numbers.

    The first rule book's come first; of every other edition of it those that differ, be they 0 there.
    ``suspected`` takes the others over.
    """
    modules = dict(model.named_modules(remove_duplicate=False))
    idle = idle_modules(model, network)
    first: dict[tuple[str, str], Deviation] = {}
    for i, ledger in enumerate(ledgers(network)):
        for each in (*storage_deviations(ledger, idle), *operation_deviations(ledger, modules)):
            key = each.quantity, each.what
            if i == 0 and each.change:
                first[key] = each
                yield each
            elif i > 0 and each.change != (first[key].change if key in first else 0):
                yield each
    for each in paper_deviations(network, modules, learned, idle):
        if each.change:
            yield each
