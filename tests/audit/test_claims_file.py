"""A claims file is read strictly, and whatever is wrong with it is said in two lines."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from micronet.audit.claims_file import MOST_BYTES, MOST_SIGNS, load
from micronet.audit.entry import Declared, LayerRow, Training, from_card
from micronet.checkpoints.card import card
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = """
title = "One entry with everything"

[[entry]]
name = "theirs"
title = "Their network"
by = "They"
where = "README.md"
model = "nets/theirs.py:build"
weights = "nets/theirs.pth"
input = [1, 3, 32, 32]
track = "cifar100"

[[entry.claim]]
quantity = "macs"
stated = "515,231,310"
unit = "FLOPs"
dialect = "thop"
where = "table 2"

[[entry.claim]]
quantity = "score"
stated = "0.8460"

[[entry.claim]]
quantity = "top1"
stated = "76.1±0.5"

[entry.declared]
freebie = false
sparsity = "0.9"
dense = ["conv1"]
weight_bits = 8
activation_bits = 7
addition_bits = 32

[entry.training]
card = "tiny_static_dnw"
edges = 31_999
images = 50_000
test_images = 10_000
cycle_rates = [0.1, 1]

[[entry.layer]]
name = "conv1"
parameters = 864
macs = "3/2"
multiplications = 1
additions = 2
operations = 2.5
bits = 6912
sparsity = "0.5"
weight_bits = 8
input_bits = 7

