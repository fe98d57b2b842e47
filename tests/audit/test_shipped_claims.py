"""The shipped claims: every row of the published tables, each figure once, each with its source."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from micronet.audit.entry import UNITS, Entry
from micronet.audit.shipped import shipped_claims
from micronet.checkpoints.card import cards
from micronet.models import ARCHITECTURES, build_model
from micronet.scoring.baselines import baselines
from micronet.scoring.leaderboard import leaderboard

PAPER = "arXiv 1906.00586"
RESPONSE = "authors' response"
README = "github.com/allenai/dnw, README.md"
CHALLENGE = "micronet-challenge.github.io"

BEYOND = ("_snfs", "_set", "_rigl", "_st3")  # cards whose methods are not the paper's

# (entry, words of the source, {quantity: stated}); one line is one row of a published table.
ROWS = [
    # DNW's README, table of ImageNet models
    ("mobilenet_v1_0.25", README, {"parameters": "0.5M", "macs": "41M", "top1": "50.6"}),
    ("shufflenet_v2_0.5", README, {"parameters": "1.4M", "macs": "41M", "top1": "60.3"}),
    ("mobilenet_v1_0.5", README, {"parameters": "1.3M", "macs": "149M", "top1": "63.7"}),
    ("shufflenet_v2_1.0", README, {"parameters": "2.3M", "macs": "146M", "top1": "69.4"}),
    ("rg_x225", README, {"parameters": "1.2M", "macs": "55.7M", "top1": "53.3"}),
    ("dnw_small_x15", README, {"parameters": "0.24M", "macs": "22.1M", "top1": "50.3"}),
    ("dnw_small_x225", README, {"parameters": "0.4M", "macs": "41.2M", "top1": "59.9"}),
    ("dnw_x225", README, {"parameters": "1.1M", "macs": "42.1M", "top1": "60.9"}),
    ("dnw_x3", README, {"parameters": "1.3M", "macs": "66.7M", "top1": "65.0"}),
    ("rg_x49", README, {"parameters": "1.8M", "macs": "170M", "top1": "64.1"}),
    ("dnw_x49", README, {"parameters": "1.8M", "macs": "154M", "top1": "70.4"}),
    # the authors' response
    ("mnv1_582M", RESPONSE, {"parameters": "4.2M", "macs": "582M", "top1": "74.4"}),
    ("darts_first_release", RESPONSE, {"parameters": "4.9M", "macs": "595M", "top1": "73.1"}),
    ("resnet50_dnw_10_all", RESPONSE, {"top1": "74.6"}),
    ("resnet50_dnw_20_all", RESPONSE, {"top1": "76.6"}),
    ("resnet50_dnw_10", RESPONSE, {"top1": "75.5"}),
    ("resnet50_dnw_20", RESPONSE, {"top1": "76.8"}),
    ("resnet50_snfs_10", RESPONSE, {"top1": "73.1"}),
    # its other rows, which the networks' own papers state alike
    ("nasnet_a_mobile", "1707.07012", {"parameters": "5.3M", "macs": "564M", "top1": "74.0"}),
    ("pnasnet5_mobile", "1712.00559", {"parameters": "5.1M", "macs": "588M", "top1": "74.2"}),
    ("mobilenet_v1", "1704.04861", {"parameters": "4.2M", "macs": "569M", "top1": "70.6"}),
    ("darts_imagenet", "1806.09055", {"parameters": "4.7M", "macs": "574M", "top1": "73.3"}),
    # sparse ResNet-50
    ("resnet50_dnw_10_all", PAPER, {"top1": "74.03"}),
    ("resnet50_dnw_10", PAPER, {"top1": "75.04"}),
    ("resnet50_dnw_20_all", PAPER, {"top1": "76.16"}),
    ("resnet50_dnw_20", PAPER, {"top1": "76.60"}),
    ("resnet50_dnw_30_all", PAPER, {"top1": "76.90"}),
    ("resnet50_dnw_30", PAPER, {"top1": "77.08"}),
    ("resnet50_dense", PAPER, {"top1": "77.51"}),
    ("resnet50_snfs_10", PAPER, {"top1": "72.9"}),
    ("resnet50_snfs_20", PAPER, {"top1": "74.9"}),
    # tiny classifiers on CIFAR-10
    ("tiny_static_random", README, {"parameters": "41k", "top1": "76.1±0.5"}),
    ("tiny_static_dnw", README, {"parameters": "41k", "top1": "80.9±0.6"}),
    ("tiny_discrete_random", README, {"parameters": "41k", "top1": "77.3±0.7"}),
    ("tiny_discrete_dnw", README, {"parameters": "41k", "top1": "82.3±0.6"}),
    ("tiny_continuous_random", README, {"parameters": "41k", "top1": "78.5±1.2"}),
    ("tiny_continuous_dnw", README, {"parameters": "41k", "top1": "83.1±0.3"}),
    # ways to find the edges of MobileNetV1 ×0.225 on CIFAR-10
    ("cifar10_mobilenetv1_x25", PAPER, {"top1": "86.3±.2"}),
    ("cifar10_random", PAPER, {"top1": "87.2±.1"}),
    ("cifar10_no_update", PAPER, {"top1": "86.7±.5"}),
    ("cifar10_l1_anneal", PAPER, {"top1": "84.3±.6"}),
    ("cifar10_targeted_dropout", PAPER, {"top1": "89.2±.4"}),
    ("cifar10_lottery_one_shot", PAPER, {"top1": "87.9±.3"}),
    ("cifar10_fine_tune_1", PAPER, {"top1": "89.4±.2"}),
    ("cifar10_fine_tune_01", PAPER, {"top1": "89.7±.1"}),
    ("cifar10_fine_tune_001", PAPER, {"top1": "88.7±.2"}),
    ("cifar10_dnw", PAPER, {"top1": "89.7±.2"}),
    # the challenge entry
    ("resnet50_dnw_10", "micro-net-dnw", {"parameters": "2,558,732", "macs": "515,231,310"}),
    ("resnet50_dnw_10", "micro-net-dnw", {"top1": "75.228", "top5": "92.620"}),
    ("resnet50_dnw_10", "micro-net-dnw", {"operations": "1,030,462,620", "score": "1.251568"}),
    ("resnet50_dnw_10", CHALLENGE, {"score": "0.8460"}),
    # the yardsticks, and what they were made from
    ("mobilenet_v2_1.0", "1801.04381", {"parameters": "3.4M", "macs": "300M", "top1": "72.0"}),
    ("mobilenet_v2_1.4", "1801.04381", {"parameters": "6.9M", "macs": "585M", "top1": "74.7"}),
    ("mobilenet_v2_1.4", CHALLENGE, {"parameters": "6.9M", "operations": "1170M"}),
    ("wideresnet_28_10", CHALLENGE, {"parameters": "36.5M", "operations": "10.49B"}),
    ("lstm_wikitext103", CHALLENGE, {"parameters": "159M", "operations": "318M"}),
    (
        "efficientnet_lite0",
        "tensorflow/tpu",
        {"parameters": "4.7M", "macs": "407M", "top1": "75.1"},
    ),
]


def entries() -> dict[str, Entry]:
    return {entry.name: entry for file in shipped_claims() for entry in file.entries}


@pytest.mark.parametrize(("name", "source", "stated"), ROWS, ids=lambda value: str(value)[:40])
def test_every_row_of_the_published_tables_is_a_claim(
    name: str, source: str, stated: dict[str, str]
) -> None:
    claimed = {(c.quantity, c.stated) for c in entries()[name].claims if source in c.where}
    assert set(stated.items()) <= claimed


def test_nothing_is_claimed_that_the_rows_above_do_not_list() -> None:
    listed = {(name, *figure) for name, _, stated in ROWS for figure in stated.items()}
    shipped = {(e.name, c.quantity, c.stated) for e in entries().values() for c in e.claims}
    assert shipped == listed


def test_no_figure_is_stated_twice() -> None:
    figures = Counter(
        (entry.card or entry.name, claim.quantity, claim.stated, claim.where)
        for file in shipped_claims()
        for entry in file.entries
        for claim in entry.claims
    )
    assert max(figures.values()) == 1
    assert sum(figures.values()) == sum(len(stated) for _, _, stated in ROWS)


def test_no_entry_is_there_twice() -> None:
    names = [entry.name for file in shipped_claims() for entry in file.entries]
    targets = [entry.card for entry in entries().values() if entry.card is not None]
    assert len(names) == len(set(names))
    assert len(targets) == len(set(targets))


def test_every_claim_of_a_card_is_shipped_and_judged_with_it() -> None:
    for known in cards():
        if not known.claims:
            continue
        shipped = {(claim.stated, claim.where) for claim in entries()[known.name].claims}
        assert {(claim.stated, claim.where) for claim in known.claims} <= shipped


def test_a_card_without_claims_leaves_them_to_the_file_that_has_them() -> None:
    """What others published about weights of theirs is not a claim about ours."""
    without = [known for known in cards() if not known.claims]
    assert {known.track for known in without} == {"cifar10"}
    for known in without:
        assert not any(entry.card == known.name for entry in entries().values())
        told = [note for note in known.notes if "`micronet audit " in note]
        named = {note.split("`micronet audit ")[1].split("`")[0] for note in told}
        paper = "_short" not in known.name and not known.name.endswith(BEYOND)
        assert len(named) == paper
        assert named <= set(entries())


def test_every_published_figure_of_a_baseline_is_shipped() -> None:
    for known in baselines():
        stated = {(claim.quantity, claim.stated) for claim in entries()[known.name].claims}
        assert {(figure.quantity, figure.stated) for figure in known.published} <= stated


def test_the_score_claimed_for_dnw_is_the_official_one() -> None:
    [ranked] = [row for row in leaderboard("imagenet") if "Neural Wirings" in row.entry]
    scores = {
        c.printed.number for c in entries()["resnet50_dnw_10"].claims if c.quantity == "score"
    }
    assert ranked.score in scores


def test_the_parts_of_the_challenge_entry_add_up() -> None:
    entry = entries()["resnet50_dnw_10"]
    [operations] = [c.printed.number for c in entry.claims if c.quantity == "operations"]
    assert sum(part.printed.number for part in entry.parts) == operations == 2 * 515_231_310


def test_what_can_be_recounted_has_a_target_and_the_rest_says_why_not() -> None:
    for entry in entries().values():
        named = [entry.card, entry.architecture, entry.model]
        assert sum(each is not None for each in named) == (entry.why is None), entry.name
        counted = {claim.quantity for claim in entry.claims} - {"top1", "top5", "perplexity"}
        # Untrained, this one's equation has no solution that the solver could follow.
        assert not (counted and entry.why) or entry.name == "tiny_continuous_dnw"


@pytest.mark.parametrize(
    "name", [entry.name for entry in entries().values() if entry.architecture is not None]
)
def test_an_architecture_of_a_claim_can_be_built(name: str) -> None:
    if name.startswith("tiny_continuous"):
        pytest.importorskip("torchdiffeq")
    entry = entries()[name]
    assert entry.architecture is not None
    assert entry.input == ARCHITECTURES[entry.architecture].input.shape
    assert sum(p.numel() for p in build_model(entry.architecture, entry.config or {}).parameters())


def test_every_claim_has_a_source_and_a_unit() -> None:
    for entry in entries().values():
        for claim in entry.claims:
            assert claim.quantity in UNITS
            assert claim.where.strip()
            assert claim.unit.strip()


def test_all_claims_are_read_in_a_fifth_of_a_second() -> None:
    """Best of three processes, since others work on this machine too."""
    code = (
        "import time; start = time.perf_counter(); from micronet.audit.shipped import shipped_claims;"
        "shipped_claims(); print(time.perf_counter() - start)"
    )
    times = [
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
        for _ in range(3)
    ]
    assert min(times) < 0.2


def test_reading_claims_needs_no_torch() -> None:
    code = (
        "import sys; from micronet.audit.shipped import shipped_claims; shipped_claims();"
        "print([name for name in ('torch', 'numpy', 'pandas', 'rich') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout == "[]\n"
