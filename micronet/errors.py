"""The exceptions that a user may see: one or two lines, never a traceback."""

from __future__ import annotations


class MicronetError(Exception):
    """Something could not be judged: bad input, a missing file, an unpriced operator.

    ``message`` says what was found against what was expected; ``next_step`` what to do about it.
    The command line prints both on stderr and exits with ``exit_code``.
    """

    exit_code = 2

    def __init__(self, message: str, next_step: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return self.message if self.next_step is None else f"{self.message}\n{self.next_step}"


class Finding(MicronetError):
    """The judgement was made and is negative: a claim fails, a threshold is missed."""

    exit_code = 1
