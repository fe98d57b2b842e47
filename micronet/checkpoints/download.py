"""Download one address into a file, going on where an earlier attempt stopped."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from micronet.checkpoints.source import MAX_FILE_BYTES
from micronet.errors import MicronetError

if TYPE_CHECKING:
    from pathlib import Path

Progress = Callable[[int, int | None], None]
_PIECE_BYTES: Final = 2**18
_TIMEOUT_SECONDS: Final = 60
_BY_HAND: Final = "Check the network, or bring the file: micronet fetch NAME --from FILE"


def download(url: str, part: Path, progress: Progress | None = None) -> None:
    """The bytes at ``url`` (http, https) become the file ``part``.

    If ``part`` has bytes of an earlier attempt only the rest is asked for, provided that the
    server still has the same version (its ETag is kept in NAME.etag). On failure ``part`` keeps
    what came, and MicronetError says so.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise MicronetError(f"{url}: not an http or https address.")
    note = part.with_name(f"{part.name}.etag")
    have = part.stat().st_size if part.is_file() else 0
    tag = note.read_text(encoding="utf-8") if have and note.is_file() else ""
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with _opened(url, have if tag else 0, tag) as answer:
            resumed = answer.status == http.client.PARTIAL_CONTENT
            note.write_text(answer.headers.get("ETag") or "", encoding="utf-8")
            _receive(answer, part, have if resumed else 0, progress)
    except urllib.error.HTTPError as error:
        error.close()
        said = f"{error.code} {error.reason}"
        raise MicronetError(f"{url}: the server says {said}.", _BY_HAND) from error
    except urllib.error.URLError as error:
        host = urllib.parse.urlsplit(url).hostname
        raise MicronetError(f"Cannot reach {host}: {error.reason}.", _BY_HAND) from error
    except (OSError, http.client.HTTPException) as error:
        raise MicronetError(f"{url}: the download failed: {error}.", _BY_HAND) from error
    note.unlink(missing_ok=True)


def _opened(url: str, have: int, tag: str) -> Any:
    headers = {"User-Agent": "micronet", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": tag}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the scheme is checked
    try:
        return urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)  # noqa: S310 - the scheme is checked
    except urllib.error.HTTPError as error:
        if have and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            error.close()
            return _opened(url, 0, "")
        raise


def _receive(answer: Any, part: Path, have: int, progress: Progress | None) -> None:
    length = answer.headers.get("Content-Length")
    total = have + int(length) if length and length.isdecimal() else None
    if total is not None and total > MAX_FILE_BYTES:
        raise MicronetError(f"The server offers {total} bytes, more than {MAX_FILE_BYTES}.")
    with part.open("ab" if have else "wb") as file:
        while piece := answer.read(_PIECE_BYTES):
            file.write(piece)
            have += len(piece)
            if have > MAX_FILE_BYTES:
                raise MicronetError(f"The server sends more than {MAX_FILE_BYTES} bytes.")
            if progress is not None:
                progress(have, total)
    if total is not None and have < total:
        raise MicronetError(
            f"The connection ended after {have} of {total} bytes.",
            "Run the same command again: it goes on from there.",
        )
