"""An entry's own table of layers against the recount, figure by figure, each difference explained."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from micronet.audit.evidence import Deviation
from micronet.audit.watched import contradictions, of_rows
from micronet.audit.words import shown
from micronet.scoring.rules_arithmetic import FREEBIE_BITS as HALF
from micronet.scoring.rules_arithmetic import FULL_BITS as FULL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from micronet.audit.entry import Entry, LayerRow
    from micronet.audit.evidence import Evidence
    from micronet.audit.watched import Watched

    Row = Mapping[str, Any]

_TOTALS: Final = {
    "parameters": (("macs", "parameters", Fraction(1)),),
    "macs": (("macs", "macs", Fraction(1)), ("2 × macs", "operations", Fraction(2))),
    "multiplications": (("micronet2019", "multiplications", Fraction(1)),),
    "additions": (("micronet2019", "additions", Fraction(1)),),
    "bits": (("micronet2019", "parameters", Fraction(1, 32)),),
}
"""The totals that follow from a column: dialect, quantity, and how much of it a figure is."""
UNEXPLAINED: Final = "layer-table"
_ZEROS: Final = {
    "parameters": ("active", "stored"),
    "macs": ("macs_active", "macs_stored"),
    "multiplications": ("macs_active", "macs_stored"),
}
_COUNTS: Final = ("parameters", "macs", "multiplications", "additions", "operations", "bits")


@dataclass(frozen=True)
class Difference:
    """A figure of the entry's table that the recount contradicts; ``id`` is the check that it fails.

    ``field`` is the column and ``change`` the stated figure minus the recounted one, for counts.
    """

    id: str
    layer: str
    sentence: str
    field: str = ""
    change: Fraction = Fraction(0)


def differences(entry: Entry, evidence: Evidence) -> Iterator[Difference]:
    """Every contradicted figure, with the mistake that gives it if one is known."""
    watched = of_rows(evidence.activations or ())
    all_divided = _all_divided(entry, evidence)
    for row in entry.layers:
        true = row_of(evidence, row.name)
        if true is None:
            yield from _without_weights(row, evidence)
            continue
        for field in _COUNTS:
            stated = getattr(row, field)
            if stated is not None and (found := _count(entry, field, true)) != stated:
                ways = _wrong_ways(entry, row, field, true, everywhere=all_divided)
                id_, why = _mistake(Fraction(stated), ways)
                said = f"{row.name}: {shown(Fraction(stated))} {field}, recounted {shown(found)}"
                yield Difference(id_, row.name, f"{said}{why}", field, stated - found)
        yield from _shares_and_widths(row, true, watched)


def _without_weights(row: LayerRow, evidence: Evidence) -> Iterator[Difference]:
    """A row about no weight: of a norm or a pool, which are not compared, or of what never runs."""
    named = {name: each.id for each in evidence.deviations for name in each.layers}
    if named.get(row.name, "unused-modules") != "unused-modules":
        return
    known = [each["name"] for each in evidence.layers][:3]
    sentence = f"{row.name}: no such layer runs (layers are {', '.join(known)} …)"
    for field in _COUNTS:
        stated = getattr(row, field)
        if stated:
            yield Difference("unused-modules", row.name, sentence, field, Fraction(stated))


def of_the_table(entry: Entry, evidence: Evidence) -> Iterator[Deviation]:
    """What the wrong figures of the table change in a total that follows from them."""
    found: dict[tuple[str, str], list[Difference]] = {}
    for each in differences(entry, evidence):
        if each.field in _TOTALS:
            found.setdefault((each.id, each.field), []).append(each)
    for (id_, field), same in found.items():
        change = sum((each.change for each in same), Fraction(0))
        names = tuple(each.layer for each in same)
        listed = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
        what = f"what the entry's own table states of {listed}"
        for dialect, quantity, times in _TOTALS[field]:
            yield Deviation(id_, dialect, quantity, change * times, what, names)


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
    entry: Entry, row: LayerRow, field: str, true: Row, *, everywhere: bool
) -> Iterator[tuple[str, Fraction, str]]:
    """(check, figure, words) of each known way to get one figure of one layer wrong."""
    count = _count(entry, field, true)
    if field in _ZEROS:
        active, dense = (true[name] for name in _ZEROS[field])
        if entry.declared.sparsity is not None and row.name not in entry.declared.dense:
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
        yield from _wrong_bits(row, count, true)


def _wrong_bits(row: LayerRow, count: Fraction, true: Row) -> Iterator[tuple[str, Fraction, str]]:
    mask, live, width = true["mask_bits"], true["live"], true["weight_bits"]
    if mask:
        yield "bitmask", count - mask, "the bitmask is left out"
        yield "bitmask", count - mask + live, "a bitmask of the nonzero values only"
    if width < HALF:
        table = count - mask - width * live
        yield "scales", count - table, "the scales are left out"
    elif count != HALF * live + mask:
        yield "freebie", Fraction(HALF * live + mask), "16 bits beside quantised layers"
    if row.weight_bits is not None and row.weight_bits < width:
        figure = Fraction(row.weight_bits * live + mask)
        yield "weight-bits", figure, "the values are not as narrow as that"


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
