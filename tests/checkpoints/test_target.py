"""What the user names becomes a model to judge: card, file, architecture, or one in the other."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from micronet.checkpoints.build import build_checkpoint
from micronet.checkpoints.card import card
from micronet.checkpoints.native import Checkpoint, write_native
from micronet.checkpoints.target import load_target
from micronet.errors import MicronetError
from micronet.models import build_model

if TYPE_CHECKING:
    from pathlib import Path

    from tests.checkpoints.conftest import Files, Release

pytestmark = pytest.mark.usefixtures("shelf_folder")
# README of allenai/dnw: edges a block keeps at x0.225 (d² of MobileNetV1's, rounded up).
KEPT_X225 = (104, 1245, 4977, 72_991, 79_627)


def refusal(*arguments: str, **options: str) -> MicronetError:
    with pytest.raises(MicronetError) as caught:
        load_target(*arguments, **options)  # type: ignore[arg-type]
    return caught.value


def seeded(architecture: str, **config: object) -> nn.Module:
    torch.manual_seed(1)
    return build_model(architecture, config)


# --- cards and architectures ---------------------------------------------------------------------


def test_a_baseline_card_has_shapes_only() -> None:
    loaded = load_target("mobilenet_v1")
    assert (loaded.name, loaded.weights, loaded.path, loaded.sha256) == (
        "mobilenet_v1",
        "untrained",
        None,
        None,
    )
    assert all(weight.is_meta for weight in loaded.model.parameters())
    assert sum(weight.numel() for weight in loaded.model.parameters()) == 4_231_976
    assert loaded.card is card("mobilenet_v1")
    assert not loaded.model.training


def test_a_sparse_card_is_built_for_real_and_always_the_same() -> None:
    first, second = load_target("dnw_x225"), load_target("dnw_x225")
    for index, kept in enumerate(KEPT_X225):
        name = f"layers.{index}.graph.weight"
        assert int(torch.count_nonzero(first.model.state_dict()[name])) == kept
        assert torch.equal(first.model.state_dict()[name], second.model.state_dict()[name])
    assert first.weights == "untrained"
    assert first.notes == (
        "built untrained, seed 2019; the released weights: micronet fetch dnw_x225",
    )


def test_building_a_target_does_not_move_the_random_numbers() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    load_target("resnet50_dnw_10")
    assert torch.equal(torch.rand(1), expected)


def test_a_card_with_a_built_file_is_that_file() -> None:
    path = build_checkpoint(card("mobilenet_v1"), None, seed=5)
    loaded = load_target("mobilenet_v1")
    assert (loaded.path, loaded.weights) == (path, "untrained")
    assert not next(loaded.model.parameters()).is_meta


def test_torchvision_models_are_shapes_with_their_own_input() -> None:
    loaded = load_target(None, model="torchvision:inception_v3")
    assert loaded.inputs.shape == (1, 3, 299, 299)
    assert next(loaded.model.parameters()).is_meta
    assert (loaded.architecture, loaded.weights) == ("torchvision:inception_v3", "untrained")


def test_the_user_may_set_the_input() -> None:
    loaded = load_target(None, model="torchvision:resnet18", input_shape=(1, 3, 32, 32))
    assert (loaded.inputs.shape, loaded.inputs.dtype) == ((1, 3, 32, 32), "float32")


CODE = """
from torch import nn
def make():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())
def breaks():
    raise RuntimeError("out of tea")
def number():
    return 3
