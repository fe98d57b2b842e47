"""Whose signatures count: a public key (``KEY.pub``), or a file of allowed signers (ssh-keygen(1))."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final

from micronet.errors import MicronetError
from micronet.evaluation.bounded import read_bounded

if TYPE_CHECKING:
    from pathlib import Path

KEY_TYPE: Final = "ssh-ed25519"
MAX_BYTES: Final = 2**20
_WORD: Final = re.compile(r'(?:[^\s"]|"[^"]*")+')
_NAMESPACES: Final = re.compile(r'namespaces="([^"]*)"', re.IGNORECASE)
_FORM: Final = "Expected 'ssh-ed25519 KEY', or 'WHO [namespaces=\"micronet\"] ssh-ed25519 KEY'."


def read_signers(path: Path, namespace: str) -> dict[bytes, str]:
    """Public keys that may sign for ``namespace``, each with who it is ("" in a KEY.pub).

    Keys of other types are left out. Raises MicronetError if no key is left, or for an option that
    restricts a key in a way that is not known here: an unread restriction would be a hole.
    """
    text = read_bounded(path, MAX_BYTES).decode("utf-8", "replace")
    found: dict[bytes, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        signer = _signer(f"{path}: line {number}", line, namespace)
        if signer is not None:
            found[signer[0]] = signer[1]
    if not found:
        raise MicronetError(f"{path}: has no {KEY_TYPE} key for {namespace}.", _FORM)
    return found


def _signer(place: str, line: str, namespace: str) -> tuple[bytes, str] | None:
    """The key of a line and whose it is; None for one that does not sign for ``namespace``."""
    words = _WORD.findall(line)
    kinds = [at for at, word in enumerate(words[:-1]) if word.startswith(("ssh-", "ecdsa-", "sk-"))]
    if not kinds:
        raise MicronetError(f"{place}: has no public key.", _FORM)
    at = kinds[0]
    if words[at] != KEY_TYPE:
        return None
    who = "" if at == 0 else words[0].strip('"')
    for option in words[1:at]:
        spaces = _NAMESPACES.fullmatch(option)
        if spaces is None:
            raise MicronetError(f"{place}: the option {option[:60]!r} is not known here.", _FORM)
        if namespace not in spaces[1].split(","):
            return None
    try:
        return base64.b64decode(words[at + 1], validate=True), who
    except (ValueError, binascii.Error) as error:
        raise MicronetError(f"{place}: its key is broken.", _FORM) from error
