"""From file to file: the bill stays, the outputs stay, and a failed proof leaves nothing behind."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import micronet
from micronet.checkpoints.digest import sha256_of
from micronet.checkpoints.factory import factory_of
from micronet.checkpoints.native import Checkpoint, write_native
from micronet.checkpoints.target import LoadedTarget, load_target
from micronet.errors import Finding, MicronetError
from micronet.models import build_model
from micronet.scoring import score_target
from micronet.slimming import slim as slimming
from micronet.slimming.bill import Bill, bill_of
from micronet.slimming.plan import Plan, make_plan
from micronet.slimming.slim import Outcome, slim_target
from micronet.slimming.verify import network_of
from tests.slimming import zoo
from tests.slimming.zoo import RandomNet, made_sparse

ZOO = str(Path(zoo.__file__))
SMALL = f"{ZOO}:small"


def torchvision_file(folder: Path, name: str) -> tuple[Path, str]:
    """A network of torchvision with 90 % zeros and an eighth of its channels killed."""
    torch.manual_seed(0)
    path = folder / f"{name}.pth"
    torch.save(made_sparse(factory_of(f"torchvision:{name}").build()).state_dict(), path)
    return path, f"torchvision:{name}"


def native_file(folder: Path, architecture: str, config: Mapping[str, Any]) -> tuple[Path, None]:
    """One of our wirings with statistics in its norms, and its first graph's nodes killed by hand."""
    torch.manual_seed(0)
    model = made_sparse(build_model(architecture, config), density=1)
    state = model.state_dict()
    graph = next(name for name in state if name.endswith("graph.weight"))
    state[graph][:40] = 0  # never fed
    state[graph][:, 40:50] = 0  # never read
    path = folder / f"{architecture}.pt"
    write_native(path, Checkpoint(architecture, config, state, {"weights": "untrained"}))
    return path, None


def wiring(folder: Path, wires: str) -> tuple[Path, None]:
    config = {"density": 0.15, "wiring": wires, "classes": 10, "image_size": 32}
    return native_file(folder, "mobilenetv1_dnw", config)


Make = Callable[[Path], tuple[Path, str | None]]
CASES: dict[str, tuple[Make, tuple[int, ...]]] = {
    "resnet18": (lambda folder: torchvision_file(folder, "resnet18"), (1, 3, 64, 64)),
    "mobilenet_v2": (lambda folder: torchvision_file(folder, "mobilenet_v2"), (1, 3, 64, 64)),
    "learned wiring": (lambda folder: wiring(folder, "dnw"), (1, 3, 32, 32)),
    "random wiring": (lambda folder: wiring(folder, "random"), (1, 3, 32, 32)),
    "tiny_static": (lambda folder: native_file(folder, "tiny_static", {}), (1, 3, 32, 32)),
}


@dataclass(frozen=True)
class Case:
    """An original, what slim did with it, and the two score documents."""

    loaded: LoadedTarget
    outcome: Outcome
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@pytest.fixture(scope="module", params=list(CASES))
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("slim")
    make, shape = CASES[request.param]
    path, model = make(folder)
    loaded = load_target(str(path), model=model, input_shape=shape)
    outcome = slim_target(loaded, folder / "slim.pt", model=model)
    before = score_target(loaded, rules="micronet2019")
    after = micronet.score(outcome.path, rules="micronet2019", input_shape=shape).document
    return Case(loaded, outcome, before, after)


def operations(document: Mapping[str, Any]) -> Counter[tuple[str, str, str]]:
    """Counts by module, operator (with or without a bias it is the same one) and kind."""
    found: Counter[tuple[str, str, str]] = Counter()
    for row in document["layers"]:
        for kind in ("multiplications", "additions", "other", "live"):
            found[row["name"], row["operator"].removeprefix("add"), kind] += row[kind]
    return +found


def storage(document: Mapping[str, Any]) -> Counter[str]:
    """Bits by role; a shift that became a bias is a bias."""
    by = Counter(document["storage"]["by"])
    by["bias"] += by.pop("normalisation", 0)
    return by


def holds_zeros(loaded: LoadedTarget) -> bool:
    """Whether it stores a constant of zeros, whose elements are priced if any edge reads them.

    Those edges are dead, and without them some of the constant is not read any more.
    """
    return loaded.architecture.startswith("tiny_")


def test_the_tally_is_the_live_tally_of_the_original(case: Case) -> None:
    """Operator by operator and role by role, read from the file without --model."""
    before, after = case.before, case.after
    assert operations(after) == operations(before)
    assert after["operations"] == before["operations"]
    was, now = storage(before), storage(after)
    if holds_zeros(case.loaded):
        assert now.pop("values") <= was.pop("values")
    assert now == was
    edges = before["edges"]
    assert edges["live"] < edges["active"]
    assert after["edges"] == edges | {"active": edges["live"]}