ready = nn.Linear(2, 2)
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "users_nets.py"
    path.write_text(CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return path


@pytest.mark.parametrize("place", ["file", "module"])
@pytest.mark.parametrize("name", ["make", "ready"])
def test_users_code_gives_the_architecture(place: str, name: str, code: Path) -> None:
    spec = f"{code if place == 'file' else 'users_nets'}:{name}"
    loaded = load_target(None, model=spec)
    assert loaded.notes == (f"the architecture came from running your code, {spec}",)
    assert not next(loaded.model.parameters()).is_meta
    assert loaded.weights == "unknown"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("resnet50", "expected torchvision:NAME, package.module:factory or file.py:factory"),
        ("torchvision:resnet51", "torchvision has no model 'resnet51'"),
        ("no_such_package:make", "your code raised ModuleNotFoundError"),
        ("none.py:make", "there is no file none.py"),
        ("users_nets:breaks", "your code raised RuntimeError: out of tea"),
        ("users_nets:nothing", "your code raised AttributeError"),
        ("users_nets:number", "gave a int, expected a torch.nn.Module"),
    ],
)
@pytest.mark.usefixtures("code")
def test_a_wrong_model_is_explained(spec: str, expected: str) -> None:
    with pytest.raises(MicronetError) as caught:
        load_target(None, model=spec)
    assert expected in caught.value.message


def test_a_near_torchvision_name_is_suggested() -> None:
    with pytest.raises(MicronetError) as caught:
        load_target(None, model="torchvision:mobilnet_v2")
    assert "mobilenet_v2" in str(caught.value.next_step)


# --- names that are nothing ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "message", "next_step"),
    [
        ("checkpoints/mnv1_582M.pt", "There is no file", "Build it: micronet build mnv1_582M"),
        ("mnv1_582M.pt", "There is no file", "Build it: micronet build mnv1_582M"),
        ("checkpoints/dnw_x3.pt", "There is no file", "Get it: micronet fetch dnw_x3"),
        ("other/net.pt", "There is no file other/net.pt", "None"),
        ("dnw_x33", "There is no card 'dnw_x33'", "Did you mean dnw_x3"),
    ],
)
def test_a_target_that_is_not_there(
    target: str, message: str, next_step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a checkout may have these files
    error = refusal(target)
    assert message in error.message
    assert next_step in str(error.next_step)


def test_nothing_named() -> None:
    with pytest.raises(MicronetError, match="Nothing to load"):
        load_target(None)


def test_a_card_without_file_cannot_fill_an_architecture() -> None:
    error = refusal("dnw_x3", model="torchvision:resnet18")
    assert "dnw_x3 has no file here" in error.message
    assert error.next_step == "Get it: micronet fetch dnw_x3"


# --- files ---------------------------------------------------------------------------------------


def test_a_file_fills_the_architecture_it_fits(files: Files) -> None:
    from torchvision.models import squeezenet1_1

    net = squeezenet1_1(weights=None)
    path = files.torch({"state_dict": {f"module.{k}": v for k, v in net.state_dict().items()}})
    loaded = load_target(str(path), model="torchvision:squeezenet1_1")
    assert (loaded.path, loaded.weights, loaded.name) == (path, "unknown", "torch.pt")
    image = torch.rand(1, 3, 64, 64)
    assert torch.equal(loaded.model(image), net.eval()(image))
    assert loaded.sha256 is not None
    assert len(loaded.sha256) == 64


def test_half_precision_weights_are_computed_in_full(files: Files) -> None:
    from torchvision.models import squeezenet1_1

    path = files.torch({k: v.half() for k, v in squeezenet1_1(weights=None).state_dict().items()})
    loaded = load_target(str(path), model="torchvision:squeezenet1_1")
    assert next(loaded.model.parameters()).dtype == torch.float32
    assert loaded.notes == ("some weights are stored as float16",)


def test_a_misfit_counts_and_names_what_is_wrong_and_guesses(files: Files) -> None:
    from torchvision.models import squeezenet1_1

    path = files.torch(squeezenet1_1(weights=None).state_dict())
    error = refusal(str(path), model="torchvision:squeezenet1_0")
    assert f"{path} does not fit torchvision:squeezenet1_0: 12 missing (features.5." in (
        error.message
    )
    assert "12 unexpected (features.6." in error.message
    assert "features.0.weight is float32[64, 3, 3, 3], expected float32[96, 3, 7, 7]" in (
        error.message
    )
    assert error.next_step == (
        "This looks like torchvision:squeezenet1_1: --model torchvision:squeezenet1_1"
    )


def test_whole_numbers_are_not_taken_for_weights(files: Files, code: Path) -> None:
    path = files.torch(
        {"0.weight": torch.ones(4, 3, 3, 3, dtype=torch.int8), "0.bias": torch.ones(4)}
    )
    error = refusal(str(path), model=f"{code}:make")
    assert "0.weight is int8[4, 3, 3, 3], expected float32[4, 3, 3, 3]" in error.message


def test_a_bare_file_of_unknown_architecture_asks_for_one(files: Files) -> None:
    error = refusal(str(files.torch({"w": torch.ones(2)})))
    assert "holds 1 tensors, but not their architecture" in error.message
    assert error.next_step == "--model torchvision:NAME | package.module:factory"


def test_a_bare_torchvision_file_is_recognised_in_the_hint(files: Files) -> None:
    from torchvision.models import resnet18

    error = refusal(str(files.torch(resnet18(weights=None).state_dict())))
    assert error.next_step == "This looks like torchvision:resnet18: --model torchvision:resnet18"


# --- native files --------------------------------------------------------------------------------


def test_a_native_file_brings_its_architecture(tmp_path: Path) -> None:
    net = seeded("lstm_lm", vocabulary=50, embedding=8, hidden=16)
    config = {"vocabulary": 50, "embedding": 8, "hidden": 16}
    path = tmp_path / "mine.pt"
    write_native(path, Checkpoint("lstm_lm", config, net.state_dict(), {"weights": "trained"}))
    loaded = load_target(str(path))
    assert (loaded.name, loaded.weights, loaded.card) == ("mine.pt", "trained", None)
    assert loaded.inputs.dtype == "int64"
    for name, tensor in net.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], tensor), name


