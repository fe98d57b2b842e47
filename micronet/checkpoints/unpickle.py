"""Read pickles as data: opcodes in, plain values out, nothing imported, nothing called.

The standard library's ``pickletools`` splits the stream into opcodes; the little machine here
gives each opcode its meaning on plain values. A class or function is only its name, a call of one
is looked up in the fixed table of ``reductions``, and what the table does not know becomes an
``Inert`` record of name, arguments and state. Python's own unpickler is not used: even with
``find_class`` closed it sets attributes on objects (BUILD), calls what it is given (REDUCE), and
takes memory on the file's word (LONG_BINPUT, BYTEARRAY8).
"""

from __future__ import annotations

import pickletools
import struct
import warnings
from typing import IO, TYPE_CHECKING, Any, Final, cast

from micronet.checkpoints.reductions import Inert, Name, persistent, reduce
from micronet.checkpoints.source import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from micronet.checkpoints.source import Cursor

MAX_OPCODES: Final = 5_000_000
MAX_WHOLE_BITS: Final = 512  # torch's magic number, the longest whole number we expect, has 80
_CONSTANT: Final = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"}
    | {"STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"}
    | {"UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "FLOAT", "BINFLOAT"}
    | {"NONE", "NEWTRUE", "NEWFALSE"}
)
_FIXED: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES: Final = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_SCALARS: Final = (str, bytes, int, float, type(None))


def load_pickle(cursor: Cursor) -> Any:
    """The value of the one pickle at ``cursor``, which then stands behind it.

    The value is built of None, bool, int, float, str, bytes, list (sets too), tuple, dict, Name,
    Inert, StorageRef and TensorRef. Raises RefusedError with one reason otherwise.
    """
    machine = _Machine()
    stream = cast("IO[bytes]", cursor)  # genops asks for no more than a Cursor has
    try:
        with warnings.catch_warnings():
            # Of escapes in texts that Python does not know: the file's affair.
            warnings.simplefilter("ignore", DeprecationWarning)
            for opcode, argument, _ in pickletools.genops(stream):
                machine.step(opcode.name, argument)
    except RefusedError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, struct.error, OverflowError) as error:
        reason = str(error) if isinstance(error, ValueError) else "the stream contradicts itself"
        raise RefusedError(f"broken pickle: {reason.splitlines()[0][:200]}") from error
    return machine.result()


