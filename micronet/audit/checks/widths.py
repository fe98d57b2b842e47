"""Checks of how wide things are: weights, activations, sums, and the 16-bit allowance."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from micronet.audit.checks.check import Audited, MistakeCheck, Result, failed, skipped
from micronet.audit.declared_widths import Said, declared_inputs, declared_weights
from micronet.audit.table import is_share, too_wide
from micronet.audit.watched import contradictions, of_rows
from micronet.scoring.rules_arithmetic import FREEBIE_BITS as FREEBIE
from micronet.scoring.rules_arithmetic import FULL_BITS as FULL

if TYPE_CHECKING:
    from collections.abc import Mapping

    Row = Mapping[str, Any]


class Freebie(MistakeCheck):
    """Scoring §1 ¶4: the allowance is for entries that quantise nothing."""

    id = "freebie"
    title = "The 16-bit allowance is not used beside quantised layers"
    remedy = "Store each value, and multiply, at its own width; 32 bits where nothing is quantised."
    quantities = ("parameters", "operations", "bits", "score")
    challenge_only = True

    def found(self, audited: Audited) -> tuple[list[str], list[str]]:
        """Also an entry that says that it took the allowance."""
        reasons, layers = super().found(audited)
        narrow = [row for row in audited.case.evidence.layers if _quantised(row)]
        if audited.case.entry.declared.freebie and narrow:
            widths = sorted({row["weight_bits"] for row in narrow})
            said = ", ".join(str(width) for width in widths)
            reasons.append(f"taken, although {len(narrow)} layers are quantised ({said} bits)")
            layers += [row["name"] for row in narrow]
        return reasons, layers

    def does_not_arise(self, audited: Audited) -> str | None:
        """Everybody else may take it."""
        if any(_quantised(row) for row in audited.case.evidence.layers):
            return None
        return "nothing is quantised, so it may be taken"


class AdditionBits(MistakeCheck):
    """Scoring §2: additions stay at 32 bits unless the accumulation is really simulated."""

    id = "addition-bits"
    title = "Additions count at 32 bits"
    remedy = "Count sums at 32 bits, or show the kernels that accumulate in fewer."
    quantities = ("operations", "score")
    challenge_only = True

    def found(self, audited: Audited) -> tuple[list[str], list[str]]:
        """Also an entry that declares narrower sums."""
        reasons, layers = super().found(audited)
        bits = audited.case.entry.declared.addition_bits
        if bits is not None and bits < FULL:
            reasons.append(f"declares {bits}-bit additions; the traced sums are 32-bit floats")
        return reasons, layers


class GlobalSparsity(MistakeCheck):
    """One number for all layers, although each has its own."""

    id = "global-sparsity"
    title = "Each layer is counted at its own sparsity"
    remedy = "Count the nonzero weights of each layer."
    quantities = ("parameters", "macs", "operations", "sparsity", "score")

    def found(self, audited: Audited) -> tuple[list[str], list[str]]:
        """Also a declared sparsity that the layers contradict."""
        reasons, layers = super().found(audited)
        said_of = audited.case.entry.declared
        if said_of.sparsity is not None:
            for row in audited.case.evidence.layers:
                declared = 0 if row["name"] in said_of.dense else said_of.sparsity
                if not is_share(1 - Fraction(declared), row["active"], row["stored"]):
                    zeros = f"{100 - 100 * row['active'] / row['stored']:.4g} %"
                    said = f"declared {float(declared):.4g}, but {zeros} of {row['name']} are zero"
                    reasons.append(said)
                    layers.append(row["name"])
        return reasons, layers

    def does_not_arise(self, audited: Audited) -> str | None:
        """Dense networks have no sparsity to get wrong."""
        if any(row["stored"] > row["active"] for row in audited.case.evidence.layers):
            return None
        return "no weight is zero"


class WeightBits(MistakeCheck):
    """Values that are not as few bits as claimed."""

    id = "weight-bits"
    title = "Stored values are as narrow as declared"
    remedy = "Declare the width that the values need, or quantise them."
    quantities = ()

    def look(self, audited: Audited) -> Result:
        """Hold the declared widths against the measured ones."""
        reasons, layers = self.found(audited)
        entry, evidence = audited.case.entry, audited.case.evidence
        declared = declared_weights(evidence, Said(entry.declared, entry.layers))
        for row in evidence.layers:
            bits = declared.get(row["name"], FULL)
            if row["live"] and row["weight_bits"] > bits and row["name"] not in layers:
                reasons.append(too_wide(row["name"], bits, row))
                layers.append(row["name"])
        if reasons:
            return failed(reasons, layers)
        if not declared:
            return skipped("no width of weights is declared")
        return Result("pass", "the values fit the declared widths")


class ActivationBits(MistakeCheck):
    """Activation widths that the dataflow contradicts."""

    id = "activation-bits"
    title = "What enters every multiplication is as narrow as declared"
    remedy = "Quantise that input too, or count the layer at the width that enters it."
    quantities = ()

    def look(self, audited: Audited) -> Result:
        """Hold the declared widths against the values that were watched on real inputs."""
        entry, evidence = audited.case.entry, audited.case.evidence
        declared = declared_inputs(evidence, Said(entry.declared, entry.layers))
        if not declared:
            return skipped("no width of activations is declared")
        rows = evidence.activations
        if rows is None:
            return skipped("activations were not watched: give real inputs with --data DIR")
        wide = contradictions(of_rows(rows), declared)
        if wide:
            return failed((each.sentence for each in wide), (each.layer for each in wide))
        return Result("pass", f"{len(rows)} inputs of multiplications were watched, all fit")


def _quantised(row: Row) -> bool:
    return bool(0 < row["weight_bits"] < FREEBIE)
