"""torch.export archives: weights without unpickling, and running one only when told to."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from micronet.checkpoints.formats import read_state_file
from micronet.checkpoints.target import load_target
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore")  # torch.export warns of its own internals
CONFIG = "data/weights/model_weights_config.json"


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).eval()


@pytest.fixture(scope="module")
def archive(net: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pt2") / "net.pt2"
    torch.export.save(torch.export.export(net, (torch.randn(1, 3, 8, 8),)), path)
    return path


def test_the_weights_are_read(archive: Path, net: nn.Module) -> None:
    state = read_state_file(archive)
    assert state.format == "pt2"
    assert set(state.tensors) == set(net.state_dict())
    for name, tensor in net.state_dict().items():
        assert torch.equal(state.tensors[name], tensor), name
    assert state.meta["input"] == {"shape": [1, 3, 8, 8], "dtype": "float32"}


def test_running_one_needs_trust(archive: Path) -> None:
    with pytest.raises(MicronetError, match="torch executes parts of it: pickled constants"):
        load_target(str(archive))


def test_with_trust_it_runs_as_the_original(archive: Path, net: nn.Module) -> None:
    loaded = load_target(str(archive), trust=True)
    image = torch.randn(1, 3, 8, 8)
    assert torch.equal(loaded.model(image), net(image))
    assert loaded.inputs.shape == (1, 3, 8, 8)
    assert any("executed parts" in note for note in loaded.notes)


def test_its_weights_go_into_an_architecture_without_trust(
    archive: Path, net: nn.Module, tmp_path: Path
) -> None:
    code = tmp_path / "mine.py"
    code.write_text(
        "from torch import nn\n"
        "def make():\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())\n"
    )
    loaded = load_target(str(archive), model=f"{code}:make")
    assert torch.equal(loaded.model.state_dict()["0.weight"], net.state_dict()["0.weight"])


def rewritten(archive: Path, out: Path, name: str, change: Callable[[Any], Any]) -> Path:
    """The archive with the JSON record ``name`` changed."""
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            if info.filename.endswith(name):
                content = json.dumps(change(json.loads(content))).encode()
            new.writestr(info.filename, content)
    return out


def with_entry(**change: Any) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        value["config"]["0.weight"] |= change
        return value

    return apply


def with_meta(**change: Any) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        value["config"]["0.weight"]["tensor_meta"] |= change
        return value

    return apply


WRONG = {
    "pickled weight": (with_entry(use_pickle=True), "0.weight is stored as a pickle"),
    "missing record": (with_entry(path_name="weight_99"), "no record 'data/weights/weight_99'"),
    "escaping record": (with_entry(path_name="../../x"), "no record 'data/weights/../../x'"),
    "shape too large": (
        with_meta(sizes=[{"as_int": 2**40}], strides=[{"as_int": 1}]),
        "0.weight: shape [1099511627776] needs more than its 108 numbers",
    ),
    "negative offset": (with_meta(storage_offset={"as_int": -1}), "0.weight: -1 in its shape"),
    "expression in a shape": (
        with_meta(sizes=[{"as_expr": {"expr_str": "__import__('os').system('true')"}}]),
        "0.weight: its description is not torch.export's",
    ),
    "unknown type": (with_meta(dtype=99), "0.weight: type 99"),
    "no table": (lambda _: {"config": [1]}, "has no table 'config'"),
    "no object": (lambda _: [1], "is not a table"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_description_is_refused(name: str, archive: Path, tmp_path: Path) -> None:
    change, expected = WRONG[name]
    path = rewritten(archive, tmp_path / "wrong.pt2", CONFIG, change)
    with pytest.raises(MicronetError) as caught:
        read_state_file(path)
    assert expected in caught.value.message


def test_an_archive_of_an_older_torch_says_so(tmp_path: Path) -> None:
    path = tmp_path / "old.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("version", "5.3")
        archive.writestr("serialized_exported_program.json", "{}")
    with pytest.raises(MicronetError, match=r"written by torch before 2\.8"):
        read_state_file(path)
