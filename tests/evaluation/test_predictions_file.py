"""Predictions survive their file, whatever the names are, and nothing wrong is read from one."""

from __future__ import annotations

import csv
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micronet.errors import MicronetError
from micronet.evaluation import predictions_file, predictions_parquet
from micronet.evaluation.prediction import NONFINITE, TIED, UNREADABLE, Prediction
from micronet.evaluation.predictions_file import (
    COLUMNS,
    predictions_csv,
    read_file,
    read_predictions,
    write_predictions,
)
from tests.evaluation.samples import content, prediction

if TYPE_CHECKING:
    from pathlib import Path

ALL_KINDS = (
    prediction(0, name="n01440764/a.JPEG"),
    prediction(1, name='a "quoted", comma\nand new line', margin_percent=0, state=TIED),
    prediction(2, name="carriage\rreturn\r\n", margin_percent=100),
    prediction(3, name=os.fsdecode(b"\xff\xfe latin \xe9"), top=(1, 0)),
    prediction(4, name="图/ü …", top=(), margin_percent=None, state=NONFINITE),
    prediction(
        5, name=" blank ", top=(), margin_percent=None, state=UNREADABLE, problem='broken: "x", y'
    ),
    prediction(
        6, top=(), margin_percent=None, state=UNREADABLE, problem="gone", content="", label=0
    ),
)
REAL = ((7,), (), (1, 2, 30), (0,), (999,), (), (5, 6))
SUFFIXES = ["csv", "parquet"]


def needs(suffix: str) -> None:
    if suffix == "parquet":
        pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")


def test_the_bytes_are_these(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    write_predictions(path, ALL_KINDS[:2], real=((7, 8), ()))
    assert path.read_text("utf-8").split("\n") == [
        "name,label,top1,top2,top3,top4,top5,margin,state,content,problem,real",
        f'"n01440764/a.JPEG",7,7,3,1,0,2,0.73,"ok","{content(0)}","","7 8"',
        '"a ""quoted"", comma',
        f'and new line",7,7,3,1,0,2,0.00,"tied","{content(1)}","",""',
        "",
    ]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_kind_of_prediction_comes_back(tmp_path: Path, suffix: str) -> None:
    needs(suffix)
    path = tmp_path / f"p.{suffix}"
    write_predictions(path, ALL_KINDS)
    assert read_predictions(path) == ALL_KINDS
    assert read_file(path).real is None


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_real_labels_come_back(tmp_path: Path, suffix: str) -> None:
    needs(suffix)
    path = tmp_path / f"p.{suffix}"
    write_predictions(path, ALL_KINDS, real=REAL)
    found = read_file(path)
    assert (found.predictions, found.real) == (ALL_KINDS, REAL)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=12), min_size=1, unique=True))
def test_any_bytes_are_a_name(names: list[bytes]) -> None:
    made = tuple(prediction(i, name=os.fsdecode(name)) for i, name in enumerate(names))
    data = predictions_csv(made)
    rows = csv.reader(data.decode("utf-8", errors="surrogateescape").splitlines(keepends=True))
    assert [os.fsencode(row[0]) for row in rows][1:] == names


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_predictions_are_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    needs(suffix)
    one, two = tmp_path / f"1.{suffix}", tmp_path / f"2.{suffix}"
    for path in (one, two):
        write_predictions(path, ALL_KINDS)
    assert one.read_bytes() == two.read_bytes()


def test_parquet_holds_numbers_and_texts(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "p.parquet"
    write_predictions(path, ALL_KINDS[:3])
    schema = parquet.read_schema(path)
    assert [str(schema.field(name).type) for name in ("name", "label", "margin")] == [
        "string", "int32", "double",
    ]  # fmt: skip


def test_without_pyarrow_the_remedy_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MicronetError, match="need pyarrow") as raised:
        write_predictions(tmp_path / "p.parquet", ALL_KINDS)
    assert raised.value.next_step is not None
    assert "micronet-wirings[parquet]" in raised.value.next_step


def test_two_images_of_one_name_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(MicronetError, match="Two images have the same name, 'x'"):
        write_predictions(tmp_path / "p.csv", [prediction(0, name="x"), prediction(1, name="x")])


def test_predictions_out_of_order_are_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="in order"):
        predictions_csv([prediction(1), prediction(0)])


# --- what is not read -----------------------------------------------------------------------------

GOOD = {
    "name": "x", "label": "7", "top1": "7", "top2": "3", "top3": "1", "top4": "0", "top5": "2",
    "margin": "0.73", "state": "ok", "content": content("x"), "problem": "",
}  # fmt: skip
NO_TOP = {"top1": "", "top2": "", "top3": "", "top4": "", "top5": ""}
BAD: dict[str, tuple[dict[str, str], str]] = {
    "no name": ({"name": ""}, "a name of 0 characters"),
    "an endless name": ({"name": "x" * 4097}, "a name of 4097 characters"),
    "a label that is no number": ({"label": "cat"}, "label has 'cat', expected a class number"),
    "a negative label": ({"label": "-1"}, "label has '-1'"),
    "a label with digits of another script": ({"label": "٧"}, "label has"),
    "an endless label": ({"label": "1" * 5000}, "label has '1111"),
    "a gap": ({"top2": ""}, "the best classes are '7' '' '1'"),
    "a class twice": ({"top2": "7"}, "the best classes are '7' '7'"),
    "a margin of two": ({"margin": "2.00"}, "margin is '2.00', expected 0.00 to 1.00"),
    "a margin that is no number": ({"margin": "nan"}, "margin is 'nan'"),
    "an unknown state": ({"state": "fine"}, "state is 'fine', expected one of ok, tied"),
    "no answer": (NO_TOP, "state ok goes with an answer and a margin"),
    "no margin": ({"margin": ""}, "state ok goes with an answer and a margin"),
    "an answer of nothing": ({"state": "nonfinite"}, "neither an answer nor a margin"),
    "a problem with a good image": ({"problem": "hm"}, "state ok, but the problem is 'hm'"),
    "no problem with a bad one": (
        {**NO_TOP, "margin": "", "state": "unreadable"}, "state unreadable, but the problem is ''",
    ),
    "a short digest": ({"content": "abc"}, "content is 'abc', expected a sha256"),
    "no digest": ({"content": ""}, "content is '', expected a sha256"),
}  # fmt: skip


