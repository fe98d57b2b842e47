"""All tables of a report, in the order in which a reader meets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from micronet.errors import MicronetError
from micronet.reports.audit_table import claims_table, findings_table, waterfalls
from micronet.reports.layers import layers_table, stages_table
from micronet.reports.leaderboard import leaderboard_table
from micronet.reports.submission import submission_table
from micronet.reports.training_table import RUNS, TRAINING, runs_table, training_table
from micronet.reports.waterfall import scored_waterfall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from micronet.reports.material import Material, Network
    from micronet.reports.table import Table

SUBMISSION: Final = "submission"
_NO_AUDIT: Final = "There is no evidence for an audit in reports/receipts."
_NO_TRAINING: Final = "There is no receipt of a training in reports/receipts."


def tables(material: Material) -> tuple[Table, ...]:
    """Every table; MicronetError if one does not add up or two would have one name."""
    found = [*_tables(material)]
    names = [table.name.casefold() for table in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise MicronetError(f"Two tables would be called {twice}.", "Rename a receipt.")
    return tuple(found)


def _tables(material: Material) -> Iterator[Table]:
    for track in material.tracks:
        yield submission_table(material, track)
    for track in material.tracks:
        yield leaderboard_table(material, track)
    if material.experiments:
        yield training_table(material.experiments)
        yield runs_table(material.experiments)
    explained = set()
    for network in material.networks:
        yield from network_tables(network)
        if scored_waterfall(network):
            explained.add(network.name)
    if material.audit is not None:
        yield claims_table(material.audit)
        yield findings_table(material.audit)
        yield from (each for each in waterfalls(material.audit, besides=explained))


def of_kind(material: Material, kind: str, name: str | None = None) -> tuple[Table, ...]:
    """The tables called ``kind`` or "kind-…"; with ``name`` those of this network or track only.

    MicronetError if there are none. Layers can be asked of every receipt by its ``name``.
    """
    if kind in ("audit", "findings") and material.audit is None:
        raise MicronetError(_NO_AUDIT, "Make some: micronet audit --save")
    if kind in (TRAINING, RUNS) and not material.experiments:
        raise MicronetError(_NO_TRAINING, "Make one: micronet train CARD --data DIR --save")
    found = [table for table in tables(material) if table.name.partition("-")[0] == kind]
    if name is not None:
        found = [table for table in found if table.name.partition("-")[2] in _also(material, name)]
    if name is not None and kind == "layers" and not found:
        known = [receipt for receipt in material.receipts if name in (receipt.key, receipt.name)]
        found = [layers_table(receipt) for receipt in known]
    if not found:
        names = sorted({receipt.name for receipt in material.receipts})
        about = "" if name is None else f" of '{name}'"
        raise MicronetError(
            f"There is no table '{kind}'{about}.", f"Scored are: {', '.join(names)}"
        )
    return tuple(found)


def _also(material: Material, name: str) -> set[str]:
    """What the tables about ``name`` may end in: itself, its receipts' keys, its tracks."""
    same = [network for network in material.networks if name in (network.name, network.receipt.key)]
    return {name, *(n.receipt.key for n in same), *(n.track.name for n in same)}


def network_tables(network: Network) -> Iterator[Table]:
    """What there is about one network: stages, the way from its claim, layers."""
    yield stages_table(network)
    steps = scored_waterfall(network)
    if steps:
        yield steps
    yield layers_table(network.receipt)
