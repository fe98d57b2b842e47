"""Files of torchvision's classifiers: of every architecture, of every age, of other classes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torchvision import models

from micronet.checkpoints.builder_settings import remarks, settings_of
from micronet.checkpoints.factory import factory_of, image_input, on_meta
from micronet.checkpoints.native import Checkpoint, write_native
from micronet.checkpoints.published import crop_pixels, entries, entry_of
from micronet.checkpoints.recognise import torchvision_guess
from micronet.checkpoints.target import LoadedTarget, load_target
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.checkpoints.conftest import Files

MOST_PARAMETERS = 30_000_000  # larger ones were tried by hand; they differ in repetition only
NAMES = [
    name
    for name in models.list_models(module=models)
    if next(iter(models.get_model_weights(name))).meta["num_params"] <= MOST_PARAMETERS
]
FLAG = "transform_input"
State = dict[str, torch.Tensor]


def numbered(spec: str, **settings: Any) -> State:
    """The state dict of a network, each tensor filled with a number of its own."""
    build = factory_of(spec, settings).build
    state = (on_meta(build) or build()).state_dict().items()
    return {
        name: torch.full(like.shape, index, dtype=like.dtype)
        for index, (name, like) in enumerate(state)
    }


def load(files: Files, name: str, state: State) -> LoadedTarget:
    return load_target(None, model=f"torchvision:{name}", weights=files.torch(state))


def holds(loaded: LoadedTarget, state: State) -> bool:
    found = loaded.model.state_dict()
    return set(found) == set(state) and all(torch.equal(found[k], state[k]) for k in found)


def test_half_of_torchvision_is_tried_here() -> None:
    assert len(NAMES) >= 40
    assert {"googlenet", "inception_v3", "mnasnet0_5", "regnet_x_400mf", "swin_t"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_tensor_of_a_file_is_in_the_network(name: str, files: Files) -> None:
    state = numbered(f"torchvision:{name}")
    loaded = load(files, name, state)
    assert holds(loaded, state)
    assert loaded.config == {}
    (files.folder / "torch.pt").unlink()


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_networks_with_heads_for_training_answer_with_logits_alone(name: str, files: Files) -> None:
    torch.manual_seed(0)
    state = factory_of(f"torchvision:{name}").build().state_dict()
    loaded = load(files, name, dict(state))
    with torch.inference_mode():
        logits = loaded.model(torch.rand(2, 3, 96, 96))
    assert isinstance(logits, torch.Tensor)
    assert logits.shape == (2, 1000)


# --- old files -----------------------------------------------------------------------------------


def test_a_densenet_of_before_2018_has_other_names(files: Files) -> None:
    """``norm.1`` for ``norm1``, and batch norms that have not counted their batches."""
    new = numbered("torchvision:densenet121")
    kept = {name: tensor for name, tensor in new.items() if not name.endswith("batches_tracked")}
    old = {re.sub(r"(norm|conv)([12])\.", r"\1.\2.", name): kept[name] for name in kept}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    loaded = load(files, "densenet121", old)
    uncounted = {name: torch.zeros_like(tensor) for name, tensor in new.items()}
    assert holds(loaded, uncounted | kept)
    assert torchvision_guess(old) == "torchvision:densenet121"


def test_a_vision_transformer_of_before_2022_has_other_names(files: Files) -> None:
    """``mlp.linear_1`` for ``mlp.0``, ``mlp.linear_2`` for ``mlp.3``."""
    new = numbered("torchvision:vit_b_32")
    numbers = {"0": "1", "3": "2"}
    old = {
        re.sub(r"mlp\.([03])\.", lambda found: f"mlp.linear_{numbers[found[1]]}.", name): tensor
        for name, tensor in new.items()
    }
    assert "encoder.layers.encoder_layer_0.mlp.linear_2.bias" in old
    assert holds(load(files, "vit_b_32", old), new)


def test_a_norm_without_statistics_is_still_missing(files: Files) -> None:
    state = numbered("torchvision:resnet18")
    for name in ("running_mean", "num_batches_tracked"):
        del state[f"bn1.{name}"]
    with pytest.raises(MicronetError, match=r"2 missing \(bn1.running_mean, bn1.num_batches_"):
        load(files, "resnet18", state)


# --- what torchvision's builder must be told -----------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "maxvit_t", "mnasnet0_5"),
        *("mobilenet_v3_small", "regnet_y_400mf", "resnet18", "shufflenet_v2_x0_5"),
        *("squeezenet1_1", "swin_t", "vit_b_32", "vgg11", "inception_v3", "googlenet"),
    ],
)
def test_the_file_tells_the_number_of_classes(name: str) -> None:
    """One architecture of each family: the rows of its last layer, found by the layer's name."""
    spec = f"torchvision:{name}"
    with torch.device("meta") if "regnet" not in name else torch.device("cpu"):
        state = factory_of(spec, {"num_classes": 37}).build().state_dict()
    assert settings_of(spec, state, None)["num_classes"] == 37


def test_a_network_of_other_classes_loads_and_says_so(files: Files) -> None:
    state = numbered("torchvision:resnet18", num_classes=100)
    loaded = load(files, "resnet18", state)
    assert holds(loaded, state)
    assert loaded.config == {"num_classes": 100}
    assert loaded.notes == ("the classifier has 100 classes, as in the file",)
    assert torchvision_guess(state) == "torchvision:resnet18"


def test_a_vision_transformer_tells_its_pixels(files: Files) -> None:
    """(384 / 32)² patches and one for the class: 145 positions."""
    state = numbered("torchvision:vit_b_32", image_size=384)
    assert state["encoder.pos_embedding"].shape[1] == 145
    loaded = load(files, "vit_b_32", state)
    assert holds(loaded, state)
    assert loaded.inputs.shape == (1, 3, 384, 384)


