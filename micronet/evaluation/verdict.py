"""Whether what was measured decides the track's threshold: by integers, on the whole set, or not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from micronet.evaluation.statistics import wilson

if TYPE_CHECKING:
    from micronet.scoring.tracks import Track

SPLITS: Final = {
    "imagenet": "imagenet-val",
    "cifar100": "cifar100-test",
    "wikitext103": "wikitext103-test",
}
_WHOLE: Final = {
    "imagenet": "the ImageNet validation set",
    "cifar100": "the CIFAR-100 test set",
    "wikitext103": "the WikiText-103 test set",
}
TOP1: Final = "top1"
PERPLEXITY: Final = "perplexity"
_WORDS: Final = {True: "qualifies", False: "does not qualify"}


def top1_quality(
    track: Track | None, *, split: str | None, recognised: str, correct: int, of: int
) -> dict[str, Any]:
    """The ``quality`` of a document for ``correct`` right answers of ``of``.

    ``split`` and ``recognised`` are the data set's. ``value`` is a share for people; what decides
    are the integers. ``interval`` is Wilson's at 95 %, None where the whole set was measured and
    there is nothing to infer.
    """
    qualifies = None
    if track is not None and split == SPLITS[track.name]:
        qualifies = track.qualifies(correct, of)
    threshold = None if track is None else track.threshold_correct
    certain = qualifies is not None or (track is None and split is not None)
    return {
        "metric": TOP1,
        "correct": correct,
        "of": of,
        "value": correct / of,
        "threshold": None if track is None else float(track.threshold),
        "qualifies": qualifies,
        "interval": None if certain else list(wilson(correct, of)),
        "verdict": _undecided(track, recognised)
        if qualifies is None
        else f"{_WORDS[qualifies]}: {correct:,} of {of:,}, threshold {threshold:,}",
    }


def perplexity_quality(
    track: Track | None, *, split: str | None, recognised: str, perplexity: float | None, of: int
) -> dict[str, Any]:
    """The ``quality`` of a document for a perplexity over ``of`` tokens.

    It is decided unrounded. None, a perplexity that is no number, does not qualify.
    """
    qualifies = None
    if track is not None and split == SPLITS[track.name]:
        qualifies = track.qualifies_at(math.inf if perplexity is None else perplexity, of)
    threshold = None if track is None else float(track.threshold)
    found = "no finite number" if perplexity is None else f"{perplexity}"
    return {
        "metric": PERPLEXITY,
        "correct": None,
        "of": of,
        "value": perplexity,
        "threshold": threshold,
        "qualifies": qualifies,
        "interval": None,
        "verdict": _undecided(track, recognised)
        if qualifies is None
        else f"{_WORDS[qualifies]}: {found}, threshold {threshold:g}",
    }


def _undecided(track: Track | None, recognised: str) -> str:
    if track is None:
        return f"no track, so no threshold; this is {recognised}"
    whole = _WHOLE[track.name]
    return f"cannot certify: track {track.name} needs {whole}, complete; this is {recognised}"
