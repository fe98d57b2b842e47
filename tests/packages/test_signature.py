"""SSH signatures: ssh-keygen accepts ours, we accept ssh-keygen's, and nobody accepts a forgery."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from micronet import cli
from micronet.errors import MicronetError
from micronet.packages.report import FAIL, PASS, SKIPPED
from micronet.packages.signature import sign, signature_of
from micronet.packages.signers import read_signers
from tests.packages.made import tiny_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("cryptography", reason="the extra 'sign' is not installed")
KEYGEN = shutil.which("ssh-keygen") or ""
pytestmark = pytest.mark.skipif(not KEYGEN, reason="no ssh-keygen here")
CONTENT = b"a package, for all that a signature knows\n"


def keygen(*words: object, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [KEYGEN, *map(str, words)]
    return subprocess.run(command, input=given, check=False, capture_output=True)


def new_key(path: Path, kind: str = "ed25519", passphrase: str = "", *more: str) -> Path:
    done = keygen("-q", "-t", kind, "-N", passphrase, "-C", "me@here", "-f", path, *more)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_key(tmp_path_factory.mktemp("keys") / "id")


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    path = tmp_path / "entry.zip"
    path.write_bytes(CONTENT)
    return path


def public(key: Path) -> Path:
    return key.with_name(f"{key.name}.pub")


def signed(entry: Path, signature: bytes) -> Path:
    path = entry.with_name("entry.zip.sig")
    path.write_bytes(signature)
    return path


def judged(entry: Path, signer: Path | None) -> tuple[str, str]:
    row = signature_of(entry, memoryview(entry.read_bytes()), signer)
    return row.outcome, row.because


def allowed(folder: Path, key: Path, options: str = "") -> Path:
    path = folder / "allowed_signers"
    words = ("ada@example.org", options, public(key).read_text().strip())
    path.write_text("# ours\n\n" + " ".join(word for word in words if word) + "\n")
    return path


def test_ssh_keygen_accepts_our_signature(entry: Path, key: Path) -> None:
    signature = signed(entry, sign(CONTENT, key))
    signers = allowed(entry.parent, key)
    words = ("-Y", "verify", "-n", "micronet", "-I", "ada@example.org", "-f", signers)
    done = keygen(*words, "-s", signature, given=CONTENT)
    assert (done.returncode, b"Good" in done.stdout) == (0, True), done.stderr
    assert keygen(*words, "-s", signature, given=CONTENT + b"!").returncode != 0


def test_our_signature_is_ssh_keygens_to_the_byte(entry: Path, key: Path) -> None:
    """Ed25519 has one signature for a message."""
    keygen("-Y", "sign", "-n", "micronet", "-f", key, entry)
    assert entry.with_name("entry.zip.sig").read_bytes() == sign(CONTENT, key)


@pytest.mark.parametrize("hashing", ["sha512", "sha256"])
def test_we_accept_ssh_keygens_signature(entry: Path, key: Path, hashing: str) -> None:
    keygen("-Y", "sign", "-n", "micronet", "-O", f"hashalg={hashing}", "-f", key, entry)
    shown = keygen("-l", "-f", public(key)).stdout.decode().split()[1]
    assert judged(entry, public(key)) == (PASS, f"by the key given, {shown}")
    assert judged(entry, allowed(entry.parent, key)) == (PASS, f"by ada@example.org, {shown}")


def test_without_a_signer_it_says_whose_key_it_is_and_vouches_for_nothing(
    entry: Path, key: Path
) -> None:
    assert judged(entry, None) == (SKIPPED, "the package is not signed")
    signed(entry, sign(CONTENT, key))
    outcome, because = judged(entry, None)
    assert (outcome, because[:10]) == (SKIPPED, "by SHA256:")


def test_another_content_another_key_another_namespace_fail(
    entry: Path, key: Path, tmp_path: Path
) -> None:
    stranger = new_key(tmp_path / "other")
    assert judged(entry, public(key)) == (FAIL, "there is no signature entry.zip.sig")
    signed(entry, sign(CONTENT, stranger))
    outcome, because = judged(entry, public(key))
    assert (outcome, because.endswith(f"which is not in {public(key)}")) == (FAIL, True)
    signed(entry, sign(CONTENT + b"!", key))
    assert judged(entry, public(key))[0] == FAIL
    assert judged(entry, None)[0] == FAIL
    entry.with_name("entry.zip.sig").unlink()
    keygen("-Y", "sign", "-n", "file", "-f", key, entry)
    assert judged(entry, public(key)) == (FAIL, "entry.zip.sig: is for 'file', not for 'micronet'")


def test_every_flipped_byte_of_a_signature_is_noticed(entry: Path, key: Path) -> None:
    whole = sign(CONTENT, key)
    accepted = []
    for at in range(len(whole)):
        broken = bytearray(whole)
        broken[at] ^= 1
        signed(entry, bytes(broken))
        if judged(entry, public(key))[0] == PASS:
            accepted.append(chr(whole[at]))
    assert set(accepted) <= {"\n"}  # a line may end in another blank


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff" * 100, b"-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n",
     b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAf////8=\n-----END SSH SIGNATURE-----\n"],
)  # fmt: skip
def test_what_is_no_signature_fails(entry: Path, key: Path, content: bytes) -> None:
    signed(entry, content)
    assert judged(entry, public(key))[0] == FAIL


def test_a_key_with_a_passphrase_is_refused_politely(tmp_path: Path) -> None:
    locked = new_key(tmp_path / "locked", "ed25519", "secret words")
    with pytest.raises(MicronetError, match="protected by a passphrase") as refused:
        sign(CONTENT, locked)
    assert f"ssh-keygen -Y sign -n micronet -f {locked}" in str(refused.value.next_step)


def test_other_keys_are_refused(tmp_path: Path, entry: Path) -> None:
    ecdsa = new_key(tmp_path / "ecdsa", "ecdsa")
    with pytest.raises(MicronetError, match="is no Ed25519 key"):
        sign(CONTENT, ecdsa)
    keygen("-Y", "sign", "-n", "micronet", "-f", ecdsa, entry)
    assert "only ssh-ed25519 is read" in judged(entry, None)[1]
    with pytest.raises(MicronetError, match="has no ssh-ed25519 key for micronet"):
        read_signers(public(ecdsa), "micronet")
    with pytest.raises(MicronetError, match="is no private SSH key"):
        sign(CONTENT, entry)


def test_restrictions_of_allowed_signers_are_kept(tmp_path: Path, key: Path) -> None:
    assert list(read_signers(allowed(tmp_path, key, 'namespaces="git,micronet"'), "micronet"))
    for options, message in (
        ('namespaces="git"', "has no ssh-ed25519 key for micronet"),
        ('valid-before="20200101"', "'valid-before=\"20200101\"' is not known here"),
        ('namespaces="micronet",valid-before="20200101"', "is not known here"),
        ("cert-authority", "'cert-authority' is not known here"),
    ):
        with pytest.raises(MicronetError) as refused:
            read_signers(allowed(tmp_path, key, options), "micronet")
        assert message in str(refused.value)


def test_a_file_without_keys_is_no_list_of_signers(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    for content in ("", "hello world\n", "ada ssh-ed25519 !!!\n"):
        path.write_text(content)
        with pytest.raises(MicronetError):
            read_signers(path, "micronet")


def test_from_packing_to_verifying(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, out = tiny_checkpoint(tmp_path / "tiny.pt"), tmp_path / "entry.zip"
    words = ["package", target, "--track", "wikitext103", "-o", out, "--sign", key]
    assert cli.main([str(word) for word in words]) == 0
    assert "signature " in capsys.readouterr().out
    assert cli.main(["verify", str(out), "--signer", str(public(key))]) == 0
    assert "pass     signature   by the key given, SHA256:" in capsys.readouterr().out
    out.with_name("entry.zip.sig").unlink()
    assert cli.main(["verify", str(out), "--signer", str(public(key))]) == 1
    assert cli.main(["verify", str(out), "--signer", str(out)]) == 2
