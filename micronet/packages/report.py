"""What a verification found: rows of checks, and the one verdict that follows from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

PASS: Final = "pass"  # noqa: S105 - an outcome
FAIL: Final = "fail"
SKIPPED: Final = "skipped"
UNJUDGED: Final = "unjudged"  # the check could not be made, and the verdict cannot do without it

_TRUSTED: Final = "but for its answers, which were not evaluated again: --data DIR"

VERIFIED: Final = "verified"
UNQUALIFIED: Final = "does not qualify"
REFUSED: Final = "refused"

TITLES: Final = {
    "archive": "the zip is whole, and as this tool writes it",
    "files": "files are those of the manifest, with its digests",
    "manifest": "the manifest states what its files give",
    "rules": "the rules and the input are the challenge's",
    "checkpoint": "the checkpoint is read without running anything",
    "score": "the score is what the tensors give",
    "layers": "the table of layers is what the tensors give",
    "freebie": "16-bit freebie only if nothing is quantised",
    "evaluation": "accuracy recounted from its predictions, of these tensors",
    "answers": "answers evaluated again",
    "documents": "write-up, citation and environment follow from the rest",
    "signature": "signature",
    "quality": "the track's threshold",
}


@dataclass(frozen=True)
class Check:
    """One row: its ``id`` is a key of TITLES, its ``outcome`` one of the four above."""

    id: str
    outcome: str
    because: str

    def document(self) -> dict[str, str]:
        """The row as plain values."""
        title = TITLES[self.id]
        return {"id": self.id, "title": title, "outcome": self.outcome, "because": self.because}


@dataclass(frozen=True)
class Report:
    """All that was found of one package. What is None was not reached.

    ``document`` is the recounted ``micronet.score/1``, ``manifest`` what the package states.
    """

    file: str
    sha256: str | None
    checks: tuple[Check, ...]
    manifest: Mapping[str, Any] | None = None
    document: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def judged(self) -> bool:
        """Whether nothing that the verdict needs could not be judged."""
        return all(check.outcome != UNJUDGED for check in self.checks)

    @property
    def sound(self) -> bool:
        """Whether nothing contradicts: all that was stated was confirmed or left out."""
        return all(check.outcome not in {FAIL, UNJUDGED} for check in self.checks)

    @property
    def qualifies(self) -> bool | None:
        """Whether the threshold is met, by answers that were counted; None where nobody can tell."""
        return None if self.document is None else certified(self.document["quality"])

    @property
    def outcome(self) -> str:
        """VERIFIED, UNQUALIFIED or REFUSED."""
        if not self.sound:
            return REFUSED
        return VERIFIED if self.qualifies else UNQUALIFIED

    @property
    def because(self) -> tuple[str, ...]:
        """The reasons for an outcome that is not VERIFIED."""
        if not self.sound:
            return tuple(each.because for each in self.checks if each.outcome in {FAIL, UNJUDGED})
        if self.qualifies or self.document is None:
            return ()
        return (why_unqualified(self.document["quality"]),)

    @property
    def verdict(self) -> str:
        """The verdict in one sentence."""
        reasons = "; ".join(self.because)
        if self.outcome == REFUSED:
            return f"refused because {reasons}"
        if self.outcome == UNQUALIFIED:
            return f"verified, does not qualify because {reasons}"
        answers = {check.id: check.outcome for check in self.checks}.get("answers")
        return "verified" if answers == PASS else f"verified, {_TRUSTED}"


def certified(quality: Mapping[str, Any]) -> bool | None:
    """Whether a recounted ``quality`` qualifies.

    A perplexity that would qualify is a word of the receipt alone, so it decides nothing.
    """
    found: bool | None = quality["qualifies"]
    return None if found and quality["correct"] is None else found


def why_unqualified(quality: Mapping[str, Any]) -> str:
    """Why a recounted ``quality`` does not qualify."""
    if quality["receipt"] is None:
        return "no accuracy was measured"
    if quality["qualifies"]:
        return f"its {quality['metric']} is by the receipt alone: measure it with micronet evaluate"
    verdict: str = quality["verdict"]
    missed = quality["qualifies"] is False
    return f"it misses the threshold: {verdict.partition(': ')[2]}" if missed else verdict
