"""Read a TOML data file strictly: typed getters, and every problem of the file named at once.

>>> from pathlib import Path
>>> table = Table({"bits": 16, "prize": "3/32"}, Path("book.toml"))
>>> table.integer("bits"), table.fraction("price")
(16, Fraction(0, 1))
>>> table.done()
Traceback (most recent call last):
    ...
micronet.errors.MicronetError: book.toml: price is missing; prize is unknown (did you mean 'price'?)
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

from micronet.errors import MicronetError

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")

# The digits are bounded so that no data file can ask for a number of a gigabyte.
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40}|/[1-9][0-9]{0,39})?")
_ABSENT = object()
_SHOWN_LENGTH = 60


class Table:
    """One TOML table being read: ask it for every key it may have, then call ``done()``.

    A getter that finds a problem notes it and returns its default, or an empty value of its type,
    so that reading goes on and ``done()`` can report all problems together. A key nobody asked
    for is a problem too. Tables inside this one share its list: only the outermost is ``done()``.
    """

    def __init__(self, values: Mapping[str, object], path: Path, place: str = "") -> None:
        self.path = path
        self._values = values
        self._place = place
        self._asked: set[str] = set()
        self._problems: list[str] = []
        self._inner: list[Table] = []

    def has(self, key: str) -> bool:
        """Whether the optional ``key`` is there (a getter of a missing key notes a problem)."""
        self._asked.add(key)
        return key in self._values

    def text(self, key: str, default: str | None = None) -> str:
        """A string that is not blank."""
        value = self._get(key, default)
        if isinstance(value, str) and (value.strip() or value == default):
            return value
        return self._wrong(key, value, "a text that is not blank", default, "")

    def integer(self, key: str, default: int | None = None) -> int:
        """A whole number (``true`` is none)."""
        return self._whole(key, default, "a whole number", None)

    def count(self, key: str, default: int | None = None) -> int:
        """A whole number that is at least 0."""
        return self._whole(key, default, "a whole number of 0 or more", 0)

    def positive(self, key: str, default: int | None = None) -> int:
        """A whole number that is at least 1."""
        return self._whole(key, default, "a whole number of 1 or more", 1)

    def fraction(self, key: str, default: Fraction | None = None) -> Fraction:
        """An exact number: ``3``, ``0.25``, ``"0.25"`` or ``"3/32"``; never a binary float."""
        value = self._get(key, default)
        if isinstance(value, int | Fraction) and not isinstance(value, bool):
            return Fraction(value)
        if isinstance(value, str | Decimal) and _NUMBER.fullmatch(str(value)):
            return Fraction(str(value))
        return self._wrong(key, value, 'a number such as 3, 0.25 or "3/32"', default, Fraction(0))

    def boolean(self, key: str, *, default: bool | None = None) -> bool:
        """``true`` or ``false``."""
        value = self._get(key, default)
        if isinstance(value, bool):
            return value
        return self._wrong(key, value, "true or false", default, empty=False)

    def word(self, key: str, choices: Collection[str], default: str | None = None) -> str:
        """One of ``choices``; a near miss is suggested."""
        value = self._get(key, default)
        if isinstance(value, str) and (value in choices or value == default):
            return value
        wanted = "one of " + ", ".join(choices) + _near(value, choices)
        return self._wrong(key, value, wanted, default, next(iter(choices), ""))

    def table(self, key: str) -> Table:
        """The table ``[key]``. If it is missing only that is reported, not each of its keys."""
        value = self._get(key)
        if isinstance(value, Mapping):
            return self._nest(value, f"{self._place}{key}.")
        self._wrong(key, value, "a table", None, None)
        return Table({}, self.path)

    def tables(self, key: str) -> tuple[Table, ...]:
        """The array of tables ``[[key]]``, in the file's order."""
        return self.sequence(key, of=Table.table)

    def sequence(self, key: str, of: Callable[[Table, str], T]) -> tuple[T, ...]:
        """An array of one type, told by a getter: ``sequence("shape", of=Table.integer)``."""
        value = self._get(key)
        if not isinstance(value, list | tuple):
            return self._wrong(key, value, "an array", None, ())
        items = {f"{key}[{i}]": item for i, item in enumerate(value)}
        inner = self._nest(items, self._place)
        return tuple(of(inner, item) for item in items)

    def mapping(self, key: str, of: Callable[[Table, str], T]) -> dict[str, T]:
        """A table whose keys are free: ``mapping("prices", of=Table.fraction)``."""
        inner = self.table(key)
        names = inner.keys()
        return {name: of(inner, name) for name in names}

    def keys(self) -> tuple[str, ...]:
        """The keys that are there, in the file's order."""
        return tuple(self._values)

    def problem(self, key: str, message: str) -> None:
        """Note a problem the getters cannot see: ``problem("stated", "disagrees with number")``."""
        self._problems.append(f"{self._place}{key} {message}")

    def sound(self) -> bool:
        """Whether nothing was noted here or inside so far: only then compare values."""
        return not self._problems and all(inner.sound() for inner in self._inner)

    def problems(self) -> Iterable[str]:
        """All problems so far, each with its key, outermost table first."""
        yield from self._problems
        free = self._asked - set(self._values)
        for key in self._values:
            if key not in self._asked:
                yield f"{self._place}{key} is unknown{_near(key, free or self._asked)}"
        for inner in self._inner:
            yield from inner.problems()

    def done(self) -> None:
        """Raise one MicronetError that names the file and all its problems, if it has any."""
        problems = tuple(self.problems())
        if problems:
            raise MicronetError(f"{self.path}: " + "; ".join(problems))

    def _get(self, key: str, default: object = None) -> object:
        self._asked.add(key)
        return self._values.get(key, _ABSENT if default is None else default)

    def _whole(self, key: str, default: int | None, wanted: str, at_least: int | None) -> int:
        value = self._get(key, default)
        whole = isinstance(value, int) and not isinstance(value, bool)
        if isinstance(value, int) and whole and (at_least is None or value >= at_least):
            return value
        return self._wrong(key, value, wanted, default, at_least or 0)

    def _wrong(self, key: str, found: object, wanted: str, default: T | None, empty: T) -> T:
        if found is _ABSENT:
            self.problem(key, "is missing")
        else:
            self.problem(key, f"should be {wanted}, found {_shown(found)}")
        return empty if default is None else default

    def _nest(self, values: Mapping[str, object], place: str) -> Table:
        inner = Table(values, self.path, place)
        self._inner.append(inner)
        return inner


