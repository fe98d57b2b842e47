"""The file of a recording: its columns, and how it is read without trusting it. No torch here.

Schema "micronet.recording/1": what ``np.load(path, allow_pickle=False)`` reads. n snapshots, of w
weights in g groups; the entries of all weights are laid end to end, in the order of the header,
and an edge's *place* is where it is among them.

====================  ===========================================================================
``header``            uint8 [bytes]: JSON in UTF-8, ``{"schema", "card", "seed", "weights": [{"name",
                      "shape", "group"}]}``; the weights of a group compete
``step``, ``epoch``   int64 [n]: steps and epochs that were done
``loss``              float64 [n]: mean over the epoch's training images; NaN where there was none
``train_right``, ``train_images``, ``test_right``, ``test_images``
                      int64 [n]: images that were answered rightly, of how many; -1 where none
``alive``, ``nodes``  int64 [n]: targets that an edge reaches, of those that may have one
``thresholds``        float64 [n, g]: smallest magnitude among the edges of a group that keeps its
                      largest; NaN of one whose edges are held, whatever their weights
``largest``           float64 [n, w]: largest magnitude of a kept value of the weight, exactly
``entered/00000``, …  uint8 [b, edges], one of each a snapshot: the places of the edges that were
``left/00000``, …     not there in the snapshot before; and which of its edges are gone, counted in
                      the order of their places. In the first snapshot all have entered. Row i is
                      byte i (lowest first) of the gaps: gap = number - number before - 1, with -1
                      before the first
``codes/00000``, …    int8 as uint8 [edges that entered]: round(127 · value / largest), by place; so
                      a value is known to within largest / 254
``moves/00000``, …    uint8 [edges that stayed]: what to add, modulo 256, to the code that the edge
                      had in the snapshot before, by place
====================  ===========================================================================

Nothing is said about edges that are not kept. The same run gives the same bytes.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from micronet.checkpoints.source import RefusedError
from micronet.errors import MicronetError
from micronet.evaluation.bounded import read_bounded
from micronet.training.recording_edges import (
    MOST_ENTRIES,
    MOST_PLANES,
    Change,
    Kept,
    decoded,
    places_of,
)
from micronet.training.recording_members import MOST_MEMBERS, Members

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

SCHEMA: Final = "micronet.recording/1"
HEADER: Final = "header"
WHOLE: Final = (
    *("step", "epoch", "train_right", "train_images", "test_right", "test_images"),
    *("alive", "nodes"),
)
REAL: Final = ("loss", "thresholds", "largest")
BY_SNAPSHOT: Final = ("entered", "left", "codes", "moves")
MOST_FILE_BYTES: Final = 2**30
_MOST_WEIGHTS: Final = 10_000
_MOST_NAME_LENGTH: Final = 1000
_MOST_DIMENSIONS: Final = 8
_MOST_HEADER_BYTES: Final = 2**22


@dataclass(frozen=True)
class Weight:
    """A weight whose edges are recorded, and the group that it competes in."""

    name: str
    shape: tuple[int, ...]
    group: int

    @property
    def entries(self) -> int:
        """Its elements, edges or not."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Header:
    """Of which run a recording is."""

    card: str
    seed: int
    weights: tuple[Weight, ...]

    @property
    def groups(self) -> int:
        """How many groups of weights compete."""
        return 1 + max((weight.group for weight in self.weights), default=-1)

    @property
    def starts(self) -> tuple[int, ...]:
        """The place of each weight's first entry, and last how many entries all have."""
        return tuple(accumulate((weight.entries for weight in self.weights), initial=0))

    def encoded(self) -> NDArray[np.uint8]:
        """As the member ``header`` has it."""
        text = json.dumps({"schema": SCHEMA, **asdict(self)})
        return np.frombuffer(text.encode(), np.uint8)


class Edges(NamedTuple):
    """The edges of a weight: sorted flat ``indices``, int64, and ``values``, float32."""

    indices: NDArray[np.int64]
    values: NDArray[np.float32]


@dataclass(frozen=True)
class Recording:
    """The history of a wiring, as many snapshots as its length; ``columns`` as in the schema."""

    header: Header
    columns: Mapping[str, NDArray[Any]]
    members: Members = field(repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.columns["step"])

    def edges(self, snapshot: int, weight: int) -> Edges:
        """The edges of ``header.weights[weight]`` in a snapshot: sorted flat indices, and values."""
        number = range(len(self))[snapshot]
        kept = next(islice(self._history(), number, None))
        return self._edges(number, kept, range(len(self.header.weights))[weight])

    def history(self) -> Iterator[tuple[Edges, ...]]:
        """The edges of every weight, snapshot by snapshot: quicker than to ask for each of them."""
        for number, kept in enumerate(self._history()):
            yield tuple(self._edges(number, kept, i) for i in range(len(self.header.weights)))

    def changes(self) -> Iterator[Change]:
        """What happened before each snapshot, unpacked one by one."""
        for number in range(len(self)):
            yield self._change(number)

    def _history(self) -> Iterator[Kept]:
        kept = Kept.none()
        for change in self.changes():
            kept = kept.after(change)
            yield kept

    def _change(self, number: int) -> Change:
        entries, array = self.header.starts[-1], self.members.array
        entered, left, codes, moves = (member_name(kind, number) for kind in BY_SNAPSHOT)
        return Change(
            places_of(array(entered, "|u1", 2, MOST_PLANES * entries), entries),
            places_of(array(left, "|u1", 2, MOST_PLANES * entries), entries),
            array(codes, "|u1", 1, entries),
            array(moves, "|u1", 1, entries),
        )

    def _edges(self, number: int, kept: Kept, weight: int) -> Edges:
        start, end = self.header.starts[weight : weight + 2]
        first, last = np.searchsorted(kept.places, (start, end))
        values = decoded(kept.codes[first:last], float(self.columns["largest"][number, weight]))
        return Edges(kept.places[first:last] - start, values)


