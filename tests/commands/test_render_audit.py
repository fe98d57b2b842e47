"""The views of an audit: every claim, why it fails, what to do, and sums that are the document's."""

from __future__ import annotations

import copy
import io
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from micronet.audit.checks.every import EVERY
from micronet.audit.entry import UNITS
from micronet.commands import console
from micronet.commands.audit_markdown import markdown
from micronet.commands.render_audit import audit_view
from tests.commands.audits import LAYERS, NO_WEIGHTS, audit, claim

HERE = Path(__file__).parent
Document = dict[str, Any]
SCHEMA = json.loads(
    resources.files("micronet").joinpath("audit/audit.schema.json").read_text("utf-8")
)
DIGITS = ("563,638,816", "327,486,720", "2,558,732", "0.97866", "76.1±0.5", "564M", "2,076,038.5")


def coloured(document: Document, width: int | None = None) -> str:
    out = io.StringIO()
    console.write(audit_view(document, width), console.screen(out, width))
    return out.getvalue()


def rendered(document: Document, width: int | None = None) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", coloured(document, width))


def line_of(text: str, *words: str) -> str:
    [line] = [line for line in text.splitlines() if all(word in line for word in words)]
    return line


@pytest.mark.parametrize(
    ("view", "file"), [(rendered, "audit_view.txt"), (markdown, "audit_view.md")]
)
def test_the_views_are_the_golden_ones(view: Any, file: str, tmp_path: Path) -> None:
    actual, golden = tmp_path / file, HERE / file
    actual.write_text(view(audit()), encoding="utf-8")
    assert actual.read_text("utf-8") == golden.read_text("utf-8"), f"if right: cp {actual} {golden}"


@pytest.mark.parametrize(
    ("words", "mark", "verdict"),
    [
        (("nasnet_a_mobile", "macs"), "✓", "holds"),
        (("mobilenet_v2_1.0", "327.5M"), "≈", "other dialect"),
        (("resnet50_dnw_10", "0.8460"), "✗", "fails"),
        (("tiny", "76.1±0.5"), "–", "unjudged"),
    ],
)
def test_a_claim_is_one_line_with_a_mark(words: tuple[str, ...], mark: str, verdict: str) -> None:
    line = line_of(rendered(audit()), *words)
    assert line.startswith(f"{mark}  ")
    assert line.endswith(f"  {verdict}")


def test_the_numbers_of_a_column_end_below_each_other() -> None:
    text = rendered(audit())
    ends = {
        line_of(text, "✓", "macs").index("563,638,816") + len("563,638,816"),
        line_of(text, "✗", "score").index("0.97866") + len("0.97866"),
        line_of(text, "–", "76.1±0.5").rindex("–") + 1,
    }
    assert len(ends) == 1


def test_what_fails_or_holds_elsewhere_is_explained_below_and_what_holds_is_not() -> None:
    document = audit()
    document["entries"][0]["claims"][0]["explanation"] = "macs counts it alike"
    text = rendered(document)
    assert "macs counts it alike" not in text
    after = text[text.index("327.5M") :].splitlines()
    assert after[1:4] == [
        "    thop counts 327,486,720, which rounds to 327.5M",
        "    +300,774,272  multiply-accumulates",
        "     +26,712,448  4 × 6,678,112 BatchNorm elements",
    ]


def test_reasons_why_nothing_is_judged_are_said_once_a_file() -> None:
    text = rendered(audit())
    assert text.count(NO_WEIGHTS) == 2
    assert f"–  nasnet_a_mobile top1: {NO_WEIGHTS}\n" in text
    assert f"–  2 claims: {NO_WEIGHTS}\n" in text


@pytest.mark.parametrize("view", [rendered, markdown])
def test_a_note_that_several_entries_share_is_written_once(view: Any) -> None:
    document = audit()
    for entry in document["entries"]:
        entry["notes"] = ["untrained"]
    document["entries"][3]["notes"] = ["seed 7"]
    text = view(document)
    assert "2 entries: untrained\n" in text
    assert re.search(r"resnet50\\?_dnw\\?_10: untrained\n", text)
    assert "tiny: seed 7\n" in text


