"""Which elements can be nonzero and reach the output: exact where it drops, conservative where it doubts.

``analyse`` runs the traced operators forward on zero patterns ("can be nonzero") and backward
("reaches the output"). An edge, that is one element of a weight, is active if it is not zero, and live
if it is active, its source can be nonzero and its target reaches the output.
"""

from __future__ import annotations

from micronet.scoring.liveness.engine import Liveness, analyse

__all__ = ["Liveness", "analyse"]
