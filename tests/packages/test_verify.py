"""Verification: a good package passes anywhere, what cannot be judged says why, nothing is run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from micronet import cli
from micronet.packages import names
from micronet.packages.texts import json_bytes
from tests.packages.changes import manifest, score, text, with_file, without_file
from tests.packages.judging import failed, judged, rows
from tests.packages.made import (
    document,
    forged,
    tiny_checkpoint,
    tiny_package,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from micronet.packages.compose import Members

    Capture = pytest.CaptureFixture[str]
    Change = Callable[[Members], None]


def test_a_good_package_is_verified_where_nothing_else_is(zip_file: Path) -> None:
    """A process of its own, in a folder with the zip alone, without a shelf, a home or a cache."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "MICRONET_CHECKPOINTS": "/nonexistent",
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "200",
    }
    done = subprocess.run(
        [sys.executable, "-m", "micronet", "verify", "entry.zip"],
        cwd=zip_file.parent,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "verified, does not qualify because no accuracy was measured" in done.stdout
    assert [path.name for path in zip_file.parent.iterdir()] == ["entry.zip"]


def test_every_row_of_a_good_package(zip_file: Path, capsys: Capture) -> None:
    code, found = judged(capsys, zip_file)
    outcomes = {name: row["outcome"] for name, row in rows(found).items()}
    skipped = dict.fromkeys(("evaluation", "quality", "signature"), "skipped")
    passed = ("archive", "files", "rules", "checkpoint", "score", "layers", "freebie", "manifest")
    assert outcomes == {**dict.fromkeys((*passed, "documents"), "pass"), **skipped}
    assert (code, found["packages"][0]["outcome"]) == (0, "does not qualify")
    assert found["packages"][0]["recounted"]["bits"] == 76 * 16  # 76 values at 16 bits


UNJUDGED: dict[str, tuple[Change, str, str]] = {
    "no manifest": (without_file(names.MANIFEST), "files", "it is no package: it has no manifest"),
    "no checkpoint": (without_file(names.CHECKPOINT), "files", "it lacks checkpoint.pt"),
    "an unknown file": (with_file("run.sh", b"rm"), "files", "run.sh is no file of a package"),
    "no JSON": (with_file(names.MANIFEST, b"{"), "files", "manifest.json: is not JSON"),
    "NaN": (with_file(names.MANIFEST, b'{"a": NaN}'), "files", "is no finite number"),
    "deep JSON": (with_file(names.MANIFEST, b"[" * 100_000), "files", "manifest.json: is not JSON"),
    "a list": (with_file(names.MANIFEST, b"[]"), "files", "is an array of 0, expected object"),
    "another schema": (
        with_file(names.MANIFEST, json_bytes({"schema": "x"})),
        "files",
        "schema is 'x', expected 'micronet.package/1'",
    ),
    "a path for a name": (
        manifest(lambda d: d["statement"].update(name="../x")),
        "files",
        "statement.name is '../x'",
    ),
    "a track that is none": (
        manifest(lambda d: d["statement"].update(track="mnist")),
        "files",
        "statement.track is 'mnist'",
    ),
    "a rule book that is none": (
        manifest(lambda d: d["statement"].update(rules="mine")),
        "rules",
        "There is no rule book 'mine' here",
    ),
    "no checkpoint's bytes": (
        with_file(names.CHECKPOINT, b"MZ" + bytes(100)),
        "checkpoint",
        "checkpoint.pt: is of no kind that micronet reads",
    ),
    "a checkpoint that is code": (
        with_file(names.CHECKPOINT, b"cos\nsystem\n(S'touch owned'\ntR."),
        "checkpoint",
        "checkpoint.pt:",
    ),
    "foreign code": (
        manifest(lambda d: d["statement"].update(model="net.py:net")),
        "checkpoint",
        "its network is built by code, net.py:net, which is not run",
    ),
}


@pytest.mark.parametrize("case", UNJUDGED.values(), ids=UNJUDGED.keys())
def test_what_cannot_be_judged_exits_with_2_and_a_reason(
    case: tuple[Change, str, str], tiny: bytes, tmp_path: Path, capsys: Capture
) -> None:
    change, check, because = case
    path = tmp_path / "entry.zip"
    path.write_bytes(
        forged(tiny, change, listed=names.MANIFEST not in because and check != "files")
    )
    code, found = judged(capsys, path)
    assert (code, found["packages"][0]["outcome"]) == (2, "refused")
    assert because in rows(found)[check]["because"]
    assert str(tmp_path) not in rows(found)[check]["because"]
    assert f"{tempfile.gettempdir()}/micronet-" not in json.dumps(found)


def test_a_hostile_zip_exits_with_2_and_its_reason(
    tmp_path: Path, tiny: bytes, capsys: Capture
) -> None:
    path = tmp_path / "entry.zip"
    path.write_bytes(tiny[:-1])
    code, found = judged(capsys, path)
    assert (code, failed(found)) == (2, ["archive"])
    path.write_bytes(b"")
    assert judged(capsys, path)[1]["packages"][0]["because"] == ["it is empty"]


def test_a_file_that_is_not_there_gets_two_lines(tmp_path: Path, capsys: Capture) -> None:
    assert cli.main(["verify", str(tmp_path / "no.zip")]) == 2
    assert len(capsys.readouterr().err.splitlines()) <= 2
    assert cli.main(["verify", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err


def test_one_bad_package_does_not_hide_the_others(
    zip_file: Path, tiny: bytes, tmp_path: Path, capsys: Capture
) -> None:
    bad = tmp_path / "bad.zip"
    bad.write_bytes(tiny + b"x")
    code, found = judged(capsys, bad, zip_file)
    assert code == 2
    assert [each["outcome"] for each in found["packages"]] == ["refused", "does not qualify"]
    assert found["totals"] == {"packages": 2, "verified": 0, "does not qualify": 1, "refused": 1}


def test_nobody_has_more_than_three_entries_on_a_track(tmp_path: Path, capsys: Capture) -> None:
    paths = []
    for number in range(4):
        path = tmp_path / f"{number}.zip"
        path.write_bytes(tiny_package(tmp_path, authors=(f"Author {number}",)))
        paths.append(path)
    again = tmp_path / "again.zip"
    again.write_bytes(paths[0].read_bytes())
    code, found = judged(capsys, *paths[:3], again)  # one of them twice
    assert (code, found["entries"]) == (
        0,
        [{"track": "wikitext103", "packages": 3, "most": 3, "outcome": "pass"}],
    )
    code, found = judged(capsys, *paths)
    assert (code, found["entries"][0]["outcome"]) == (1, "fail")
    assert cli.main(["verify", *map(str, paths)]) == 1
    assert "4 entries on track wikitext103, a team may have 3" in capsys.readouterr().out


def test_a_required_quality_that_nobody_measured_is_not_judged(zip_file: Path) -> None:
    assert cli.main(["verify", str(zip_file)]) == 0
    assert cli.main(["verify", str(zip_file), "--require-quality"]) == 2


def test_code_in_a_package_is_never_run(tmp_path: Path, capsys: Capture) -> None:
    """A factory that would leave a file behind, in a package that names it as its network."""
    trap = tmp_path / "ran"
    source = tmp_path / "evil.py"
    source.write_text(f"open({str(trap)!r}, 'w').close()\n")
    package = tiny_package(tmp_path, code=(source,))
    claimed = forged(package, manifest(lambda d: d["statement"].update(model="evil.py:net")))
    path = tmp_path / "entry.zip"
    for content in (package, claimed):
        path.write_bytes(content)
        cli.main(["verify", str(path)])
    assert "evil.py:net, which is not run" in capsys.readouterr().out
    assert not trap.exists()


def test_a_checkpoint_that_names_code_is_refused(tmp_path: Path, tiny: bytes) -> None:
    from micronet.checkpoints.formats import read_state_file
    from micronet.checkpoints.native import Checkpoint, write_native

    state = read_state_file(tiny_checkpoint(tmp_path / "tiny.pt"))
    write_native(tmp_path / "evil.pt", Checkpoint("os:system", {}, state.tensors, {}))
    content = (tmp_path / "evil.pt").read_bytes()
    path = tmp_path / "entry.zip"
    path.write_bytes(forged(tiny, with_file(names.CHECKPOINT, content)))
    assert cli.main(["verify", str(path)]) == 2


def test_another_versions_words_are_not_held_against_it(
    tmp_path: Path, tiny: bytes, capsys: Capture
) -> None:
    """Its numbers are."""
    older = manifest(lambda d: d["made_by"].update(version="0.0.9"))
    path = tmp_path / "entry.zip"
    path.write_bytes(forged(forged(tiny, older), text(names.WRITE_UP, "Approach", "The approach")))
    code, found = judged(capsys, path)
    assert (code, failed(found)) == (0, [])
    assert rows(found)["documents"]["because"].startswith("written by micronet 0.0.9")
    path.write_bytes(forged(forged(tiny, older), score(storage__bits=1)))
    code, found = judged(capsys, path)
    assert (code, failed(found)) == (1, ["score"])


def test_names_of_other_people_do_not_act_on_the_terminal(
    tmp_path: Path, tiny: bytes, capsys: Capture
) -> None:
    path = tmp_path / "entry.zip"
    path.write_bytes(forged(tiny, score(target__name="\x1b[2J[bold]x")))
    assert cli.main(["verify", str(path)]) == 1
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\\x1b[2J[bold]x" in shown


def test_the_freebie_is_not_for_who_quantises(tmp_path: Path, capsys: Capture) -> None:
    """Weights of two values are stored in one bit: the 16-bit freebie is lost, and the layer named."""
    from micronet.checkpoints.build import seeded_model
    from micronet.checkpoints.native import Checkpoint, write_native
    from micronet.checkpoints.target import load_target
    from micronet.packages.build import Order, build

    config = {"vocabulary": 40, "embedding": 16, "hidden": 16}
    state = dict(seeded_model("lstm_lm", config, 1).state_dict())
    for name, tensor in state.items():
        state[name] = tensor.sign() * 0.5 if tensor.dim() == 2 else tensor
    write_native(tmp_path / "q.pt", Checkpoint("lstm_lm", config, state, {}))
    made = build(Order(load_target(str(tmp_path / "q.pt")), "wikitext103", "micronet2019")).content
    assert document(made, names.SCORE)["freebie"] is False
    path = tmp_path / "entry.zip"
    path.write_bytes(made)
    code, found = judged(capsys, path)
    assert (code, rows(found)["freebie"]["outcome"]) == (0, "pass")
    path.write_bytes(forged(made, score(freebie=True)))
    code, found = judged(capsys, path)
    assert code == 1
    assert "taken, but " in rows(found)["freebie"]["because"]
    assert "is stored in 1 bits" in rows(found)["freebie"]["because"]
