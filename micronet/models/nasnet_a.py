"""NASNet-A, mobile setting (4 @ 1056): 5.3M parameters, 564M multiply-adds, 74.0 % top-1.

Zoph, Vasudevan, Shlens, Le, "Learning Transferable Architectures for Scalable Image Recognition",
CVPR 2018, figure 4 and Table 3.
"""

from __future__ import annotations

from micronet.models.nasnet_cells import CellNetwork, CellPlan, Genotype

FILTERS = 44
NORMAL_CELLS_PER_STAGE = 4

NORMAL = Genotype(
    nodes=(
        ("sep5", "h", "sep3", "p"),
        ("sep5", "p", "sep3", "p"),
        ("avg3", "h", "id", "p"),
        ("avg3", "p", "avg3", "p"),
        ("sep3", "h", "id", "h"),
    ),
    concat=("p", "n2", "n3", "n4", "n5", "n6"),
)
REDUCTION = Genotype(
    nodes=(
        ("sep5", "h", "sep7", "p"),
        ("max3", "h", "sep7", "p"),
        ("avg3", "h", "sep5", "p"),
        ("id", "n3", "avg3", "n2"),
        ("sep3", "n2", "max3", "h"),
    ),
    concat=("n3", "n4", "n5", "n6"),
)


def build() -> CellNetwork:
    """NASNet-A (4 @ 1056) for 1000 classes, without the auxiliary head of training."""
    plans = [CellPlan(REDUCTION, FILTERS // 4, 2), CellPlan(REDUCTION, FILTERS // 2, 2)]
    for stage in range(3):
        width = FILTERS * 2**stage
        if stage:
            plans.append(CellPlan(REDUCTION, width, 2))
        plans += [CellPlan(NORMAL, width)] * NORMAL_CELLS_PER_STAGE
    return CellNetwork(plans)
