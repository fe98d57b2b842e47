"""Rule books: what counts, and at which price. Data in ``scoring/rules``, one file an edition.

A book prices either elementary *acts* (the challenge's way: an addition, a multiplication, a ReLU) or
*kinds* of layers (the way of the popular counters: so much a BatchNorm element). Whatever a book does
not price it must list as free, with the reason; the loader checks that nothing is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Literal, cast, get_args

from micronet.scoring.tables import Table, pick, read
from micronet.shelf import folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ACTS = (
    "add",
    "multiply",
    "compare",
    "bitwise",
    "transcendental",
    "relu",
    "sigmoid",
    "swish",
    "permute",
)
KINDS = (
    "convolution linear product batch_norm layer_norm group_norm instance_norm average_pool "
    "adaptive_average_pool max_pool reduction softmax activation elementwise upsample_nearest "
    "upsample_linear other"
).split()
_UNITS = ("operations", "multiply-accumulates", "flops")
_DOT_ADDITIONS = ("one less", "as many", "none")
_STORAGE = ("challenge", "learned numbers")


Edges = Literal["stored", "active", "live"]


@dataclass(frozen=True)
class Price:
    """What one act costs, as multiplications, additions and others."""

    multiplications: int = 0
    additions: int = 0
    other: int = 0
    bits: int = 0
    """Width of the operation where the rules fix it (a product with a ±1 weight: 1); 0: as measured."""


@dataclass(frozen=True)
class KindPrice:
    """What one layer of a kind costs: so much a product, a result element, an input element, a row."""

    product: int = 0
    result: int = 0
    plain_result: int = 0
    """For a normalisation without scale and shift."""
    input: int = 0
    row: int = 0


@dataclass(frozen=True)
class RuleBook:
    """One way to count, complete: nothing about counting is decided anywhere else."""

    name: str
    title: str
    source: str
    clauses: Mapping[str, str]
    unit: str
    edges: Edges
    fold_batch_norm: bool
    storage: str
    bitmask: bool
    freebie_bits: int
    """Width at which an entry that quantises nothing may count its values and multiplications; 0: none."""
    dot_product_additions: str
    bias_additions: int
    acts: Mapping[str, Price] | None
    kinds: Mapping[str, KindPrice] | None
    invisible: frozenset[str]
    """Composite functions whose inside this book's counter does not see."""
    unseen_operators: frozenset[str]
    """Operators that this book's counter has no formula for."""
    modules: frozenset[str] | None
    """Where given, only operators called directly by modules of these classes are seen."""
    counter: str
    """"trace", or the name of a counter of its own ("dnw-release")."""
    sha256: str


@cache
def rule_books() -> Mapping[str, RuleBook]:
    """Every shipped rule book by name."""
    files = sorted((folder("scoring") / "rules").glob("*.toml"))
    return {path.stem: load(path) for path in files}


def rule_book(name: str) -> RuleBook:
    """The rule book ``name``; raises MicronetError with near misses."""
    return pick("rule book", name, rule_books())


def load(path: Path) -> RuleBook:
    """Read and check one rule book, and those that it is based on.

    Raises MicronetError naming the file and every offending key.
    """
    return _load(path, ())


def _load(path: Path, above: tuple[Path, ...]) -> RuleBook:
    """``above`` are the books that rest on this one."""
    table = read(path)
    book = _read(table, path, above)
    table.done()
    return book


def _read(table: Table, path: Path, above: tuple[Path, ...]) -> RuleBook:
    base: RuleBook | None = None
    if table.has("based_on"):
        base = _base(table, path, (*above, path))
    name = table.text("name", path.stem)
    if name != path.stem:
        table.problem("name", f"is '{name}', but the file is called {path.name}")
    digest = sha256(path.read_bytes() + (base.sha256.encode() if base else b"")).hexdigest()
    book = RuleBook(
        name=name,
        title=table.text("title"),
        source=table.text("source"),
        clauses={**(base.clauses if base else {}), **_mapping(table, "clauses", Table.text)},
        unit=table.word("unit", _UNITS, base.unit if base else None),
        edges=cast("Edges", table.word("edges", get_args(Edges), base.edges if base else None)),
        fold_batch_norm=table.boolean(
            "fold_batch_norm", default=base.fold_batch_norm if base else None
        ),
        storage=table.word("storage", _STORAGE, base.storage if base else None),
        bitmask=table.boolean("bitmask", default=base.bitmask if base else None),
        freebie_bits=table.count("freebie_bits", base.freebie_bits if base else None),
        dot_product_additions=table.word(
            "dot_product_additions", _DOT_ADDITIONS, base.dot_product_additions if base else None
        ),
        bias_additions=table.count("bias_additions", base.bias_additions if base else None),
        acts=_acts(table, base),
        kinds=_kinds(table, base),
        invisible=_names(table, "invisible", base.invisible if base else frozenset()),
        unseen_operators=_names(
            table, "unseen_operators", base.unseen_operators if base else frozenset()
        ),
        modules=_modules(table, base),
        counter=table.word("counter", ("trace", "dnw-release"), base.counter if base else "trace"),
        sha256=digest,
    )
    if (book.acts is None) == (book.kinds is None):
        table.problem("acts", "must be given, or kinds, but not both")
    return book


def _base(table: Table, path: Path, above: tuple[Path, ...]) -> RuleBook | None:
    name = table.text("based_on")
    file = path.parent / f"{name}.toml"
    if not name.replace("-", "").replace("_", "").isalnum() or not file.is_file():
        table.problem("based_on", f"names no rule book beside this one: '{name}'")
        return None
    if file in above:
        table.problem("based_on", f"goes in a circle: '{name}' rests on this book")
        return None
    return _load(file, above)


def _mapping(table: Table, key: str, of: object) -> Mapping[str, str]:
    return table.mapping(key, of=of) if table.has(key) else {}  # type: ignore[arg-type]


def _names(table: Table, key: str, default: frozenset[str]) -> frozenset[str]:
    return frozenset(table.sequence(key, of=Table.text)) if table.has(key) else default


def _modules(table: Table, base: RuleBook | None) -> frozenset[str] | None:
    if table.has("modules"):
        return frozenset(table.sequence("modules", of=Table.text))
    return base.modules if base else None


def _acts(table: Table, base: RuleBook | None) -> Mapping[str, Price] | None:
    if not table.has("acts"):
        return base.acts if base else None
    given = table.table("acts")
    found = dict(base.acts or {}) if base else {}
    for act in ACTS:
        if given.has(act):
            row = given.table(act)
            fields = ("multiplications", "additions", "other", "bits")
            found[act] = Price(**{field: row.count(field, 0) for field in fields})
        elif act not in found:
            given.problem(act, "has no price (an act that costs nothing needs an empty table)")
    return found


def _kinds(table: Table, base: RuleBook | None) -> Mapping[str, KindPrice] | None:
    if not table.has("kinds"):
        return base.kinds if base else None
    given = table.table("kinds")
    free = set(table.sequence("free", of=Table.text)) if table.has("free") else set()
    found = dict(base.kinds or {}) if base else {}
    for kind in KINDS:
        if given.has(kind):
            row = given.table(kind)
            fields = ("product", "result", "plain_result", "input", "row")
            found[kind] = KindPrice(**{field: row.integer(field, 0) for field in fields})
        elif kind in free:
            found[kind] = KindPrice()
        elif kind not in found:
            given.problem(kind, "has no price and is not listed under free")
    for kind in free - set(KINDS):
        table.problem("free", f"names '{kind}', which is no kind of layer")
    return found
