"""All checks, in the order in which an audit shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from micronet.audit.checks import counted, statements, widths

if TYPE_CHECKING:
    from micronet.audit.checks.check import Check

EVERY: Final[tuple[Check, ...]] = (
    counted.ClaimDialect(),
    counted.Bitmask(),
    widths.Freebie(),
    counted.Additions(),
    widths.AdditionBits(),
    counted.DeadEdges(),
    counted.FoldedNorms(),
    widths.GlobalSparsity(),
    widths.WeightBits(),
    widths.ActivationBits(),
    counted.Scales(),
    counted.FreeOperations(),
    counted.FunctionalCalls(),
    counted.BatchSize(),
    counted.Depthwise(),
    counted.LayerTable(),
    statements.Totals(),
    statements.Agreement(),
    counted.UnusedModules(),
    statements.Quality(),
)

OF_WORDS: Final[tuple[Check, ...]] = (statements.Totals(), statements.Agreement())
"""Those that need nothing but what an entry says."""