def without_heads(state: State) -> State:
    return {name: tensor for name, tensor in state.items() if not name.lower().startswith("aux")}


def test_heads_that_a_file_lacks_are_not_built(files: Files) -> None:
    state = without_heads(numbered("torchvision:inception_v3"))
    loaded = load(files, "inception_v3", state)
    assert holds(loaded, state)
    assert loaded.config == {"aux_logits": False}


def test_published_weights_of_tensorflow_rescale_the_input() -> None:
    """inception_v3_google-0cc3c7bd.pth and googlenet-1378be20.pth: the digits of their sha256."""
    published = {"inception_v3": "0cc3c7bd", "googlenet": "1378be20"}
    for name, digits in published.items():
        spec, sha256 = f"torchvision:{name}", digits.ljust(64, "0")
        with torch.device("meta"):
            state = factory_of(spec).build().state_dict()
        settings = settings_of(spec, state, sha256)
        assert settings == {"transform_input": True}
        assert getattr(factory_of(spec, settings).build(), FLAG) is True
        entry, rescales = remarks(spec, settings, sha256)
        assert entry.endswith("_Weights.IMAGENET1K_V1")
        assert "rescales its input" in rescales
        assert settings_of(spec, state, "f" * 64) == {}  # somebody's own training


def test_a_googlenet_without_heads_descends_from_published_weights(files: Files) -> None:
    """torchvision drops the heads where it loads published weights, and nowhere else."""
    state = without_heads(numbered("torchvision:googlenet"))
    loaded = load(files, "googlenet", state)
    assert loaded.config == {"aux_logits": False, "transform_input": True}
    assert getattr(loaded.model, FLAG) is True


def test_where_nothing_tells_the_user_is_told(files: Files) -> None:
    loaded = load(files, "inception_v3", numbered("torchvision:inception_v3"))
    assert getattr(loaded.model, FLAG) is False
    assert any("does not rescale its input (transform_input)" in note for note in loaded.notes)


@pytest.mark.parametrize(
    ("name", "settings"),
    [("squeezenet1_1", {"num_classes": 10}), ("googlenet", {"transform_input": True})],
)
def test_a_native_file_keeps_what_the_builder_was_told(
    name: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    spec = f"torchvision:{name}"
    state = numbered(spec, **settings)
    path = tmp_path / "small.pt"
    write_native(path, Checkpoint(spec, settings, state, {}))
    for loaded in (load_target(str(path)), load_target(str(path), model=spec)):
        assert holds(loaded, state)
        assert loaded.config == settings


@pytest.mark.parametrize(
    ("name", "key", "shape"),
    [
        ("regnet_y_400mf", "fc.weight", (10**11, 0)),
        ("vit_b_32", "encoder.pos_embedding", (1, 10**11, 0)),
    ],
)
def test_a_shape_without_numbers_takes_no_memory(
    name: str, key: str, shape: tuple[int, ...], files: Files
) -> None:
    with pytest.raises(MicronetError, match=rf"{key} is float32\[.*100000000000"):
        load(files, name, numbered(f"torchvision:{name}") | {key: torch.empty(shape)})


@pytest.mark.parametrize(
    ("name", "config", "expected"),
    [
        ("resnet18", {"num_classes": 10**12}, "num_classes = 1000000000000 is not allowed"),
        ("resnet18", {"width_per_group": 10**9}, "has no setting 'width_per_group'"),
        ("resnet18", {"image_size": 32}, "has no setting 'image_size'"),
        ("vit_b_32", {"image_size": 10**6}, "image_size = 1000000 is not allowed"),
        ("vit_b_32", {"image_size": 225}, "image_size = 225 is not allowed"),
        ("googlenet", {"transform_input": "yes"}, "transform_input = 'yes' is not allowed"),
    ],
)
def test_a_native_file_cannot_tell_the_builder_anything(
    name: str, config: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "evil.pt"
    write_native(path, Checkpoint(f"torchvision:{name}", config, {"w": torch.ones(1)}, {}))
    with pytest.raises(MicronetError) as caught:
        load_target(str(path))
    assert expected in caught.value.message


# --- published weights ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", models.list_models(module=models))
def test_every_published_file_is_told_by_its_sha256(name: str) -> None:
    """The file's name ends in the first digits: mobilenet_v2-7ebf99e0.pth."""
    spec = f"torchvision:{name}"
    for entry in entries(spec):
        digits = re.split(r"[-_.]", entry.url)[-2]
        assert entry_of(spec, digits.ljust(64, "0")) is entry
    assert entry_of(spec, "0" * 64) is None
    assert entry_of(spec, None) is None


def test_the_default_is_the_first_version() -> None:
    names = [entry.name for entry in entries("torchvision:vit_b_16")]
    assert names == ["IMAGENET1K_V1", "IMAGENET1K_SWAG_E2E_V1", "IMAGENET1K_SWAG_LINEAR_V1"]
    assert entries("efficientnet_lite0") == entries("torchvision:no_such") == ()


def test_published_weights_may_have_an_input_of_their_own() -> None:
    """regnet_y_16gf: 224 pixels, but 384 for the weights tuned end to end."""
    spec = "torchvision:regnet_y_16gf"
    model = torch.nn.Identity()
    assert image_input(model, spec).shape == (1, 3, 224, 224)
    end_to_end = entry_of(spec, "43afe44d".ljust(64, "0"))
    assert end_to_end is not None
    assert crop_pixels(end_to_end) == 384
    assert image_input(model, spec, "43afe44d".ljust(64, "0")).shape == (1, 3, 384, 384)
