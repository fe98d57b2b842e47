"""An entry's own table of layers against the recount, figure by figure, each difference explained."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from micronet.audit.watched import contradictions, of_rows
from micronet.audit.words import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from micronet.audit.entry import Entry, LayerRow
    from micronet.audit.evidence import Evidence
    from micronet.audit.watched import Watched

    Row = Mapping[str, Any]

UNEXPLAINED: Final = "layer-table"
FULL: Final = 32
_ZEROS: Final = {"parameters": ("active", "stored"), "macs": ("macs_active", "macs_stored")}
_COUNTS: Final = ("parameters", "macs", "multiplications", "additions", "operations", "bits")


@dataclass(frozen=True)
class Difference:
    """A figure of the entry's table that the recount contradicts; ``id`` is the check that it fails."""

    id: str
    layer: str
    sentence: str


def differences(entry: Entry, evidence: Evidence) -> Iterator[Difference]:
    """Every contradicted figure, with the mistake that gives it if one is known."""
    watched = of_rows(evidence.activations or ())
    all_divided = _all_divided(entry, evidence)
    for row in entry.layers:
        true = row_of(evidence, row.name)
        if true is None:
            known = [each["name"] for each in evidence.layers][:3]
            sentence = f"{row.name}: no such layer runs (layers are {', '.join(known)} …)"
            yield Difference("unused-modules", row.name, sentence)
            continue
        for field in _COUNTS:
            stated = getattr(row, field)
            if stated is not None and (found := _count(entry, field, true)) != stated:
                ways = _wrong_ways(entry, field, true, everywhere=all_divided)
                id_, why = _mistake(Fraction(stated), ways)
                said = f"{row.name}: {shown(Fraction(stated))} {field}, recounted {shown(found)}"
                yield Difference(id_, row.name, f"{said}{why}")
        yield from _shares_and_widths(row, true, watched)


def row_of(evidence: Evidence, name: str) -> Row | None:
    """The evidence about a layer, named by its module or its weight."""
    for row in evidence.layers:
        if name in (row["name"], row["weight"], row["weight"].removesuffix(".weight")):
            return row
    return None


def _count(entry: Entry, field: str, true: Row) -> Fraction:
    """The recounted figure: operations one by one, bits at the width that the entry claims."""
    if field == "parameters":
        return Fraction(true["live"])
    if field == "operations":
        return Fraction(true["multiplications"] + true["additions"])
    if field == "bits" and entry.declared.freebie is False and true["weight_bits"] == FULL:
        return Fraction(FULL * true["live"] + true["mask_bits"])
    return Fraction(true[field])


def _mistake(stated: Fraction, ways: Iterator[tuple[str, Fraction, str]]) -> tuple[str, str]:
    """(check, how the stated figure comes about), by the first known mistake that gives it."""
    for id_, figure, why in ways:
        if figure == stated:
            return id_, f": {why}"
    return UNEXPLAINED, ", and no known mistake explains it"


def _wrong_ways(
    entry: Entry, field: str, true: Row, *, everywhere: bool
) -> Iterator[tuple[str, Fraction, str]]:
    """(check, figure, words) of each known way to get one figure of one layer wrong."""
    count = _count(entry, field, true)
    if field in _ZEROS:
        active, dense = (true[name] for name in _ZEROS[field])
        if entry.declared.sparsity is not None:
            kept = dense * (1 - entry.declared.sparsity)
            for figure in (kept, Fraction(int(kept))):
                yield "global-sparsity", figure, "the declared sparsity, not the layer's own"
        yield "dead-edges", Fraction(active), "dead edges are paid for"
        yield "dead-edges", Fraction(dense), "zeros are paid for"
    if field in ("macs", "multiplications"):
        yield from _factors(true, everywhere=everywhere)
    if field == "operations":
        yield "additions", Fraction(true["macs"]), "multiply-accumulates, no additions"
    if field == "additions":
        yield "additions", Fraction(true["macs"]), "n products need n − 1 additions"
        yield "additions", Fraction(0), "no additions"
        yield "folded-norms", count - true["biases"], "the shift is not added"
    if field == "bits":
        values = count - true["mask_bits"]
        yield "bitmask", values, "the bitmask is left out"
        yield "bitmask", values + true["live"], "a bitmask of the nonzero values only"


def _factors(true: Row, *, everywhere: bool) -> Iterator[tuple[str, Fraction, str]]:
    """Figures that lack a number of channels."""
    macs, shape = true["macs"], true["weight_shape"]
    if true["groups"] > 1:
        id_ = "batch-size" if everywhere else "depthwise"
        yield id_, Fraction(macs, true["groups"]), f"without its {true['groups']} channels"
    for axis, side in ((0, "output"), (1, "input")):
        if len(shape) > axis and shape[axis] > 1:
            why = f"the batch size where its {shape[axis]} {side} channels belong"
            yield "batch-size", Fraction(true["batch"] * macs, shape[axis]), why


def _all_divided(entry: Entry, evidence: Evidence) -> bool:
    """Whether an ordinary layer lacks its channels as well: then it is the hook, not the groups."""
    for row in entry.layers:
        true = row_of(evidence, row.name)
        stated = row.macs if row.macs is not None else row.multiplications
        if true is None or true["groups"] > 1 or stated is None:
            continue
        if any(
            figure == stated != true["macs"] for _, figure, _ in _factors(true, everywhere=True)
        ):
            return True
    return False


def _shares_and_widths(
    row: LayerRow, true: Row, watched: Sequence[Watched]
) -> Iterator[Difference]:
    if row.sparsity is not None and not is_share(1 - row.sparsity, true["active"], true["stored"]):
        found = f"{100 - 100 * true['active'] / true['stored']:.4g} %"
        sentence = (
            f"{row.name}: sparsity {float(row.sparsity):.4g}, but {found} of its weights are zero"
        )
        yield Difference("global-sparsity", row.name, sentence)
    if row.weight_bits is not None and row.weight_bits < true["weight_bits"]:
        yield Difference("weight-bits", row.name, too_wide(row.name, row.weight_bits, true))
    if row.input_bits is not None:
        for each in contradictions(watched, {true["name"]: row.input_bits}):
            yield Difference("activation-bits", row.name, each.sentence)


def is_share(share: Fraction, part: int, whole: int) -> bool:
    """Whether ``part`` is ``share`` of ``whole``, to less than one element."""
    return abs(part - share * whole) < 1


def too_wide(name: str, declared: int, true: Row) -> str:
    """What is wrong with a declared width of weights."""
    levels = f", {true['weight_levels']:,} distinct values" if true["weight_levels"] else ""
    need = f"{true['weight_bits']} ({true['weight_code']}{levels})"
    return f"{name}: {declared}-bit weights, but the values need {need}"