[[entry.part]]
of = "macs"
name = "stem"
stated = "1.2M"
"""
LEAST = """title = "t"
[[entry]]
name = "n"
title = "t"
by = "b"
where = "w"
[[entry.claim]]
quantity = "macs"
stated = "1M"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "claims.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str) -> str:
    path = written(folder, text)
    with pytest.raises(MicronetError) as caught:
        load(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert "\n" not in caught.value.message
    return caught.value.message.removeprefix(f"{path}: ")


def test_everything_that_may_be_claimed_is_read(tmp_path: Path) -> None:
    file = load(written(tmp_path, WHOLE))
    [entry] = file.entries
    assert (file.title, file.name) == ("One entry with everything", "claims.toml")
    assert entry.declared == Declared(False, Fraction(9, 10), ("conv1",), 8, 7, 32)  # noqa: FBT003
    assert entry.layers == (
        LayerRow("conv1", 864, Fraction(3, 2), 1, 2, Fraction(5, 2), 6912, Fraction(1, 2), 8, 7),
    )
    [part] = entry.parts
    assert (part.of, part.name, part.printed.number) == ("macs", "stem", Fraction(1_200_000))
    assert (entry.input, entry.track) == ((1, 3, 32, 32), "cifar100")
    assert entry.training == Training("tiny_static_dnw", 31_999, 50_000, 10_000, (0.1, 1.0))


def test_a_claim_knows_its_number_its_unit_its_dialect_and_its_place(tmp_path: Path) -> None:
    macs, score, top1 = load(written(tmp_path, WHOLE)).entries[0].claims
    assert (macs.stated, macs.printed.number) == ("515,231,310", Fraction(515_231_310))
    assert (macs.unit, macs.dialect, macs.where) == ("FLOPs", "thop", "table 2")
    assert (score.unit, score.dialect, score.where) == ("score", "micronet2019", "README.md")
    assert (top1.stated, top1.printed.spread, top1.dialect) == ("76.1±0.5", Fraction(1, 2), None)


def test_what_is_left_out_is_nothing(tmp_path: Path) -> None:
    [entry] = load(written(tmp_path, LEAST)).entries
    assert entry.declared == Declared()
    assert entry.training is None
    assert (entry.layers, entry.parts, entry.card, entry.model, entry.why) == (
        (),
        (),
        None,
        None,
        None,
    )
    assert entry.claims[0].unit == "multiply-accumulates"


def test_a_whole_number_of_a_layer_is_an_int(tmp_path: Path) -> None:
    [row] = load(written(tmp_path, WHOLE)).entries[0].layers
    assert type(row.parameters) is int
    assert type(row.macs) is Fraction


def test_their_files_lie_beside_the_claims(tmp_path: Path) -> None:
    [entry] = load(written(tmp_path, WHOLE)).entries
    assert entry.model == f"{tmp_path}/nets/theirs.py:build"
    assert entry.weights == tmp_path / "nets/theirs.pth"


@pytest.mark.parametrize("spec", ["torchvision:resnet50", "timm.models.resnet:resnet50"])
def test_a_model_that_is_no_file_is_left_as_it_is(tmp_path: Path, spec: str) -> None:
    text = LEAST.replace('where = "w"', f'where = "w"\nmodel = "{spec}"')
    assert load(written(tmp_path, text)).entries[0].model == spec


def test_settings_of_an_architecture_are_plain_values(tmp_path: Path) -> None:
    target = 'architecture = "resnet50_sparse"\nconfig = { density = 0.2, dense_first = true }'
    [entry] = load(
        written(tmp_path, LEAST.replace('where = "w"', f'where = "w"\n{target}'))
    ).entries
    assert entry.config == {"density": 0.2, "dense_first": True}
    assert type(entry.config["density"]) is float


def test_an_entry_may_take_the_claims_of_its_card_along(tmp_path: Path) -> None:
    target = 'card = "resnet50_dnw_10"\nclaims_from = "card"'
    [entry] = load(
        written(tmp_path, LEAST.replace('where = "w"', f'where = "w"\n{target}'))
    ).entries
    stated = [claim.stated for claim in entry.claims]
    assert stated == [claim.stated for claim in card("resnet50_dnw_10").claims] + ["1M"]
    assert (entry.input, entry.track) == ((1, 3, 224, 224), "imagenet")


def test_an_entry_may_take_the_figures_of_the_baseline_it_is_called_as(tmp_path: Path) -> None:
    text = LEAST.replace('name = "n"', 'name = "mobilenet_v2_1.0"\nclaims_from = "baseline"')
    quantities = [c.quantity for c in load(written(tmp_path, text)).entries[0].claims]
    assert quantities == ["parameters", "macs", "top1", "macs"]


def test_a_card_as_an_entry_keeps_its_claims_and_their_places() -> None:
    known = card("resnet50_dnw_10")
    entry = from_card(known)
    assert (entry.name, entry.card, entry.track) == (known.name, known.name, "imagenet")
    assert [(c.quantity, c.stated, c.unit, c.where) for c in entry.claims] == [
        (c.quantity, c.stated, c.unit, c.where) for c in known.claims
    ]
    assert [c.dialect for c in entry.claims if c.quantity == "score"] == ["micronet2019"]


def changed(old: str, new: str) -> str:
    assert WHOLE.count(old) >= 1
    return WHOLE.replace(old, new, 1)


WRONG = {
    "an unknown key": (changed("[entry.declared]", "[entry.declard]"), "did you mean 'declared'?"),
    "an unknown quantity": (
        changed('quantity = "macs"', 'quantity = "mac"'),
        "entry[0].claim[0].quantity should be one of",
    ),
    "its near miss": (changed('quantity = "macs"', 'quantity = "mac"'), "did you mean 'macs'?"),
    "no number": (changed('"515,231,310"', '"~5M"'), "claim[0].stated cannot be read: '~5M'"),
    "a number instead of its text": (changed('"515,231,310"', "515231310"), "should be a text"),
    "an unknown rule book": (changed('"thop"', '"thopp"'), "did you mean 'thop'?"),
    "an unknown track": (changed('"cifar100"', '"cifar10"'), "did you mean 'cifar100'?"),
    "a missing name": (changed('name = "theirs"', ""), "entry[0].name is missing"),
    "a name that is a path": (changed('"theirs"', '"../theirs"'), "name should be letters"),
    "a path upwards": (changed("nets/theirs.pth", "../theirs.pth"), "weights should be a path within"),
    "an absolute path": (changed("nets/theirs.pth", "/etc/passwd"), "weights should be a path within"),
    "code from elsewhere": (changed("nets/theirs.py", "/x.py"), "model should be a path within"),
    "a model that is none": (changed("nets/theirs.py:build", "os.system('x')"), "model should be"),
    "two targets": (changed("weights =", 'card = "rg_x49"\nweights ='), "model is one target too many"),
    "weights of nothing": (
        changed('model = "nets/theirs.py:build"', ""),
        "weights belongs to a card or a model",
    ),
    "a target and why there is none": (changed("track =", 'why = "x"\ntrack ='), "why says that"),
    "an input of nothing": (changed("[1, 3, 32, 32]", "[]"), "input should be 1 to 8 sizes"),
    "an input too large": (changed("32, 32]", "99_999, 99_999]"), "at most 100,000,000 elements"),
    "a share above all": (changed('sparsity = "0.9"', "sparsity = 90"), "should be a share from 0 to 1"),
    "not a number": (changed('sparsity = "0.9"', "sparsity = nan"), "sparsity should be a number"),
    "infinity": (changed("bits = 6912", "bits = inf"), "bits should be a number"),
    "a width beyond all": (changed("weight_bits = 8", "weight_bits = 65"), "at most 64 bits"),
    "a count below none": (changed("parameters = 864", "parameters = -1"), "a count from 0 to 10^30"),
    "a count beyond all": (changed("864", "1" + 40 * "0"), "a count from 0 to 10^30"),
    "a layer twice": (
        changed("[[entry.part]]", '[[entry.layer]]\nname = "conv1"\n[[entry.part]]'),
        "layer is there twice: conv1",
    ),
    "a part of what is not claimed": (changed('of = "macs"', 'of = "bits"'), "part adds up to bits"),
    "a control sign": (changed('"Their network"', '"a\\u001b[31mb"'), "title should be one line"),
    "two lines": (changed('"Their network"', '"a\\nb"'), "title should be one line"),
    "a claim twice": (
        changed('stated = "0.8460"', 'stated = "76.1±0.5"').replace('"score"', '"top1"'),
        "claim is there twice: top1 76.1±0.5, README.md",
    ),
    "claims of no card": (changed("track =", 'claims_from = "card"\ntrack ='), "finds no card"),
    "claims of no baseline": (
        changed("track =", 'claims_from = "baseline"\ntrack ='),
        "finds no baseline 'theirs'",
    ),
    "a training by no card": (changed("tiny_static_dnw", "tiny_static"), "training.card should be one"),
    "a card without a recipe": (
        changed("tiny_static_dnw", "mobilenet_v1"),
        "training.card has no recipe: mobilenet_v1",
    ),
    "a network without edges": (changed("31_999", "0"), "training.edges should be a whole number of 1"),
    "a training that forgets its test": (
        changed("test_images", "tested"),
        "training.test_images is missing",
    ),
    "a rate that is none": (changed("[0.1, 1]", '["fast"]'), "cycle_rates[0] should be a number"),
    "settings of nothing": (changed("track =", "config = { width = 2 }\ntrack ="), "config is unknown"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(tmp_path: Path, case: str) -> None:
    text, message = WRONG[case]
    assert message in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{ denstiy = 0.2 }", "config.denstiy is unknown (did you mean 'density'?)"),
        ("{ density = 2 }", "resnet50_sparse: density = 2.0 is not allowed. Expected a number"),
        ('{ density = "a" }', "config.density should be a number"),
    ],
)
def test_a_setting_is_judged_by_its_architecture(tmp_path: Path, config: str, message: str) -> None:
    target = f'architecture = "resnet50_sparse"\nconfig = {config}'
    assert message in refusal(tmp_path, LEAST.replace('where = "w"', f'where = "w"\n{target}'))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "title is missing; entry is missing."),
        ('title = "t"\nentry = []', "nothing is claimed"),
        (LEAST[: LEAST.index("[[entry.claim]]")], "an entry that claims nothing"),
        (LEAST + LEAST.removeprefix('title = "t"'), "entry is there twice: n"),
        ("title", "is not TOML"),
        ('a = 1\na = "\\u001b"', "is not TOML"),
    ],
    ids=["nothing", "no entry", "no claim", "an entry twice", "no TOML", "a key twice"],
)
def test_a_file_of_nothing_or_no_toml_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert message in refusal(tmp_path, text)


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    message = refusal(tmp_path, WHOLE.replace("macs", "mac").replace("theirs", "the irs"))
    assert message.count("; ") == 3  # the name, two quantities, and the layer's unknown column
    assert all(
        each in message for each in ("name", "claim[0].quantity", "part[0].of", "mac is unknown")
    )


