"""The dense baselines have exactly the parameters and multiply-accumulates of their definitions.

Parameters are learned numbers (batch norm's scale and shift included, running statistics not);
multiply-accumulates are those of convolutions and linear layers, one image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from micronet.models import InputSpec, build_model, default_input
from micronet.models.lstm_lm import LstmLanguageModel

MacCounter = Callable[[nn.Module, InputSpec], dict[str, int]]
MetaBuilder = Callable[[str, dict[str, object]], nn.Module]


@dataclass(frozen=True)
class Case:
    architecture: str
    parameters: int
    macs: int
    config: dict[str, object] = field(default_factory=dict)


# Published, in the same order: 5.3M / 564M · 5.1M / 588M · 4.7M / 574M (not reproducible from the
# released network) · 4.9M / 595M (the same) · 4.2M / 569M · 3.4M / 300M · 6.9M / 585M (the paper's
# parameters fit no convention) · 36.5M / 10.49B operations · 4.7M.
CASES = {
    "nasnet_a": Case("nasnet_a_mobile", 5_289_978, 563_638_816),
    "pnasnet5": Case("pnasnet5_mobile", 5_064_487, 587_293_200),
    "darts": Case("darts_imagenet", 4_718_752, 529_911_552),
    "darts_first_release": Case(
        "darts_imagenet", 4_853_975, 547_483_200, {"genotype": "first-release", "channels": 50}
    ),
    "darts_first_release_48": Case(
        "darts_imagenet", 4_510_432, 505_864_704, {"genotype": "first-release"}
    ),
    "mobilenet_v1": Case("mobilenet_v1", 4_231_976, 568_740_352),
    "mobilenet_v2": Case("mobilenet_v2", 3_504_872, 300_774_272),
    "mobilenet_v2_1.4": Case("mobilenet_v2", 6_108_776, 582_195_824, {"width": 1.4}),
    "wideresnet_28_10": Case("wideresnet", 36_536_884, 5_243_386_368),
    # 407M "FLOPs" on TensorFlow's page; EfficientNet-B0 without squeeze-and-excitation.
    "efficientnet_lite0": Case("efficientnet_lite0", 4_652_008, 385_187_552),
}


def parameters(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_baseline_has_exactly_its_counts(
    case: Case, meta_model: MetaBuilder, macs_by_layer: MacCounter
) -> None:
    model = meta_model(case.architecture, case.config)

    macs = macs_by_layer(model, default_input(case.architecture, case.config))

    assert (parameters(model), sum(macs.values())) == (case.parameters, case.macs)


def test_lstm_multiplies_every_stored_weight_once(
    meta_model: MetaBuilder, meta_input: Callable[[str, dict[str, object]], Tensor]
) -> None:
    model = meta_model("lstm_lm", {})

    with FlopCounterMode(display=False) as counter:
        logits = model(meta_input("lstm_lm", {}))

    # embedding = softmax 267,735 · 512; gates 4 · 2048 · (512 + 2048); projection 2048 · 512
    assert parameters(model) == 137_080_320 + 20_971_520 + 1_048_576 == 159_100_416
    assert counter.get_total_flops() == 2 * 159_100_416
    assert logits.shape == (1, 1, 267_735)


def test_lstm_goes_on_from_its_state() -> None:
    """A text read in two pieces gets the logits it gets in one."""
    torch.manual_seed(0)
    model = build_model("lstm_lm", {"vocabulary": 30, "embedding": 8, "hidden": 16})
    assert isinstance(model, LstmLanguageModel)
    text = torch.randint(30, (2, 6))

    first, state = model.advance(text[:, :4])
    second, _ = model.advance(text[:, 4:], state)

    assert torch.allclose(torch.cat((first, second), dim=1), model(text), atol=1e-6)
    assert torch.equal(second, model(text[:, 4:], state))


# Rows: parameters and multiply-accumulates of the stem, each cell in order, the classifier.
PARTS = {
    "nasnet_a": (
        (928, 10_645_344),
        (8_534, 29_236_832),
        (13_948, 14_453_824),
        (33_000, 25_044_096),
        (42_680, 32_633_216),
        (50_424, 38_704_512),
        (50_424, 38_704_512),
        (153_648, 57_021_888),
        (147_312, 28_459_200),
        (170_544, 33_012_672),
        (186_032, 36_048_320),
        (186_032, 36_048_320),
        (555_104, 54_313_952),
        (557_920, 27_131_104),
        (650_848, 31_684_576),
        (712_800, 34_720_224),
        (712_800, 34_720_224),
        (1_057_000, 1_056_000),
    ),
    "pnasnet5": (
        (928, 10_645_344),
        (7_835, 27_168_480),
        (19_710, 20_977_488),
        (60_912, 46_569_600),
        (71_982, 55_248_480),
        (79_272, 60_963_840),
        (240_408, 80_777_088),
        (257_688, 49_914_144),
        (286_848, 55_629_504),
        (900_720, 78_109_920),
        (970_272, 47_246_976),
        (1_086_912, 52_962_336),
        (1_081_000, 1_080_000),
    ),
    "darts": (
        (11_160 + 20_832, 40_642_560 + 16_257_024),
        (35_952, 27_207_936),
        (42_864, 32_626_944),
        (49_776, 38_045_952),
        (49_776, 38_045_952),
        (37_248, 28_901_376),
        (168_672, 32_570_496),
        *((187_104, 36_183_168),) * 3,
        (148_224, 28_901_376),
        (650_688, 31_639_104),
        *((724_416, 35_251_776),) * 3,
        (769_000, 768_000),
    ),
    "darts_first_release": (
        (12_075 + 22_600, 43_747_200 + 17_640_000),
        (35_700, 27_048_000),
        (43_200, 32_928_000),
        (50_700, 38_808_000),
        (50_700, 38_808_000),
        (40_400, 31_360_000),
        (171_400, 33_124_000),
        *((191_400, 37_044_000),) * 3,
        (160_800, 31_360_000),
        (662_800, 32_242_000),
        *((742_800, 36_162_000),) * 3,
        (801_000, 800_000),
    ),
}


@pytest.mark.parametrize("network", PARTS)
def test_each_cell_has_exactly_its_counts(
    network: str, meta_model: MetaBuilder, macs_by_layer: MacCounter
) -> None:
    case = CASES[network]
    model = meta_model(case.architecture, case.config)
    macs = macs_by_layer(model, default_input(case.architecture, case.config))

    def part(name: str) -> str:
        return ".".join(name.split(".")[: 2 if name.startswith("cells.") else 1])

    counts: dict[str, list[int]] = {}
    for name, weight in model.named_parameters():
        counts.setdefault(part(name), [0, 0])[0] += weight.numel()
    for name, layer_macs in macs.items():
        counts[part(name)][1] += layer_macs
    stem = [counts.pop(name) for name in ("conv0", "bn0", "stem0", "stem1") if name in counts]
    rows = [[sum(column) for column in zip(*stem, strict=True)], *counts.values()]

    assert [tuple(row) for row in rows] == list(PARTS[network])


def test_wideresnet_counts_are_those_of_the_sheet(
    meta_model: MetaBuilder, macs_by_layer: MacCounter
) -> None:
    """3×3 convolutions of the blocks, shortcuts, stem and classifier, each on its own."""
    macs = macs_by_layer(meta_model("wideresnet", {}), default_input("wideresnet", {}))

    shortcuts = sum(count for name, count in macs.items() if "shortcut" in name)
    blocks = sum(count for name, count in macs.items() if ".conv" in name)

    assert macs["stem"] == 16 * 32 * 32 * 3 * 3 * 3 == 442_368
    assert (blocks, shortcuts) == (5_214_044_160, 28_835_840)
    assert macs["classifier"] == 640 * 100


@pytest.mark.parametrize(
    ("architecture", "size"),
    [
        ("nasnet_a_mobile", 65),
        ("pnasnet5_mobile", 64),
        ("darts_imagenet", 64),
        ("mobilenet_v1", 64),
        ("efficientnet_lite0", 65),
    ],
)
def test_baseline_runs_on_numbers_at_other_sizes(architecture: str, size: int) -> None:
    """Odd and even maps: padding and factorised reductions must fit together."""
    torch.manual_seed(0)
    model = build_model(architecture, {}).eval()

    with torch.no_grad():
        logits = model(torch.randn(2, 3, size, size))

    assert logits.shape == (2, 1000)
    assert bool(logits.isfinite().all())


def test_nasnet_computes_its_twin_poolings_once(meta_model: MetaBuilder) -> None:
    """Node 5 of the normal cell adds avg3(p) to itself; the map is made once."""
    cell = meta_model("nasnet_a_mobile", {}).get_submodule("cells.2")
    calls = []
    for side in ("left", "right"):
        cell.get_submodule(f"{side}.3").register_forward_hook(
            lambda *_, side=side: calls.append(side)
        )

    cell(torch.zeros(1, 88, 28, 28, device="meta"), torch.zeros(1, 44, 56, 56, device="meta"))

    assert calls == ["left"]
