"""Eight float32 in one register: the vocabulary in which the compiled kernels are written.

A compiler turns a loop into vector instructions where it can prove that nothing overlaps and
guesses that the loop is long. Here they are written down instead, so they are there on every
machine and for every size, and sums are added up in one order only. LLVM makes of eight lanes what
the processor has: one register with AVX, two with NEON.

A vector is a value inside of compiled functions only. What numba keeps compiled on disk does not
know of this file: after a change here, touch the kernels.
"""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES: Final = 8

_VECTOR: Final = ir.VectorType(ir.FloatType(), LANES)
_ZEROS: Final = ir.Constant(_VECTOR, [0.0] * LANES)
_NOTHING: Final = ir.Constant(_VECTOR, ir.Undefined)
_FIRST: Final = ir.Constant(ir.IntType(32), 0)
_FUSE: Final = ("contract",)  # a product and a sum may become one instruction


class Vector(types.Type):  # type: ignore[misc]
    """The type of a vector, for numba."""

    def __init__(self) -> None:
        super().__init__(name=f"float32x{LANES}")


vector = Vector()


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, of: Any) -> None:
        super().__init__(manager, of, _VECTOR)


def _place(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """The address of a vector in a flat float32 array."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer())


def _lanes(order: list[int]) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), LANES), order)


@intrinsic
def load(_: Any, array: Any, index: Any) -> Any:
    """The eight numbers of a flat ``array`` from ``index`` on."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _place(context, builder, signature.args[0], *args)
        return builder.load(place, align=4)

    return vector(array, types.uint64), build


@intrinsic
def store(_: Any, array: Any, index: Any, value: Any) -> Any:
    """Put ``value`` into a flat ``array`` from ``index`` on."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _place(context, builder, signature.args[0], *args[:2])
        builder.store(args[2], place, align=4)
        return context.get_dummy_value()

    return types.none(array, types.uint64, vector), build


@intrinsic
def spread(_: Any, number: Any) -> Any:
    """The same ``number`` in every lane."""

    def build(_: Any, builder: Any, __: Any, args: Any) -> Any:
        one = builder.insert_element(_NOTHING, args[0], _FIRST)
        return builder.shuffle_vector(one, _NOTHING, _lanes([0] * LANES))

    return vector(types.float32), build


@intrinsic
def add(_: Any, a: Any, b: Any) -> Any:
    """A + b."""
    return vector(a, b), lambda _, builder, __, args: builder.fadd(*args, flags=_FUSE)


@intrinsic
def subtract(_: Any, a: Any, b: Any) -> Any:
    """A - b."""
    return vector(a, b), lambda _, builder, __, args: builder.fsub(*args, flags=_FUSE)


@intrinsic
def multiply(_: Any, a: Any, b: Any) -> Any:
    """A · b."""
    return vector(a, b), lambda _, builder, __, args: builder.fmul(*args, flags=_FUSE)


@intrinsic
def divide(_: Any, a: Any, b: Any) -> Any:
    """A / b."""
    return vector(a, b), lambda _, builder, __, args: builder.fdiv(*args)


@intrinsic
def add_product(_: Any, total: Any, a: Any, b: Any) -> Any:
    """Total + a · b, in one instruction where there is one."""

    def build(_: Any, builder: Any, __: Any, args: Any) -> Any:
        product = builder.fmul(args[1], args[2], flags=_FUSE)
        return builder.fadd(args[0], product, flags=_FUSE)

    return vector(total, a, b), build


@intrinsic
def root(_: Any, a: Any) -> Any:
    """√a."""

    def build(_: Any, builder: Any, __: Any, args: Any) -> Any:
        kind = ir.FunctionType(_VECTOR, [_VECTOR])
        name = f"llvm.sqrt.v{LANES}f32"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)

    return vector(a), build


@intrinsic
def relu(_: Any, a: Any) -> Any:
    """0 where a < 0, else a: NaN stays, as in torch."""

    def build(_: Any, builder: Any, __: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", args[0], _ZEROS), _ZEROS, args[0])

    return vector(a), build


@intrinsic
def where_positive(_: Any, a: Any, value: Any) -> Any:
    """``value`` where a > 0, else 0: what comes back through `relu`."""

    def build(_: Any, builder: Any, __: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", args[0], _ZEROS), args[1], _ZEROS)

    return vector(a, value), build


@intrinsic
def total(_: Any, a: Any) -> Any:
    """The sum of the eight lanes, halves first."""

    def build(_: Any, builder: Any, __: Any, args: Any) -> Any:
        (value,) = args
        for half in (4, 2, 1):
            turned = _lanes([(lane + half) % LANES for lane in range(LANES)])
            value = builder.fadd(value, builder.shuffle_vector(value, _NOTHING, turned))
        return builder.extract_element(value, _FIRST)

    return types.float32(a), build
