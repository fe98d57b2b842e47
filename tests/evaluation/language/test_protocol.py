"""Every token is scored once, from the context that the protocol promises."""

from __future__ import annotations

import pytest

from micronet.errors import MicronetError
from micronet.evaluation.language.protocol import Protocol, Span

ALL = [
    Protocol("online"),
    Protocol("chunked", chunk=4),
    Protocol("chunked", chunk=64),
    Protocol("sliding", context=5),
    Protocol("strided", context=5, stride=2),
    Protocol("strided", context=5, stride=5),
    Protocol("strided", context=1, stride=1),
]


def spans(protocol: Protocol, tokens: int) -> list[Span]:
    found, position = list[Span](), 0
    while position < tokens:
        assert protocol.starts_call(position)
        assert protocol.call(position) == len(found)
        found.append(protocol.span(position, tokens))
        position = found[-1].end
    return found


@pytest.mark.parametrize("protocol", ALL, ids=Protocol.sentence)
@pytest.mark.parametrize("tokens", [1, 2, 5, 6, 23])
def test_every_token_is_scored_once_and_in_order(protocol: Protocol, tokens: int) -> None:
    scored = [at for span in spans(protocol, tokens) for at in range(span.scored, span.end)]
    assert scored == list(range(tokens))
    assert all(span.end - span.start <= protocol.window for span in spans(protocol, tokens))


def contexts(protocol: Protocol, tokens: int) -> list[int]:
    """How many inputs each token is predicted from, the first <eos> included."""
    return [at + 1 - s.start for s in spans(protocol, tokens) for at in range(s.scored, s.end)]


def test_a_sliding_window_gives_every_token_the_full_context() -> None:
    assert contexts(Protocol("sliding", context=5), 9) == [1, 2, 3, 4, 5, 5, 5, 5, 5]


def test_a_stride_gives_every_token_context_less_stride_plus_one_or_more() -> None:
    """5 − 2 + 1 = 4, or all that there is; at the end the window is moved on by what is left."""
    assert contexts(Protocol("strided", context=5, stride=2), 10) == [1, 2, 3, 4, 5, 4, 5, 4, 5, 5]
    assert contexts(Protocol("strided", context=3, stride=3), 7) == [1, 2, 3, 1, 2, 3, 3]


def test_a_stride_of_one_is_a_sliding_window() -> None:
    strided = contexts(Protocol("strided", context=5, stride=1), 30)
    assert strided == contexts(Protocol("sliding", context=5), 30)


def test_no_call_begins_within_another() -> None:
    strided = Protocol("strided", context=5, stride=2)
    assert [at for at in range(12) if strided.starts_call(at)] == [0, 5, 7, 9, 11]
    chunked = Protocol("chunked", chunk=4)
    assert [at for at in range(12) if chunked.starts_call(at)] == [0, 4, 8]


def test_only_one_token_a_call_cannot_look_ahead() -> None:
    safe = [protocol for protocol in ALL if protocol.cannot_look_ahead]
    assert safe == [ALL[0], ALL[3], ALL[6]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "online", "context": 4}, "Mode 'online' has no context, found 4"),
        ({"mode": "online", "chunk": 4}, "Mode 'online' cannot have chunks of 4 tokens"),
        ({"mode": "chunked", "chunk": 0}, "Mode 'chunked' cannot have chunks of 0 tokens"),
        ({"mode": "sliding"}, "Mode 'sliding' needs a context of at least 1 token"),
        ({"mode": "sliding", "context": 0}, "needs a context of at least 1 token"),
        ({"mode": "sliding", "context": 3, "stride": 1}, "Mode 'sliding' has no stride"),
        ({"mode": "strided", "context": 3}, "Mode 'strided' needs a stride"),
        ({"mode": "strided", "context": 3, "stride": 4}, "A stride of 4 tokens passes over some"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    options: dict[str, int], message: str
) -> None:
    with pytest.raises(MicronetError) as caught:
        Protocol(**options)  # type: ignore[arg-type]
    assert message in caught.value.message