def test_the_outcome_says_the_same_as_the_score(case: Case) -> None:
    outcome = case.outcome
    for bill, document in ((outcome.before, case.before), (outcome.after, case.after)):
        for kind in ("multiplications", "additions", "other"):
            assert bill.total(kind) == document["operations"][kind]
        assert sum(bill.storage_bits.values()) == document["storage"]["bits"]
    assert outcome.before.operations == outcome.after.operations
    assert outcome.after.active == outcome.after.live == outcome.before.live


def test_the_proof_has_figures_within_its_tolerances(case: Case) -> None:
    proof = case.outcome.proof
    assert (proof.random_inputs, proof.images) == (3, 0)
    assert proof.folds_difference is not None
    assert proof.folds_difference <= 1e-9
    assert proof.file_difference <= 1e-4


def test_the_file_is_smaller_and_alone_in_its_folder(case: Case) -> None:
    path, outcome = case.loaded.path, case.outcome
    assert path is not None
    assert outcome.size_bytes == outcome.path.stat().st_size < path.stat().st_size
    assert outcome.size_before_bytes == path.stat().st_size
    assert outcome.sha256 == sha256_of(outcome.path)
    assert set(outcome.path.parent.iterdir()) == {outcome.path, path}


def test_every_norm_that_the_counter_folds_is_folded_or_named(case: Case) -> None:
    network = network_of(case.loaded.model, case.loaded.inputs)
    norms = {network.trace.operations[i].module for i in network.folds}
    plan = case.outcome.plan
    assert {f.norm for f in plan.folds} | {left.norm for left in plan.left} == norms
    assert plan.folds


def test_slimming_again_changes_nothing(tmp_path: Path) -> None:
    """No edge is dead, no norm folds, and the earlier folds are still known to the file."""
    path, _ = native_file(tmp_path, "tiny_static", {})
    slim_target(load_target(str(path)), tmp_path / "once.pt")
    first = load_target(str(tmp_path / "once.pt"))
    again = slim_target(first, tmp_path / "twice.pt")
    assert (again.plan.dead, again.plan.folds) == ({}, ())
    state = first.model.state_dict()
    assert "downsample.0.bias" in state
    assert not [name for name in state if name.startswith("downsample.1.")]
    for name, tensor in load_target(str(again.path)).model.state_dict().items():
        assert torch.equal(tensor, state.pop(name)), name
    assert state == {}