@pytest.mark.parametrize("view", [rendered, markdown])
def test_a_finding_names_its_layers_and_its_remedy_and_a_passed_check_is_silent(view: Any) -> None:
    text = view(audit())
    assert "bitmask" in text
    assert f"{', '.join(LAYERS[:4])} and 3 more" in text
    assert "Add a bit an element of every sparse tensor." in text
    assert "all parts add up" not in text
    assert "nothing is quantised" not in text


@pytest.mark.parametrize("count", [1, 4, 5])
def test_a_few_layers_are_named_one_by_one(count: int) -> None:
    document = audit()
    document["entries"][2]["checks"][1]["layers"] = LAYERS[:count]
    assert ", ".join(LAYERS[:count]) in markdown(document)
    assert " more" not in markdown(document)


@pytest.mark.parametrize("view", [rendered, markdown])
def test_a_waterfall_ends_in_the_sum_of_its_rows(view: Any) -> None:
    last = line_of(view(audit()), "recount", "2,076,038.5")
    assert 1_279_366 + 796_672.5 == 2_076_038.5
    assert f"{772_846_965 - 11_114_984:,}" in last
    assert f"{0.846 + 0.11546 - 0.0095:.6f}" in last


@pytest.mark.parametrize("view", [rendered, markdown])
def test_a_waterfall_needs_no_finding(view: Any) -> None:
    document = audit()
    document["entries"][2]["checks"] = []
    assert "2,076,038.5" in view(document)


@pytest.mark.parametrize("view", [rendered, markdown])
def test_totals_are_the_document_s(view: Any) -> None:
    document = audit()
    document["totals"] |= {"claims": 58, "holds": 31, "holds in another dialect": 4}
    document["totals"] |= {"fails": 3, "unjudged": 20, "findings": 0}
    text = view(document)
    assert "58 claims: 31 hold, 4 hold in another dialect, 3 fail, 20 cannot be judged" in text
    assert "0 findings" in text


def test_the_last_line_counts_in_the_singular_too() -> None:
    last = rendered(audit()).splitlines()[-1]
    assert last == "7 claims: 2 hold, 1 holds in another dialect, 1 fails, 3 cannot be judged"


@pytest.mark.parametrize("width", [40, 50, 60, 70, 80, 100, 120, 200])
def test_a_narrow_terminal_loses_columns_never_digits(width: int) -> None:
    text = rendered(audit(), width)
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= width
    assert all(digits in text for digits in DIGITS)
    assert all(name in text for name in ("nasnet_a_mobile", "mobilenet_v2_1.0"))


def test_the_columns_go_one_by_one() -> None:
    head = "   entry             quantity       stated        found"
    heads = [rendered(audit(), width).splitlines()[1].rstrip() for width in (90, 75, 60)]
    assert heads == [f"{head}  dialect       verdict", f"{head}  dialect", head]
    assert rendered(audit(), 45).splitlines()[1:4] == [
        "   quantity       stated        found",
        "nasnet_a_mobile",
        "✓  macs             564M  563,638,816",
    ]


def test_a_claim_is_one_line_at_every_width() -> None:
    for width in range(40, 121):
        text = rendered(audit(), width)
        head = text.splitlines()[1].split()
        line = line_of(text, "macs", "564M", "563,638,816")
        assert ("nasnet_a_mobile" in line) == ("entry" in head)
        assert line.endswith("  holds") == ("verdict" in head)


def test_a_pipe_is_as_wide_as_the_claims_and_prose_is_broken_at_100() -> None:
    document = audit()
    document["entries"][0]["name"] = "n" * 100
    lines = rendered(document).splitlines()
    assert line_of("\n".join(lines), "n" * 100, "564M").endswith("holds")
    assert max(len(line) for line in lines if line.startswith("    ")) <= 100


def test_colours_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b" not in coloured(audit())
    assert "\x1b[1;31m✗" in coloured(audit(), 100)
    assert "\x1b[32m✓" in coloured(audit(), 100)


TEXTS = ("where", "explanation", "because", "stated", "dialect", "title", "remedy")
HOSTILE = "\x1b]0;x\x07[red]a|b`<img src=x>*_#$&\n- c"


def spoilt() -> Document:
    """The hand-written document with every free text hostile."""
    document = audit()
    for entry in document["entries"]:
        entry.update(dict.fromkeys(("name", "title", "by", "where"), HOSTILE))
        entry["file"], entry["notes"] = f"file{HOSTILE}", [HOSTILE]
        for row in (*entry["claims"], *entry["checks"]):
            row.update({key: HOSTILE for key in TEXTS if key in row})
            row.update({"layers": [HOSTILE]} if "layers" in row else {})
            for step in row.get("steps", ()):
                step["name"] = HOSTILE
        for step in entry["waterfall"] or ():
            step["name"] = HOSTILE
    return document


