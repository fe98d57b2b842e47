"""Checks of what was counted: storage, operations, edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from micronet.audit.checks.check import RULES, MistakeCheck

if TYPE_CHECKING:
    from micronet.audit.checks.check import Audited
    from micronet.audit.verdict import Judged

_STORAGE = ("parameters", "bits", "score")
_BOTH = ("parameters", "macs", "operations", "score")


class Bitmask(MistakeCheck):
    """Scoring §1 ¶2: nonzero values and a bitmask of the full shape."""

    id = "bitmask"
    title = "Sparse tensors are stored with the bitmask of their full shape"
    remedy = "Add one bit an element of every sparse tensor (one a block for block sparsity)."
    quantities = _STORAGE
    challenge_only = True

    def does_not_arise(self, audited: Audited) -> str | None:
        """Where no tensor is sparse there is no mask."""
        if any(row["mask_bits"] for row in audited.case.evidence.layers):
            return None
        return "no tensor is sparse"


class Additions(MistakeCheck):
    """Scoring §2: multiplications and additions count separately."""

    id = "additions"
    title = "Additions are counted, n − 1 for n products"
    remedy = "Count the additions beside the multiplications."
    quantities = ("operations", "additions", "score")


class DeadEdges(MistakeCheck):
    """Scoring §2: what is zero, never fed or never used is not computed."""

    id = "dead-edges"
    title = "Only edges that are active and live are paid for"
    remedy = "Leave them out: micronet slim removes what cannot change the output."
    quantities = _BOTH

    def does_not_arise(self, audited: Audited) -> str | None:
        """A dense network without dead channels has only live edges."""
        if any(row["stored"] > row["live"] for row in audited.case.evidence.layers):
            return None
        return "every weight is live"

    def would_show_in(self, judged: Judged) -> bool:
        """The tools, and the count with zeros, pay for every weight."""
        dialect = judged.dialect or ""
        return dialect in ("macs", "2 × macs") or dialect.startswith(RULES)


class FoldedNorms(MistakeCheck):
    """Scoring §1 ¶1: every value needed for inference counts, trained or not."""

    id = "folded-norms"
    title = "Batch norms and biases are stored and computed, as far as they cannot be folded"
    remedy = (
        "Count the shift of each live channel as a bias, and its scale too where the weights are "
        "too narrow to take it: they share a codebook or a grid."
    )
    quantities = ("parameters", "operations", "score")


class Scales(MistakeCheck):
    """Scoring §1 ¶1: scales, zero points and codebooks are needed for inference."""

    id = "scales"
    title = "Scales, zero points and codebooks are stored"
    remedy = "Count 32 bits a scale, zero point or entry of a codebook."
    quantities = _STORAGE
    challenge_only = True

    def does_not_arise(self, audited: Audited) -> str | None:
        """Floats have no scales beside them."""
        if any(row["weight_code"] != "float" for row in audited.case.evidence.layers):
            return None
        return "nothing is quantised"


class FreeOperations(MistakeCheck):
    """Scoring §2: every arithmetic operation at inference."""

    id = "free-operations"
    title = "Activations, pools, means and elementwise work are counted"
    remedy = "Count one operation a result (two for swish), one addition a residual element."
    quantities = ("operations", "score")
    challenge_only = True


class FunctionalCalls(MistakeCheck):
    """Hooks on modules do not see ``F.conv2d``, ``x * w`` or ``torch.mean``."""

    id = "functional-calls"
    title = "What runs without a module is counted too"
    remedy = "Count operators, not modules: a hook sees only what a module calls."
    quantities = ("macs", "operations", "score")


class Depthwise(MistakeCheck):
    """A hook that forgets that each group has channels of its own."""

    id = "depthwise"
    title = "Depthwise and grouped layers are counted with their channels"
    remedy = "Multiply by the output channels: groups divide the inputs of each, not the outputs."
    quantities = ("macs", "operations", "multiplications", "score")

    def does_not_arise(self, audited: Audited) -> str | None:
        """Without groups nothing can be forgotten."""
        if any(row["groups"] > 1 for row in audited.case.evidence.layers):
            return None
        return "no layer has groups"


class BatchSize(MistakeCheck):
    """A hook that reads dimension 0 of a tensor where it means dimension 1."""

    id = "batch-size"
    title = "No count reads the batch size where channels belong"
    remedy = "Read the channels: dimension 1 of an activation, 0 or 1 of a weight."
    quantities = ("macs", "operations", "multiplications", "score")


class UnusedModules(MistakeCheck):
    """Modules that are defined and never run."""

    id = "unused-modules"
    title = "What is paid for is used by the forward pass"
    remedy = "Count the parameters that forward reads, not those that the module owns."
    quantities = ("parameters",)


class ClaimDialect(MistakeCheck):
    """Multiply-accumulates, operations, FLOPs: one word for many things."""

    id = "claim-dialect"
    title = "Every number is counted in the dialect that it names, whole"
    remedy = "State the rule book with the number, and count every layer."
    quantities = _BOTH

    def found(self, audited: Audited) -> tuple[list[str], list[str]]:
        """Also a claim that names one dialect and is another's number."""
        reasons, layers = super().found(audited)
        for each in audited.judged:
            if each.steps and each.steps[0].name.startswith("counted as "):
                reasons.append(f"{each.claim.quantity} {each.claim.stated}: {each.explanation}")
        return reasons, layers


class LayerTable(MistakeCheck):
    """The entry's own table against the recount."""

    id = "layer-table"
    title = "The entry's own table agrees with the recount, layer by layer"
    remedy = "Compare with: micronet score TARGET --layers all"
    quantities = ()

    def does_not_arise(self, audited: Audited) -> str | None:
        """Most entries have no table."""
        return None if audited.case.entry.layers else "the entry has no table of layers"
