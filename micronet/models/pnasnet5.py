"""PNASNet-5, mobile setting (N = 3, F = 54): 5.1M parameters, 588M multiply-adds, 74.2 % top-1.

Liu, Zoph, Neumann et al., "Progressive Neural Architecture Search", ECCV 2018, figure 1 and
Table 4.
"""

from __future__ import annotations

from micronet.models.nasnet_cells import CellNetwork, CellPlan, Genotype

FILTERS = 54
CELLS_PER_STAGE = 3

CELL = Genotype(
    nodes=(
        ("sep5", "p", "max3", "p"),
        ("sep7", "h", "max3", "h"),
        ("sep5", "h", "sep3", "h"),
        ("sep3", "n4", "max3", "h"),
        ("sep3", "p", "id", "h"),
    ),
    concat=("n2", "n3", "n4", "n5", "n6"),
)


def build() -> CellNetwork:
    """PNASNet-5 (N = 3, F = 54) for 1000 classes: one cell type; stages start with stride 2."""
    plans = [CellPlan(CELL, FILTERS // 4, 2), CellPlan(CELL, FILTERS // 2, 2)]
    for stage in range(3):
        for position in range(CELLS_PER_STAGE):
            stride = 2 if stage and position == 0 else 1
            plans.append(CellPlan(CELL, FILTERS * 2**stage, stride))
    return CellNetwork(plans)