def test_a_thousand_problems_are_not(tmp_path: Path) -> None:
    message = refusal(tmp_path, LEAST + "".join(f'"\\u001b{n}" = 1\n' for n in range(1000)))
    assert "and more." in message
    assert message.isprintable()
    assert len(message) < 21 * 420


def hostile() -> dict[str, tuple[bytes, str]]:
    return {
        "a file of more than 1 MB": (b"#" * (MOST_BYTES + 1), "more than 1,000,000 bytes"),
        "a key of many dots": (b"a." * MOST_SIGNS + b"a = 1", "has a line of 4,005 signs"),
        "arrays in arrays": (
            b"a = " + (b"[" * 1000 + b"\n") * 90,
            "is not TOML (maximum recursion",
        ),
        "no text": (b'title = "\xff"', "is not TOML"),
        "an endless number": (b"a = " + b"9" * 1900 + b"\n", "title is missing"),
        "a number of an endless exponent": (b"a = 1e99999999999999999999", "endless exponent"),
    }


@pytest.mark.parametrize("case", hostile())
def test_a_hostile_file_is_refused_at_once(tmp_path: Path, case: str) -> None:
    data, message = hostile()[case]
    path = tmp_path / "claims.toml"
    path.write_bytes(data)
    start = time.monotonic()
    with pytest.raises(MicronetError) as caught:
        load(path)
    assert time.monotonic() - start < 2
    assert message in caught.value.message


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MicronetError, match="is a folder, expected a file"):
        load(tmp_path)
    with pytest.raises(MicronetError, match="No such file"):
        load(tmp_path / "none.toml")


def test_every_way_to_spoil_a_file_ends_in_claims_or_in_a_refusal(tmp_path: Path) -> None:
    """Each line left out, doubled, or given another value: never another exception."""
    lines, read = WHOLE.splitlines(), 0
    values: list[Any] = ["[]", "{}", "-1", "nan", '""', "true", "1979-05-27", "0x10", '"\\u0000"']
    spoilt: list[list[str]] = []
    for i, line in enumerate(lines):
        spoilt += [[*lines[:i], *lines[i + 1 :]], [*lines[:i], line, *lines[i:]]]
        if " = " in line:
            key = line.partition(" = ")[0]
            spoilt += [[*lines[:i], f"{key} = {value}", *lines[i + 1 :]] for value in values]
    for text in spoilt:
        try:
            load(written(tmp_path, "\n".join(text)))
            read += 1
        except MicronetError as error:
            assert error.message.isprintable()  # noqa: PT017
    assert 0 < read < len(spoilt)