def test_a_native_file_may_hold_a_torchvision_network(tmp_path: Path) -> None:
    from torchvision.models import squeezenet1_1

    net = squeezenet1_1(weights=None)
    path = tmp_path / "sq.pt"
    write_native(path, Checkpoint("torchvision:squeezenet1_1", {}, net.state_dict(), {}))
    assert load_target(str(path)).architecture == "torchvision:squeezenet1_1"


@pytest.mark.parametrize("name", ["users_nets:make", "./users_nets.py:make", "os:getcwd"])
@pytest.mark.usefixtures("code")
def test_a_native_file_cannot_name_code_to_run(name: str, tmp_path: Path) -> None:
    path = tmp_path / "evil.pt"
    write_native(path, Checkpoint(name, {}, {"w": torch.ones(1)}, {}))
    assert "Unknown architecture" in refusal(str(path)).message


def test_a_native_file_cannot_ask_for_a_huge_network(tmp_path: Path) -> None:
    path = tmp_path / "huge.pt"
    write_native(path, Checkpoint("lstm_lm", {"vocabulary": 10**12}, {"w": torch.ones(1)}, {}))
    assert "vocabulary = 1000000000000 is not allowed" in refusal(str(path)).message


# --- DNW's released files ------------------------------------------------------------------------


@functools.cache
def dense_state(wiring: str = "dnw", classifier: str = "dense") -> dict[str, torch.Tensor]:
    """Weights as DNW's release has them: every edge nonzero."""
    config = {"wiring": wiring, "classifier": classifier}
    with torch.device("meta"):
        shapes = build_model("mobilenetv1_dnw", config).state_dict()
    torch.manual_seed(1)
    state = {name: torch.zeros(like.shape, dtype=like.dtype) for name, like in shapes.items()}
    for name, tensor in state.items():
        if name.endswith("graph.weight"):  # below 2**24 no two of these are equal
            tensor.copy_((torch.randperm(tensor.numel()) + 1).view(tensor.shape))
        elif name.endswith("graph.mask"):
            tensor.bernoulli_(0.1)
    return state


def test_a_released_wiring_keeps_the_edges_its_card_says(release: Release) -> None:
    state = dense_state()
    path = release(state, "dnw_x225.pt")
    loaded = load_target(str(path))
    assert (loaded.name, loaded.weights, loaded.card) == (
        "dnw_x225",
        "trained",
        card("dnw_x225"),
    )
    assert loaded.config == card("dnw_x225").config
    for index, kept in enumerate(KEPT_X225):
        name = f"layers.{index}.graph.weight"
        found = loaded.model.state_dict()[name]
        largest = state[name].abs().flatten().topk(kept).values.min()
        assert torch.equal(found, state[name] * (state[name].abs() >= largest)), name
    assert f"{sum(KEPT_X225)} edges kept, chosen as DNW's release does" in loaded.notes


