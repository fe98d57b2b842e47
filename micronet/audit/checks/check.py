"""What a check is: it looks at one audited entry, and passes, fails or says why it does not apply."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from micronet.audit.verdict import ELSEWHERE, HOLDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from micronet.audit.judge import Case
    from micronet.audit.table import Difference
    from micronet.audit.verdict import Judged

RULES = "micronet2019"
MOST_REASONS: Final = 4
Outcome = Literal["pass", "fail", "skipped"]


@dataclass(frozen=True)
class Audited:
    """One entry with everything that is known about it: its claims judged, its table compared."""

    case: Case
    judged: tuple[Judged, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Result:
    """What a check found, in which layers, and why it says so."""

    outcome: Outcome
    because: str
    layers: tuple[str, ...] = ()


class Check(ABC):
    """One question that an audit asks."""

    id: ClassVar[str]
    title: ClassVar[str]
    remedy: ClassVar[str]

    @abstractmethod
    def look(self, audited: Audited) -> Result:
        """The answer for one entry."""


def failed(because: Iterable[str], layers: Iterable[str] = ()) -> Result:
    """A failure with its reasons, each once, the first few in words; all layers are named."""
    reasons = list(dict.fromkeys(because))
    if len(reasons) > MOST_REASONS:
        reasons[MOST_REASONS:] = [f"and {len(reasons) - MOST_REASONS} more"]
    return Result("fail", "; ".join(reasons), tuple(dict.fromkeys(layers)))


def skipped(because: str) -> Result:
    """A question that does not arise, or cannot be answered."""
    return Result("skipped", because)


class MistakeCheck(Check):
    """A check that fails where a known mistake explains a claim, or a row of the entry's table."""

    quantities: ClassVar[tuple[str, ...]]
    """The claims in which the mistake would show."""
    challenge_only: ClassVar[bool] = False
    """Whether it shows only in what is counted by the challenge's rules."""

    def look(self, audited: Audited) -> Result:
        """Fail on the mistake; pass where a claim that would show it holds."""
        reasons, layers = self.found(audited)
        if reasons:
            return failed(reasons, layers)
        no = self.does_not_arise(audited)
        if no is not None:
            return skipped(no)
        shown = [j for j in audited.judged if j.claim.quantity in self.quantities]
        fitting = [j for j in shown if j.verdict in (HOLDS, ELSEWHERE) and self.would_show_in(j)]
        if fitting:
            return Result(
                "pass", f"{fitting[0].claim.quantity} {fitting[0].claim.stated} follows without"
            )
        if audited.case.entry.layers and not audited.differences:
            return Result("pass", "the entry's own table agrees with the recount")
        said = " and ".join(self.quantities[:3])
        if shown:
            return skipped(f"no claim about {said} holds in a dialect that would show it")
        return skipped(f"nothing is claimed about {said}")

    def would_show_in(self, judged: Judged) -> bool:
        """Whether the dialect in which a claim holds counts what the mistake leaves out or puts in."""
        return not self.challenge_only or (judged.dialect or "").startswith(RULES)

    def found(self, audited: Audited) -> tuple[list[str], list[str]]:
        """The reasons for a failure, and the layers that they name."""
        mistakes = [(j, d) for j in audited.judged for d in j.mistakes if d.id == self.id]
        rows = [each for each in audited.differences if each.id == self.id]
        reasons = [f"{j.claim.quantity} {j.claim.stated}: {d.what}" for j, d in mistakes]
        reasons += [each.sentence for each in rows]
        layers = [name for _, d in mistakes for name in d.layers] + [each.layer for each in rows]
        return reasons, layers

    def does_not_arise(self, audited: Audited) -> str | None:
        """Why this network cannot show the mistake; None if it can."""
        del audited
        return None
