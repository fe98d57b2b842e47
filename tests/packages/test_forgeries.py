"""Every false statement of a package is found, although every digest in it is right."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from micronet.packages import names
from micronet.packages.canonical import zipped
from tests.packages.changes import manifest, score, text, with_file
from tests.packages.judging import failed, judged, rows
from tests.packages.made import (
    edited,
    forged,
    members_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from micronet.packages.compose import Members

    Capture = pytest.CaptureFixture[str]
    Change = Callable[[Members], None]


def sparser(members: Members) -> None:
    """Another network: one weight of the checkpoint is zero."""
    from micronet.checkpoints.formats import read_state_file
    from micronet.checkpoints.native import Checkpoint, write_native

    path = Path(os.environ["PYTEST_FOLDER"]) / "other.pt"
    path.write_bytes(members[names.CHECKPOINT])
    state = read_state_file(path)
    tensors = {name: tensor.clone() for name, tensor in state.tensors.items()}
    next(iter(tensors.values()))[0, 0] = 0
    write_native(
        path,
        Checkpoint("lstm_lm", state.meta["config"], tensors, state.meta["provenance"]),
    )
    members[names.CHECKPOINT] = path.read_bytes()


FORGERIES: dict[str, tuple[Change, str, str]] = {
    "fewer bits": (score(storage__bits=1000), "score", "storage.bits is 1,000, recounted 1,216"),
    "fewer operations": (score(operations__total=1), "score", "operations.total is 1, recounted"),
    "a lower score": (score(score__total=1e-9), "score", "score.total is 1e-09"),
    "live edges": (score(layers__0__live=0), "score", "].live is 0"),
    "a layer less": (edited(names.SCORE, lambda d: d["layers"].pop()), "score", "layers has 7"),
    "an invented field": (score(prize="first"), "score", "prize is first, recounted missing"),
    "a note of its own": (score(notes=[]), "score", "notes has 0 entries, recounted 1"),
    "trained": (score(target__weights="trained"), "score", "weights is trained, recounted untr"),
    "qualifying": (score(quality__qualifies=True), "score", "quality.qualifies is True"),
    "infinity": (
        with_file(names.SCORE, b'{"score": Infinity}'),
        "score",
        "score.json: is not JSON (Infinity is no finite number)",
    ),
    "a table of layers": (
        text(names.LAYERS, ",storage_bits", ",storage_bytes"),
        "layers",
        "layers.csv: line 1 is",
    ),
    "a row more": (text(names.LAYERS, "(total)", "x,,\n(total)"), "layers", "layers.csv: line"),
    "metrics": (
        manifest(lambda d: d["metrics"].update(score=0.1)),
        "manifest",
        "metrics.score is 0.1, recounted",
    ),
    "a role": (
        manifest(lambda d: d["files"][0].update(role="nothing")),
        "manifest",
        "files[CITATION.cff].role is nothing, recounted citation",
    ),
    "a component": (
        manifest(lambda d: d["components"][0].update(licence="GPL-3.0")),
        "manifest",
        "components[micronet-wirings].licence is GPL-3.0, recounted Apache-2.0",
    ),
    "another state": (
        manifest(lambda d: d["network"].update(state_sha256="0" * 64)),
        "manifest",
        "network.state_sha256 is 0000",
    ),
    "the write-up": (
        text(names.WRITE_UP, "**0.0000**", "**-1.000**"),
        "documents",
        "README.md: li",
    ),
    "the licence": (with_file(names.LICENCE, b"mine\n"), "documents", "LICENSE: line 1 is 'mine'"),
    "the citation": (text(names.CITATION, "tiny", "huge"), "documents", "CITATION.cff: line 4"),
    "the environment": (text(names.ENVIRONMENT, ">=", "<="), "documents", "environment.json: line"),
    "another book's edition": (
        manifest(lambda d: d["rules"].update(sha256="0" * 64)),
        "rules",
        "another edition of micronet2019: 000000000000, here",
    ),
    "a kinder rule book": (
        manifest(lambda d: d["statement"].update(rules="dnw-release")),
        "rules",
        "the rule book dnw-release is no reading of the challenge's rules",
    ),
    "a batch": (
        manifest(lambda d: d["statement"].update(input=[2, 1])),
        "rules",
        "the input is [2, 1]",
    ),
    "other blanks": (
        lambda members: members.update({names.SCORE: bytes(members[names.SCORE]) + b" "}),
        "documents",
        "score.json is not written as this tool writes it",
    ),
    "other weights": (sparser, "score", "edges.active is 76, recounted 75"),
    "a foreign receipt": (
        with_file("evaluation/x.csv", b"name,label\n"),
        "files",
        "evaluation/x.csv is there and not listed",
    ),
}


@pytest.mark.parametrize("case", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_false_statement_is_found_although_every_digest_is_right(
    case: tuple[Change, str, str],
    tiny: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    change, check, because = case
    monkeypatch.setenv("PYTEST_FOLDER", str(tmp_path))
    path = tmp_path / "entry.zip"
    path.write_bytes(forged(tiny, change))
    code, found = judged(capsys, path)
    assert code == 1
    assert check in failed(found)
    assert because in rows(found)[check]["because"]
    assert found["packages"][0]["verdict"].startswith("refused because ")


def test_the_forger_without_a_forgery_gets_the_same_bytes(tiny: bytes) -> None:
    assert forged(tiny, lambda _: None) == tiny


def test_digests_are_held_against_the_files(tiny: bytes, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "entry.zip"
    change = text(names.LAYERS, "(total)", "(TOTAL)")
    path.write_bytes(forged(tiny, change, listed=False))
    code, found = judged(capsys, path)
    assert code == 1
    assert (
        "layers.csv is not the file that the manifest describes" in rows(found)["files"]["because"]
    )


def test_checksums_are_held_against_the_files(tiny: bytes, tmp_path: Path, capsys: Capture) -> None:
    members = members_of(tiny)
    members[names.CHECKSUMS] = bytes(members[names.CHECKSUMS]).replace(b"a", b"b", 1)
    path = tmp_path / "entry.zip"
    path.write_bytes(zipped(members))
    code, found = judged(capsys, path)
    assert (code, failed(found)) == (1, ["files"])
    assert rows(found)["files"]["because"] == "SHA256SUMS is not that of these files"