def read(path: Path) -> Table:
    """The TOML file at ``path``, ready to be asked; decimals are kept exactly as written."""
    try:
        with path.open("rb") as file:
            return Table(tomllib.load(file, parse_float=Decimal), path)
    except FileNotFoundError as error:
        raise MicronetError(f"{path}: there is no such file.") from error
    except OSError as error:
        raise MicronetError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError, InvalidOperation) as error:  # also UTF-8, endless digits
        raise MicronetError(f"{path}: is not TOML ({error}).") from error


def pick(kind: str, name: str, among: Mapping[str, T]) -> T:
    """The entry called ``name``; else a MicronetError with a near miss and all the names."""
    if name in among:
        return among[name]
    raise MicronetError(
        f"There is no {kind} '{name}'{_near(name, among)}.",
        f"Choose one of: {', '.join(among)}",
    )


def _near(word: object, known: Iterable[str]) -> str:
    """' (did you mean ...?)' if a known word is close, else nothing."""
    close = difflib.get_close_matches(str(word), list(known), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def _shown(value: object) -> str:
    """A value as the file writes it, cut to a length one can read."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a table"
    shown = str(value) if isinstance(value, Decimal) else repr(value)
    return shown if len(shown) <= _SHOWN_LENGTH else shown[:_SHOWN_LENGTH] + "..."