def table(*rows: dict[str, str], columns: tuple[str, ...] = COLUMNS) -> str:
    return "".join(f"{','.join(line)}\n" for line in (columns, *(row.values() for row in rows)))


def refused(path: Path, text: str | bytes) -> MicronetError:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(MicronetError) as raised:
        read_predictions(path)
    assert str(path) in raised.value.message
    assert "\n" not in raised.value.message
    assert len(raised.value.message) < 400
    return raised.value


def test_a_table_by_hand_is_read(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(table(GOOD, {**GOOD, "name": "y"}), encoding="utf-8")
    one, two = read_predictions(path)
    assert one == prediction(0, name="x", content=content("x"))
    assert (two.index, two.name) == (1, "y")


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_row_is_refused(tmp_path: Path, change: dict[str, str], message: str) -> None:
    error = refused(tmp_path / "p.csv", table(GOOD, {**GOOD, "name": "y", **change}))
    assert "image 2" in error.message
    assert message in error.message


def test_a_name_that_was_there_before_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path / "p.csv", table(GOOD, GOOD))
    assert "image 2: the name 'x' was there before" in error.message


FILES: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "the columns are , expected name,label"),
    "no images": (table(), "has no predictions"),
    "other columns": ("a,b\n1,2\n", "the columns are a,b, expected name,label,top1"),
    "columns in another order": (
        table(columns=COLUMNS[::-1]), "the columns are problem,content,state"
    ),
    "a short row": (table(GOOD) + "x,7\n", "image 2: 2 columns, expected 11"),
    "an endless field": ("x" * 200_000, "field larger than field limit"),
    "an open quote": (table(GOOD) + '"x', "image 2: unexpected end of data"),
    "noise": (bytes(range(256)), "the columns are"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), FILES.values(), ids=FILES.keys())
def test_what_is_no_such_file_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    assert message in refused(tmp_path / "p.csv", text).message


def test_a_file_that_is_too_large_is_not_taken_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictions_file, "MAX_FILE_BYTES", 50)
    assert "more than 50 bytes" in refused(tmp_path / "p.csv", table(GOOD)).message


@pytest.mark.parametrize("kind", ["missing", "a folder", "a pipe"])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "p.csv"
    if kind == "a folder":
        path.mkdir()
    if kind == "a pipe":
        os.mkfifo(path)
    with pytest.raises(MicronetError, match=r"p\.csv: (cannot be read|is)"):
        read_predictions(path)


def test_noise_is_no_parquet(tmp_path: Path) -> None:
    needs("parquet")
    assert "is not a Parquet file" in refused(tmp_path / "p.parquet", b"PAR1 no").message


def test_other_parquet_columns_are_refused(tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "p.parquet"
    parquet.write_table(pa.table({"x": [1]}), path)
    assert "the columns are x, expected" in refused(path, path.read_bytes()).message


@pytest.mark.parametrize("limit", ["MAX_ROWS", "MAX_UNPACKED_BYTES"])
def test_a_parquet_file_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    needs("parquet")
    path = tmp_path / "p.parquet"
    write_predictions(path, ALL_KINDS)
    monkeypatch.setattr(predictions_parquet, limit, 5)
    assert "are refused" in refused(path, path.read_bytes()).message


HUGE = 2**18
BOMBS: dict[str, tuple[Any, str]] = {
    "a list": ([[1, 2]], "column 'name' holds list<"),
    "a long text many times": (["x" * HUGE] * 1000, "a text of more than 131,072 is refused"),
    "long bytes": ([b"x" * HUGE], "a text of more than 131,072 is refused"),
}


@pytest.mark.parametrize(("names", "message"), BOMBS.values(), ids=BOMBS.keys())
def test_a_small_parquet_file_cannot_fill_the_memory(
    tmp_path: Path, names: list[Any], message: str
) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "p.parquet"
    columns = {name: [cell] * len(names) for name, cell in GOOD.items()}
    parquet.write_table(pa.table({**columns, "name": names}), path)
    assert path.stat().st_size < HUGE
    assert message in refused(path, path.read_bytes()).message


def test_a_bad_parquet_cell_is_refused_as_in_csv(tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "p.parquet"
    row: dict[str, Any] = {**GOOD, "margin": float("nan")}
    parquet.write_table(pa.table({name: [cell] for name, cell in row.items()}), path)
    assert "image 1: margin is 'nan'" in refused(path, path.read_bytes()).message


def test_a_prediction_is_right_by_its_first_class() -> None:
    found: Prediction = prediction(label=3)
    assert (found.correct, found.correct5) == (False, True)
