"""Which preprocessing a target is evaluated with: its card's, torchvision's, a habit, the user's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import models

from micronet.checkpoints.card import Card, Preprocessing, card, cards
from micronet.checkpoints.published import crop_pixels, entries
from micronet.checkpoints.target import load_target
from micronet.errors import MicronetError
from micronet.evaluation.pixels import REFERENCE, normalised, pixels
from micronet.evaluation.preprocessing import chosen_preprocessing
from micronet.models import InputSpec

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

    from micronet.checkpoints.loaded import LoadedTarget

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def network(model: str = "torchvision:mobilenet_v2", **changes: Any) -> LoadedTarget:
    return replace(load_target(None, model=model), **changes)


def inputs(height: int, width: int) -> InputSpec:
    return InputSpec((1, 3, height, width))


def of_card(name: str) -> LoadedTarget:
    """Any network under the card ``name``, whose input it has."""
    known = card(name)
    return network(architecture="x", card=known, name=name, inputs=InputSpec(known.input))


def refusal(loaded: LoadedTarget, **options: str) -> MicronetError:
    with pytest.raises(MicronetError) as caught:
        chosen_preprocessing(loaded, **options)
    return caught.value


# --- whose it is ---------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [c for c in cards() if c.preprocessing], ids=lambda c: c.name)
def test_a_card_says_it_and_it_ends_in_the_cards_input(known: Card) -> None:
    look, source = chosen_preprocessing(of_card(known.name))
    assert look is known.preprocessing
    assert source == f"card {known.name}"


def test_torchvision_says_it_of_its_architectures() -> None:
    look, source = chosen_preprocessing(network())
    assert look == Preprocessing(256, 224, "bilinear", MEAN, STD)
    assert source == "torchvision MobileNet_V2_Weights.IMAGENET1K_V1, presumed"


def test_a_published_file_is_told_by_its_sha256() -> None:
    """mobilenet_v2-7ebf99e0.pth is the second version, which is resized to 232 pixels."""
    look, source = chosen_preprocessing(network(sha256="7ebf99e0".ljust(64, "0")))
    assert look == Preprocessing(232, 224, "bilinear", MEAN, STD)
    assert source == "torchvision MobileNet_V2_Weights.IMAGENET1K_V2"


def test_another_file_is_presumed_to_be_like_the_first_version() -> None:
    _, source = chosen_preprocessing(network(sha256="f" * 64))
    assert source == "torchvision MobileNet_V2_Weights.IMAGENET1K_V1, presumed"


def test_of_several_entries_the_one_of_the_networks_input_is_taken() -> None:
    """vit_b_16 is published for 224 pixels and for 384; a file of unknown origin has 384."""
    spec = "torchvision:vit_b_16"
    assert chosen_preprocessing(network(spec, inputs=inputs(384, 384)))[1] == (
        "torchvision ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1, presumed"
    )


def test_without_a_word_it_is_imagenets_habit_and_that_is_said() -> None:
    look, source = chosen_preprocessing(network(architecture="net.py:make"))
    assert look == Preprocessing(256, 224, "bilinear", MEAN, STD)
    assert source == "assumed: resize 256, crop 224, mean and deviation of ImageNet"


@pytest.mark.parametrize(
    ("pixels_of_a_side", "resize"),
    [(299, 342), (160, 183), (65, 74)],  # 8/7 of it, rounded: 341.71…, 182.86…, 74.29…
)
def test_the_habit_at_another_size(pixels_of_a_side: int, resize: int) -> None:
    loaded = network(architecture="x", inputs=inputs(pixels_of_a_side, pixels_of_a_side))
    look, _ = chosen_preprocessing(loaded)
    assert (look.resize, look.crop) == (resize, pixels_of_a_side)


@pytest.mark.parametrize("side", [32, 64])
def test_small_images_are_taken_as_they_are(side: int) -> None:
    look, source = chosen_preprocessing(network(architecture="x", inputs=inputs(side, side)))
    assert look == Preprocessing(None, None, "none", MEAN, STD)
    assert source == "assumed: no resize, mean and deviation of ImageNet"


def test_an_oblong_input_is_squashed() -> None:
    look, source = chosen_preprocessing(network(architecture="x", inputs=inputs(96, 160)))
    assert look == Preprocessing((96, 160), None, "bilinear", MEAN, STD)
    assert source == "assumed: resize 96x160, mean and deviation of ImageNet"


def test_at_another_size_colours_are_those_that_torchvision_says() -> None:
    """efficientnet_v2_l alone has 0.5 for everything, and is resized bicubically."""
    loaded = network("torchvision:efficientnet_v2_l", inputs=inputs(224, 224))
    look, source = chosen_preprocessing(loaded)
    assert look == Preprocessing(256, 224, "bicubic", (0.5,) * 3, (0.5,) * 3)
    assert source.startswith(
        "assumed: resize 256, crop 224, mean and deviation of EfficientNet_V2_L"
    )


# --- the user's options --------------------------------------------------------------------------


def test_the_whole_image_squashed() -> None:
    look, source = chosen_preprocessing(
        of_card("efficientnet_lite0"), resize="224x224", crop="none"
    )
    assert look == Preprocessing((224, 224), None, "bicubic", (127 / 255,) * 3, (128 / 255,) * 3)
    assert source == "card efficientnet_lite0 + options resize=224x224, crop=none"


@pytest.mark.parametrize(
    ("options", "resize", "crop", "interpolation"),
    [
        ({"resize": "232"}, 232, 224, "bilinear"),
        ({"resize": "232x300"}, (232, 300), 224, "bilinear"),
        ({"resize": "none"}, None, 224, "none"),
        ({"interpolation": "nearest"}, 256, 224, "nearest"),
        ({"resize": "224", "crop": "none"}, 224, None, "bilinear"),  # square images will fit
        ({"resize": "none", "crop": "none"}, None, None, "none"),  # those of the right size will
    ],
)
def test_options_are_put_on_top(
    options: dict[str, str], resize: object, crop: int | None, interpolation: str
) -> None:
    look, _ = chosen_preprocessing(network(), **options)
    assert look == Preprocessing(resize, crop, interpolation, MEAN, STD)  # type: ignore[arg-type]


def test_what_was_not_resized_is_resized_bilinearly_when_asked_for() -> None:
    look, _ = chosen_preprocessing(of_card("wideresnet_28_10"), resize="40")
    assert (look.resize, look.crop, look.interpolation) == (40, 32, "bilinear")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"resize": "big"}, "--resize big: expected 256, 224x224 (height x width) or none."),
        ({"resize": "224x"}, "--resize 224x: expected 256"),
        ({"resize": "-256"}, "--resize -256: expected 256"),
        ({"resize": "٢٥٦"}, "--resize ٢٥٦: expected 256"),
        ({"resize": ""}, "--resize : expected 256"),
        ({"resize": "0"}, "--resize 0: expected 1 to 4096 pixels."),
        ({"resize": "224x4097"}, "--resize 224x4097: expected 1 to 4096 pixels."),
        ({"resize": "9" * 5000}, "expected 256"),
        ({"crop": "224x224"}, "--crop 224x224: expected 224 or none."),
        ({"crop": "0"}, "--crop 0: expected 1 to 4096 pixels."),
        (
            {"interpolation": "lanczos"},
            "--interpolation lanczos: expected one of bilinear, bicubic",
        ),
    ],
)
def test_an_option_that_is_no_such_thing(options: dict[str, str], expected: str) -> None:
    assert expected in refusal(network(), **options).message


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"crop": "256"}, "it ends in 256x256 pixels, the network takes 224x224"),
        ({"resize": "200"}, "crop: found 224, more than the 200 pixels that resize leaves"),
        ({"resize": "300x200"}, "crop: found 224, more than the 200 pixels that resize leaves"),
        ({"crop": "none"}, "resize 256 without crop, but the network takes 224x224"),
        ({"resize": "256x256", "crop": "none"}, "it ends in 256x256 pixels"),
        ({"resize": "224x200", "crop": "none"}, "it ends in 224x200 pixels"),
        ({"interpolation": "none"}, "interpolation: found 'none', but images are resized"),
        ({"resize": "none", "interpolation": "bicubic"}, "'bicubic', but nothing is resized"),
    ],
)
def test_what_cannot_give_the_networks_input_is_told_up_front(
    options: dict[str, str], expected: str
) -> None:
    error = refusal(network(), **options)
    assert expected in error.message
    assert error.next_step == "The whole image, squashed: --resize 224x224 --crop none"


def test_a_card_does_not_fit_another_input() -> None:
    error = refusal(replace(of_card("dnw_x225"), inputs=inputs(192, 192)))
    assert error.message == (
        "The preprocessing of dnw_x225 (card dnw_x225) does not fit: "
        "it ends in 224x224 pixels, the network takes 192x192."
    )


@pytest.mark.parametrize("shape", [(1, 1), (2, 3, 224, 224), (1, 1, 28, 28)])
def test_what_takes_no_colour_image_has_no_preprocessing(shape: tuple[int, ...]) -> None:
    error = refusal(network(inputs=InputSpec(shape)))
    assert error.message == (
        f"torchvision:mobilenet_v2 takes an input of {list(shape)}, not one colour image."
    )


# --- the same pixels as torchvision's own --------------------------------------------------------


def settings_of(entry: WeightsEnum) -> tuple[object, ...]:
    theirs: Any = entry.transforms()
    return (theirs.resize_size[0], theirs.crop_size[0], theirs.interpolation, *theirs.mean)


DIFFERENT = {
    settings_of(entry): (name, entry)
    for name in models.list_models(module=models)
    for entry in entries(f"torchvision:{name}")
}


@pytest.mark.parametrize(
    ("name", "entry"), DIFFERENT.values(), ids=[f"{e}" for _, e in DIFFERENT.values()]
)
def test_the_input_is_torchvisions_bit_for_bit(name: str, entry: WeightsEnum) -> None:
    """Every distinct preset that torchvision publishes, on an image of noise."""
    side = crop_pixels(entry)
    assert side is not None
    spec = f"torchvision:{name}"
    digits = entry.url.removesuffix(".pth").replace("_", "-").rpartition("-")[2]
    loaded = network(architecture=spec, sha256=digits.ljust(64, "0"), inputs=inputs(side, side))
    look, source = chosen_preprocessing(loaded)
    assert source == f"torchvision {entry}"
    noise = np.random.default_rng(0).integers(0, 256, (300, 411, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    theirs: Any = entry.transforms()
    ours = normalised([pixels(image, look, REFERENCE)], look)
    assert torch.equal(ours[0], theirs(image))