def test_a_small_released_wiring_prunes_its_classifier_too(release: Release) -> None:
    """d, not d², of the classifier: 1,024,000 - int(0.775 · 1,024,000) = 230,400."""
    path = release(dense_state(classifier="sparse"), "dnw_small_x225.pt")
    found = load_target(str(path)).model.state_dict()["linear.graph.weight"]
    assert int(torch.count_nonzero(found)) == 230_400


def test_a_released_random_graph_keeps_its_own_mask(release: Release) -> None:
    state = dense_state(wiring="random")
    loaded = load_target(str(release(state, "rg_x225.pt")))
    found = loaded.model.state_dict()
    assert torch.equal(found["layers.3.graph.mask"], state["layers.3.graph.mask"])
    assert torch.equal(found["layers.3.graph.weight"], state["layers.3.graph.weight"])
    assert loaded.config["wiring"] == "random"
    assert loaded.notes == ("the wiring is the file's own 0/1 mask",)


def test_a_dense_file_of_another_name_needs_its_rate(release: Release) -> None:
    error = refusal(str(release(dense_state(), "mystery.pt")))
    assert "every edge is stored, and how many are used (prune_rate) is not" in error.message
    assert "Name the file as its card" in str(error.next_step)


def test_a_file_of_another_architecture_is_not_the_cards(files: Files) -> None:
    net = seeded("tiny_static")
    loaded = load_target(str(files.torch(net.state_dict(), name="dnw_x3.pt")))
    assert (loaded.architecture, loaded.card, loaded.name) == ("tiny_static", None, "dnw_x3.pt")


@pytest.mark.parametrize("architecture", ["tiny_static", "tiny_discrete", "tiny_continuous"])
def test_tiny_classifiers_are_recognised_and_pruned_as_published(
    architecture: str, release: Release
) -> None:
    state = seeded(architecture).state_dict()
    (name,) = [key for key in state if key.endswith("graph.weight")]
    state[name] = torch.rand(800, 800, 1, 1) + 0.01
    loaded = load_target(str(release(state, "tiny.pt")))
    assert loaded.architecture == architecture
    assert int(torch.count_nonzero(loaded.model.state_dict()[name])) == 32_000


def test_a_released_resnet_is_pruned_layer_by_layer(files: Files) -> None:
    """conv1 stays whole; fc keeps 2,048,000 - int(0.9 · 2,048,000) = 204,800."""
    state = seeded("resnet50_sparse", density=1.0).state_dict()
    content = {"epoch": 89, "arch": "resnet50", "best_prec1": 75.04}
    content["state_dict"] = {f"module.{key}": value for key, value in state.items()}
    loaded = load_target(str(files.torch(content, legacy=True, name="resnet50_dnw_10.pt")))
    found = loaded.model.state_dict()
    assert loaded.card is card("resnet50_dnw_10")
    assert torch.equal(found["conv1.weight"], state["conv1.weight"])
    assert int(torch.count_nonzero(found["fc.weight"])) == 204_800
    assert torch.equal(found["bn1.weight"], state["bn1.weight"])


def test_a_fetched_file_that_changed_is_refused(release: Release) -> None:
    path = release(dense_state(), "dnw_x225.pt")
    path.with_suffix(".sha256").write_text(f"{'0' * 64}  dnw_x225.pt\n")
    error = refusal(str(path))
    assert f"expected {'0' * 64} (dnw_x225.sha256)" in error.message
    assert "micronet fetch dnw_x225" in str(error.next_step)


def test_an_architecture_in_the_place_of_a_card_is_told_where_it_belongs() -> None:
    with pytest.raises(MicronetError, match="names an architecture") as refused:
        load_target("torchvision:resnet18")
    assert refused.value.next_step == "Name it so: --model torchvision:resnet18"
