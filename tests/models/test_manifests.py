"""State dicts have the names, shapes, element types and order of the released checkpoints.

The lists in data/ were read from the files that github.com/allenai/dnw releases or writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

DATA = Path(__file__).parent / "data"

RELEASES: list[tuple[str, str, dict[str, object]]] = [
    ("mobilenetv1_dnw", "mobilenetv1_dnw", {"density": 0.225}),
    ("mobilenetv1_dnw_small", "mobilenetv1_dnw", {"density": 0.15, "classifier": "sparse"}),
    ("mobilenetv1_rg", "mobilenetv1_dnw", {"density": 0.225, "wiring": "random"}),
    ("tiny_static", "tiny_static", {}),
    ("tiny_static_random", "tiny_static", {"wiring": "random"}),
    ("tiny_discrete", "tiny_discrete", {}),
    ("tiny_continuous", "tiny_continuous", {}),
    ("resnet50_sparse", "resnet50_sparse", {"density": 0.1}),
]


@pytest.mark.parametrize(
    ("manifest", "architecture", "config"), RELEASES, ids=[release[0] for release in RELEASES]
)
def test_state_dict_is_that_of_the_release(
    manifest: str,
    architecture: str,
    config: dict[str, object],
    meta_model: Callable[[str, dict[str, object]], nn.Module],
) -> None:
    released = (DATA / f"{manifest}.txt").read_text().splitlines()

    ours = [
        f"{name} {list(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
        for name, tensor in meta_model(architecture, config).state_dict().items()
    ]

    assert len(released) > 20
    assert sorted(ours) == sorted(released)