def member_name(kind: str, number: int) -> str:
    """Where the ``kind`` of a snapshot is, "entered/00007"."""
    return f"{kind}/{number:05d}"


def read_recording(path: Path) -> Recording:
    """The recording in ``path``, every snapshot gone through once; MicronetError if it is none."""
    data = read_bounded(path, MOST_FILE_BYTES)
    try:
        recording = _recording(Members(data))
        for _ in recording._history():
            pass
    except RefusedError as error:
        raise MicronetError(
            f"{path}: is not a recording of a run: {error}.",
            "`micronet train … --record` writes one, recording.npz in the run's folder.",
        ) from error
    return recording


def _recording(members: Members) -> Recording:
    header = _header(members)
    steps = members.array("step", "<i8", 1, MOST_MEMBERS)
    count = len(steps)
    columns = {"step": steps}
    for name in (*WHOLE[1:], *REAL):
        shape = column_shape(header, name, count)
        dtype = "<i8" if name in WHOLE else "<f8"
        columns[name] = members.array(name, dtype, len(shape), math.prod(shape))
        if columns[name].shape != shape:
            raise RefusedError(f"{name}.npy has the shape {columns[name].shape}, expected {shape}")
    names = {member_name(kind, i) for kind in BY_SNAPSHOT for i in range(count)}
    if odd := members.names ^ (names | set(columns) | {HEADER}):
        raise RefusedError(f"{min(odd)[:60]!r} is missing or too much, with {count} snapshots")
    _check(columns)
    return Recording(header, columns, members)


def column_shape(header: Header, name: str, count: int) -> tuple[int, ...]:
    """The shape of a column after ``count`` snapshots."""
    width = {"thresholds": header.groups, "largest": len(header.weights)}
    return (count, width[name]) if name in width else (count,)


def _check(columns: Mapping[str, NDArray[Any]]) -> None:
    largest, thresholds = columns["largest"], columns["thresholds"]
    rules = {
        "step": (columns["step"] >= 0).all() and (np.diff(columns["step"]) > 0).all(),
        "epoch": (columns["epoch"] >= 0).all() and (np.diff(columns["epoch"]) >= 0).all(),
        "alive": ((columns["alive"] >= 0) & (columns["alive"] <= columns["nodes"])).all(),
        "train_right": _are_some_of(columns["train_right"], columns["train_images"]),
        "test_right": _are_some_of(columns["test_right"], columns["test_images"]),
        "thresholds": (np.isnan(thresholds) | ((thresholds >= 0) & np.isfinite(thresholds))).all(),
        "largest": ((largest >= 0) & (largest <= np.finfo(np.float32).max)).all(),
    }
    if broken := [name for name, holds in rules.items() if not holds]:
        raise RefusedError(f"the numbers of {broken[0]}.npy are impossible")


def _are_some_of(right: NDArray[Any], images: NDArray[Any]) -> bool:
    none = (right == -1) & (images == -1)
    return bool((none | ((right >= 0) & (right <= images))).all())


def _header(members: Members) -> Header:
    text = members.array(HEADER, "|u1", 1, _MOST_HEADER_BYTES).tobytes()
    try:
        raw = json.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"its header is not JSON ({str(error)[:100]})") from error
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        schema = raw.get("schema") if isinstance(raw, dict) else raw
        raise RefusedError(f"its schema is {str(schema)[:60]!r}, expected {SCHEMA!r}")
    weights = raw.get("weights")
    if (
        set(raw) != {"schema", "card", "seed", "weights"}
        or not isinstance(raw["card"], str)
        or type(raw["seed"]) is not int
        or not isinstance(weights, list)
        or len(weights) > _MOST_WEIGHTS
    ):
        raise RefusedError("its header does not say card, seed and weights")
    header = Header(raw["card"], raw["seed"], tuple(_weight(each) for each in weights))
    if header.starts[-1] > MOST_ENTRIES:
        raise RefusedError(
            f"its weights have {header.starts[-1]:,} entries, at most {MOST_ENTRIES:,}"
        )
    return header


def _weight(raw: Any) -> Weight:
    """One of the header's weights; sizes are bounded before they are multiplied."""
    if isinstance(raw, dict) and set(raw) == {"name", "shape", "group"}:
        name, shape, group = raw["name"], raw["shape"], raw["group"]
        if (
            isinstance(name, str)
            and isinstance(shape, list)
            and len(name) <= _MOST_NAME_LENGTH
            and len(shape) <= _MOST_DIMENSIONS
            and all(type(n) is int and 0 <= n <= MOST_ENTRIES for n in shape)
            and type(group) is int
            and 0 <= group < _MOST_WEIGHTS
        ):
            return Weight(name, tuple(shape), group)
    raise RefusedError(f"its header has the weight {str(raw)[:60]}, expected name, shape and group")
