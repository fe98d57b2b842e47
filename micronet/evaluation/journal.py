"""What is known so far, on disk: an evaluation that was killed goes on where it was.

Each process appends to a file of its own, one line an image with a checksum; a line that was cut
off by a kill is ignored, and its image is done again. The folder belongs to one evaluation, and
one run at a time.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import zlib
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from micronet.errors import MicronetError
from micronet.evaluation.prediction import STATES, Prediction
from micronet.reports import file_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from micronet.evaluation.team import Team

_SUFFIX: Final = ".journal"
_LOCK: Final = "lock"
MAX_BYTES: Final = 2**30


class Journal:
    """The predictions of one evaluation, kept in ``folder``; ``writer`` tells processes apart.

    Opening it reads what every earlier process has left there (``found``, by index).
    With ``lock``, raises MicronetError if another run is at work in the folder.
    """

    def __init__(self, folder: Path, *, writer: str = "0", lock: bool = True) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(folder / _LOCK) if lock else None
            self.found = _read(folder)
            self._path = folder / f"{writer}-{os.getpid()}{_SUFFIX}"
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise MicronetError(f"{folder}: cannot be written: {error.strerror}.") from error

    def append(self, predictions: Iterable[Prediction]) -> None:
        """Keep ``predictions``; after this they survive a kill of the process."""
        lines = b"".join(_line(prediction) for prediction in predictions)
        try:
            while lines:
                lines = lines[os.write(self._file, lines) :]
        except OSError as error:
            raise MicronetError(f"{self.folder}: cannot be written: {error.strerror}.") from error

    def close(self) -> None:
        """Leave the journal for another run; one without an entry goes."""
        with contextlib.suppress(OSError):
            os.fsync(self._file)
            if os.fstat(self._file).st_size == 0:
                self._path.unlink()
        os.close(self._file)
        if self._lock is not None:
            if not any(self.folder.glob(f"*{_SUFFIX}")):
                self.remove()
            os.close(self._lock)

    def remove(self) -> None:
        """Delete the journal: the evaluation is complete and its receipt is written.

        The folders above it go too where nothing else is in them.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            for above in (self.folder.parent, self.folder.parent.parent):
                above.rmdir()


@contextmanager
def open_journal(root: Path, name: str, identity: str, team: Team) -> Iterator[Journal]:
    """The journal of the evaluation ``identity`` in ``root``, the same for every process of ``team``.

    It is deleted when the block ends well, and stays for another run otherwise. Raises
    MicronetError if the processes do not evaluate the same.
    """
    if len(set(team.share(identity))) > 1:
        raise MicronetError(
            "The processes do not evaluate the same.",
            "Every host needs the same weights, images and versions.",
        )
    folder = root / f"{file_name(name)}-{identity[:16]}"
    journal = Journal(folder, writer=str(team.rank), lock=team.rank == 0)
    try:
        yield journal
        team.share(None)  # nobody reads it any more
        if team.local_rank == 0:
            journal.remove()
    finally:
        journal.close()


def _locked(path: Path) -> int:
    """A lock that ends with the process, however it ends."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    with contextlib.suppress(ImportError):  # no such locks outside of POSIX
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise MicronetError(
                f"{path.parent}: this evaluation is being run by another process.",
                "Wait for it, or stop it; what it has found is kept.",
            ) from error
    return handle


def _line(prediction: Prediction) -> bytes:
    body = json.dumps(asdict(prediction), separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _read(folder: Path) -> dict[int, Prediction]:
    found: dict[int, Prediction] = {}
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        if path.stat().st_size > MAX_BYTES:
            raise MicronetError(f"{path}: is larger than a journal gets.", "Delete it.")
        for line in path.read_bytes().split(b"\n"):
            prediction = _prediction(line)
            if prediction is not None:
                found[prediction.index] = prediction
    return found


def _prediction(line: bytes) -> Prediction | None:
    checksum, _, body = line.partition(b" ")
    try:
        if int(checksum, 16) != zlib.crc32(body):
            return None
        made: dict[str, Any] = json.loads(body)
        prediction = Prediction(**{**made, "top": tuple(made["top"])})
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return prediction if _plausible(prediction) else None


def _plausible(found: Prediction) -> bool:
    """Whether the fields have their types."""
    margin = 0 if found.margin_percent is None else found.margin_percent
    numbers = (found.index, found.label, margin, *found.top)
    words = (found.name, found.content, found.problem)
    kinds = [(int, numbers), (str, words)]
    return found.state in STATES and all(type(e) is kind for kind, all_ in kinds for e in all_)
