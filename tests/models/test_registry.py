"""Models by name: defaults, inputs, and helpful refusals."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from micronet.errors import MicronetError
from micronet.models import ARCHITECTURES, InputSpec, build_model, default_input


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_builds_on_the_meta_device_with_its_defaults(architecture: str) -> None:
    with torch.device("meta"):
        model = build_model(architecture, {})

    assert all(weight.is_meta for weight in model.parameters())


@pytest.mark.parametrize(
    ("architecture", "config", "expected"),
    [
        ("nasnet_a_mobile", {}, InputSpec((1, 3, 224, 224), "float32")),
        ("wideresnet", {}, InputSpec((1, 3, 32, 32), "float32")),
        ("tiny_static", {}, InputSpec((1, 3, 32, 32), "float32")),
        ("lstm_lm", {}, InputSpec((1, 1), "int64")),
        ("mobilenetv1_dnw", {"image_size": 32}, InputSpec((1, 3, 32, 32), "float32")),
    ],
)
def test_default_input(architecture: str, config: dict[str, object], expected: InputSpec) -> None:
    assert default_input(architecture, config) == expected


@pytest.mark.parametrize(
    ("architecture", "config", "message", "next_step"),
    [
        (
            "nasnet_mobile",
            {},
            "Unknown architecture 'nasnet_mobile'.",
            "Did you mean 'pnasnet5_mobile' or 'nasnet_a_mobile'?",
        ),
        (
            "mobilenet_v2",
            {"widht": 1.4},
            "mobilenet_v2 has no setting 'widht'.",
            "Did you mean 'width'?",
        ),
        (
            "nasnet_a_mobile",
            {"width": 2},
            "nasnet_a_mobile has no setting 'width'.",
            "It takes no settings.",
        ),
        (
            "mobilenetv1_dnw",
            {"width": 3},
            "mobilenetv1_dnw: width = 3 is not allowed.",
            "Expected 1 or 2.",
        ),
        (
            "mobilenetv1_dnw",
            {"density": 1.5},
            "mobilenetv1_dnw: density = 1.5 is not allowed.",
            "Expected a number, 0.01 to 1.",
        ),
        (
            "tiny_static",
            {"dim": 10**9},
            "tiny_static: dim = 1000000000 is not allowed.",
            "Expected a whole number, 132 to 8192.",
        ),
        (
            "wideresnet",
            {"depth": 28.0},
            "wideresnet: depth = 28.0 is not allowed.",
            "Expected a whole number, 10 to 100.",
        ),
        (
            "wideresnet",
            {"widen": True},
            "wideresnet: widen = True is not allowed.",
            "Expected a whole number, 1 to 20.",
        ),
        (
            "resnet50_sparse",
            {"dense_first": 1},
            "resnet50_sparse: dense_first = 1 is not allowed.",
            "Expected true or false.",
        ),
        (
            "darts_imagenet",
            {"genotype": "v2"},
            "darts_imagenet: genotype = 'v2' is not allowed.",
            "Expected 'iclr' or 'first-release'.",
        ),
        (
            "wideresnet",
            {"depth": 29},
            "WideResNet has depth 6n + 4, not 29.",
            "Choose 10, 16, 22, 28, 34 or 40.",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else None,
)
def test_wrong_requests_name_the_remedy(
    architecture: str, config: dict[str, object], message: str, next_step: str
) -> None:
    with pytest.raises(MicronetError) as error:
        build_model(architecture, config)

    assert (error.value.message, error.value.next_step) == (message, next_step)


def test_whole_number_may_stand_for_a_number() -> None:
    with torch.device("meta"):
        model = build_model("mobilenet_v1", {"width": 1})

    assert sum(weight.numel() for weight in model.parameters()) == 4_231_976


def test_naming_architectures_does_not_import_torch() -> None:
    probe = "import sys, micronet.models, micronet.wiring; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0


def test_the_probe_for_torch_would_notice() -> None:
    probe = "import sys, torch; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 1
