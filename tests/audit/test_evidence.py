"""Evidence documents: what is written is what is read, and a hostile one is refused in two lines."""

from __future__ import annotations

import copy
import json
from dataclasses import fields, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from micronet.audit.audit import audit_document
from micronet.audit.entry import ClaimsFile, Declared, Entry, LayerRow, stated_claim
from micronet.audit.evidence import Evidence, document, evidence_path, read
from micronet.audit.gather import gather
from micronet.audit.reconciled import reconcile
from micronet.audit.sound import schema_of
from micronet.checkpoints.target import load_target
from micronet.errors import MicronetError
from micronet.reports import write_receipt
from micronet.scoring.printed import printed

if TYPE_CHECKING:
    from collections.abc import Iterator

Document = dict[str, Any]
ACTIVATION: Document = {
    "layer": "features.0",
    "operator": "convolution",
    "operand": "input",
    "weight": "features.0.weight",
    "call": 0,
    "role": "layer",
    "examples": 2,
    "elements": 300,
    "distinct": None,
    "codes": 256,
    "lowest": -1.5,
    "highest": 2.25,
    "code": "grid",
    "bits": 8,
    "grid": {"scale": 0.5, "offset": 0.0},
}
CALIBRATED: Document = {
    "rules": "micronet2019",
    "examples": 2,
    "operations": "54241/2",
    "multiplications": "3/2",
    "additions": "4",
    "other": "0",
    "storage_bits": 320,
    "paths": [],
}
STEP: Document = {"name": "claimed", "parameters": 1.5, "operations": 2, "score": 0.846}


@cache
def counted() -> Evidence:
    """A real network, with everything that evidence may hold beside the counts."""
    found = gather(load_target(None, model="torchvision:squeezenet1_1"))
    return replace(
        found,
        waterfall=(STEP,),
        activations=(ACTIVATION,),
        calibrated=(CALIBRATED,),
        remarks={"macs": "a remark"},
        notes=("a note",),
    )


def written() -> Document:
    return copy.deepcopy(document(counted()))


def put(value: object, path: Path) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def refused(path: Path) -> str:
    with pytest.raises(MicronetError) as raised:
        read(path)
    assert raised.value.exit_code == 2
    assert str(raised.value).count("\n") <= 1
    assert len(str(raised.value)) < 500 + len(str(path))
    return str(raised.value)


# --- what is written is what is read --------------------------------------------------------------


@pytest.mark.parametrize("model", ["squeezenet1_1", "mobilenet_v2", "swin_v2_t", "resnext50_32x4d"])
def test_what_is_written_is_what_is_read(model: str, tmp_path: Path) -> None:
    found = gather(load_target(None, model=f"torchvision:{model}"))
    path = evidence_path(tmp_path, model)
    write_receipt(path, document(found))
    assert read(path) == found


def test_every_part_survives(tmp_path: Path) -> None:
    path = tmp_path / "x.evidence.json"
    write_receipt(path, document(counted()))
    assert read(path) == counted()


def test_a_file_that_was_written_anew_is_read_anew(tmp_path: Path) -> None:
    """Though it is as long as before, and written within the clock's tick."""
    for track in ("imagenet", "cifar100", None):
        path = put(changed(("track",), track), tmp_path / "x.evidence.json")
        assert read(path).track == track


def test_the_file_has_a_name_that_stays_in_its_folder(tmp_path: Path) -> None:
    path = evidence_path(tmp_path, "../a b/torchvision:x")
    assert path == tmp_path / "reports" / "receipts" / "a-b-torchvision-x.evidence.json"


def test_the_document_keeps_to_its_schema() -> None:
    schema = schema_of("evidence")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(written())


def test_what_goes_without_saying_is_not_written() -> None:
    """A layer of dense 32-bit floats says neither so, nor its number of edges three times."""
    first = written()["layers"][0]
    assert first["live"] == 64 * 3 * 3 * 3
    spared = {"stored", "active", "macs_stored", "macs_active", "multiplications", "weight_bits"}
    assert not spared & set(first)
    assert counted().layers[0]["stored"] == 64 * 3 * 3 * 3


def test_layers_are_named_once() -> None:
    """A row about the same layers as one before refers to it."""
    named = [row["layers"] for row in written()["deviations"]]
    lists = [tuple(each) for each in named if isinstance(each, list) and each]
    assert len(lists) == len(set(lists))
    assert any(isinstance(each, int) for each in named)


# --- hostile documents ----------------------------------------------------------------------------


def changed(path: tuple[str | int, ...], value: object) -> Document:
    found = written()
    place: Any = found
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return found


