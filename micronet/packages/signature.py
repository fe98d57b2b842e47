"""SSH signatures of a package, as ``ssh-keygen -Y sign -n micronet`` makes them (PROTOCOL.sshsig).

Ed25519 alone. The signature lies beside the package, as entry.zip.sig.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from micronet.checkpoints.source import RefusedError
from micronet.errors import MicronetError
from micronet.evaluation.bounded import read_bounded
from micronet.packages.report import FAIL, PASS, SKIPPED, Check
from micronet.packages.signers import KEY_TYPE, read_signers

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NAMESPACE: Final = "micronet"
SUFFIX: Final = ".sig"
MAX_BYTES: Final = 2**16
_MAGIC: Final = b"SSHSIG"
_VERSION: Final = 1
_HASHES: Final = ("sha512", "sha256")
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_LINE: Final = 70
_MISSING: Final = "pip install 'micronet-wirings[sign]'"


@dataclass(frozen=True)
class Signature:
    """A signature that was read: the public key it names, and what it signs how."""

    key: bytes
    namespace: str
    hash: str
    signature: bytes


def sign(content: bytes, key: Path) -> bytes:
    """The armoured signature of ``content`` by the private Ed25519 key in the file ``key``.

    Raises MicronetError for another kind of key, and for one that a passphrase protects.
    """
    private = _private(key)
    from cryptography.hazmat.primitives import serialization as form

    raw = private.public_key().public_bytes(form.Encoding.Raw, form.PublicFormat.Raw)
    public = _string(KEY_TYPE.encode()) + _string(raw)
    made = private.sign(_signed(content, NAMESPACE, _HASHES[0]))
    blob = _MAGIC + struct.pack(">I", _VERSION) + _string(public)
    blob += _string(NAMESPACE.encode()) + _string(b"") + _string(_HASHES[0].encode())
    blob += _string(_string(KEY_TYPE.encode()) + _string(made))
    text = base64.b64encode(blob).decode()
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    return "\n".join((_BEGIN, *lines, _END, "")).encode()


def _private(path: Path) -> Ed25519PrivateKey:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_ssh_private_key
    except ImportError as error:
        raise MicronetError("Signing needs the library cryptography.", _MISSING) from error
    by_hand = f"ssh-keygen -Y sign -n {NAMESPACE} -f {path} PACKAGE"
    data = read_bounded(path, MAX_BYTES)
    try:
        found: Any = load_ssh_private_key(data, password=None)
    except TypeError as error:  # what cryptography raises for want of a passphrase
        raise MicronetError(
            f"{path}: is protected by a passphrase, which is not asked for here.",
            f"Sign with your agent: {by_hand}",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MicronetError(
            f"{path}: is no private SSH key.", "Make one: ssh-keygen -t ed25519"
        ) from error
    if not isinstance(found, Ed25519PrivateKey):
        raise MicronetError(f"{path}: is no Ed25519 key.", f"Sign with ssh-keygen: {by_hand}")
    return found


def signature_of(path: Path, data: memoryview, signer: Path | None) -> Check:
    """The row "signature": the one beside ``path``, by ``signer`` if that is given.

    Raises MicronetError if ``signer`` is no public key and no file of allowed signers.
    """
    signers = None if signer is None else read_signers(signer, NAMESPACE)
    beside = path.with_name(f"{path.name}{SUFFIX}")
    if not beside.exists():
        if signers is None:
            return Check("signature", SKIPPED, "the package is not signed")
        return Check("signature", FAIL, f"there is no signature {beside.name}")
    try:
        found = read_signature(read_bounded(beside, MAX_BYTES))
        valid = _valid(found, data)
    except RefusedError as error:
        return Check("signature", FAIL, f"{beside.name}: {error}")
    except ImportError as error:
        if signers is None:
            return Check("signature", SKIPPED, f"cryptography is not installed: {_MISSING}")
        raise MicronetError("Signatures need the library cryptography.", _MISSING) from error
    who = fingerprint(found.key)
    if not valid:
        return Check("signature", FAIL, f"{beside.name} is not of this package (key {who})")
    if signers is None:
        return Check("signature", SKIPPED, f"by {who}; whose key that is, say with --signer")
    if found.key not in signers:
        return Check("signature", FAIL, f"by {who}, which is not in {signer}")
    return Check("signature", PASS, f"by {signers[found.key] or 'the key given'}, {who}")


def read_signature(data: bytes) -> Signature:
    """An armoured signature; RefusedError if it is none, or not one of ours to check."""
    lines = data.decode("ascii", "replace").split()
    text = " ".join(lines)
    if not text.startswith(_BEGIN) or not text.endswith(_END):
        raise RefusedError("is no SSH signature")
    try:
        inner = text.removeprefix(_BEGIN).removesuffix(_END)
        blob = base64.b64decode("".join(inner.split()), validate=True)
    except (ValueError, binascii.Error) as error:
        raise RefusedError("is no SSH signature") from error
    if blob[: len(_MAGIC) + 4] != _MAGIC + struct.pack(">I", _VERSION):
        raise RefusedError("is no SSH signature of version 1")
    key, namespace, _, hashing, made = _strings(blob[len(_MAGIC) + 4 :], 5)
    kind, signature = _strings(made, 2)
    if kind != KEY_TYPE.encode():
        shown = kind.decode("ascii", "replace")[:40]
        raise RefusedError(f"is by a key of the type {shown!r}; only {KEY_TYPE} is read")
    if namespace != NAMESPACE.encode():
        shown = namespace.decode("utf-8", "replace")[:40]
        raise RefusedError(f"is for {shown!r}, not for {NAMESPACE!r}")
    if hashing.decode("ascii", "replace") not in _HASHES:
        raise RefusedError("uses a hash that is not read")
    return Signature(key, NAMESPACE, hashing.decode(), signature)


def _valid(found: Signature, data: memoryview) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    kind, raw = _strings(found.key, 2)
    if kind != KEY_TYPE.encode():
        raise RefusedError("names a key of another type than its own")
    try:
        public = Ed25519PublicKey.from_public_bytes(raw)
        public.verify(found.signature, _signed(data, found.namespace, found.hash))
    except ValueError as error:  # not 32 bytes
        raise RefusedError("names a broken key") from error
    except InvalidSignature:
        return False
    return True


def _signed(content: bytes | memoryview, namespace: str, hashing: str) -> bytes:
    """What is signed: not the content, but its hash, and for what."""
    parts = (namespace.encode(), b"", hashing.encode(), hashlib.new(hashing, content).digest())
    return _MAGIC + b"".join(_string(part) for part in parts)


def fingerprint(key: bytes) -> str:
    """A public key as ``ssh-keygen -l`` shows it."""
    digest = base64.b64encode(hashlib.sha256(key).digest()).decode()
    return f"SHA256:{digest.rstrip('=')}"


def _string(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _strings(data: bytes, count: int) -> list[bytes]:
    """Exactly ``count`` strings, each behind its length; RefusedError if they are not that."""
    found, at = [], 0
    for _ in range(count):
        if at + 4 > len(data):
            raise RefusedError("is cut off")
        (length,) = struct.unpack_from(">I", data, at)
        at += 4 + length
        if at > len(data):
            raise RefusedError("is cut off")
        found.append(data[at - length : at])
    if at != len(data):
        raise RefusedError("has more bytes than it needs")
    return found