class _Machine:
    """The pickle machine's stack, marks and memo."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks under each open mark
        self.memo: dict[int, Any] = {}
        self.steps = 0

    def result(self) -> Any:
        if len(self.stack) != 1 or self.below:
            raise RefusedError("broken pickle: it does not end with one value")
        return self.stack[0]

    def step(self, name: str, argument: Any) -> None:
        self.steps += 1
        if self.steps > MAX_OPCODES:
            raise RefusedError(f"more than {MAX_OPCODES} pickle opcodes")
        if name in _CONSTANT:
            self.stack.append(_constant(name, argument))
        elif name in _TUPLES:
            self._tuple(_TUPLES[name])
        else:
            handler = _HANDLERS.get(name)
            if handler is None:
                raise RefusedError(f"the pickle opcode {name} has no place in a checkpoint")
            handler(self, argument)

    def _tuple(self, size: int) -> None:
        if len(self.stack) < size:
            raise RefusedError("broken pickle: a value is missing")
        start = len(self.stack) - size
        self.stack[start:] = [tuple(self.stack[start:])]

    def marked(self) -> list[Any]:
        items, self.stack = self.stack, self.below.pop()
        return items

    def mark(self, _: Any) -> None:
        self.below.append(self.stack)
        self.stack = []

    def push(self, value: Any) -> None:
        """Onto the stack of now: evaluating ``value`` may have closed a mark."""
        self.stack.append(value)

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def reduce(self, _: Any) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = reduce(self.stack[-1], arguments)

    def build(self, _: Any) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], Inert):
            self.stack[-1].state = state  # other values take no attributes

    def new_with_keywords(self, _: Any) -> None:
        self.stack.pop()
        self.reduce(None)

    def instance(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        arguments = tuple(self.marked())
        self.push(reduce(Name(module, name), arguments))

    def obj(self, _: Any) -> None:
        kind, *arguments = self.marked()
        self.push(reduce(kind, tuple(arguments)))

    def stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise RefusedError("broken pickle: a class name that is not text")
        self.stack.append(Name(module, name))


def _constant(name: str, argument: Any) -> Any:
    if isinstance(argument, int) and argument.bit_length() > MAX_WHOLE_BITS:
        raise RefusedError(f"a whole number of {argument.bit_length()} bits")
    return _FIXED.get(name, argument)


def _extend(target: Any, items: Iterable[Any]) -> None:
    if isinstance(target, list):
        target.extend(items)
    elif not isinstance(target, Inert):
        raise RefusedError("broken pickle: items for something that is not a list")


def _fill(target: Any, items: list[Any]) -> None:
    if isinstance(target, Inert):
        return
    if not isinstance(target, dict) or len(items) % 2:
        raise RefusedError("broken pickle: entries for something that is not a dictionary")
    for key, value in zip(items[::2], items[1::2], strict=True):
        flat = key if isinstance(key, tuple) else (key,)
        if not all(isinstance(part, _SCALARS) for part in flat):
            raise RefusedError("a dictionary key that is not a plain value")
        target[key] = value


def _dict_of(items: list[Any]) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    _fill(made, items)
    return made


def _pop_item(m: _Machine) -> list[Any]:
    return [m.stack.pop()]


def _pop_pair(m: _Machine) -> list[Any]:
    pair = m.stack[-2:]
    del m.stack[-2:]
    return pair


def _pop(m: _Machine, _: Any) -> None:
    if m.stack:
        m.stack.pop()
    else:
        m.marked()


def _filling(items: Callable[[_Machine], list[Any]], how: Callable[..., None]) -> Any:
    def handler(m: _Machine, _: Any) -> None:
        taken = items(m)
        how(m.stack[-1], taken)

    return handler


_HANDLERS: Final[dict[str, Callable[[_Machine, Any], None]]] = {
    "PROTO": lambda _m, _a: None,
    "FRAME": lambda _m, _a: None,
    "STOP": lambda _m, _a: None,
    "MARK": _Machine.mark,
    "POP": _pop,
    "POP_MARK": lambda m, _: m.marked().clear(),
    "DUP": lambda m, _: m.stack.append(m.stack[-1]),
    "EMPTY_LIST": lambda m, _: m.stack.append([]),
    "EMPTY_DICT": lambda m, _: m.stack.append({}),
    "EMPTY_SET": lambda m, _: m.stack.append([]),
    "LIST": lambda m, _: m.push(m.marked()),
    "FROZENSET": lambda m, _: m.push(m.marked()),
    "TUPLE": lambda m, _: m.push(tuple(m.marked())),
    "DICT": lambda m, _: m.push(_dict_of(m.marked())),
    "APPEND": _filling(_pop_item, _extend),
    "APPENDS": _filling(_Machine.marked, _extend),
    "ADDITEMS": _filling(_Machine.marked, _extend),
    "SETITEM": _filling(_pop_pair, _fill),
    "SETITEMS": _filling(_Machine.marked, _fill),
    "PUT": _Machine.put,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": lambda m, _: m.put(len(m.memo)),
    "GET": lambda m, index: m.stack.append(m.memo[index]),
    "BINGET": lambda m, index: m.stack.append(m.memo[index]),
    "LONG_BINGET": lambda m, index: m.stack.append(m.memo[index]),
    "GLOBAL": lambda m, argument: m.stack.append(Name(*argument.split(" ", 1))),
    "STACK_GLOBAL": _Machine.stack_global,
    "BINPERSID": lambda m, _: m.stack.append(persistent(m.stack.pop())),
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.reduce,
    "NEWOBJ_EX": _Machine.new_with_keywords,
    "INST": _Machine.instance,
    "OBJ": _Machine.obj,
    "BUILD": _Machine.build,
}
