"""Files of images: which names are images, how a name is shown, how a file is read within bounds."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from micronet.errors import MicronetError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Those of torchvision.datasets.folder.IMG_EXTENSIONS, so that the same files are found.
IMAGE_SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"}
)
# Folders that file servers, archivers and disks leave behind.
_CLUTTER: Final = frozenset({"__MACOSX", "@eaDir", "lost+found", "System Volume Information"})
MAX_IMAGE_BYTES: Final = 256 * 2**20
_TAR_ENDS: Final = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")
_NAMED: Final = 3
_SHOWN_CHARACTERS: Final = 100


def suffix_of(name: str) -> str:
    """The part from the last dot on in lower case, or ""."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - names, 50,000 of them, no paths


def is_image(name: str) -> bool:
    """Whether the name ends as an image's does, in any case."""
    return suffix_of(name) in IMAGE_SUFFIXES


def is_tar(name: str) -> bool:
    """Whether the name ends as a tar's does, compressed or not."""
    return name.lower().endswith(_TAR_ENDS)


def is_hidden(name: str) -> bool:
    """Whether nobody means this file or folder by the data: ".DS_Store", "._x.jpg", "__MACOSX"."""
    return name.startswith(".") or name in _CLUTTER


def stem_of(name: str) -> str:
    """The last part of a name, without the suffix of an image: "val/x.JPEG" is "x"."""
    last = name.rpartition("/")[2]
    return last[: -len(suffix_of(last))] if is_image(last) else last


def name_bytes(name: str) -> bytes:
    """The bytes of a name, the same under every locale, also where it is not UTF-8."""
    return name.encode("utf-8", "surrogateescape")


def shown(name: str) -> str:
    r"""A name as it can be printed: in one line, other bytes and control characters as \x.."""
    text = name_bytes(name).decode("utf-8", "backslashreplace")
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"


def named(names: Iterable[str]) -> str:
    """Up to three names, and how many there are besides: "a, b, c and 4 more"."""
    every = sorted(names, key=name_bytes)
    text = ", ".join(shown(name) for name in every[:_NAMED])
    return f"{text} and {len(every) - _NAMED:,} more" if len(every) > _NAMED else text


def count_of(count: int, noun: str) -> str:
    """A count with its noun: "1 image", "3 images", "2 classes"."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"


def read_file(path: str, limit_bytes: int) -> bytes:
    """All bytes of a regular file; OSError if it is none, unreadable, or over ``limit_bytes``."""
    with open(path, "rb", opener=without_waiting) as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", path)
        if found.st_size > limit_bytes:
            raise OSError(errno.EFBIG, too_large(found.st_size, limit_bytes), path)
        return stream.read(found.st_size)


def without_waiting(path: str, flags: int) -> int:
    """Open as usual, but a pipe under an image's name must not make us wait for its writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def too_large(size_bytes: int, limit_bytes: int = MAX_IMAGE_BYTES) -> str:
    """Why a file of this size is refused."""
    return f"has {size_bytes:,} bytes; more than {limit_bytes:,} are refused"


def read_whole(path: Path, limit_bytes: int) -> bytes:
    """As ``read_file``, for files without which nothing can be judged: raises MicronetError."""
    try:
        return read_file(str(path), limit_bytes)
    except OSError as error:
        raise MicronetError(f"{path}: cannot be read: {error.strerror}.") from error


@dataclass(frozen=True)
class FileReader:
    """The bytes of example i: those of file ``names[i]`` under the folder ``root``."""

    root: str
    names: tuple[str, ...]

    def read(self, index: int) -> bytes:
        """The file's bytes; OSError if it cannot be read or is larger than MAX_IMAGE_BYTES."""
        return read_file(f"{self.root}/{self.names[index]}", MAX_IMAGE_BYTES)