def test_other_people_s_texts_do_not_act_on_a_terminal() -> None:
    text = rendered(spoilt(), 200)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[red]a|b" in text


def test_other_people_s_texts_are_no_markup_on_a_page() -> None:
    text = markdown(spoilt())
    assert re.findall(r"(?<!\\)(?:\\\\)*<(?!br>)", text) == []
    assert "`" not in text.replace("\\`", "").replace("`bitmask`", "").replace("`additions`", "")
    assert "\x1b" not in text
    plain_rows = [re.sub(r"\\.", "", row) for row in text.splitlines() if row.startswith("| ")]
    assert {row.count("|") for row in plain_rows if "holds" in row or "unjudged" in row} == {9}


@pytest.mark.parametrize("name", ["- a", "+ a", "1. a", "# a", "> a", "= a"])
def test_a_line_starts_nothing_but_itself(name: str) -> None:
    document = audit()
    document["entries"][2] |= {"name": name, "notes": ["b"]}
    sign = re.sub(r"([-+.#>=])", r"\\\1", name)
    assert f"\n- {sign}: b\n" in markdown(document)


def test_the_page_is_the_same_every_time_and_ends_in_one_newline() -> None:
    first = markdown(audit())
    assert first == markdown(json.loads(json.dumps(audit())))
    assert first.endswith("\n")
    assert not first.endswith("\n\n")
    assert "  \n" not in first


def problems(document: Document) -> list[str]:
    return [
        error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(document)
    ]


def test_the_document_of_these_tests_is_one_that_the_schema_takes() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert problems(audit()) == []


CLAIM = ("entries", 0, "claims", 0)
FAILED = ("entries", 2, "checks", 1)
REFUSED: dict[str, tuple[tuple[str | int, ...], Any]] = {
    "another edition": (("schema",), "micronet.audit/2"),
    "an audit of nothing": (("entries",), []),
    "an entry that claims nothing": (("entries", 0, "claims"), []),
    "a verdict of one's own": ((*CLAIM, "verdict"), "explained"),
    "a claim that holds without a number": ((*CLAIM, "found"), None),
    "a number as text": ((*CLAIM, "found"), "563,638,816"),
    "an unknown quantity": ((*CLAIM, "quantity"), "flops"),
    "no reason for what cannot be judged": (("entries", 0, "claims", 1, "explanation"), ""),
    "an unknown check": ((*FAILED, "id"), "bit-mask"),
    "an unknown outcome": ((*FAILED, "outcome"), "failed"),
    "a finding without a remedy": ((*FAILED, "remedy"), None),
    "a waterfall of nothing": (("entries", 2, "waterfall"), []),
    "a short digest": (("entries", 2, "target", "sha256"), "abc"),
    "a negative total": (("totals", "fails"), -1),
    "half a claim": (("totals", "claims"), 1.5),
}


@pytest.mark.parametrize("case", REFUSED)
def test_the_schema_refuses(case: str) -> None:
    path, value = REFUSED[case]
    document = audit()
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert problems(document) != []


def tables(value: Any) -> list[Document]:
    """Every JSON object in ``value``."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return ([value] if isinstance(value, dict) else []) + [t for v in inner for t in tables(v)]


def test_the_schema_knows_every_key_and_takes_no_other() -> None:
    whole = audit()
    for index in range(len(tables(whole))):
        more = copy.deepcopy(whole)
        tables(more)[index]["another"] = 1
        assert problems(more) != []
        for key in tables(whole)[index]:
            less = copy.deepcopy(whole)
            del tables(less)[index][key]
            assert problems(less) != [], key


def test_the_schema_knows_every_check() -> None:
    known = SCHEMA["properties"]["entries"]["items"]["properties"]["checks"]["items"]
    assert set(known["properties"]["id"]["enum"]) == {check.id for check in EVERY}


def test_every_quantity_that_may_be_claimed_is_in_the_schema() -> None:
    document = audit()
    document["entries"][0]["claims"] = [
        claim(quantity, "1", "fails", explanation="x") for quantity in UNITS
    ]
    assert problems(document) == []
