"""A ``micronet.audit/1`` document worked out by hand: every verdict, a finding, a waterfall."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

LAYERS = [f"layer1.{index}.conv1" for index in range(7)]


def claim(quantity: str, stated: str, verdict: str, **more: Any) -> Document:
    units = {"top1": "percent", "score": "score", "parameters": "values"}
    return {
        "quantity": quantity,
        "stated": stated,
        "unit": units.get(quantity, "multiply-accumulates"),
        "where": "README.md, table 1",
        "verdict": verdict,
        "dialect": None,
        "found": None,
        "difference": None,
        "explanation": "",
        "steps": [],
        **more,
    }


def check(id_: str, outcome: str, **more: Any) -> Document:
    return {
        "id": id_,
        "title": f"the check of {id_}",
        "outcome": outcome,
        "because": "nothing is quantised",
        "layers": [],
        "remedy": None,
        **more,
    }


def entry(name: str, file: str, verdict: str, claims: list[Document], **more: Any) -> Document:
    return {
        "name": name,
        "title": "A network",
        "by": "Somebody",
        "where": "README.md",
        "file": file,
        "target": None,
        "verdict": verdict,
        "claims": claims,
        "checks": [],
        "waterfall": None,
        "notes": [],
        **more,
    }


NO_WEIGHTS = "no weights were released"


def audit() -> Document:
    """Four entries of two files; seven claims, two findings."""
    holds = entry(
        "nasnet_a_mobile",
        "cards",
        "holds",
        [
            claim("macs", "564M", "holds", dialect="macs", found=563_638_816, difference=361_184),
            claim("top1", "74.0", "unjudged", explanation=NO_WEIGHTS),
        ],
    )
    elsewhere = entry(
        "mobilenet_v2_1.0",
        "cards",
        "holds in another dialect",
        [
            claim(
                "macs",
                "327.5M",
                "holds in another dialect",
                dialect="thop",
                found=327_486_720,
                difference=13_280,
                explanation="thop counts 327,486,720, which rounds to 327.5M",
                steps=[  # 300,774,272 + 4 · 6,678,112 = 327,486,720
                    {"name": "multiply-accumulates", "change": 300_774_272},
                    {"name": "4 × 6,678,112 BatchNorm elements", "change": 26_712_448},
                ],
            )
        ],
    )
    fails = entry(
        "resnet50_dnw_10",
        "dnw-entry.toml",
        "fails",
        [
            claim(
                "parameters",
                "2,558,732",
                "holds",
                dialect="dnw-release",
                found=2_558_732,
                difference=0,
            ),
            claim(
                "score",
                "0.8460",
                "fails",
                dialect="micronet2019",
                found=0.97866,
                difference=-0.13266,
                explanation="micronet2019 counts 0.97866: " + "the parts are named below, " * 5,
                steps=[{"name": "bitmask", "change": 0.1155}, {"name": "rest", "change": -0.5}],
            ),
        ],
        target={
            "name": "resnet50_dnw_10",
            "sha256": None,
            "architecture": "resnet50_sparse",
            "weights": "untrained",
            "input": [1, 3, 224, 224],
            "card": "resnet50_dnw_10",
        },
        checks=[
            check("totals", "pass", because="all parts add up"),
            check(
                "bitmask",
                "fail",
                title="The bitmask is stored",
                because="796,672 parameters of bitmask are left out",
                layers=LAYERS,
                remedy="Add a bit an element of every sparse tensor.",
            ),
            check("additions", "fail", because="the bias is not added", remedy="Add it."),
            check("scales", "skipped"),
        ],
        waterfall=[
            {
                "name": "as claimed",
                "parameters": 1_279_366,
                "operations": 772_846_965,
                "score": 0.846,
            },
            {"name": "bitmask", "parameters": 796_672.5, "operations": 0, "score": 0.11546},
            {"name": "no bias", "parameters": 0, "operations": -11_114_984, "score": -0.0095},
        ],
        notes=["built untrained, seed 1996"],
    )
    unjudged = entry(
        "tiny",
        "dnw-entry.toml",
        "unjudged",
        [
            claim("top1", "76.1±0.5", "unjudged", explanation=NO_WEIGHTS),
            claim("top1", "77.3±0.7", "unjudged", explanation=NO_WEIGHTS),
        ],
    )
    return {
        "schema": "micronet.audit/1",
        "entries": [holds, elsewhere, fails, unjudged],
        "totals": {
            "entries": 4,
            "claims": 7,
            "holds": 2,
            "holds in another dialect": 1,
            "fails": 1,
            "unjudged": 3,
            "findings": 2,
        },
    }