HOSTILE: dict[str, tuple[tuple[str | int, ...], object]] = {
    "another edition": (("schema",), "micronet.evidence/2"),
    "no target": (("target",), None),
    "a target without name": (("target", "name"), ""),
    "a digest that is none": (("target", "sha256"), "0" * 63),
    "an input of no size": (("target", "input"), [1, 0]),
    "an unknown track": (("track",), "mnist"),
    "rules as a list": (("rules",), []),
    "a digest of rules as a number": (("rules", "thop"), 1),
    "counts as an object": (("counts",), {}),
    "a count as a text": (("counts", 0), "thop"),
    "a count of true": (("counts", 0, "number"), True),
    "a float count": (("counts", 0, "number"), 1.5),
    "a negative count": (("counts", 0, "number"), -1),
    "a huge count": (("counts", 0, "number"), 10**31),
    "a ratio by nothing": (("counts", 0, "number"), "1/0"),
    "a number that takes gigabytes": (("counts", 0, "number"), "1e999999999"),
    "a quantity of its own": (("counts", 0, "quantity"), "energy"),
    "a formula that does not add up": (("counts", 0, "formula", 0, "count"), 1),
    "a formula of nothing": (("counts", 0, "formula", 0), {}),
    "a change as a list": (("deviations", 0, "change"), [1]),
    "a layer that is no text": (("deviations", 0, "layers"), [1]),
    "layers of a row that is not there": (("deviations", 0, "layers"), 10**6),
    "layers of the row itself": (("deviations", 0, "layers"), 0),
    "layers of a row below 0": (("deviations", 0, "layers"), -1),
    "a layer with no groups": (("layers", 0, "groups"), 0),
    "a layer of no size": (("layers", 0, "weight_shape"), [64, 0]),
    "a weight without dimensions": (("layers", 0, "weight_shape"), []),
    "more live than stored": (("layers", 0, "stored"), 1),
    "a width of a thousand bits": (("layers", 0, "weight_bits"), 1000),
    "a waterfall of texts": (("waterfall",), ["x"]),
    "a step without parameters": (("waterfall",), [{"name": "x"}]),
    "activations without grid": (("activations",), [{**ACTIVATION, "grid": {}}]),
    "activations with more": (("activations",), [{**ACTIVATION, "more": 1}]),
    "a grid with more": (
        ("activations",),
        [{**ACTIVATION, "grid": {"scale": 1, "offset": 0, "x": 1}}],
    ),
    "a role of its own": (("activations",), [{**ACTIVATION, "role": "x"}]),
    "a mean as a float": (("calibrated",), [{**CALIBRATED, "operations": 1.5}]),
    "a remark as a number": (("remarks",), 1),
    "notes as a text": (("notes",), "note"),
    "notes of numbers": (("notes",), [1]),
    "something nobody knows": (("extra",), 1),
}


@pytest.mark.parametrize(("path", "value"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_document_is_refused(
    path: tuple[str | int, ...], value: object, tmp_path: Path
) -> None:
    said = refused(put(changed(path, value), tmp_path / "x.evidence.json"))
    assert "is no micronet.evidence/1 document" in said


@pytest.mark.parametrize("key", ["schema", *(field.name for field in fields(Evidence))])
def test_no_part_may_be_missing(key: str, tmp_path: Path) -> None:
    found = {name: part for name, part in written().items() if name != key}
    assert f"{key} is missing" in refused(put(found, tmp_path / "x.evidence.json"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '{"schema": NaN}',
        '{"schema": Infinity}',
        '{"schema": 1e999}',
        '{"schema": ' + "9" * 5000 + "}",
        "[" * 100_000,
        '{"a": ' * 5000 + "1" + "}" * 5000,
        '{"schema": "micronet.evidence/1", "schema": "micronet.evidence/1"}',
        '"\\ud800"',
    ],
)
def test_what_is_no_document_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.evidence.json"
    path.write_text(text, encoding="utf-8")
    refused(path)


def test_a_file_beyond_all_measure_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.evidence.json"
    with path.open("wb") as file:
        file.truncate(10**12)
    assert "more than 16,000,000 bytes" in refused(path)


def test_a_folder_or_nothing_is_refused(tmp_path: Path) -> None:
    assert "is a folder" in refused(tmp_path)
    assert "cannot be read" in refused(tmp_path / "nothing")


STATED = {"parameters": "1.2M", "macs": "349M", "operations": "700M", "bits": "40M", "score": "0.5"}
ENTRY = Entry(
    name="x",
    title="x",
    by="x",
    where="x",
    claims=tuple(stated_claim(what, number, where="x") for what, number in STATED.items()),
    declared=Declared(
        freebie=True, sparsity=Fraction(9, 10), weight_bits=4, activation_bits=8, addition_bits=16
    ),
    layers=(LayerRow("features.0", macs=3, sparsity=Fraction(1, 2), weight_bits=2, input_bits=4),),
)
CLAIMS = ClaimsFile("x", Path("x.toml"), (ENTRY,))


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place of a document, the whole first; of long arrays the first two entries."""
    yield path
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value[:2]):
            yield from places(each, (*path, key))


def somewhere() -> st.SearchStrategy[tuple[str | int, ...]]:
    return st.sampled_from(list(places(written()))[1:])


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9)
    | st.sampled_from(["1/3", "-5", "1/0", "1e9999999", "9" * 4000]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(where=st.deferred(somewhere), value=ANYTHING)
def test_whatever_stands_anywhere_it_is_refused_or_can_be_worked_with(
    where: tuple[str | int, ...], value: object, tmp_path: Path
) -> None:
    """No value at any place leads to anything but a MicronetError, there or afterwards."""
    path = put(changed(where, value), tmp_path / "x.evidence.json")
    try:
        found = read(path)
    except MicronetError:
        refused(path)
        return
    reconcile("4.2M", printed("4.2M"), found, None).document()
    audit_document([CLAIMS], lambda _: (found, ""), lambda _, __: None)
