"""In which pieces a text is given to a model. No torch here.

The model reads <eos> and then the text; every token of the text is predicted once, the first from
<eos> alone. Input i is what stands before token i.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from micronet.errors import MicronetError

Mode = Literal["online", "chunked", "sliding", "strided"]
STATEFUL: Final = ("online", "chunked")
WINDOWED: Final = ("sliding", "strided")
# The track's baseline, untrained, on two cores: some 20 tokens a second one by one, since each call
# has to fetch all weights, and 200 in pieces of 64: the test set in 20 minutes instead of 3 hours.
CHUNK_TOKENS: Final = 64


class Span(NamedTuple):
    """One call: inputs ``start`` to ``end`` are read, tokens ``scored`` to ``end`` are scored."""

    start: int
    end: int
    scored: int


@dataclass(frozen=True)
class Protocol:
    """How a text is read.

    online    one token a call, with the state of the call before: it cannot look ahead.
    chunked   ``chunk`` tokens a call, with the state of the call before. The same predictions, and
              faster; that it is the same is checked on the way.
    sliding   without a state: each token is predicted from a window of the ``context`` inputs before
              it (all, where there are fewer), one call a token. It cannot look ahead.
    strided   without a state: the first window scores all its tokens, then windows of ``context``
              inputs move on by ``stride`` and score the last ``stride``. So a token has a context of
              at least ``context`` − ``stride`` + 1 inputs (all, where there are fewer) and at most
              ``context``. Checked for looking ahead as chunked is.
    """

    mode: Mode
    chunk: int = 1
    context: int | None = None
    stride: int | None = None

    def __post_init__(self) -> None:
        needed = {"context": self.mode in WINDOWED, "stride": self.mode == "strided"}
        for name, wanted in needed.items():
            value = getattr(self, name)
            if wanted and (value is None or value < 1):
                raise MicronetError(f"Mode '{self.mode}' needs a {name} of at least 1 token.")
            if not wanted and value is not None:
                raise MicronetError(f"Mode '{self.mode}' has no {name}, found {value}.")
        if self.chunk < 1 or (self.chunk != 1 and self.mode != "chunked"):
            raise MicronetError(f"Mode '{self.mode}' cannot have chunks of {self.chunk} tokens.")
        if self.mode == "strided" and self.window < (self.stride or 0):
            raise MicronetError(
                f"A stride of {self.stride} tokens passes over some of them with a context of "
                f"{self.context}."
            )

    @property
    def window(self) -> int:
        """The most tokens that one call reads."""
        return self.chunk if self.context is None else self.context

    @property
    def cannot_look_ahead(self) -> bool:
        """Whether no call holds anything behind the token it scores."""
        return self.mode in ("online", "sliding") or self.window == 1

    def span(self, position: int, tokens: int) -> Span:
        """The call that scores token ``position`` first, in a text of ``tokens``."""
        if self.mode in STATEFUL:
            return Span(position, min(position + self.chunk, tokens), position)
        if self.mode == "sliding":
            return Span(max(0, position + 1 - self.window), position + 1, position)
        step = (self.stride or 1) if position else self.window
        end = min(position + step, tokens)
        return Span(max(0, end - self.window), end, position)

    def call(self, position: int) -> int:
        """How many calls there are before the one that scores token ``position`` first."""
        if self.mode == "sliding":
            return position
        if self.mode == "strided":
            step = self.stride or 1
            return 0 if position == 0 else 1 + (position - self.window) // step
        return position // self.chunk

    def starts_call(self, position: int) -> bool:
        """Whether a call begins to score at ``position``."""
        if self.mode == "strided" and position:
            return position >= self.window and (position - self.window) % (self.stride or 1) == 0
        return position % self.chunk == 0

    def sentence(self) -> str:
        """What was done, for a receipt."""
        if self.mode == "online":
            return "online: one token a call"
        if self.mode == "chunked":
            return f"read {self.chunk} tokens a call, the state carried over"
        if self.mode == "sliding":
            return f"each token predicted from a window of up to {self.context} tokens before it"
        return (
            f"windows of {self.context} tokens moved on by {self.stride}: each token predicted from "
            f"up to {self.context}"
        )
