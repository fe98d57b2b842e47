"""Changes that a forger makes to the files of a package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from micronet.packages import names
from tests.packages.made import edited

if TYPE_CHECKING:
    from collections.abc import Callable

    from micronet.packages.compose import Members

    Change = Callable[[Members], None]


def score(**changes: Any) -> Change:
    """``score.json`` with numbers in "part__key" replaced."""

    def edit(found: Any) -> None:
        for place, value in changes.items():
            *parts, last = place.split("__")
            inner = found
            for part in parts:
                inner = inner[int(part) if part.isdigit() else part]
            inner[last] = value

    return edited(names.SCORE, edit)


def manifest(edit: Callable[[Any], None]) -> Change:
    return edited(names.MANIFEST, edit)


def text(name: str, old: str, new: str) -> Change:
    """``old`` becomes ``new`` in the file ``name``; it has to be there."""

    def change(members: Members) -> None:
        content = bytes(members[name])
        assert old.encode() in content
        members[name] = content.replace(old.encode(), new.encode(), 1)

    return change


def with_file(name: str, content: bytes) -> Change:
    return lambda members: members.update({name: content})


def without_file(name: str) -> Change:
    def change(members: Members) -> None:
        del members[name]

    return change