@pytest.mark.parametrize("seed", range(12))
def test_random_networks(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kind of convolution, with and without norms; the bill never grows, operators stay."""
    torch.manual_seed(seed)
    model = made_sparse(RandomNet(seed), seed, density=0.3)
    monkeypatch.setattr(zoo, "current", lambda: made_sparse(RandomNet(seed)), raising=False)
    path = tmp_path / "net.pth"
    torch.save(model.state_dict(), path)
    spec = "tests.slimming.zoo:current"
    outcome = slim_target(load_target(str(path), model=spec), tmp_path / "slim.pt", model=spec)
    assert outcome.after.operations == outcome.before.operations
    assert outcome.after.dearer_than(outcome.before) == []
    assert {"never_used.weight", "never_used.bias"} <= set(outcome.absent)
    assert outcome.after.active == outcome.after.live == outcome.before.live


def small(folder: Path) -> LoadedTarget:
    path = folder / "small.pth"
    torch.save(zoo.small().state_dict(), path)
    return load_target(str(path), model=SMALL)


def with_a_live_edge(model: nn.Module, network: Any) -> Plan:
    """A plan that also takes one live edge, the first of the stem."""
    plan = make_plan(model, network)
    weight = model.get_parameter("stem.weight")
    live = (weight != 0) & ~plan.dead.get("stem.weight", torch.zeros_like(weight).bool())
    more = torch.zeros(weight.shape, dtype=torch.bool)
    more.view(-1)[int(live.flatten().nonzero()[0])] = True
    return replace(plan, dead={**plan.dead, "stem.weight": more})


def test_a_live_edge_that_goes_is_a_finding_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = small(tmp_path)
    monkeypatch.setattr(slimming, "make_plan", with_a_live_edge)
    with pytest.raises(Finding, match=r"looked dead is not: without it, output 1 of 3 differs by"):
        slim_target(loaded, tmp_path / "slim.pt", model=SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["small.pth"]


def test_a_wrong_fold_is_a_finding_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shift that is off by 1e-6 is beyond what float64 may differ by."""
    loaded = small(tmp_path)

    def wrong(model: nn.Module, network: Any) -> Plan:
        plan = make_plan(model, network)
        assert plan.folds
        return replace(plan, folds=tuple(replace(f, shift=f.shift + 1e-6) for f in plan.folds))

    monkeypatch.setattr(slimming, "make_plan", wrong)
    with pytest.raises(Finding, match=r"folded in float64: the output differs .* allowed is 1e-09"):
        slim_target(loaded, tmp_path / "slim.pt", model=SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["small.pth"]


def test_a_file_that_answers_otherwise_is_a_finding_and_is_not_kept(tmp_path: Path) -> None:
    spec = f"{ZOO}:restless"
    out = tmp_path / "slim.pt"
    with pytest.raises(Finding, match="read back in float32: the output differs"):
        slim_target(load_target(None, model=spec), out, model=spec)
    assert list(tmp_path.iterdir()) == []


def test_a_bill_that_grows_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = small(tmp_path)
    seen: list[Bill] = []

    def growing(network: Any, model: nn.Module) -> Bill:
        bill = bill_of(network, model)
        seen.append(bill)
        if len(seen) == 1:
            return bill
        more = {key: count + 1 for key, count in bill.operations.items()}
        return replace(bill, operations=more)

    monkeypatch.setattr(slimming, "bill_of", growing)
    with pytest.raises(Finding, match="costs more than the original is scored for: "):
        slim_target(loaded, tmp_path / "slim.pt", model=SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["small.pth"]


def test_the_input_is_not_overwritten(tmp_path: Path) -> None:
    loaded = small(tmp_path)
    assert loaded.path is not None
    (tmp_path / "link.pt").symlink_to(loaded.path)
    before = sha256_of(loaded.path)
    for out in (loaded.path, tmp_path / "link.pt"):
        with pytest.raises(MicronetError, match="is the input; slim does not overwrite it"):
            slim_target(loaded, out, model=SMALL)
    assert sha256_of(loaded.path) == before


def test_fetched_weights_and_folders_are_not_overwritten(tmp_path: Path) -> None:
    loaded = small(tmp_path)
    (tmp_path / "dnw_x225.sha256").write_text("0" * 64, encoding="utf-8")
    with pytest.raises(MicronetError, match="holds fetched weights"):
        slim_target(loaded, tmp_path / "dnw_x225.pt", model=SMALL)
    with pytest.raises(MicronetError, match="is a folder, expected a file"):
        slim_target(loaded, tmp_path, model=SMALL)
    assert loaded.path is not None
    with pytest.raises(MicronetError, match="cannot be written: "):
        slim_target(loaded, loaded.path / "slim.pt", model=SMALL)


def test_nothing_is_known_to_be_dead_without_weights(tmp_path: Path) -> None:
    loaded = load_target(None, model="torchvision:resnet18")
    with pytest.raises(MicronetError, match="has no weights here"):
        slim_target(loaded, tmp_path / "slim.pt")


def test_code_of_the_users_runs_again_only_when_the_user_says_so(tmp_path: Path) -> None:
    out = tmp_path / "slim.pt"
    slim_target(small(tmp_path), out, model=SMALL)
    with pytest.raises(MicronetError) as caught:
        load_target(str(out))
    assert "that is code, and no file can have it run" in caught.value.message
    assert "--model package.module:factory" in str(caught.value.next_step)
    loaded = load_target(str(out), model=SMALL)
    assert not [m for m in loaded.model.modules() if isinstance(m, nn.BatchNorm1d)]


def test_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    loaded = small(tmp_path)
    one = slim_target(loaded, tmp_path / "one.pt", model=SMALL)
    two = slim_target(loaded, tmp_path / "two.pt", model=SMALL)
    assert one.sha256 == two.sha256


def test_what_the_file_said_of_its_training_is_kept(tmp_path: Path) -> None:
    path, recipe = tmp_path / "t.pt", {"epochs": 5}
    state = made_sparse(build_model("tiny_static", {}), density=1).state_dict()
    provenance = {"weights": "trained", "recipe": recipe}
    write_native(path, Checkpoint("tiny_static", {}, state, provenance, {"fc.weight": {"bits": 8}}))
    out = tmp_path / "slim.pt"
    slim_target(load_target(str(path)), out)
    value = torch.load(out, weights_only=True)
    assert value["provenance"]["recipe"] == recipe
    assert value["provenance"]["weights"] == "trained"
    assert value["provenance"]["slim"]["from_sha256"] == sha256_of(path)
    assert value["provenance"]["slim"]["input"] == [1, 3, 32, 32]
    assert value["quantisation"] == {"fc.weight": {"bits": 8}}
    assert load_target(str(out)).weights == "trained"


def photographs() -> Path:
    folder = os.environ.get("MICRONET_TEST_DATA")
    if folder is None:
        pytest.skip("MICRONET_TEST_DATA is not set: no folder with imagenet-cc/val/<wnid>/*.jpg")
    return Path(folder) / "imagenet-cc" / "val"


def test_real_images(tmp_path: Path) -> None:
    """Eight photographs join the three random inputs."""
    data = photographs()
    path, model = torchvision_file(tmp_path, "resnet18")
    loaded = load_target(str(path), model=model)
    outcome = slim_target(loaded, tmp_path / "slim.pt", model=model, data=data)
    assert (outcome.proof.random_inputs, outcome.proof.images) == (3, 8)
    assert outcome.proof.file_difference <= 1e-4
