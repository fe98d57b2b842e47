"""``micronet evaluate --compare``: two networks on the same images. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from micronet.commands import console

if TYPE_CHECKING:
    from pathlib import Path


def run(a: Path, b: Path, *, json: bool) -> int:
    """Write where two receipts, or files of predictions, differ; 0 whatever the difference is."""
    from micronet.evaluation.compare import compare

    document = compare(a, b)
    if json:
        console.write_json(document)
    else:
        from micronet.commands.render_compare import comparison_view

        console.write(comparison_view(document))
    return 0
